"""The third stage of tuning: order and cut instances by a calibrated probability.

The cuts come from a rule, see :mod:`panoptic_heuristic.ablation.tuning.calibration`, and the rule is checked
against two searches on the same images: for a factor on all its cuts, and for one cut for all
categories. Overlap thresholds of single categories are dropped: they were found for another order.

Shape legend: C categories in the order of the data set's list, S settings.
"""

import dataclasses
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibration import Calibration, cuts_by_rule, examples_of, fit_calibration
from panoptic_heuristic.ablation.tuning.classes import FEWEST_SEGMENTS
from panoptic_heuristic.ablation.tuning.counts import best_of, pq_of, segments_of, total_counts
from panoptic_heuristic.ablation.tuning.rounds import OVERLAPS
from panoptic_heuristic.ablation.tuning.stuff import KINDS, tune_stuff
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
    """The outcome of the stage.

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
    images: Sequence[Regions],
    categories: Categories,
    pipeline: Pipeline,
    *,
    score_floor: float,
    shrinkage: float,
    groups: Optional[Sequence[int]] = None,
) -> CalibratedStage:
    """Fits the probabilities, and finds cuts and an overlap threshold.

    Args:
        images: to tune on.
        categories: the data set's.
        pipeline: of the stage before, exact on regions; its limits of stuff are kept, and those of single
            categories found anew if it has any.
        score_floor: the lowest score an instance may have.
        shrinkage: of the limits of stuff; in standard errors.
        groups: the number of each image's group; None if each image is one.
    """
    calibration = fit_calibration(examples_of(images, score_floor))
    segments = segments_of(images, categories)
    things = [
        category.id
        for place, category in enumerate(categories.values())
        if category.isthing and segments[place] >= FEWEST_SEGMENTS
    ]
    counts = total_counts(images, [pipeline], categories)
    place, rounds = 0, 0
    order = Calibrated(calibration.weights, {}, calibration.default_weights, 0.0)
    by_rule = dataclasses.replace(
        pipeline, order=order, instances_score_thresh=score_floor, instances_score_thresh_of={}
    )
    # Without a test of the overlap there is nothing to try.
    overlaps: List[Dict[str, float]] = [{}]
    if hasattr(pipeline.claim, "overlap_threshold"):
        by_rule = by_rule.replaced({"claim.overlap_threshold_of": {}})
        values = sorted({*OVERLAPS, pipeline.claim.overlap_threshold})
        overlaps = [{"claim.overlap_threshold": value} for value in values]
    for _ in range(_ROUNDS):
        cut, default_cut = cuts_by_rule(_pq_of_things(counts, place, categories), calibration, things)
        moved = dataclasses.replace(order, cut=cut, default_cut=default_cut)
        if rounds and _farthest(by_rule.order, moved, categories) < _SAME_CUT:
            break
        rounds += 1
        tried = [by_rule.replaced({"order": moved, **overlap}) for overlap in overlaps]
        counts = total_counts(images, tried, categories)
        place = best_of(pq_of(counts, categories))
        by_rule = tried[place]
    if by_rule.stuff_area_thresh_of or by_rule.stuff_area_fraction_of:
        common = by_rule.replaced({f"{kind}_of": {} for kind in KINDS})
        by_rule = tune_stuff(images, categories, common, shrinkage=shrinkage, groups=groups)
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
    """The farthest that the cut of a category moved."""
    return float(np.abs(first.cuts(list(categories)) - second.cuts(list(categories))).max())


def _times(order: Calibrated, factor: float) -> Calibrated:
    def times(cut: float) -> float:
        return min(round(cut * factor, 4), 1.0)

    cut = {category_id: times(value) for category_id, value in order.cut.items()}
    return dataclasses.replace(order, cut=cut, default_cut=times(order.default_cut))


def _searched(
    images: Sequence[Regions], categories: Categories, pipeline: Pipeline, orders: Dict[float, Calibrated]
) -> float:
    """The key of the order of the highest PQ."""
    tried = [dataclasses.replace(pipeline, order=order) for order in orders.values()]
    return list(orders)[best_of(pq_of(total_counts(images, tried, categories), categories))]
