"""The third stage of tuning: order and cut instances by a calibrated probability.

The cuts come from a rule, see :mod:`panoptic_heuristic.ablation.tuning.calibration`, and the rule is checked
against two searches on the same images: for a factor on all its cuts, and for one cut for all
categories. Overlap thresholds of single categories are dropped: they were found for another order.

Shape legend: C categories in the order of the data set's list, S settings.
"""

import dataclasses
from dataclasses import dataclass
from typing import Dict, Sequence

import numpy as np

from panoptic_heuristic.ablation.regions.claims import rank_by
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibration import Calibration, cuts_by_rule, examples_of, fit_calibration
from panoptic_heuristic.ablation.tuning.classes import FEWEST_SEGMENTS
from panoptic_heuristic.ablation.tuning.counts import (
    ClassValues,
    best_of,
    candidates_of,
    count_pipelines,
    count_settings,
    pq_of,
    ranking_keys,
    setting_counts,
)
from panoptic_heuristic.ablation.tuning.global_thresholds import OVERLAPS
from panoptic_heuristic.ablation.tuning.images import TuningImage, segments_of
from panoptic_heuristic.ablation.tuning.stuff import tune_stuff
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Calibrated, Pipeline

FACTORS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 2.0)
ONE_CUTS = tuple(round(0.025 * step, 3) for step in range(1, 37))

# PQ depends on the cuts and they on it. Each round moves them a fifth as far as the one before, until
# single segments, in whose steps PQ goes, make them alternate between values half a percent apart.
_ROUNDS = 4
_SAME_CUT = 0.001


@dataclass(frozen=True)
class CalibratedStage:
    """What the stage found.

    Attributes:
        calibration: the fit.
        rounds: of the rule and PQ by turns.
        by_rule: the pipeline whose cuts the rule says.
        by_factor: the same cuts times the best of :data:`FACTORS`.
        factor: that.
        by_one_cut: the best of :data:`ONE_CUTS` for all categories.
        one_cut: that.
    """

    calibration: Calibration
    rounds: int
    by_rule: Pipeline
    by_factor: Pipeline
    factor: float
    by_one_cut: Pipeline
    one_cut: float


def tune_calibrated(
    images: Sequence[TuningImage],
    categories: Categories,
    pipeline: Pipeline,
    *,
    score_floor: float,
    shrinkage: float,
) -> CalibratedStage:
    """Fits the probabilities, and finds cuts and an overlap threshold.

    Args:
        images: the tuning part.
        categories: the data set's.
        pipeline: of the stage before; its limits of stuff are kept, and those of single categories
            found anew if it has any.
        score_floor: the lowest score an instance may have.
        shrinkage: of the limits of stuff; in standard errors.
    """
    calibration = fit_calibration(examples_of(images, score_floor))
    segments = segments_of(images, categories)
    things = [
        category.id
        for place, category in enumerate(categories.values())
        if category.isthing and segments[place] >= FEWEST_SEGMENTS
    ]
    counts = setting_counts(count_pipelines(images, [pipeline], categories), images, categories)
    place, rounds = 0, 0
    order = Calibrated(calibration.weights, {}, calibration.default_weights, 0.0)
    by_rule = dataclasses.replace(
        pipeline,
        claim=dataclasses.replace(pipeline.claim, overlap_threshold_of={}),
        order=order,
        instances_score_thresh=score_floor,
        instances_score_thresh_of={},
    )
    overlaps = np.array(sorted({*OVERLAPS, pipeline.claim.overlap_threshold}))
    for _ in range(_ROUNDS):
        cut, default_cut = cuts_by_rule(_pq_of_things(counts, place, categories), calibration, things)
        moved = dataclasses.replace(order, cut=cut, default_cut=default_cut)
        if rounds and _farthest(by_rule.order, moved, categories) < _SAME_CUT:
            break
        rounds += 1
        by_rule = dataclasses.replace(by_rule, order=moved)
        cuts = np.repeat(moved.cuts(list(categories))[:, None], len(overlaps), axis=1)
        counts = _counts(images, categories, by_rule, overlaps, cuts)
        place = best_of(pq_of(counts, categories))
        claim = dataclasses.replace(by_rule.claim, overlap_threshold=float(overlaps[place]))
        by_rule = dataclasses.replace(by_rule, claim=claim)
    if by_rule.stuff_area_thresh_of or by_rule.stuff_area_fraction_of:
        by_rule = tune_stuff(images, categories, by_rule, shrinkage=shrinkage)
    factor = _searched(images, categories, by_rule, {value: _times(by_rule.order, value) for value in FACTORS})
    one_cut = _searched(
        images,
        categories,
        by_rule,
        {value: dataclasses.replace(order, cut={}, default_cut=value) for value in ONE_CUTS},
    )
    return CalibratedStage(
        calibration,
        rounds,
        by_rule,
        dataclasses.replace(by_rule, order=_times(by_rule.order, factor)),
        factor,
        dataclasses.replace(by_rule, order=dataclasses.replace(order, cut={}, default_cut=one_cut)),
        one_cut,
    )


def _pq_of_things(counts: SettingCounts, setting: int, categories: Categories) -> Dict[int, float]:
    """PQ of each thing that the ground truth has."""
    pq = counts.quality().pq[:, setting]
    return {
        category.id: float(pq[place])
        for place, category in enumerate(categories.values())
        if category.isthing and counts.segments[place]
    }


def _farthest(first: Calibrated, second: Calibrated, categories: Categories) -> float:
    """How far the cut of any category moved."""
    return float(np.abs(first.cuts(list(categories)) - second.cuts(list(categories))).max())


def _times(order: Calibrated, factor: float) -> Calibrated:
    def times(cut: float) -> float:
        return min(round(cut * factor, 4), 1.0)

    cut = {category_id: times(value) for category_id, value in order.cut.items()}
    return dataclasses.replace(order, cut=cut, default_cut=times(order.default_cut))


def _searched(
    images: Sequence[TuningImage], categories: Categories, pipeline: Pipeline, orders: Dict[float, Calibrated]
) -> float:
    """The key of the order of the highest PQ."""
    cuts = np.stack([order.cuts(list(categories)) for order in orders.values()], axis=1)
    overlaps = np.full(len(orders), pipeline.claim.overlap_threshold)
    pq = pq_of(_counts(images, categories, pipeline, overlaps, cuts), categories)
    return list(orders)[best_of(pq)]


def _counts(
    images: Sequence[TuningImage],
    categories: Categories,
    pipeline: Pipeline,
    overlaps: np.ndarray,
    cuts: np.ndarray,
) -> SettingCounts:
    """Counts a calibrated pipeline with other overlap thresholds, (S,), and other cuts, (C, S)."""
    values = ClassValues.of_pipeline(pipeline, categories)
    total = np.zeros((3, len(categories), len(overlaps)), dtype=np.int64)
    for image in images:
        candidates = candidates_of(image, values.cutoff)
        keys = ranking_keys(image, pipeline.order, candidates)
        takes_part = keys[:, None] >= cuts[image.places]
        ranked = rank_by(keys, candidates & takes_part.any(axis=1))
        thresholds = np.broadcast_to(overlaps, (len(ranked), len(overlaps)))
        counts = count_settings(image, ranked, thresholds, takes_part[ranked], values)
        total[:, counts.places] += counts.values[:, :, counts.equal]
    return SettingCounts(*total, segments_of(images, categories), len(images))
