"""The pixels that segments of a prediction and of the ground truth share, in one image.

Every measure is counted from this, so that all follow the same rules of void and crowds: those of
Kirillov et al., "Panoptic Segmentation", CVPR 2019, as panopticapi applies them.
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import VOID_ID
from panoptic_heuristic.quality.overlap import Overlap, Runs, places_of

MAX_ID = 2**63 - 1
"""Ids are compared in arrays, whose integers have 64 bits."""


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
        runs: the two maps; the values are places (see :mod:`panoptic_heuristic.quality.overlap`).
        shape: (H, W).
        void_pixels: pixels the prediction leaves void.
        unlisted_pixels: ground-truth pixels of ids that are neither listed nor void.
    """

    gt_segments: Tuple[GtSegment, ...]
    predictions: Tuple[Predicted, ...]
    pairs: Tuple[Pair, ...]
    runs: Runs
    shape: Tuple[int, ...]
    void_pixels: int
    unlisted_pixels: int


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
    gt_ids, pred_ids = _as_integers(gt_ids, "ground truth"), _as_integers(pred_ids, "prediction")
    if gt_ids.shape != pred_ids.shape:
        raise InputError(f"the prediction is {pred_ids.shape} pixels, the ground truth {gt_ids.shape}")
    gt_of, predicted_of = _by_id(gt_segments, "ground-truth"), _by_id(pred_segments, "predicted")
    values = Runs.of_maps(gt_ids, pred_ids)
    runs = Runs(places_of(values.gt, list(gt_of)), places_of(values.pred, list(predicted_of)), values.lengths)
    _check_listed(values.pred, runs.pred, len(predicted_of))

    # Void comes before the listed segments, and what is not listed after them.
    n_gt, n_pred = len(gt_of) + 2, len(predicted_of) + 2
    overlap = Overlap.of_places(runs, (n_gt, n_pred))
    gt_area, pred_area = overlap.gt_area(n_gt), overlap.pred_area(n_pred)
    gt_category = [segment["category_id"] for segment in gt_of.values()]
    pred_category = [segment["category_id"] for segment in predicted_of.values()]
    _check_segments(predicted_of, pred_area.tolist(), categories)

    crowd = np.array([False, *(bool(segment.get("iscrowd", 0)) for segment in gt_of.values()), False])
    same = _codes(gt_category, -1)[overlap.gt] == _codes(pred_category, -2)[overlap.pred]
    on_void = overlap.pred_area(n_pred, overlap.gt == 0)
    ignoring = crowd if all_crowds else _last_of_each(crowd, gt_category)
    on_crowds = overlap.pred_area(n_pred, same & ignoring[overlap.gt]) if crowd.any() else 0
    ignored = 2 * (on_void + on_crowds) > pred_area

    chosen = np.flatnonzero(same & ~crowd[overlap.gt])
    gt, pred, shared = overlap.gt[chosen], overlap.pred[chosen], overlap.pixels[chosen]
    union = gt_area[gt] + (pred_area - on_void)[pred] - shared
    per_gt = (values[1:-1].tolist() for values in (gt_area, crowd))
    per_prediction = (values[1:-1].tolist() for values in (pred_area, on_void, ignored))
    return Comparison(
        gt_segments=tuple(map(GtSegment, gt_category, *per_gt)),
        predictions=tuple(map(Predicted, pred_category, *per_prediction)),
        pairs=tuple(map(Pair, (gt - 1).tolist(), (pred - 1).tolist(), shared.tolist(), union.tolist())),
        runs=runs,
        shape=gt_ids.shape,
        void_pixels=int(pred_area[0]),
        unlisted_pixels=int(gt_area[-1]),
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


def _by_id(segments: Sequence[Mapping[str, Any]], whose: str) -> Dict[int, Mapping[str, Any]]:
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
        # Below 0 are the codes of places that have no category.
        if segment["category_id"] < 0:
            raise InputError(f"{whose} segment {segment['id']} has category {segment['category_id']}; expected >= 0")
    return {segment["id"]: segment for segment in segments}


def _codes(category_ids: List[int], otherwise: int) -> np.ndarray:
    """Categories by place; ``otherwise``, below 0, of void and of what is not listed."""
    return np.array([otherwise, *category_ids, otherwise], dtype=np.int64)


def _last_of_each(crowd: np.ndarray, category_ids: List[int]) -> np.ndarray:
    """The crowds by place, of each category the last one listed only."""
    last = {category_ids[place - 1]: place for place in np.flatnonzero(crowd).tolist()}
    chosen = np.zeros_like(crowd)
    chosen[list(last.values())] = True
    return chosen


def _check_listed(values: np.ndarray, places: np.ndarray, listed: int) -> None:
    unlisted = values[places > listed]
    if unlisted.size:
        raise InputError(f"the predicted map holds segment {unlisted.min()}, which its segments do not list")


def _check_segments(segments: Dict[int, Mapping[str, Any]], area: List[int], categories: Categories) -> None:
    for place, (segment_id, segment) in enumerate(segments.items(), start=1):
        if area[place] == 0:
            raise InputError(f"predicted segment {segment_id} has no pixel in the map")
        if segment["category_id"] not in categories:
            raise InputError(
                f"predicted segment {segment_id} has category {segment['category_id']!r}, "
                "which is not among the categories"
            )
