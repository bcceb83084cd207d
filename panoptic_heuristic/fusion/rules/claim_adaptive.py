"""Instances win pixels from stuff where the mask head and the semantic head agree on them."""

from dataclasses import dataclass
from typing import ClassVar, FrozenSet

import torch
from torch import Tensor

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, HasOverlapThreshold
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.logit_votes import LogitVote
from panoptic_heuristic.fusion.order import Order

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
        vote = LogitVote(heads, order, self, "the claim rule adaptive", within_category=False)
        for entrant in vote.entrants():
            mask, semantic = MASK_LOGIT_FACTOR * entrant.mask_logits, entrant.semantic_logits
            vote.enter(entrant, (_sigmoid(mask) + _sigmoid(semantic)) * (mask + semantic))
        return vote.claim(vote.winner)


def _sigmoid(logits: Tensor) -> Tensor:
    # The last bit of PyTorch's own depends on where in memory a value lies, and so would ties.
    return 1 / (1 + torch.exp(-logits))
