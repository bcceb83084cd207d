"""The segments of an image that match, by their ids: for pictures and explanations, which need names, not counts."""

from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.comparison import compare
from panoptic_heuristic.quality.counts import matches_of


@dataclass(frozen=True)
class Matching:
    """Segment ids of one image, each in the order of its list.

    Attributes:
        matched: pairs of a ground-truth and a predicted segment, the true positives.
        missed: ground-truth segments without a match, crowds left out: the false negatives.
        false: predicted segments without a match, those on void and crowds left out: the false
            positives.
    """

    matched: Tuple[Tuple[int, int], ...]
    missed: Tuple[int, ...]
    false: Tuple[int, ...]


def match_image(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_ids: np.ndarray,
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
) -> Matching:
    """Names what :func:`panoptic_heuristic.quality.count_image` counts; arguments and errors are the same."""
    comparison = compare(gt_ids, gt_segments, pred_ids, pred_segments, categories)
    gt_of, pred_of = comparison.listed
    pairs = [(pair.gt, pair.predicted) for pair in matches_of(comparison)]
    matched_gt, predictions = {gt for gt, _ in pairs}, {predicted for _, predicted in pairs}
    return Matching(
        matched=tuple((gt_of[gt], pred_of[predicted]) for gt, predicted in sorted(pairs)),
        missed=tuple(
            gt_of[place]
            for place, gt in enumerate(comparison.gt_segments)
            if place not in matched_gt and not gt.iscrowd
        ),
        false=tuple(
            pred_of[place]
            for place, predicted in enumerate(comparison.predictions)
            if place not in predictions and not predicted.ignored
        ),
    )
