"""The segments of a panoptic map, as a panoptic JSON lists them."""

from typing import Any, Container, Dict, List, Mapping

import numpy as np

from panoptic_heuristic.formats.coco_panoptic.ids import VOID_ID
from panoptic_heuristic.formats.runs import segment_extents


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
    boxes, areas = segment_extents(np.asarray(ids))
    return [
        {
            "id": segment_id,
            "category_id": int(category_of[segment_id]),
            "area": area,
            "bbox": list(boxes[segment_id]),
            "iscrowd": int(segment_id in crowds),
        }
        for segment_id, area in areas.items()
        if segment_id != VOID_ID
    ]
