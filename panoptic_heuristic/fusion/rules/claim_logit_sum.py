"""Each pixel goes to the largest sum of semantic and mask logit, or to nobody."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, FrozenSet

import torch
from torch import Tensor

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, HasOverlapThreshold
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.logit_votes import LogitVote
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.probabilities import places_of
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.semantics import SemanticMap


@CLAIM_REGISTRY.register("logit_sum")
@dataclass(frozen=True)
class LogitSum(HasOverlapThreshold):
    """Stuff, instances and the unknown compete for each pixel by their logits.

    This is the panoptic head of UPSNet (Xiong et al., CVPR 2019) on heads that were not trained
    with it. First, with the fractions in float64, an instance is dropped as ``empty`` if it has no
    pixel, and as ``overlap`` if better instances of its own category that stay cover more than
    ``overlap_threshold`` of its mask. Then the largest of these values wins a pixel:

    - of each stuff label, its semantic logit;
    - of each instance, inside its box rounded outwards only: the semantic logit of its category
      plus the logit of its mask probability;
    - of the unknown, the largest semantic logit of any thing, less the largest that an instance
      found there has for its category; less 0 where there is no box. It is high where the semantic
      head sees a thing of which there is no instance. What it wins is void.

    Of equal values stuff wins before instances, the lower label and the better rank before others,
    and the unknown never. An instance that wins no pixel is dropped as ``outvoted``. Stuff wins by
    its logit and not by the label of the pixel, so that it also gets pixels with the label of a
    thing, and stuff may be in the map that no label of the semantic head names. Pixels of instances
    keep the head's label, for the veto, and for those that it takes back.

    The semantic logit of a category is that of its channel, or of the one of all things (that means
    no category) if it has none; of several channels the largest counts. Logits are compared as they
    are, so a constant added to all of them changes the map: the unknown does not move with it.

    UPSNet's ``overlap_threshold`` is 0.3.
    """

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.LOGITS, Need.ROI_PROBABILITIES})

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`.

        Raises:
            InputError: there are no RoI mask probabilities or no semantic logits, or no channel means
                the category of an instance, or things.
        """
        vote = LogitVote(heads, order, self, "the claim rule logit_sum", within_category=True)
        found = torch.empty_like(vote.best)
        for entrant in vote.entrants():
            window, values = entrant.window, entrant.semantic_logits
            found[window] = torch.maximum(found[window], values).where(vote.is_boxed[window], values)
            vote.enter(entrant, values + entrant.mask_logits)
        things, _ = vote.channels.largest(vote.channels.things)
        is_unknown = quick(things) > quick(vote.stuff)
        # Inside boxes instances were found, and may be what is better than stuff.
        boxed = places_of(vote.is_boxed)
        of_things, of_found, best = (values.flatten()[boxed].double() for values in (things, found, vote.best))
        is_unknown.reshape(-1)[quick(boxed)] = quick(of_things - of_found > best)
        winner = torch.as_tensor(quick(vote.winner) * ~is_unknown)
        semantics = _relabelled(heads.semantics, vote.stuff_labels, is_unknown, quick(winner) > 0)
        return dataclasses.replace(vote.claim(winner), semantics=semantics)


def _relabelled(semantics: SemanticMap, stuff_labels: Tensor, is_unknown: Any, has_instance: Any) -> SemanticMap:
    """The labels by which stuff fills what instances leave free.

    Args:
        semantics: the head's.
        stuff_labels: (H, W) integers: the best stuff, -1 for none.
        is_unknown: (H, W) bool of :func:`.quick.quick`: the pixels that go to nobody.
        has_instance: likewise: the pixels that keep the head's label.
    """
    meaning = semantics.label_to_category
    void = next((label for label, category_id in meaning.items() if category_id is None), max(meaning) + 1)
    labels = quick(stuff_labels if void < 256 else stuff_labels.long())
    labels = labels + (void - labels) * (is_unknown | (labels < 0))
    labels = labels + (quick(semantics.short_labels) - labels) * has_instance
    return semantics.with_labels(torch.as_tensor(labels), {**meaning, void: None})
