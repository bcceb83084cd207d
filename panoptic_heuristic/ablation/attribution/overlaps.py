"""IoU of candidates with the ground truth, as PQ has it, in integers."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions

MATCH, POOR = Fraction(1, 2), Fraction(1, 10)
"""A segment is found if an IoU exceeds the first, and found poorly if one exceeds the second."""


@dataclass(frozen=True, eq=False)
class Overlaps:
    """P candidates against T ground-truth segments. Crowds overlap with nothing.

    Attributes:
        intersection, union: (P, T) int64 pixels; the union leaves out the candidate's pixels on void.
    """

    intersection: np.ndarray
    union: np.ndarray

    @classmethod
    def of_shared(cls, shared: np.ndarray, regions: Regions) -> "Overlaps":
        """From the pixels that candidates share with each place of the ground truth.

        Args:
            shared: (P, T + 2) int64: void, segments, and pixels of ids that are not listed.
            regions: of the image.
        """
        intersection = np.where(regions.gt.iscrowd, 0, shared[:, 1:-1])
        not_void = shared[:, 1:].sum(axis=1)
        return cls(intersection, regions.gt_areas[1:-1] + not_void[:, None] - shared[:, 1:-1])

    def exceeds(self, threshold: Fraction) -> np.ndarray:
        """(P, T) bool: where the IoU does."""
        return self.intersection * threshold.denominator > self.union * threshold.numerator

    @cached_property
    def iou(self) -> np.ndarray:
        """(P, T) float64, for ranking."""
        return self.intersection / np.maximum(self.union, 1)


def best(iou: np.ndarray, allowed: np.ndarray) -> int:
    """The place of the largest of the values that are allowed, the first of equal ones; -1 if none is allowed."""
    places = np.flatnonzero(allowed)
    return int(places[iou[places].argmax()]) if len(places) else -1
