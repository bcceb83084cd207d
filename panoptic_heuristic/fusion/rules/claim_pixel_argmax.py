"""Each pixel goes to the instance that is surest of it."""

from dataclasses import dataclass
from typing import ClassVar, Dict, FrozenSet, List

import torch

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.id_maps import id_areas, renumbered
from panoptic_heuristic.fusion.mask_votes import mask_vote
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import check_choice, check_number
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.soft_masks import check_probabilities

BY = ("score", "mask")
"""The values that a pixel goes by: score times mask probability, or the probability alone."""

KEPT_PIXELS = ("mask", "won")
"""The pixels that a segment keeps of those it won."""


@CLAIM_REGISTRY.register("pixel_argmax")
@dataclass(frozen=True)
class PixelArgmax:
    """Each pixel goes to the largest score times mask probability m; those that win too little go.

    The rule of MaskFormer (Cheng et al., NeurIPS 2021) and Mask2Former (CVPR 2022), for instances:
    their stuff competes as well, here it takes what is left. It needs RoI mask probabilities. An
    instance wins nothing outside its box, nor where its value is not above 0; of equal values the
    better-ranked wins. Products and fractions are compared in float64. An instance is dropped as

    - ``empty`` if m is below 1/2 everywhere,
    - ``outvoted`` if the pixels it won, over those where its m is at least 1/2, are a fraction
      below ``kept_fraction``, or if nothing that it may keep is among them.

    Pixels that a dropped instance won go to no other instance; they are free for stuff.

    Attributes:
        kept_fraction: in [0, 1]. It is a minimum, the OVERLAP_THRESHOLD of Mask2Former's configs,
            where ``overlap_threshold`` of the other rules is a maximum of what may be lost.
        by: one of :data:`BY`; the mask probability alone is JSIS-Net's way (de Geus et al., 2018).
        kept_pixels: one of :data:`KEPT_PIXELS`: of the pixels it won those where its m is at least
            1/2, as in Mask2Former, or all, as in MaskFormer. Since no stuff competes, ``won`` lets
            an instance spread over what no other is surer of, as far as its box goes.

    Raises:
        InputError: a value is out of its interval, or none of the words.
    """

    kept_fraction: float = 0.8
    by: str = "score"
    kept_pixels: str = "mask"

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.ROI_PROBABILITIES})

    def __post_init__(self):
        check_number("kept_fraction", self.kept_fraction, 0, 1)
        check_choice("by", self.by, BY)
        check_choice("kept_pixels", self.kept_pixels, KEPT_PIXELS)

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`.

        Raises:
            InputError: the instances have no RoI mask probabilities.
        """
        instances, ranked = heads.instances, order.ranked
        check_probabilities(instances, "the claim rule pixel_argmax")
        scores = instances.scores.tolist()
        voters = [scores[index] for index in ranked] if self.by == "score" else None
        winner, in_mask, mask_areas = mask_vote(instances, ranked, voters)
        won_areas = id_areas(winner, len(ranked))
        if self.kept_pixels == "mask":
            winner = torch.as_tensor(quick(winner) * quick(in_mask))
        kept_areas = id_areas(winner, len(ranked))
        places: List[int] = []
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for place, (index, mask_area) in enumerate(zip(ranked, mask_areas, strict=True), start=1):
            if mask_area == 0:
                dropped[index] = "empty"
            elif kept_areas[place] == 0 or won_areas[place] / mask_area < self.kept_fraction:
                dropped[index] = "outvoted"
            else:
                places.append(place)
                areas[index] = kept_areas[place]
        return Claim(renumbered(winner, places, len(ranked)), areas, dropped)
