"""The pixels that segments of a prediction and of the ground truth share, in one image.

Every measure is counted from this, so that all follow the same rules of void and crowds: those of
Kirillov et al., "Panoptic Segmentation", CVPR 2019, as panopticapi applies them.
"""

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticMap, as_ids
from panoptic_heuristic.formats.runs import numbered_segments
from panoptic_heuristic.quality.overlap import Overlap, places_of
from panoptic_heuristic.quality.pieces import Pieces

MAX_ID = 2**63 - 1
"""Ids are compared in arrays, whose integers have 64 bits."""

# Of places that have no category: no segment has these, nor are they one.
_NONE_OF_GT, _NONE_PREDICTED = -1, -2


class GtSegment(NamedTuple):
    """A ground-truth segment: its category, its area in pixels of the map, and whether it is a crowd."""

    category_id: int
    area: int
    iscrowd: bool


class Predicted(NamedTuple):
    """A predicted segment.

    Attributes:
        category_id: dataset category id.
        area: pixels of the map.
        on_void: those on void of the ground truth.
        ignored: more than half of it is on void and crowds of its category, so that it is no false
            positive without a match.
    """

    category_id: int
    area: int
    on_void: int
    ignored: bool


class Pair(NamedTuple):
    """Two segments of one category that share pixels; the IoU is ``intersection / union``.

    Attributes:
        gt, predicted: indices of the segments.
        intersection, union: pixels; the union leaves out the prediction's pixels on void.
    """

    gt: int
    predicted: int
    intersection: int
    union: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two segmentations of one image.

    Attributes:
        gt_segments: the ground-truth segments, as listed.
        predictions: the predicted segments, as listed.
        pairs: all pairs of one category that share pixels; crowds are in none.
        maps: the two maps.
        listed: the ids of the ground-truth segments and of the predictions, as listed.
        void_pixels: pixels the prediction leaves void.
        unlisted_pixels: ground-truth pixels of ids that are neither listed nor void.
    """

    gt_segments: Tuple[GtSegment, ...]
    predictions: Tuple[Predicted, ...]
    pairs: Tuple[Pair, ...]
    maps: Tuple[PanopticMap, PanopticMap]
    listed: Tuple[Tuple[int, ...], Tuple[int, ...]]
    void_pixels: int
    unlisted_pixels: int

    @property
    def shape(self) -> Tuple[int, int]:
        """(H, W)."""
        return self.maps[0].shape

    def place_maps(self) -> Iterator[np.ndarray]:
        """Yields both maps with places for ids, (H, W) int64 (see :mod:`panoptic_heuristic.quality.overlap`)."""
        for ids, listed in zip(map(as_ids, self.maps), self.listed, strict=True):
            present, number = numbered_segments(ids)
            yield places_of(present, listed)[number]


def compare(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_ids: np.ndarray,
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
    *,
    all_crowds: bool = False,
) -> Comparison:
    """Compares one image; arguments and errors are those of :func:`panoptic_heuristic.quality.count_image`."""
    check_type("categories", categories, Categories, "Categories.from_coco(data['categories'])")
    maps = _as_integers(gt_ids, "ground truth"), _as_integers(pred_ids, "prediction")
    _check_segments(gt_segments, "ground-truth")
    _check_segments(pred_segments, "predicted")
    return compare_maps(*maps, gt_segments, pred_segments, categories, all_crowds=all_crowds)


def compare_maps(
    gt: PanopticMap,
    pred: PanopticMap,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
    *,
    all_crowds: bool,
) -> Comparison:
    """Compares maps and segments that were checked one by one, as those of files are when they are read.

    Raises:
        InputError: the maps differ in size, or the predicted map and segments, or the categories, do not agree.
    """
    if gt.shape != pred.shape:
        raise InputError(f"the prediction is {pred.shape} pixels, the ground truth {gt.shape}")
    gt_of, predicted_of = ({segment["id"]: segment for segment in side} for side in (gt_segments, pred_segments))
    listed = tuple(gt_of), tuple(predicted_of)
    values = Pieces.of_maps(gt, pred)
    pieces = Pieces(places_of(values.gt, listed[0]), places_of(values.pred, listed[1]), values.pixels)
    _check_listed(values.pred, pieces.pred, len(predicted_of))

    # Void comes before the listed segments, and what is not listed after them.
    n_gt, n_pred = len(gt_of) + 2, len(predicted_of) + 2
    gt_category = [_NONE_OF_GT, *(segment["category_id"] for segment in gt_of.values()), _NONE_OF_GT]
    pred_category = [_NONE_PREDICTED, *(segment["category_id"] for segment in predicted_of.values()), _NONE_PREDICTED]
    crowd = [False, *(bool(segment.get("iscrowd", 0)) for segment in gt_of.values()), False]
    ignoring = crowd if all_crowds else _last_of_each(crowd, gt_category)
    gt_area, pred_area, on_void, on_crowds = [0] * n_gt, [0] * n_pred, [0] * n_pred, [0] * n_pred
    shared = []
    for gt_place, pred_place, pixels in Overlap.of_places(pieces, (n_gt, n_pred)).pairs():
        gt_area[gt_place] += pixels
        pred_area[pred_place] += pixels
        if gt_place == 0:
            on_void[pred_place] += pixels
        elif gt_category[gt_place] == pred_category[pred_place]:
            if not crowd[gt_place]:
                shared.append((gt_place, pred_place, pixels))
            elif ignoring[gt_place]:
                on_crowds[pred_place] += pixels
    _check_predictions(predicted_of, pred_area, categories)
    ignored = [2 * (v + c) > area for v, c, area in zip(on_void, on_crowds, pred_area, strict=True)]
    return Comparison(
        gt_segments=tuple(map(GtSegment, gt_category[1:-1], gt_area[1:-1], crowd[1:-1])),
        predictions=tuple(map(Predicted, pred_category[1:-1], pred_area[1:-1], on_void[1:-1], ignored[1:-1])),
        pairs=tuple(
            Pair(g - 1, p - 1, pixels, gt_area[g] + pred_area[p] - on_void[p] - pixels) for g, p, pixels in shared
        ),
        maps=(gt, pred),
        listed=listed,
        void_pixels=pred_area[0],
        unlisted_pixels=gt_area[-1],
    )


def _as_integers(ids: np.ndarray, whose: str) -> np.ndarray:
    try:
        ids = np.asarray(ids)
    # Lists of uneven rows, or a tensor on a GPU.
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the ids of the {whose} cannot be made an array of NumPy: {error}") from error
    # An empty list is an array of floats.
    if ids.size and not np.issubdtype(ids.dtype, np.integer):
        raise InputError(f"the ids of the {whose} must be integers, got an array of {ids.dtype}")
    if ids.size and ids.dtype == np.uint64 and ids.max() > MAX_ID:
        raise InputError(f"the ids of the {whose} must be below 2**63, got {ids.max()}")
    if ids.ndim != 2:
        raise InputError(f"the ids of the {whose} must be (H, W), got an array of shape {ids.shape}")
    return ids


def _check_segments(segments: Sequence[Mapping[str, Any]], whose: str) -> None:
    # Asking for a dict first takes a tenth of the time that the abstract class takes alone.
    if not isinstance(segments, Sequence) or not all(isinstance(segment, (dict, Mapping)) for segment in segments):
        raise InputError(f"the {whose} segments must be a list of dicts, got {segments!r:.80}")
    for segment in segments:
        for key in ("id", "category_id"):
            if key not in segment:
                raise InputError(f"a {whose} segment has no {key!r}: {segment!r:.80}")
            if not isinstance(segment[key], (int, np.integer)) or isinstance(segment[key], bool):
                raise InputError(f"a {whose} segment has {key} {segment[key]!r:.80}; expected an integer")
            if not -MAX_ID <= segment[key] <= MAX_ID:
                raise InputError(f"a {whose} segment has {key} {segment[key]}; expected one below 2**63")
        iscrowd = segment.get("iscrowd", 0)
        if not isinstance(iscrowd, (int, np.integer, np.bool_)) or iscrowd not in (0, 1):
            raise InputError(f"{whose} segment {segment['id']} has iscrowd {iscrowd!r:.80}; expected 0 or 1")
        if segment["id"] == VOID_ID:
            raise InputError(f"a {whose} segment has id {VOID_ID}, which stands for void")
        if segment["category_id"] < 0:
            raise InputError(f"{whose} segment {segment['id']} has category {segment['category_id']}; expected >= 0")


def _last_of_each(crowd: List[bool], category_ids: List[int]) -> List[bool]:
    """The crowds by place, of each category the last one listed only."""
    last = {category_ids[place]: place for place, is_crowd in enumerate(crowd) if is_crowd}
    return [is_crowd and last[category_ids[place]] == place for place, is_crowd in enumerate(crowd)]


def _check_listed(values: np.ndarray, places: np.ndarray, listed: int) -> None:
    unlisted = values[places > listed]
    if unlisted.size:
        raise InputError(f"the predicted map holds segment {unlisted.min()}, which its segments do not list")


def _check_predictions(segments: Dict[int, Mapping[str, Any]], area: List[int], categories: Categories) -> None:
    for place, (segment_id, segment) in enumerate(segments.items(), start=1):
        if area[place] == 0:
            raise InputError(f"predicted segment {segment_id} has no pixel in the map")
        if segment["category_id"] not in categories:
            raise InputError(
                f"predicted segment {segment_id} has category {segment['category_id']!r}, "
                "which is not among the categories"
            )
