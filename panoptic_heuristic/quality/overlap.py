"""The numbers of pixels that pairs of segments of two maps share.

Segments are named by their place: 0 is void, k is the k-th listed segment, and one more is for
pixels that belong to neither.
"""

import itertools
from dataclasses import dataclass
from typing import Iterator, Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.coco_panoptic import VOID_ID
from panoptic_heuristic.quality.pieces import Pieces

# A table of all pairs is the fastest way to count while it is small: 8 bytes per cell.
_LARGEST_TABLE = 2**20

# Ids that a table without collisions is small for: at most 2**15 slots.
_FEW = 127

# Values for which the table is made in less time than it saves.
_MANY = 500

# 2**64 divided by the golden ratio, odd.
_GOLDEN = 0x9E3779B97F4A7C15


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
    def of_places(cls, pieces: Pieces, places: Tuple[int, int]) -> "Overlap":
        """Counts the pairs of pieces whose values are places.

        Args:
            pieces: the two maps.
            places: how many places the ground truth and the prediction have.
        """
        n_gt, n_pred = places
        pairs = pieces.gt * n_pred + pieces.pred
        if n_gt * n_pred <= _LARGEST_TABLE:
            table = _sums(pairs, pieces.pixels, n_gt * n_pred)
            present = np.flatnonzero(table)
            pixels = table[present]
        else:
            present, inverse = np.unique(pairs, return_inverse=True)
            pixels = _sums(inverse.reshape(-1), pieces.pixels, len(present))
        return cls(present // n_pred, present % n_pred, pixels)

    def pairs(self) -> Iterator[Tuple[int, int, int]]:
        """Place of the ground truth, place of the prediction and shared pixels of each pair, in this order."""
        return zip(self.gt.tolist(), self.pred.tolist(), self.pixels.tolist(), strict=True)

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
    values = values.astype(np.int64)
    place = _looked_up(values, ids) if len(ids) <= _FEW and len(values) > _MANY else _searched(values, ids)
    place[ids.take(place) != values] = len(ids)
    return place


def _searched(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The place of each value in ``ids``; any place where it is not there."""
    order = np.argsort(ids, kind="stable")
    return order.take(np.searchsorted(ids[order], values), mode="clip")


def _looked_up(values: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """:func:`_searched` by a table in which no two ids have one slot; a search guesses its way, three times as long."""
    # Three of four multipliers do for so many slots.
    size = 2 ** (2 * len(ids).bit_length() + 1)
    for multiplier in itertools.count(_GOLDEN, 2 * _GOLDEN):
        slots = _slots(ids, multiplier, size)
        if len(set(slots.tolist())) == len(ids):
            break
    table = np.zeros(size, dtype=np.int64)
    table[slots] = np.arange(len(ids))
    return table.take(_slots(values, multiplier, size))


def _slots(values: np.ndarray, multiplier: int, size: int) -> np.ndarray:
    """(R,) int64 in [0, ``size``), a power of two: the highest bits of the products, as Fibonacci hashing has them."""
    products = values.view(np.uint64) * np.uint64(multiplier % 2**64)
    return (products >> np.uint64(65 - size.bit_length())).view(np.int64)


def _sums(index: np.ndarray, values: np.ndarray, length: int) -> np.ndarray:
    # bincount adds floats, exactly below 2**53.
    return np.bincount(index, weights=values, minlength=length).astype(np.int64)
