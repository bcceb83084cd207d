"""Instances win pixels from stuff where the mask head and the semantic head agree on them."""

from dataclasses import dataclass
from typing import ClassVar, FrozenSet

import torch
from torch import Tensor

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, HasOverlapThreshold
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.soft_channels import (
    BoxVote,
    Channels,
    claim_of_winners,
    inside_box,
    mask_logits,
    uncovered,
)
from panoptic_heuristic.fusion.soft_masks import check_probabilities

WHO = "the claim rule adaptive"

MASK_LOGIT_FACTOR = 4.0
"""EfficientPS multiplies the logits of its masks by this."""


@CLAIM_REGISTRY.register("adaptive")
@dataclass(frozen=True)
class Adaptive(HasOverlapThreshold):
    """Instances compete with stuff for each pixel, by how far the two heads agree on them.

    The fusion of EfficientPS (Mohan and Valada, IJCV 2021). First, with the fractions in float64,
    an instance is dropped as ``empty`` if it has no pixel, and as ``overlap`` if better instances
    that stay, of any category, cover more than ``overlap_threshold`` of its mask. Inside its box
    rounded outwards, and nowhere else, each of the others has the value

        (sigmoid(A) + sigmoid(B)) * (A + B),

    A four times the logit of its mask probability, B the semantic logit of its category. Of these
    and the semantic logits of stuff the largest wins; of equal ones stuff, then the better rank.
    An instance that wins no pixel is dropped as ``outvoted``. Stuff does not get what it wins here:
    it fills the free pixels by the head's own labels. So a pixel that an instance lost to stuff,
    but whose label is a thing, is void.

    The semantic logit of a category is that of its channel, or of the one of all things (that means
    no category) if it has none; of several channels the largest counts. Where both heads are sure
    that an instance is not there, its value is just below 0, more than a stuff logit of -1.
    """

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.LOGITS, Need.ROI_PROBABILITIES})

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`.

        Raises:
            InputError: there are no RoI mask probabilities or no semantic logits, or no channel means
                the category of an instance, or things.
        """
        instances = heads.instances
        check_probabilities(instances, WHO)
        channels = Channels.of(heads, WHO)
        kept, dropped = uncovered(
            instances,
            order.ranked,
            self.overlap_threshold_for,
            within_category=False,
        )
        vote = BoxVote(channels.largest(channels.stuff)[0])
        for place, index in enumerate(kept, start=1):
            soft = inside_box(instances, index)
            mask = MASK_LOGIT_FACTOR * mask_logits(soft.values)
            semantic, _ = channels.largest(channels.of_thing(instances.category_ids[index]), soft.window)
            vote.enter(place, soft.window, (_sigmoid(mask) + _sigmoid(semantic)) * (mask + semantic))
        return claim_of_winners(vote.winner, kept, dropped)


def _sigmoid(logits: Tensor) -> Tensor:
    # The last bit of PyTorch's own depends on where in memory a value lies, and so would ties.
    return 1 / (1 + torch.exp(-logits))
