"""One image as maps of categories: ground truth, fused map and semantic labels, pixel by pixel."""

from typing import Any, Mapping, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import FusionResult, SemanticMap
from panoptic_heuristic.quality import boundary_distance, places_of

BAND_RATIO = 0.01
"""Half the width of the band around borders of things and stuff, as a fraction of the image's diagonal."""


class CategoryMaps(NamedTuple):
    """Maps of one image. Categories are places in the data set's list, counted from 1.

    Attributes:
        gt: (H, W) int64, the ground truth; 0 on void and on ids that are not listed.
        predicted: (H, W) int64, the fused map; 0 on void.
        semantic: (H, W) int32, the semantic labels; 0 where they mean no category, such as "things". None if
            there are none.
        counted: (H, W) bool: on a listed segment that is no crowd.
        band: (H, W) bool: near both a thing and stuff of the ground truth.
        is_thing: (C + 1,) bool, by place.
    """

    gt: np.ndarray
    predicted: np.ndarray
    semantic: Optional[np.ndarray]
    counted: np.ndarray
    band: np.ndarray
    is_thing: np.ndarray


def category_maps(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    result: FusionResult,
    semantics: Optional[SemanticMap],
    categories: Categories,
) -> CategoryMaps:
    """The maps of one image.

    Args:
        gt_ids: (H, W) ids of the ground truth.
        gt_segments: dicts with ``id``, ``category_id`` and perhaps ``iscrowd``.
        result: of fusing.
        semantics: what was fused.
        categories: the data set's.
    """
    place_of = {category_id: place for place, category_id in enumerate(categories, start=1)}
    segment_of = {segment["id"]: segment for segment in gt_segments}
    places = places_of(gt_ids.reshape(-1), list(segment_of)).reshape(gt_ids.shape)
    listed = [place_of[segment["category_id"]] for segment in segment_of.values()]
    crowd = [bool(segment.get("iscrowd", 0)) for segment in segment_of.values()]
    gt = np.array([0, *listed, 0])[places]
    is_thing = np.array([False, *(category.isthing for category in categories.values())])
    labels = None
    if semantics is not None:
        meaning = {label: key for label, key in semantics.label_to_category.items() if key is not None}
        labels = semantics.look_up({label: place_of[key] for label, key in meaning.items()}).numpy()
    of_segment = np.array([0, *(place_of[segment["category_id"]] for segment in result.segments_info)])
    return CategoryMaps(
        gt=gt,
        predicted=of_segment[result.panoptic_seg],
        semantic=labels,
        counted=np.array([False, *(not one for one in crowd), False])[places],
        band=near_borders(is_thing[gt], (gt > 0) & ~is_thing[gt]),
        is_thing=is_thing,
    )


def near_borders(things: np.ndarray, stuff: np.ndarray, ratio: float = BAND_RATIO) -> np.ndarray:
    """(H, W) bool: pixels whose surrounding square holds both a thing and stuff.

    So a border of void between them, as data sets have it, counts as well.

    Args:
        things, stuff: (H, W) bool.
        ratio: half the side of the square as a fraction of the image's diagonal, rounded to pixels, at least 1.
    """
    distance = boundary_distance(things.shape, ratio)
    square = np.ones((2 * distance + 1, 2 * distance + 1), dtype=np.uint8)
    near_things, near_stuff = (cv2.dilate(one.astype(np.uint8), square) for one in (things, stuff))
    return (near_things & near_stuff).astype(bool)
