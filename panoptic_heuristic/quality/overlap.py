"""The numbers of pixels that pairs of segments of two maps share.

Segments are named by their place: 0 is void, k is the k-th listed segment, and one more is for
pixels that belong to neither.
"""

from dataclasses import dataclass
from typing import Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.coco_panoptic import VOID_ID

# A table of all pairs is the fastest way to count while it is small: 8 bytes per cell.
_LARGEST_TABLE = 2**20


@dataclass(frozen=True, eq=False)
class Runs:
    """Two maps as R runs of pixels, in reading order, along which neither changes.

    Attributes:
        gt, pred: (R,) integers, the values of the runs.
        lengths: (R,) integers, pixels.
    """

    gt: np.ndarray
    pred: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of_maps(cls, gt: np.ndarray, pred: np.ndarray) -> "Runs":
        """The runs of two (H, W) maps."""
        gt, pred = gt.reshape(-1), pred.reshape(-1)
        if gt.size == 0:
            return cls(gt, pred, np.zeros(0, dtype=np.int64))
        # Segments are long runs of equal pixels, so whatever follows is done on twenty times fewer values.
        changes = gt[1:] != gt[:-1]
        changes |= pred[1:] != pred[:-1]
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
        return cls(gt[starts], pred[starts], np.diff(starts, append=gt.size))


@dataclass(frozen=True, eq=False)
class Overlap:
    """The K pairs of places that share pixels.

    Attributes:
        gt, pred: (K,) integers, places.
        pixels: (K,) int64, the pixels a pair shares, at least 1.
    """

    gt: np.ndarray
    pred: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of_places(cls, runs: Runs, places: Tuple[int, int]) -> "Overlap":
        """Counts the pairs of runs whose values are places.

        Args:
            runs: the two maps.
            places: how many places the ground truth and the prediction have.
        """
        n_gt, n_pred = places
        pairs = runs.gt * n_pred + runs.pred
        if n_gt * n_pred <= _LARGEST_TABLE:
            table = _sums(pairs, runs.lengths, n_gt * n_pred)
            present = np.flatnonzero(table)
            pixels = table[present]
        else:
            present, inverse = np.unique(pairs, return_inverse=True)
            pixels = _sums(inverse.reshape(-1), runs.lengths, len(present))
        return cls(present // n_pred, present % n_pred, pixels)

    def gt_area(self, places: int) -> np.ndarray:
        """(places,) int64, pixels of each place of the ground truth."""
        return _sums(self.gt, self.pixels, places)

    def pred_area(self, places: int, where: "slice | np.ndarray" = slice(None)) -> np.ndarray:
        """(places,) int64, pixels of each place of the prediction, of the pairs in ``where`` only."""
        return _sums(self.pred[where], self.pixels[where], places)


def places_of(values: np.ndarray, listed: Sequence[int]) -> np.ndarray:
    """The place of each id: 0 of void, k of ``listed[k - 1]``, ``len(listed) + 1`` of any other.

    Args:
        values: (R,) integers.
        listed: segment ids, each once; void is not among them.

    Returns:
        (R,) int64.
    """
    ids = np.array([VOID_ID, *listed], dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    values = values.astype(np.int64)
    found = np.searchsorted(ascending, values)
    found[found == len(ids)] = 0
    return np.where(ascending[found] == values, order[found], len(ids))


def _sums(index: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    # bincount adds floats, exactly below 2**53.
    return np.bincount(index, weights=values, minlength=length).astype(np.int64)
