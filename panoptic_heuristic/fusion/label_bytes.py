"""Labels that are kept in one byte each: counting them, and what they fill. By the compiled kernels where possible.

Shape legend: an image of H x W pixels.
"""

from ctypes import c_int64, c_void_p
from typing import Dict, Mapping, Optional, Tuple

import cv2
import numpy as np

from panoptic_heuristic import native

MOST = 254
"""The largest label that is kept in a byte: one more value is left for what is no label."""


def narrowed(labels: np.ndarray) -> Optional[Tuple[np.ndarray, Dict[int, int]]]:
    """Labels of a byte each.

    Args:
        labels: (H, W) integers of any dtype.

    Returns:
        (H, W) uint8 in row order, and the pixels of each label that occurs, ascending; None if one of them is not in
        [0, :data:`MOST`].
    """
    kernel = native.function("ph_narrow_labels", (c_void_p, c_int64, c_int64, c_void_p, c_void_p))
    if kernel is None or not labels.flags.c_contiguous or not labels.dtype.isnative or labels.dtype == np.int8:
        # Three times as fast as PyTorch's.
        if labels.min() < 0 or labels.max() > MOST:
            return None
        narrow = labels.astype(np.uint8, order="C")
        return narrow, counts(narrow)
    narrow, found = np.empty(labels.shape, dtype=np.uint8), np.zeros(256, dtype=np.int64)
    fit = kernel(labels.ctypes.data, labels.itemsize, labels.size, narrow.ctypes.data, found.ctypes.data)
    return (narrow, _above_zero(found)) if fit and not found[MOST + 1 :].any() else None


def counts(labels: np.ndarray, where: Optional[np.ndarray] = None) -> Dict[int, int]:
    """Pixels per label.

    Args:
        labels: (H, W) of :func:`narrowed`.
        where: (H, W) bool: the pixels to count; None for all.

    Returns:
        label -> number of pixels, for the labels that occur there, ascending.
    """
    # Pixels elsewhere count as a label that is none.
    return _above_zero(_counted(labels if where is None else (labels + 1) * where)[0 if where is None else 1 :])


def counts_of_taken(labels: np.ndarray, panoptic_seg: np.ndarray) -> Dict[int, int]:
    """:func:`counts` where an (H, W) int32 map is not 0."""
    kernel = native.function("ph_count_taken", (c_void_p, c_void_p, c_int64, c_void_p))
    if kernel is None or not _is_simple(panoptic_seg, labels):
        return counts(labels, panoptic_seg != 0)
    found = np.zeros(256, dtype=np.int64)
    kernel(labels.ctypes.data, panoptic_seg.ctypes.data, labels.size, found.ctypes.data)
    return _above_zero(found)


def filled(labels: np.ndarray, panoptic_seg: np.ndarray, value_of_label: Mapping[int, int]) -> np.ndarray:
    """A map whose free pixels have the value of their label.

    Args:
        labels: (H, W) of :func:`narrowed`.
        panoptic_seg: (H, W) int32, 0 where free. Not changed.
        value_of_label: 0 for labels that it lacks.

    Returns:
        (H, W) int32.
    """
    kernel = native.function("ph_fill_free", (c_void_p, c_void_p, c_int64, c_void_p, c_void_p))
    if kernel is None or not _is_simple(panoptic_seg, labels):
        # Sums and products take a tenth of the time of choosing by a mask.
        return panoptic_seg + values(labels, value_of_label) * (panoptic_seg == 0)
    result, table = np.empty_like(panoptic_seg), _table(value_of_label)
    first, last = (labels.ctypes.data, panoptic_seg.ctypes.data), (table.ctypes.data, result.ctypes.data)
    kernel(*first, labels.size, *last)
    return result


def values(labels: np.ndarray, value_of_label: Mapping[int, int]) -> np.ndarray:
    """(H, W) int32: the value of each pixel's label; 0 for labels that have none."""
    return cv2.LUT(labels, _table(value_of_label))


def _table(value_of_label: Mapping[int, int]) -> np.ndarray:
    """(256,) int32: the value of each byte."""
    table = np.zeros(256, dtype=np.int32)
    for label, value in value_of_label.items():
        if 0 <= label <= MOST:
            table[label] = value
    return table


def _is_simple(panoptic_seg: np.ndarray, labels: np.ndarray) -> bool:
    """True if a kernel can walk over a map beside labels."""
    return panoptic_seg.dtype == np.int32 and panoptic_seg.flags.c_contiguous and panoptic_seg.shape == labels.shape


def _above_zero(found: np.ndarray) -> Dict[int, int]:
    return {label: count for label, count in enumerate(found.tolist()) if count}


# With a border at more than one pixel of so many, counting runs takes as long as counting pixels.
_SHORTEST_RUN = 8


def _counted(labels: np.ndarray) -> np.ndarray:
    """The number of times each uint8 occurs, up to the largest one.

    Labels come in runs, and finding those is several times as fast as counting every pixel.
    """
    labels = labels.ravel()
    borders = labels[1:] != labels[:-1]
    if np.count_nonzero(borders) > len(labels) // _SHORTEST_RUN:
        return np.bincount(labels)
    last = np.append(borders.nonzero()[0], len(labels) - 1)
    # Sums of whole numbers, exact in float64.
    return np.bincount(labels[last], weights=np.diff(last, prepend=-1)).astype(np.int64)
