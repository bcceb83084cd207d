"""Panoptic maps as pictures people can read."""

from typing import Any, Mapping, Sequence

import numpy as np

from panoptic_heuristic.formats.categories import Categories

VOID_COLOR = (0, 0, 0)
_BORDER_COLOR = (255, 255, 255)


def color_panoptic(
    ids: np.ndarray, segments_info: Sequence[Mapping[str, Any]], categories: Categories
) -> np.ndarray:
    """Paints each segment in its category's colour and draws white borders between segments.

    Args:
        ids: (H, W) integers; 0 is void and painted black.
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids).
        categories: the data set's categories.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    ids = np.asarray(ids)
    picture = np.empty(ids.shape + (3,), dtype=np.uint8)
    picture[:] = VOID_COLOR
    for segment in segments_info:
        picture[ids == segment["id"]] = categories[segment["category_id"]].color
    picture[segment_borders(ids)] = _BORDER_COLOR
    return picture


def segment_borders(ids: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose left or upper neighbour belongs to another segment."""
    border = np.zeros(ids.shape, dtype=bool)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[1:] |= ids[1:] != ids[:-1]
    return border
