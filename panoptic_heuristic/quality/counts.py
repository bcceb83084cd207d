"""Panoptic quality as integer counts that add: iou_sum, TP, FP and FN per category.

The rules are those of Kirillov et al., "Panoptic Segmentation", CVPR 2019, as panopticapi counts
them: a prediction and a ground-truth segment of one category match if their IoU, leaving out the
prediction's void pixels, exceeds 0.5; crowds are never missed; an unmatched prediction more than
half on void and on the crowd of its category is no false positive.
"""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import VOID_ID

IOU_UNIT = 2**40
"""IoUs are summed as integers in units of 1 / IOU_UNIT, so that sums do not depend on their order."""


@dataclass(frozen=True)
class CategoryCounts:
    """What PQ, SQ and RQ of one category are computed from.

    Attributes:
        iou_sum: sum of the matches' IoU, in units of 1 / :data:`IOU_UNIT`.
        tp, fp, fn: matched segments, unmatched predictions, missed ground-truth segments.
    """

    iou_sum: int = 0
    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: "CategoryCounts") -> "CategoryCounts":
        return CategoryCounts(
            self.iou_sum + other.iou_sum, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn
        )


PQCounts = Dict[int, CategoryCounts]
"""Counts by dataset category id; categories without any segment may be absent."""


def add_counts(counts: Iterable[PQCounts]) -> PQCounts:
    """Adds the counts of several images, shards or processes."""
    total: PQCounts = {}
    for one in counts:
        for category_id, value in one.items():
            total[category_id] = total.get(category_id, CategoryCounts()) + value
    return total


def count_image(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_ids: np.ndarray,
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
) -> PQCounts:
    """Counts one image.

    Areas are the maps' own: panopticapi believes the ``area`` in the ground-truth JSON, and a
    wrong one there gives a wrong PQ.

    Args:
        gt_ids, pred_ids: (H, W) integers; 0 is void. Ground-truth pixels of an id that
            ``gt_segments`` lacks are neither void nor a segment, as in panopticapi.
        gt_segments: dicts with ``id``, ``category_id`` (dataset ids) and ``iscrowd``.
        pred_segments: dicts with ``id`` and ``category_id``.
        categories: the data set's categories.

    Raises:
        InputError: the maps differ in size, or the predicted map and segments, or the categories, do
            not agree.
    """
    gt_ids, pred_ids = np.asarray(gt_ids), np.asarray(pred_ids)
    if gt_ids.shape != pred_ids.shape:
        raise InputError(f"the prediction is {pred_ids.shape} pixels, the ground truth {gt_ids.shape}")
    overlap = _Overlap.of_maps(gt_ids, pred_ids)
    category_of_gt = {segment["id"]: segment["category_id"] for segment in gt_segments}
    category_of_pred = {segment["id"]: segment["category_id"] for segment in pred_segments}
    _check_prediction(overlap.pred_area, category_of_pred, categories)
    crowds = {segment["id"] for segment in gt_segments if segment.get("iscrowd", 0)}
    # The last crowd of a category stands for all of them, as in panopticapi.
    crowd_of = {category_of_gt[segment["id"]]: segment["id"] for segment in gt_segments if segment["id"] in crowds}

    tally = _Tally()
    gt_matched, pred_matched = set(), set()
    for (gt_id, pred_id), intersection in overlap.pixels.items():
        category_id = category_of_gt.get(gt_id)
        if category_id is None or gt_id in crowds or category_id != category_of_pred.get(pred_id):
            continue
        on_void = overlap.pixels.get((VOID_ID, pred_id), 0)
        union = overlap.pred_area[pred_id] + overlap.gt_area[gt_id] - intersection - on_void
        if 2 * intersection > union:
            tally.add(category_id, iou_sum=_in_units(intersection, union), tp=1)
            gt_matched.add(gt_id)
            pred_matched.add(pred_id)
    for gt_id, category_id in category_of_gt.items():
        if gt_id not in gt_matched and gt_id not in crowds:
            tally.add(category_id, fn=1)
    for pred_id, category_id in category_of_pred.items():
        if pred_id in pred_matched:
            continue
        ignored = overlap.pixels.get((VOID_ID, pred_id), 0)
        if category_id in crowd_of:
            ignored += overlap.pixels.get((crowd_of[category_id], pred_id), 0)
        if 2 * ignored <= overlap.pred_area[pred_id]:
            tally.add(category_id, fp=1)
    return tally.counts


@dataclass(frozen=True)
class _Overlap:
    """How many pixels each pair of segments shares, and each segment's area."""

    pixels: Dict[Tuple[int, int], int]
    gt_area: Dict[int, int]
    pred_area: Dict[int, int]

    @classmethod
    def of_maps(cls, gt_ids: np.ndarray, pred_ids: np.ndarray) -> "_Overlap":
        gt, pred = gt_ids.reshape(-1), pred_ids.reshape(-1)
        # Segments are long runs of equal pixels: sorting runs is many times cheaper than sorting pixels.
        starts = np.flatnonzero(np.r_[True, (gt[1:] != gt[:-1]) | (pred[1:] != pred[:-1])][: gt.size])
        lengths = np.diff(np.r_[starts, gt.size])
        keys, place = np.unique(gt[starts].astype(np.int64) << 32 | pred[starts].astype(np.int64), return_inverse=True)
        # Sums of floats below 2**53 are exact.
        pixels = np.bincount(place.reshape(-1), weights=lengths).astype(np.int64).tolist()
        overlap = cls({}, {}, {})
        for key, area in zip(keys.tolist(), pixels, strict=True):
            gt_id, pred_id = key >> 32, key & 0xFFFFFFFF
            overlap.pixels[gt_id, pred_id] = area
            overlap.gt_area[gt_id] = overlap.gt_area.get(gt_id, 0) + area
            overlap.pred_area[pred_id] = overlap.pred_area.get(pred_id, 0) + area
        return overlap


class _Tally:
    def __init__(self):
        self.counts: PQCounts = {}

    def add(self, category_id: int, **one: int) -> None:
        self.counts[category_id] = self.counts.get(category_id, CategoryCounts()) + CategoryCounts(**one)


def _in_units(intersection: int, union: int) -> int:
    """intersection / union in units of 1 / IOU_UNIT, rounded half up, without floating point."""
    return (2 * intersection * IOU_UNIT + union) // (2 * union)


def _check_prediction(area: Mapping[int, int], category_of: Mapping[int, int], categories: Categories) -> None:
    unlisted: List[int] = [i for i in area if i != VOID_ID and i not in category_of]
    if unlisted:
        raise InputError(f"the predicted map holds segment {unlisted[0]}, which its segments do not list")
    for segment_id, category_id in category_of.items():
        if segment_id not in area:
            raise InputError(f"predicted segment {segment_id} has no pixel in the map")
        if category_id not in categories:
            raise InputError(
                f"predicted segment {segment_id} has category {category_id}, which is not among the categories"
            )
