"""Scoring of candidates by the pixels they share with the ground truth: the integers of scoring pixel by pixel.

Shape legend: T ground-truth segments. Scored are "candidates": instances, or stuff categories.
"""

from dataclasses import dataclass

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The worth of candidates whose pixels are known. All arrays have the shape (..., candidates).

    Attributes:
        area: int64, pixels; 0 if the candidate is not there.
        iou: int64, IoU with the segment it matches in units of 2**-40; 0 without a match.
        matched: bool, a true positive.
        false: bool, a false positive.
        gt: int64, the place of the matched segment from 1; 0 without a match.
    """

    area: np.ndarray
    iou: np.ndarray
    matched: np.ndarray
    false: np.ndarray
    gt: np.ndarray

    def counts(self) -> np.ndarray:
        """(3, ..., candidates) int64: iou_sum, TP and FP of each candidate."""
        return np.stack([self.iou, self.matched, self.false])


def score(shared: np.ndarray, category_ids: np.ndarray, regions: Regions) -> Outcomes:
    """Scores candidates as :func:`panoptic_heuristic.quality.compare` does.

    Args:
        shared: (..., candidates, T + 2) int64, pixels per place of the ground truth.
        category_ids: (candidates,) dataset ids.
        regions: of the image.
    """
    gt = regions.gt
    area, on_void = shared.sum(axis=-1), shared[..., 0]
    same = category_ids[:, None] == gt.category_ids
    candidates, segments = (same & ~gt.iscrowd).nonzero()
    iou = np.zeros(area.shape, dtype=np.int64)
    match = np.zeros(area.shape, dtype=np.int64)
    intersection = shared[..., candidates, segments + 1]
    counted = (area - on_void)[..., candidates]
    union = regions.gt_areas[segments + 1] + counted - intersection
    # At most one pair of a candidate exceeds one half.
    *where, pair = (2 * intersection > union).nonzero()
    at = (*where, candidates[pair])
    iou[at] = in_units(intersection[(*where, pair)], union[(*where, pair)])
    match[at] = segments[pair] + 1
    matched = match > 0
    excused = on_void
    excusing = gt.last_crowds
    if excusing.any():
        excused = on_void.copy()
        for candidate, place in zip(*(same & excusing).nonzero(), strict=True):
            excused[..., candidate] += shared[..., candidate, place + 1]
    false = (area > 0) & ~matched & (2 * excused <= area)
    return Outcomes(area, iou, matched, false, match)


def in_units(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    """intersection / union in units of 2**-40, rounded half up, as :func:`panoptic_heuristic.quality.counts.in_units`.

    Twenty bits at a time, so that nothing exceeds 64 bits in images of up to 2**42 pixels.
    """
    high, rest = np.divmod(intersection << 20, union)
    low, rest = np.divmod(rest << 20, union)
    return (high << 20) + low + (2 * rest >= union)
