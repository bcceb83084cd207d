"""Writing COCO panoptic data: the PNG of an image, and what the JSON says about its segments."""

from typing import Any, Container, Dict, List, Mapping, Tuple

import cv2
import numpy as np

from panoptic_heuristic.formats.coco_panoptic import VOID_ID
from panoptic_heuristic.formats.files import PathLike, written_whole
from panoptic_heuristic.formats.panoptic_ids import ids_to_rgb

# Flat colours need none of an image writer's usual care: "up" alone at this level gives files no larger than Pillow's
# in half the time. OpenCV before 4.12 chooses the filter itself.
_PNG_PARAMETERS = [cv2.IMWRITE_PNG_COMPRESSION, 4, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _PNG_PARAMETERS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def write_panoptic_png(path: PathLike, ids: np.ndarray) -> None:
    """Writes segment ids as a panoptic PNG, whole or not at all; missing folders are made.

    Args:
        path: the PNG.
        ids: (H, W) integers, each 0 (void) to 2**24 - 1. Equal ids give equal bytes.

    Raises:
        InputError: an id does not fit a PNG.
    """
    bgr = cv2.cvtColor(ids_to_rgb(ids), cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".png", bgr, _PNG_PARAMETERS)
    with written_whole(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def segment_entries(
    ids: np.ndarray, category_of: Mapping[int, int], crowds: Container[int] = ()
) -> List[Dict[str, Any]]:
    """The ``segments_info`` of a panoptic map, in the order of the ids.

    Args:
        ids: (H, W) integers >= 0; 0 is void.
        category_of: dataset category id per segment id. It must name every id of the map; ids
            without a pixel are left out, since a segment has at least one.
        crowds: the segment ids that are crowds.

    Returns:
        dicts of plain Python types with ``id``, ``category_id``, ``area`` in pixels, ``bbox`` as
        [x, y, width, height] in pixels, and ``iscrowd``.

    Raises:
        KeyError: ``category_of`` does not name an id of the map.
    """
    ids = np.asarray(ids)
    height, width = ids.shape
    present, place = _numbered(ids)
    # Pixels per segment and row, and per segment and column, say area and box in two passes,
    # however many segments there are.
    in_row = _histogram(place, np.arange(height)[:, None], height, len(present))
    in_column = _histogram(place, np.arange(width)[None, :], width, len(present))
    entries = []
    for segment, segment_id in enumerate(present.tolist()):
        if segment_id == VOID_ID:
            continue
        rows, columns = np.flatnonzero(in_row[:, segment]), np.flatnonzero(in_column[:, segment])
        x, y = int(columns[0]), int(rows[0])
        entries.append(
            {
                "id": segment_id,
                "category_id": int(category_of[segment_id]),
                "area": int(in_row[:, segment].sum()),
                "bbox": [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1],
                "iscrowd": int(segment_id in crowds),
            }
        )
    return entries


def _numbered(ids: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The ids that occur, ascending, and each pixel's place among them.

    Tables over all ids do what ``np.unique`` does by sorting the pixels, ten times as fast on a
    street image of two million pixels.
    """
    seen = np.zeros(int(ids.max(initial=0)) + 1, dtype=bool)
    seen[ids] = True
    present = np.flatnonzero(seen)
    place_of = np.zeros(len(seen), dtype=np.int32)
    place_of[present] = np.arange(len(present))
    return present, place_of[ids]


def _histogram(place: np.ndarray, line: np.ndarray, lines: int, segments: int) -> np.ndarray:
    """Pixels per line and segment, (lines, segments)."""
    return np.bincount((line * segments + place).ravel(), minlength=lines * segments).reshape(lines, segments)
