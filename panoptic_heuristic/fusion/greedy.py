"""The rule of Panoptic FPN (Kirillov et al., CVPR 2019), as in Detectron2 and panopticapi."""

from dataclasses import dataclass, field
from typing import Dict, Mapping

import torch

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim
from panoptic_heuristic.fusion.heads import HeadOutputs
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import check_number, numbers_of_categories


@CLAIM_REGISTRY.register("greedy")
@dataclass(frozen=True)
class Greedy:
    """Instances take free pixels one after the other; those mostly claimed before are dropped.

    An instance is dropped as ``empty`` if it has no pixel, as ``overlap`` if the fraction of its
    area claimed before exceeds its threshold, and as ``covered`` if that leaves it no pixel;
    otherwise it takes its free pixels. The fraction is compared in float64. Detectron2 emits a
    segment without a pixel where this says ``covered``.

    Attributes:
        overlap_threshold: in [0, 1].
        overlap_threshold_of: for instances of single categories, in place of ``overlap_threshold``;
            keys are dataset category ids of things.
    """

    overlap_threshold: float = 0.5
    overlap_threshold_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        check_number("overlap_threshold", self.overlap_threshold, 0, 1)
        values = numbers_of_categories("overlap_threshold_of", self.overlap_threshold_of, 0, 1, isthing=True)
        object.__setattr__(self, "overlap_threshold_of", values)

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`."""
        instances = heads.instances
        panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32, device=instances.device)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for index in order.ranked:
            crop = instances.crop(index)
            window = panoptic_seg[crop.window]
            free = crop.mask & (window == 0)
            area, free_area = int(crop.mask.count_nonzero()), int(free.count_nonzero())
            threshold = self.overlap_threshold_of.get(instances.category_ids[index], self.overlap_threshold)
            if area == 0:
                dropped[index] = "empty"
            elif (area - free_area) / area > threshold:
                dropped[index] = "overlap"
            elif free_area == 0:
                dropped[index] = "covered"
            else:
                areas[index] = free_area
                window.masked_fill_(free, len(areas))
        return Claim(panoptic_seg, areas, dropped)
