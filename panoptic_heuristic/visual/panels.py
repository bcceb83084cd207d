"""The pictures of one image: itself, its ground truth, its prediction, and where these differ."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import Matching
from panoptic_heuristic.visual.captions import draw_captions, place_captions
from panoptic_heuristic.visual.difference import (
    COLORS,
    MISSED_AND_FALSE,
    NAMES,
    colors_of,
    difference_map,
    paint_difference,
)
from panoptic_heuristic.visual.names import drawn_names
from panoptic_heuristic.visual.picture import VOID_COLOR, paint_segments
from panoptic_heuristic.visual.shades import segment_colors, shade_numbers
from panoptic_heuristic.visual.sheet import Swatch, swatch


@dataclass(frozen=True)
class SegmentMap:
    """A panoptic map.

    Attributes:
        ids: (H, W) integers; 0 is void.
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids), in ground truth
            ``iscrowd``, too.
    """

    ids: np.ndarray
    segments_info: Sequence[Mapping[str, Any]]

    def scaled(self, side: int) -> "SegmentMap":
        """The same map with its longer side about ``side`` pixels; ids are never mixed."""
        height, width = _scaled_size(self.ids.shape, side)
        rows = (np.arange(height) * self.ids.shape[0] + self.ids.shape[0] // 2) // height
        columns = (np.arange(width) * self.ids.shape[1] + self.ids.shape[1] // 2) // width
        return SegmentMap(self.ids[np.minimum(rows, self.ids.shape[0] - 1)][:, columns], self.segments_info)


def draw_panels(
    gt: SegmentMap,
    categories: Categories,
    *,
    side: int,
    photo: Optional[np.ndarray] = None,
    prediction: Optional[SegmentMap] = None,
    matching: Optional[Matching] = None,
) -> Tuple[Tuple[np.ndarray, ...], Tuple[str, ...]]:
    """Draws what there is of one image.

    A prediction has the shade of the ground-truth segment it matches.

    Args:
        gt: the ground truth.
        categories: the data set's categories.
        side: pixels of the longer side of each picture; small images are enlarged by a whole
            factor and so come near it.
        photo: (H, W, 3) uint8 RGB.
        prediction: a map of the size of the ground truth.
        matching: of both; needed with a prediction.

    Returns:
        The pictures, (h, w, 3) uint8 RGB each, and their titles.
    """
    gt = gt.scaled(side)
    pictures, titles = [], []
    if photo is not None:
        photo = _scaled_photo(photo, gt.ids.shape)
        pictures.append(photo)
        titles.append("image")
    numbers = shade_numbers(gt.segments_info)
    pictures.append(_draw_map(gt, categories, numbers))
    titles.append("ground truth")
    if prediction is not None:
        prediction = prediction.scaled(side)
        matches = {pred: numbers[gt] for gt, pred in matching.matched}
        pictures.append(_draw_map(prediction, categories, shade_numbers(prediction.segments_info, matches)))
        pictures.append(_draw_difference(gt, prediction, matching, categories, photo))
        titles += ["prediction", "difference"]
    return tuple(pictures), tuple(titles)


def difference_legend() -> List[Swatch]:
    """The meanings of a difference's colours, matches first."""
    entries = []
    for kind in (1, 3, 4, MISSED_AND_FALSE, 2, 0):
        if kind == MISSED_AND_FALSE:
            entries.append(Swatch(colors_of(np.full((18, 30), kind, dtype=np.uint8)), NAMES[kind]))
        else:
            entries.append(swatch(COLORS[kind], NAMES[kind]))
    return entries


def class_legend(maps: Sequence[SegmentMap], categories: Categories) -> List[Swatch]:
    """The classes that occur in some maps, in the order of the categories, and void if it does."""
    present = {segment["category_id"] for one in maps for segment in one.segments_info}
    names = drawn_names(categories)
    entries = [swatch(category.color, names[category.id]) for category in categories.values() if category.id in present]
    return entries + [swatch(VOID_COLOR, "void")] * any((one.ids == 0).any() for one in maps)


def _draw_map(one: SegmentMap, categories: Categories, numbers: Mapping[int, int]) -> np.ndarray:
    picture = paint_segments(one.ids, segment_colors(one.segments_info, categories, numbers))
    return draw_captions(picture, place_captions(one.ids, _names(one, categories)))


def _draw_difference(
    gt: SegmentMap,
    prediction: SegmentMap,
    matching: Matching,
    categories: Categories,
    photo: Optional[np.ndarray],
) -> np.ndarray:
    crowds = [segment["id"] for segment in gt.segments_info if segment.get("iscrowd", 0)]
    meaning = difference_map(
        gt.ids,
        prediction.ids,
        matched=matching.matched,
        missed=matching.missed,
        false=matching.false,
        crowds=crowds,
    )
    false_ids = np.where(np.isin(prediction.ids, matching.false), prediction.ids, 0)
    picture = paint_difference(meaning, gt.ids, false_ids, photo)
    gt_names, pred_names = _names(gt, categories), _names(prediction, categories)
    captions = place_captions(gt.ids, {i: f"missed {gt_names[i]}" for i in matching.missed})
    captions += place_captions(false_ids, {i: f"false {pred_names[i]}" for i in matching.false}, taken=captions)
    return draw_captions(picture, captions)


def _names(one: SegmentMap, categories: Categories) -> Dict[int, str]:
    names = drawn_names(categories)
    return {
        segment["id"]: names[segment["category_id"]] + (" (crowd)" if segment.get("iscrowd", 0) else "")
        for segment in one.segments_info
    }


def _scaled_size(shape: Tuple[int, int], side: int) -> Tuple[int, int]:
    longer = max(shape)
    if longer <= side:
        factor = side // longer
        return shape[0] * factor, shape[1] * factor
    return max(1, round(shape[0] * side / longer)), max(1, round(shape[1] * side / longer))


def _scaled_photo(photo: np.ndarray, shape: Tuple[int, int]) -> np.ndarray:
    shrinks = shape[0] < photo.shape[0]
    return cv2.resize(photo, shape[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
