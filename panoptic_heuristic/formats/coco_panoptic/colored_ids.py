"""Segment ids that look like their category's colour in a panoptic PNG, as panopticapi's do."""

from typing import Any, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

import cv2
import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic.ids import MAX_ID, VOID_ID

# Colours of one category differ by at most this per channel, as long as there are enough of them.
_REACH = 30
_SIDE = 2 * _REACH + 1
# Prime to the size of the cube, so that every colour in it comes once, neighbours far apart.
_STEP = 102_317
# The numbers that a byte can be.
_BYTES = 256


def colored_ids(category_ids: Sequence[int], categories: Categories) -> List[int]:
    """Numbers the segments of one image.

    The first segment of a category has the category's colour, the others one close to it. Equal
    input gives equal ids: nothing is random, where panopticapi's ids are.

    Args:
        category_ids: dataset category id of each segment.
        categories: the data set's categories.

    Returns:
        One id per segment, from 1 to 2**24 - 1, each different.

    Raises:
        InputError: there are more segments than ids.
    """
    if len(category_ids) > MAX_ID:
        raise InputError(f"a PNG can number {MAX_ID} segments, got {len(category_ids)}")
    taken = {VOID_ID}
    candidates = {category_id: _candidates(categories[category_id].color) for category_id in set(category_ids)}
    return [_first_free(candidates[category_id], taken) for category_id in category_ids]


def with_colored_ids(
    ids: np.ndarray, segments: Sequence[Mapping[str, Any]], categories: Categories
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """Renumbers a panoptic map by :func:`colored_ids`.

    Args:
        ids: (H, W) integers, 0 for void; every other id is listed.
        segments: dicts with ``id`` and ``category_id`` (dataset ids).
        categories: the data set's categories.

    Returns:
        (H, W) int32 ids, and copies of the segments with them.
    """
    new_ids = colored_ids([segment["category_id"] for segment in segments], categories)
    old_ids = [segment["id"] for segment in segments]
    table = np.full(max(_BYTES, max(old_ids, default=0) + 1), VOID_ID, dtype=np.int32)
    table[old_ids] = new_ids
    renumbered = [{**segment, "id": new_id} for segment, new_id in zip(segments, new_ids, strict=True)]
    # OpenCV looks bytes up in half the time that NumPy takes for integers.
    is_few = len(table) == _BYTES and ids.size > 0
    return (cv2.LUT(ids.astype(np.uint8), table) if is_few else table.take(ids)), renumbered


def _first_free(candidates: Iterator[int], taken: Set[int]) -> int:
    segment_id = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(segment_id)
    return segment_id


def _candidates(color: Sequence[int]) -> Iterator[int]:
    """All ids, those of colours close to ``color`` first, and first of all its own."""
    yield _id(color)
    for number in range(1, _SIDE**3):
        place = number * _STEP % _SIDE**3
        offsets = (place % _SIDE, place // _SIDE % _SIDE, place // _SIDE**2)
        yield _id([min(max(c + offset - _REACH, 0), 255) for c, offset in zip(color, offsets, strict=True)])
    yield from range(1, MAX_ID + 1)


def _id(color: Sequence[int]) -> int:
    return color[0] + 256 * color[1] + 65536 * color[2]
