"""The third stage of tuning: order and cut instances by a calibrated probability.

The cuts lie midway, as ratios, between those of a rule, see
:mod:`panoptic_heuristic.ablation.tuning.calibration`, and the one cut for all categories that is best on the same
images: the rule looks at a category's own PQ alone, and gives one of few matches so low a cut that its false positives
take the pixels of others; one cut knows no difference. Both ends are kept as checks. Overlap thresholds of single
categories are dropped: they were found for another order.

There are two forms of it, see :data:`FORMS`.

Shape legend: C categories in the order of the data set's list, S settings.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibration import Calibration, cuts_by_rule, fit_per_class, fit_shared
from panoptic_heuristic.ablation.tuning.classes import FEWEST_SEGMENTS
from panoptic_heuristic.ablation.tuning.counts import best_of, pq_of, segments_of, total_counts
from panoptic_heuristic.ablation.tuning.examples import Examples, examples_of
from panoptic_heuristic.ablation.tuning.rounds import OVERLAPS
from panoptic_heuristic.ablation.tuning.stuff import KINDS, tune_stuff
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Calibrated, Pipeline

ONE_CUTS = tuple(round(0.025 * step, 3) for step in range(1, 37))

_SAME_CUT = 0.001


@dataclass(frozen=True)
class Form:
    """A form of the stage.

    Attributes:
        fit: gives the probabilities.
        lowest_score: instances with a lower one take no part.
        overlaps: the overlap thresholds to choose from.
        step: the part of the way to what the rule says that cuts go in a round, after the first; in (0, 1].
        rounds: the most there are.
        goes_on: it builds on the stage before, whichever that is: its overlap threshold is one to choose from, and
            its limits of single stuff categories are found anew if it has any. Otherwise it builds on the global
            thresholds, whose limit of stuff it keeps.
    """

    fit: Callable[[Examples], Calibration]
    lowest_score: float
    overlaps: Tuple[float, ...]
    step: float
    rounds: int
    goes_on: bool


# PQ depends on the cuts and they on it. Each round of whole steps moves them a fifth as far as the one before, until
# single segments, in whose steps PQ goes, make them alternate between values half a percent apart.
FORMS: Dict[str, Form] = {
    "shared": Form(fit_shared, 0.02, (0.1, 0.15, 0.2), step=0.5, rounds=8, goes_on=False),
    "per-class": Form(fit_per_class, 0.0, OVERLAPS, step=1.0, rounds=4, goes_on=True),
}
"""Slopes that all categories share are the safe form. Slopes per class fit the images more closely, and with them
what is theirs alone: on other videos less of their gain is left."""

DEFAULT_FORM = "shared"


@dataclass(frozen=True)
class CalibratedStage:
    """The outcome of the stage.

    Attributes:
        calibration: the fit.
        examples: by category id, the instances it was fitted to, and the true positives among them.
        rounds: of the rule and PQ by turns.
        pipeline: the one whose cuts lie midway between those of the next two.
        by_rule: the pipeline whose cuts the rule says.
        by_one_cut: the best of :data:`ONE_CUTS` for all categories.
        one_cut: that.
    """

    calibration: Calibration
    examples: Dict[int, Tuple[int, int]]
    rounds: int
    pipeline: Pipeline
    by_rule: Pipeline
    by_one_cut: Pipeline
    one_cut: float


def tune_calibrated(
    images: Sequence[Regions],
    categories: Categories,
    pipeline: Pipeline,
    *,
    form: str,
    score_floor: float,
    shrinkage: float,
    groups: Optional[Sequence[int]] = None,
) -> CalibratedStage:
    """Fits the probabilities, and finds cuts and an overlap threshold.

    Args:
        images: to tune on.
        categories: the data set's.
        pipeline: of the stage that the form builds on, exact on regions.
        form: one of :data:`FORMS`.
        score_floor: the lowest score an instance may have.
        shrinkage: of the limits of stuff; in standard errors.
        groups: the number of each image's group; None if each image is one.
    """
    how = FORMS[form]
    score_floor = max(score_floor, how.lowest_score)
    examples = examples_of(images, score_floor)
    calibration = how.fit(examples)
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
        values = {*how.overlaps, *([pipeline.claim.overlap_threshold] if how.goes_on else [])}
        overlaps = [{"claim.overlap_threshold": value} for value in sorted(values)]
    for _ in range(how.rounds):
        cut, default_cut = cuts_by_rule(_pq_of_things(counts, place, categories), calibration, things)
        moved = dataclasses.replace(order, cut=cut, default_cut=default_cut)
        if rounds:
            moved = _part_of_the_way(by_rule.order, moved, how.step)
            if _farthest(by_rule.order, moved, categories) < _SAME_CUT:
                break
        rounds += 1
        tried = [by_rule.replaced({"order": moved, **overlap}) for overlap in overlaps]
        counts = total_counts(images, tried, categories)
        place = best_of(pq_of(counts, categories))
        by_rule = tried[place]
    if how.goes_on and (by_rule.stuff_area_thresh_of or by_rule.stuff_area_fraction_of):
        common = by_rule.replaced({f"{kind}_of": {} for kind in KINDS})
        by_rule = tune_stuff(images, categories, common, shrinkage=shrinkage, groups=groups)
    one_cut = _best_cut(images, categories, by_rule)
    return CalibratedStage(
        calibration,
        examples.per_category(),
        rounds,
        dataclasses.replace(by_rule, order=_midway(by_rule.order, one_cut)),
        by_rule,
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


def _part_of_the_way(first: Calibrated, second: Calibrated, step: float) -> Calibrated:
    """Cuts between those of two orders, which are of the same categories; four digits."""

    def between(one: float, other: float) -> float:
        return round(one + step * (other - one), 4)

    cut = {category_id: between(first.cut[category_id], value) for category_id, value in second.cut.items()}
    return dataclasses.replace(second, cut=cut, default_cut=between(first.default_cut, second.default_cut))


def _midway(order: Calibrated, one_cut: float) -> Calibrated:
    """Cuts midway, as ratios, between those of an order and one for all; four digits."""

    def between(cut: float) -> float:
        return round(math.sqrt(cut * one_cut), 4)

    cuts = {category_id: between(cut) for category_id, cut in order.cut.items()}
    return dataclasses.replace(order, cut=cuts, default_cut=between(order.default_cut))


def _best_cut(images: Sequence[Regions], categories: Categories, pipeline: Pipeline) -> float:
    """The one of :data:`ONE_CUTS` for all categories that has the highest PQ."""
    orders = (dataclasses.replace(pipeline.order, cut={}, default_cut=value) for value in ONE_CUTS)
    tried = [dataclasses.replace(pipeline, order=order) for order in orders]
    return ONE_CUTS[best_of(pq_of(total_counts(images, tried, categories), categories))]
