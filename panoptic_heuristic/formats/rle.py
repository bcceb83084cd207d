"""Masks as COCO stores them: run lengths, compressed or not, or polygons.

A mask of H x W pixels is a list of runs over its pixels in column order, background first. Working
on runs instead of pixels makes the cost of a mask depend on its outline, not on its image.
"""

import math
from collections.abc import Mapping
from typing import Any, Callable, List, NamedTuple, Sequence, Tuple, Union

import cv2
import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.formats.run_counts import UNREADABLE, MaskError, ends_of_counts
from panoptic_heuristic.formats.run_painting import columns_of_crop, columns_of_map


class Box(NamedTuple):
    """The pixels of a mask inside its tight box; outside the box there are none.

    Attributes:
        x0, y0: the box's left upper pixel; 0, 0 for an empty mask.
        mask: (h, w) bool; (0, 0) for an empty mask.
    """

    x0: int
    y0: int
    mask: np.ndarray


def run_ends(
    segmentations: Sequence[Any], height: int, width: int, where: Callable[[int], str]
) -> List[np.ndarray]:
    """The ends of the runs of COCO ``segmentation`` values. Many at once cost a fifth of one by one.

    Args:
        segmentations: dicts with ``size`` [H, W] and ``counts``, a string, bytes or a list of
            integers; or polygons, lists of lists [x0, y0, x1, y1, ...] in pixels.
        height, width: of the image.
        where: gives a mask's name for error messages by its place.

    Returns:
        One int64 array per mask: the pixel after each run, of background and mask in turn. It
        never falls and ends at ``height * width``.

    Raises:
        MaskError: a mask has another size, or cannot be read.
    """
    runs: List[Any] = [
        _counts(segmentation, height, width, where, place) for place, segmentation in enumerate(segmentations)
    ]
    return ends_of_counts(runs, height * width, where)


def check_size(segmentation: Any, height: int, width: int, where: str) -> None:
    """Compares the ``size`` of a run-length encoding with its image's; polygons have none.

    Raises:
        MaskError: they differ.
    """
    size = segmentation.get("size") if isinstance(segmentation, Mapping) else [height, width]
    if not isinstance(size, (list, tuple, np.ndarray)) or list(size) != [height, width]:
        raise MaskError(f"{where} is {size}, but image_size is {[height, width]}")


def crop_of_runs(ends: np.ndarray, height: int) -> Box:
    """Decodes a mask inside its tight box.

    Args:
        ends: of :func:`run_ends`.
        height: of the image.
    """
    found = columns_of_crop(ends, height)
    if found is not None:
        x0, y0, columns_of_box = found
        return Box(x0, y0, _as_rows(columns_of_box).view(bool))
    starts, stops = _spans(ends)
    if not len(starts):
        return Box(0, 0, np.zeros((0, 0), dtype=bool))
    columns, last_columns = starts // height, (stops - 1) // height
    x0, x1 = int(columns[0]), int(last_columns[-1]) + 1
    y0, y1 = 0, height
    # A run that enters a second column holds both the lowest and the highest row.
    if (columns == last_columns).all():
        rows = starts - columns * height
        y0, y1 = int(rows.min()), int((rows + stops - starts).max())
    moved = starts - y0 - (columns - x0) * (height - (y1 - y0)) - x0 * height
    pixels = _fill(moved, moved + stops - starts, np.ones(1, np.uint8), (y1 - y0) * (x1 - x0))
    return Box(x0, y0, _as_rows(pixels.reshape(x1 - x0, -1)).view(bool))


def paint_masks(masks: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """One map of several disjoint masks.

    Args:
        masks: of :func:`run_ends`.
        height, width: of the image.

    Returns:
        (height, width) uint8, int32 for more than 255 masks: k where the k-th mask is, counted from
        1, and 0 where none is.

    Raises:
        OverlapError: two masks share a pixel.
    """
    columns = columns_of_map(masks, height, width)
    if columns is not None:
        return _as_rows(columns)
    spans = [_spans(ends) for ends in masks]
    owners = np.repeat(np.arange(1, len(masks) + 1), [len(starts) for starts, _ in spans])
    starts, stops = (np.concatenate([np.empty(0, np.int64), *(span[side] for span in spans)]) for side in (0, 1))
    order = np.argsort(starts, kind="stable")
    starts, stops, owners = starts[order], stops[order], owners[order]
    shared = stops[:-1] > starts[1:]
    if shared.any():
        place = int(shared.argmax())
        raise OverlapError(*sorted((int(owners[place]) - 1, int(owners[place + 1]) - 1)))
    owners = owners.astype(np.uint8 if len(masks) < 256 else np.int32)
    return _as_rows(_fill(starts, stops, owners, height * width).reshape(width, -1))


class OverlapError(Exception):
    """Two masks share a pixel.

    Attributes:
        first, second: their places in the input, ascending.
    """

    def __init__(self, first: int, second: int):
        super().__init__(first, second)
        self.first, self.second = first, second


def _spans(ends: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """First pixel of each run of mask, and the pixel after its last, in column order."""
    starts, stops = ends[:-1:2], ends[1::2]
    some = starts < stops
    return (starts, stops) if some.all() else (starts[some], stops[some])


def _fill(starts: np.ndarray, stops: np.ndarray, values: np.ndarray, size: int) -> np.ndarray:
    """(size,) with ``values`` (or its only one) in the ascending, disjoint spans and 0 elsewhere."""
    borders = np.zeros(2 * len(starts) + 2, dtype=np.int64)
    borders[1:-1:2], borders[2:-1:2], borders[-1] = starts, stops, size
    pattern = np.zeros(2 * len(starts) + 1, dtype=values.dtype)
    pattern[1::2] = values
    return pattern.repeat(np.diff(borders))


def _as_rows(columns: np.ndarray) -> np.ndarray:
    """(H, W) of (W, H). OpenCV does it in a fifth of NumPy's time."""
    return cv2.transpose(columns) if columns.size else np.ascontiguousarray(columns.T)


def _counts(
    segmentation: Any, height: int, width: int, where: Callable[[int], str], place: int
) -> Union[bytes, np.ndarray]:
    """The runs of one mask, compressed as bytes or as int64."""
    if isinstance(segmentation, (list, tuple)):
        polygons = [_polygon(polygon, height, width, where(place)) for polygon in segmentation]
        if not polygons:
            raise MaskError(f"{where(place)}: expected at least one polygon, got an empty list")
        return rle_codec.merge(rle_codec.frPyObjects(polygons, height, width))["counts"]
    if not isinstance(segmentation, Mapping) or "counts" not in segmentation or "size" not in segmentation:
        raise MaskError(f"{where(place)} must be a dict with 'size' and 'counts'")
    check_size(segmentation, height, width, where(place))
    counts = segmentation["counts"]
    if isinstance(counts, str):
        return counts.encode()
    return counts if isinstance(counts, bytes) else _listed(counts)


def _polygon(polygon: Any, height: int, width: int, where: str) -> List[float]:
    # pycocotools takes four numbers for a box.
    if not isinstance(polygon, (list, tuple)) or len(polygon) < 6 or len(polygon) % 2:
        raise MaskError(f"{where}: a polygon must be a list of at least three points [x0, y0, x1, y1, ...]")
    largest = 2 * max(height, width)
    for value in polygon:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        # pycocotools walks along every edge in fifths of a pixel.
        if not number or abs(value) > largest:
            raise MaskError(f"{where}: a polygon of an image of {width}x{height} pixels has the coordinate {value!r}")
    return list(polygon)


def _listed(counts: Any) -> np.ndarray:
    """The runs of an uncompressed encoding; whatever is no list of integers gives a negative run."""
    try:
        runs = np.asarray(counts)
    except ValueError:
        return UNREADABLE
    if runs.ndim != 1 or runs.dtype.kind not in "iu":
        return UNREADABLE
    return runs.astype(np.int64)
