"""Instances of cached predictions, and what each of them would match before anything is fused.

Shape legend: n examples, F features.
"""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions, rank_by
from panoptic_heuristic.ablation.regions.scoring import score
from panoptic_heuristic.quality import IOU_UNIT


@dataclass(frozen=True, eq=False)
class Examples:
    """Instances and what became of them.

    Attributes:
        features: (n, F) float64.
        category_ids: (n,) int64 dataset ids.
        labels: (n,) bool: it is a true positive.
        ious: (n,) float64, of true positives their IoU, otherwise 0.
    """

    features: np.ndarray
    category_ids: np.ndarray
    labels: np.ndarray
    ious: np.ndarray

    def per_category(self) -> Dict[int, Tuple[int, int]]:
        """The number of them, and of the true positives among them, by category id."""
        category_ids, groups = np.unique(self.category_ids, return_inverse=True)
        numbers, true = np.bincount(groups), np.bincount(groups, self.labels).astype(np.int64)
        return dict(zip(category_ids.tolist(), zip(numbers.tolist(), true.tolist(), strict=True), strict=True))


def examples_of(images: Sequence[Regions], score_floor: float) -> Examples:
    """The matches that instances of some images would have before fusion, mask against ground truth.

    An instance is a true positive if its mask has an IoU above 0.5 with a segment of its category
    that no better-scored instance of the category has matched. Those without a pixel are left out,
    and those on void or a crowd that count neither as true nor as false.

    Args:
        images: the tuning images.
        score_floor: instances with a lower score are left out.
    """
    parts: List[Tuple[np.ndarray, ...]] = []
    for regions in images:
        outcomes = score(regions.masks_on_gt, regions.category_ids, regions)
        ranked = rank_by(regions.scores, np.isfinite(regions.scores) & (regions.scores >= score_floor))
        ranked = ranked[outcomes.matched[ranked] | outcomes.false[ranked]]
        # A segment's first place in the ranking; 0 stands for no match.
        segments, first = np.unique(outcomes.gt[ranked], return_index=True)
        labels = np.zeros(len(ranked), dtype=bool)
        labels[first[segments > 0]] = True
        ious = np.where(labels, outcomes.iou[ranked] / IOU_UNIT, 0.0)
        parts.append((regions.calibration_features[ranked], regions.category_ids[ranked], labels, ious))
    return Examples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
