"""The settings to try of a pipeline: many where counting is cheap, few where each image is fused.

Both ways search a threshold on scores, what an instance may lose to others, and the limit of stuff for the PQ of all
categories. The **grid** tries all combinations, since PQ of stuff depends on all three: a coarse grid that
holds the baselines, then smaller and smaller steps around its best point, with the limit in pixels and as a
fraction of the image. The **ascent** tries one threshold after the other, from coarse to fine, with the limit
as a fraction. Of equal pipelines the nearest to where the search comes from is preferred, so that nothing
changes without a reason.
"""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import List, Optional, Set, Tuple

import numpy as np

from panoptic_heuristic.ablation.tuning.search import Round
from panoptic_heuristic.ablation.tuning.thresholds import Baselines, Thresholds, stuff_limit
from panoptic_heuristic.fusion import Pipeline

SCORES = tuple(round(0.05 * step, 2) for step in range(20))
OVERLAPS = tuple(round(0.1 * step, 1) for step in range(1, 11))
# Detectron2's 4096 pixels of an image of 640 x 480, halves and doubles of it.
FRACTIONS = (0.0, *(4096 / (640 * 480) * 2.0**power for power in (-6, -5, -4, -3, -2, -1, 0, 1, 2)))

# Each round of the grid around the best point: steps of the score, of the overlap, and the factor of the limit.
_GRID_STEPS = ((0.025, 0.05, 2**0.5), (0.0125, 0.025, 2**0.25))

MOST_TRIALS = 25
"""An ascent never tries more settings than this."""

# Of the ascent: first values, and the steps around the best one. Areas are told apart by ratios.
_FIRST_SCORES, _FIRST_LOST, _FIRST_AREAS = (0.2, 0.4, 0.6, 0.8), (0.2, 0.5, 0.8), (0.0, 0.003, 0.01, 0.03)
_STEPS, _FACTORS, _FROM_NOTHING = (0.1, 0.05), (1.8, 1.35), (0.001, 0.0005)

def grid_rounds(baselines: Baselines, *, score_floor: float, image_area: float) -> List[Round]:
    """The rounds of a grid: up to four thousand settings, then twenty-seven twice.

    Args:
        baselines: are among the first.
        score_floor: no lower ``instances_score_thresh`` is tried.
        image_area: the pixels of an image, by which limits in pixels and fractions are compared.
    """
    thresholds = Thresholds.of(baselines.start)
    grid = _Grid(thresholds, thresholds.lowest(score_floor), image_area)
    return [partial(grid.coarse, baselines), *(partial(grid.around, steps) for steps in _GRID_STEPS)]


def ascent_rounds(baselines: Baselines, *, score_floor: float) -> List[Round]:
    """The rounds of an ascent; :data:`MOST_TRIALS` settings at most.

    Args:
        baselines: are tried first.
        score_floor: no lower ``instances_score_thresh`` is tried.
    """
    thresholds = Thresholds.of(baselines.start)
    lowest = thresholds.lowest(score_floor)
    values = {
        thresholds.score: lambda value, zoom: _even(_FIRST_SCORES, value, zoom, lowest),
        thresholds.overlap: lambda value, zoom: _even(_FIRST_LOST, value, zoom),
        "stuff_area_fraction": _areas,
    }
    paths = [path for path in values if path is not None]

    def along(path: str, zoom: int, best: Pipeline) -> List[Pipeline]:
        # A limit in pixels beside a fraction would decide on small images.
        without = {"stuff_area_thresh": 0} if path == "stuff_area_fraction" else {}
        return [best, *(best.replaced({path: one, **without}) for one in values[path](best.value(path), zoom))]

    steps = itertools.product(range(1 + len(_STEPS)), paths)
    return [
        lambda best: [baselines.start, baselines.scaled],
        *(partial(along, path, zoom) for zoom, path in steps),
    ]


@dataclass(frozen=True)
class _Grid:
    """The rounds of :func:`grid_rounds`.

    Attributes:
        thresholds: of the pipeline.
        lowest: score that is tried.
        image_area: the pixels of an image.
    """

    thresholds: Thresholds
    lowest: float
    image_area: float

    def coarse(self, baselines: Baselines, best: Pipeline) -> List[Pipeline]:
        """The first round."""
        start, scaled = baselines.start, baselines.scaled
        score, overlap = self._values(start)
        pixels = {float(round(fraction * self.image_area)) for fraction in FRACTIONS} | {start.stuff_area_thresh}
        fractions = {fraction for fraction in FRACTIONS if fraction} | {scaled.stuff_area_fraction}
        grid = self._combined(
            scaled,
            {overlap} if overlap is None else {*OVERLAPS, overlap},
            {self.lowest, *(one for one in SCORES if one >= self.lowest), score},
            {*((value, 0.0) for value in pixels), *((0.0, value) for value in fractions if value)},
        )
        return self._nearest_first([*grid, start, scaled], best)

    def around(self, steps: Tuple[float, float, float], best: Pipeline) -> List[Pipeline]:
        """A later round: a step down and one up from the best point, of each threshold."""
        by_score, by_overlap, factor = steps
        score, overlap = self._values(best)
        pixels, fraction = best.stuff_area_thresh, best.stuff_area_fraction
        changed = {
            (float(round(pixels * times)), _readable(min(fraction * times, 1.0))) for times in (1 / factor, factor)
        }
        grid = self._combined(
            best,
            {overlap} if overlap is None else {_clipped(overlap, by, 0, 1) for by in (-by_overlap, 0, by_overlap)},
            {_clipped(score, by, self.lowest, max(score, 1.0)) for by in (-by_score, 0, by_score)},
            {(pixels, fraction), *changed},
        )
        return self._nearest_first(grid, best)

    def _values(self, pipeline: Pipeline) -> Tuple[float, Optional[float]]:
        """Score and overlap."""
        paths = self.thresholds
        return pipeline.value(paths.score), None if paths.overlap is None else pipeline.value(paths.overlap)

    def _combined(
        self, base: Pipeline, overlaps: Set[Optional[float]], scores: Set[float], limits: Set[Tuple[float, float]]
    ) -> List[Pipeline]:
        """All combinations with limits of stuff in pixels and as fractions."""
        # Limits in pixels come first: of equal pipelines as near as each other the first is taken.
        ordered = sorted(limits, key=lambda limit: limit[::-1])
        grid = []
        for overlap, score, limit in itertools.product(sorted(overlaps), sorted(scores), ordered):
            values = {self.thresholds.score: score, **stuff_limit(*limit)}
            if self.thresholds.overlap is not None:
                values[self.thresholds.overlap] = overlap
            grid.append(base.replaced(values))
        return grid

    def _nearest_first(self, pipelines: List[Pipeline], near: Pipeline) -> List[Pipeline]:
        """Of equally far ones the first comes first."""
        return sorted(pipelines, key=lambda pipeline: self._distance(pipeline, near))

    def _distance(self, one: Pipeline, other: Pipeline) -> float:
        """A doubled limit is as far as 0.1 of a score or an overlap."""
        pixels = [max(each.stuff_area_thresh, each.stuff_area_fraction * self.image_area) for each in (one, other)]
        doublings = abs(np.log2((1 + pixels[0]) / (1 + pixels[1])))
        values = zip(self._values(one), self._values(other), strict=True)
        by_score, by_overlap = (0.0 if first is None else abs(first - second) for first, second in values)
        # Two digits: a limit in pixels and the same as a fraction are equally far.
        return round(float(by_score + by_overlap + doublings / 10), 2)


def _clipped(value: float, change: float, low: float, high: float) -> float:
    """The value itself, bit by bit, if nothing changes."""
    return value if change == 0 else float(min(max(round(value + change, 4), low), high))


def _readable(value: float) -> float:
    """Five digits: what is written to a YAML file is what was counted."""
    return float(f"{value:.5g}")


def _even(first: Tuple[float, ...], value: float, zoom: int, low: float = 0.0) -> Tuple[float, ...]:
    tried = first if zoom == 0 else (value - _STEPS[zoom - 1], value + _STEPS[zoom - 1])
    # 0.4 - 0.1 is not 0.3; ten digits are.
    return tuple(round(min(max(one, low), 1.0), 10) for one in tried)


def _areas(value: float, zoom: int) -> Tuple[float, ...]:
    if zoom == 0:
        return _FIRST_AREAS
    if value == 0:
        return (_FROM_NOTHING[zoom - 1],)
    factor = _FACTORS[zoom - 1]
    return tuple(float(f"{min(one, 1.0):.4g}") for one in (value / factor, value * factor))
