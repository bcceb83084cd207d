"""The first stage of tuning: one score threshold, one overlap threshold and one limit of stuff for all.

PQ of things depends on the first two only, PQ of stuff on all three, and they are searched together
for the PQ of all: a coarse grid that holds the baselines, then smaller and smaller steps around its
best point. The limit is tried in pixels and as a fraction of the image. Of equal points the nearest to
where the search comes from is best, so that nothing changes without a reason.
"""

import itertools
from dataclasses import dataclass
from typing import Dict, List, Sequence, Set, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counts import check_tunable, pq_of, total_counts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.claim import ClaimRule

SCORES = tuple(round(0.05 * step, 2) for step in range(20))
OVERLAPS = tuple(round(0.1 * step, 1) for step in range(1, 11))
# Detectron2's 4096 pixels of an image of 640 x 480, halves and doubles of it.
FRACTIONS = (0.0, *(4096 / (640 * 480) * 2.0**power for power in (-6, -5, -4, -3, -2, -1, 0, 1, 2)))

# Each step of the search around the best point: of the score, of the overlap, and the factor of the limit.
_STEPS = ((0.025, 0.05, 2**0.5), (0.0125, 0.025, 2**0.25))


@dataclass(frozen=True)
class Baselines:
    """The pipelines that are tuned from, and that gains are reported against.

    Attributes:
        default: with a limit of stuff in pixels.
        scaled: the same but for the limit, which is a fraction of the image.
    """

    default: Pipeline
    scaled: Pipeline

    def __post_init__(self):
        for pipeline in (self.default, self.scaled):
            check_tunable(pipeline)

    @classmethod
    def of_values(
        cls,
        score: float,
        overlap: float,
        stuff_area: float,
        stuff_fraction: float,
        claim: ClaimRule = DEFAULT_PIPELINE.claim,
    ) -> "Baselines":
        """Of thresholds.

        Args:
            score, overlap, stuff_area, stuff_fraction: the thresholds.
            claim: a rule that sees nothing of pixels but their regions; all of it is kept but its overlap threshold.

        Raises:
            InputError: a threshold is out of its interval, or the rule cannot be tuned.
        """
        base = Pipeline(claim)
        check_tunable(base)
        values = {"instances_score_thresh": score, "claim.overlap_threshold": overlap}
        limits = _limit(stuff_area, 0.0), _limit(0.0, stuff_fraction)
        return cls(*(base.replaced({**values, **limit}) for limit in limits))


def tune_global(
    images: Sequence[Regions], categories: Categories, baselines: Baselines, score_floor: float
) -> Pipeline:
    """The thresholds of the highest PQ on some images; never worse there than the baselines.

    Args:
        images: the tuning part.
        categories: the data set's.
        baselines: are among the candidates; their claim rule is that of all.
        score_floor: no lower score threshold is tried.
    """
    typical_area = float(np.median([image.area for image in images]))
    tried = _coarse_grid(baselines, score_floor, typical_area)
    best = _best(tried, images, categories, baselines.scaled, typical_area)
    for steps in _STEPS:
        best = _best(_grid_around(best, steps, score_floor), images, categories, best, typical_area)
    return best


def _coarse_grid(baselines: Baselines, score_floor: float, typical_area: float) -> List[Pipeline]:
    default, scaled = baselines.default, baselines.scaled
    pixels = {float(round(fraction * typical_area)) for fraction in FRACTIONS} | {float(default.stuff_area_thresh)}
    fractions = {fraction for fraction in FRACTIONS if fraction} | {scaled.stuff_area_fraction}
    return _grid(
        scaled,
        {*OVERLAPS, default.claim.overlap_threshold},
        {score_floor, *(score for score in SCORES if score >= score_floor), default.instances_score_thresh},
        {*((value, 0.0) for value in pixels), *((0.0, value) for value in fractions if value)},
    )


def _grid_around(best: Pipeline, steps: Tuple[float, float, float], score_floor: float) -> List[Pipeline]:
    by_score, by_overlap, factor = steps
    score, overlap = best.instances_score_thresh, best.claim.overlap_threshold
    pixels, fraction = best.stuff_area_thresh, best.stuff_area_fraction
    return _grid(
        best,
        {_clipped(overlap, change, 0.0, 1.0) for change in (-by_overlap, 0, by_overlap)},
        {_clipped(score, change, score_floor, max(score, 1.0)) for change in (-by_score, 0, by_score)},
        {
            (pixels, fraction),
            *(
                (float(round(pixels * times)), _readable(min(fraction * times, 1.0)))
                for times in (1 / factor, factor)
            ),
        },
    )


def _grid(
    base: Pipeline, overlaps: Set[float], scores: Set[float], limits: Set[Tuple[float, float]]
) -> List[Pipeline]:
    """All combinations of overlap thresholds, score thresholds and limits in pixels and as fractions."""
    # Limits in pixels come first: of equal pipelines as near as each other the first is taken.
    ordered = sorted(limits, key=lambda limit: limit[::-1])
    return [
        base.replaced({"claim.overlap_threshold": overlap, "instances_score_thresh": score, **_limit(*limit)})
        for overlap, score, limit in itertools.product(sorted(overlaps), sorted(scores), ordered)
    ]


def _limit(pixels: float, fraction: float) -> Dict[str, float]:
    return {"stuff_area_thresh": pixels, "stuff_area_fraction": fraction}


def _best(
    tried: List[Pipeline], images: Sequence[Regions], categories: Categories, near: Pipeline, typical_area: float
) -> Pipeline:
    """The pipeline of the highest PQ, of equals the nearest to another one."""
    pq = pq_of(total_counts(images, tried, categories), categories)
    distances = [_distance(pipeline, near, typical_area) for pipeline in tried]
    # The last key sorts first.
    return tried[np.lexsort([distances, -np.nan_to_num(pq, nan=-1.0)])[0]]


def _distance(one: Pipeline, other: Pipeline, typical_area: float) -> float:
    """A doubled limit is as far as 0.1 of a score or an overlap."""
    pixels = [max(each.stuff_area_thresh, each.stuff_area_fraction * typical_area) for each in (one, other)]
    doublings = abs(np.log2((1 + pixels[0]) / (1 + pixels[1])))
    by_score = abs(one.instances_score_thresh - other.instances_score_thresh)
    by_overlap = abs(one.claim.overlap_threshold - other.claim.overlap_threshold)
    # Two digits: a limit in pixels and the same as a fraction are equally far.
    return round(float(by_score + by_overlap + doublings / 10), 2)


def _clipped(value: float, change: float, low: float, high: float) -> float:
    """The value itself, bit by bit, if nothing changes."""
    return value if change == 0 else float(min(max(round(value + change, 4), low), high))


def _readable(value: float) -> float:
    """Five digits: what is written to a YAML file is what was counted."""
    return float(f"{value:.5g}")
