"""Two maps of one image, cut into pieces on which neither changes.

Whatever is counted of two maps is counted on pieces, of which there are a hundred to some thousands in place of some
hundred thousand pixels.
"""

import ctypes
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

from panoptic_heuristic import native
from panoptic_heuristic.formats.coco_panoptic import PanopticMap, PngRows, as_ids

_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_COUNT_PAIRS = (_POINTER, _NUMBER, _POINTER, _NUMBER, _NUMBER, _NUMBER, _POINTER, _POINTER, _NUMBER)

# As many as the kernel's table is made for; real images have some hundreds.
_MOST_PAIRS = 2**12


@dataclass(frozen=True, eq=False)
class Pieces:
    """The R pieces of two maps.

    With the compiled kernels there is one piece for each pair of values. Without them, or for maps of noise, pieces are
    runs of pixels in reading order, of which a pair may have many.

    Attributes:
        gt, pred: (R,) integers, the values of the pieces.
        pixels: (R,) int64, at least 1.
    """

    gt: np.ndarray
    pred: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of_maps(cls, gt: PanopticMap, pred: PanopticMap) -> "Pieces":
        """The pieces of two maps of one size."""
        pairs = _pairs(gt, pred)
        return _runs(as_ids(gt), as_ids(pred)) if pairs is None else pairs


def _pairs(gt: PanopticMap, pred: PanopticMap) -> Optional[Pieces]:
    """The pieces as the kernel counts them; None without it, or where there are too many."""
    count_pairs = native.function("ph_count_pairs", _COUNT_PAIRS)
    if count_pairs is None:
        return None
    (gt_pixels, gt_size), (pred_pixels, pred_size) = _of_kernel(gt), _of_kernel(pred)
    height, width = gt.shape
    lines, found = np.zeros((2, 2, 3 * width), dtype=np.uint8), np.empty((3, _MOST_PAIRS), dtype=np.int64)
    number = count_pairs(
        gt_pixels.ctypes.data, gt_size, pred_pixels.ctypes.data, pred_size, height, width,
        lines.ctypes.data, found.ctypes.data, _MOST_PAIRS,
    )  # fmt: skip
    if number < 0:
        return None
    gt_values, pred_values, pixels = found[:, :number]
    return Pieces(_as_in(gt_pixels, gt_values), _as_in(pred_pixels, pred_values), pixels)


def _of_kernel(panoptic_map: PanopticMap) -> Tuple[np.ndarray, int]:
    """A map as the kernel takes it, in one piece of memory, and the bytes that are a pixel."""
    if isinstance(panoptic_map, PngRows):
        return np.ascontiguousarray(panoptic_map.filtered), 3
    wide = np.dtype(np.int32) if panoptic_map.itemsize < 4 else panoptic_map.dtype
    pixels = np.ascontiguousarray(panoptic_map, dtype=wide.newbyteorder("="))
    return pixels, pixels.itemsize


def _as_in(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The kernel's values, whose upper bytes are 0, as numbers of the map's kind; colours have no sign."""
    return values if pixels.dtype == np.uint8 else values.astype(pixels.dtype)


def _runs(gt: np.ndarray, pred: np.ndarray) -> Pieces:
    gt, pred = gt.reshape(-1), pred.reshape(-1)
    if gt.size == 0:
        return Pieces(gt, pred, np.zeros(0, dtype=np.int64))
    borders = np.ones(gt.size + 1, dtype=bool)
    np.not_equal(gt[1:], gt[:-1], out=borders[1:-1])
    borders[1:-1] |= pred[1:] != pred[:-1]
    edges = np.flatnonzero(borders)
    starts = edges[:-1]
    return Pieces(gt.take(starts), pred.take(starts), edges[1:] - starts)
