"""Masks painted from run lengths by kernels; each function gives None where :mod:`.rle` has to paint itself."""

import ctypes
from typing import Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic import native

_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_BOX = (_POINTER, _NUMBER, _NUMBER, _POINTER)
_PAINT = (_POINTER, _NUMBER, _NUMBER, _POINTER, ctypes.c_uint8, _POINTER)

# What a byte numbers, without 0.
_MOST_MASKS = 255


def columns_of_crop(ends: np.ndarray, height: int) -> Optional[Tuple[int, int, np.ndarray]]:
    """x0, y0 and the (w, h) uint8 columns of a mask inside its tight box; of no column for an empty mask."""
    find_box, paint = native.function("ph_box_of_runs", _BOX), native.function("ph_paint_runs", _PAINT)
    if find_box is None or paint is None:
        return None
    ends, box = np.ascontiguousarray(ends, np.int64), np.zeros(4, np.int64)
    find_box(ends.ctypes.data, ends.size, height, box.ctypes.data)
    x0, y0, x1, y1 = box.tolist()
    columns = np.zeros((x1 - x0, y1 - y0), np.uint8)
    paint(ends.ctypes.data, ends.size, height, box.ctypes.data, 1, columns.ctypes.data)
    return x0, y0, columns


def columns_of_map(masks: Sequence[np.ndarray], height: int, width: int) -> Optional[np.ndarray]:
    """(width, height) uint8 columns with k where the k-th mask is; None also for many masks, and where two overlap."""
    paint = native.function("ph_paint_runs", _PAINT)
    if paint is None or len(masks) > _MOST_MASKS:
        return None
    box, columns = np.array([0, 0, width, height], np.int64), np.zeros((width, height), np.uint8)
    pixels = 0
    for number, ends in enumerate(masks, start=1):
        ends = np.ascontiguousarray(ends, np.int64)
        found = paint(ends.ctypes.data, ends.size, height, box.ctypes.data, number, columns.ctypes.data)
        if found < 0:
            return None
        pixels += found
    return columns if np.count_nonzero(columns) == pixels else None
