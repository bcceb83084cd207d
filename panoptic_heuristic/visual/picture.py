"""Panoptic maps as pictures people can read."""

from typing import Any, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.runs import values_of_segments

VOID_COLOR = (0, 0, 0)
_OUTLINES = np.array([(255, 255, 255), (0, 0, 0)], dtype=np.uint8)
# Of 255; on what is lighter a white outline is lost.
_MOST_LUMA_UNDER_WHITE = 200


def color_panoptic(
    ids: np.ndarray, segments_info: Sequence[Mapping[str, Any]], categories: Categories
) -> np.ndarray:
    """Paints each segment in its category's colour and draws outlines between segments.

    Args:
        ids: (H, W) integers; 0 is void and painted black.
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids).
        categories: the data set's categories.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    return paint_segments(
        np.asarray(ids), {segment["id"]: categories[segment["category_id"]].color for segment in segments_info}
    )


def paint_segments(ids: np.ndarray, color_of: Mapping[int, Tuple[int, int, int]]) -> np.ndarray:
    """Paints segments and outlines between them, white ones, or black ones on light colours.

    Args:
        ids: (H, W) integers.
        color_of: (R, G, B) by segment id; others are void.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    picture = values_of_segments(ids, color_of, VOID_COLOR, np.uint8)
    borders = segment_borders(ids)
    light = picture[borders] @ (0.299, 0.587, 0.114) > _MOST_LUMA_UNDER_WHITE
    picture[borders] = _OUTLINES[light.astype(int)]
    return picture


def segment_borders(ids: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose left or upper neighbour belongs to another segment."""
    border = np.zeros(ids.shape, dtype=bool)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[1:] |= ids[1:] != ids[:-1]
    return border
