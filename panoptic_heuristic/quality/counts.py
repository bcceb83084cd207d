"""Panoptic quality as integer counts that add: iou_sum, TP, FP and FN per category.

The rules are those of Kirillov et al., "Panoptic Segmentation", CVPR 2019, as panopticapi counts
them: a prediction and a ground-truth segment of one category match if their IoU, leaving out the
prediction's void pixels, exceeds 0.5; crowds are never missed; an unmatched prediction more than
half on void and on the crowd of its category is no false positive.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.comparison import Comparison, Pair, compare

IOU_UNIT = 2**40
"""IoUs are summed as integers in units of 1 / IOU_UNIT, so that sums do not depend on their order."""

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """The counts that PQ, SQ and RQ of one category follow from.

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
        add_into(total, one)
    return total


def add_into(total: PQCounts, counts: PQCounts) -> None:
    """Adds counts to a total that the caller owns: copying it for each of thousands of images is slow."""
    for category_id, value in counts.items():
        total[category_id] = total[category_id] + value if category_id in total else value


def count_image(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_ids: np.ndarray,
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
    *,
    all_crowds: bool = False,
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
        all_crowds: of several crowd segments of a category all count. If False, only the last one
            listed does, as in panopticapi; :func:`repeated_crowds` tells where that matters.

    Raises:
        InputError: the maps differ in size or are not of integers, a segment has void's id, or the
            predicted map and segments, or the categories, do not agree.
    """
    comparison = compare(gt_ids, gt_segments, pred_ids, pred_segments, categories, all_crowds=all_crowds)
    return total_of(outcomes_of(comparison))


def repeated_crowds(gt_segments: Sequence[Mapping[str, Any]]) -> Tuple[int, ...]:
    """The categories of which an image has several crowd segments.

    panopticapi lets the last one listed stand for all of them, and so do we unless told to count
    all; whoever prints a PQ should say how many images that concerns.

    Returns:
        Dataset category ids in order of appearance.
    """
    crowds = [segment["category_id"] for segment in gt_segments if segment.get("iscrowd", 0)]
    return tuple(category_id for category_id in dict.fromkeys(crowds) if crowds.count(category_id) > 1)


class Outcome(NamedTuple):
    """A match, a miss or a false positive: one segment, or two that match.

    Attributes:
        category_id: dataset category id.
        area: pixels of the ground-truth segment; those of the prediction if there is none.
        counts: the one that it is.
    """

    category_id: int
    area: int
    counts: CategoryCounts


_MISS, _FALSE_POSITIVE = CategoryCounts(fn=1), CategoryCounts(fp=1)


def matches_of(comparison: Comparison, iou_threshold: Fraction = HALF) -> List[Pair]:
    """The pairs of an image that match; each segment is in one at most.

    Args:
        comparison: the image.
        iou_threshold: a pair matches if its IoU exceeds this; at least one half, below which a
            segment could match twice.
    """
    part, whole = iou_threshold.numerator, iou_threshold.denominator
    return [pair for pair in comparison.pairs if pair.intersection * whole > pair.union * part]


def outcomes_of(comparison: Comparison, iou_threshold: Fraction = HALF) -> List[Outcome]:
    """The matches, misses and false positives of an image; arguments are those of :func:`matches_of`."""
    matches, outcomes = matches_of(comparison, iou_threshold), []
    for pair in matches:
        gt = comparison.gt_segments[pair.gt]
        counts = CategoryCounts(in_units(pair.intersection, pair.union), 1)
        outcomes.append(Outcome(gt.category_id, gt.area, counts))
    matched_gt, matched_predictions = {pair.gt for pair in matches}, {pair.predicted for pair in matches}
    for index, gt in enumerate(comparison.gt_segments):
        if index not in matched_gt and not gt.iscrowd:
            outcomes.append(Outcome(gt.category_id, gt.area, _MISS))
    for index, predicted in enumerate(comparison.predictions):
        if index not in matched_predictions and not predicted.ignored:
            outcomes.append(Outcome(predicted.category_id, predicted.area, _FALSE_POSITIVE))
    return outcomes


def total_of(outcomes: Iterable[Outcome]) -> PQCounts:
    """The counts of some outcomes."""
    total: PQCounts = {}
    for category_id, _, counts in outcomes:
        total[category_id] = total[category_id] + counts if category_id in total else counts
    return total


def in_units(intersection: int, union: int) -> int:
    """intersection / union in units of 1 / :data:`IOU_UNIT`, rounded half up, without floating point."""
    return (2 * intersection * IOU_UNIT + union) // (2 * union)
