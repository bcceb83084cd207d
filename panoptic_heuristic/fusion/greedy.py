"""The rule of Panoptic FPN (Kirillov et al., CVPR 2019), as in Detectron2 and panopticapi."""

from dataclasses import dataclass
from typing import Dict, Sequence

import torch

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.parameters import check_number


@CLAIM_REGISTRY.register("greedy")
@dataclass(frozen=True)
class Greedy:
    """Instances take free pixels one after the other; those mostly claimed before are dropped.

    An instance is dropped as ``empty`` if it has no pixel, as ``overlap`` if the fraction of its
    area claimed before exceeds ``overlap_threshold``, and as ``covered`` if that leaves it no
    pixel; otherwise it takes its free pixels. The fraction is compared in float64. Detectron2
    emits a segment without a pixel where this says ``covered``.

    Attributes:
        overlap_threshold: in [0, 1].
    """

    overlap_threshold: float = 0.5

    def __post_init__(self):
        check_number("overlap_threshold", self.overlap_threshold, 0, 1)

    def claim(self, instances: InstanceSet, ranked: Sequence[int]) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`."""
        panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32, device=instances.device)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for index in ranked:
            crop = instances.crop(index)
            window = panoptic_seg[crop.window]
            free = crop.mask & (window == 0)
            area, free_area = int(crop.mask.count_nonzero()), int(free.count_nonzero())
            if area == 0:
                dropped[index] = "empty"
            elif (area - free_area) / area > self.overlap_threshold:
                dropped[index] = "overlap"
            elif free_area == 0:
                dropped[index] = "covered"
            else:
                areas[index] = free_area
                window.masked_fill_(free, len(areas))
        return Claim(panoptic_seg, areas, dropped)
