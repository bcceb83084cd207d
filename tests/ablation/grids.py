"""Grids of claim rules, score thresholds and limits of stuff, for tests."""

from typing import Iterable, Tuple

from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.claim import ClaimRule


def grid_of(
    claims: Iterable[ClaimRule],
    scores: Iterable[float] = (0.5,),
    limits: Iterable[Tuple[float, float]] = ((4096.0, 0.0),),
    base: Pipeline = DEFAULT_PIPELINE,
) -> Grid:
    """All combinations, limits varying fastest.

    Args:
        claims: rules with their overlap thresholds.
        scores: score thresholds.
        limits: of stuff, in pixels and as fractions of the image.
        base: all else.
    """
    of_stuff = tuple({"stuff_area_thresh": pixels, "stuff_area_fraction": fraction} for pixels, fraction in limits)
    return Grid(base, (Axis.of("claim", claims), Axis.of("instances_score_thresh", scores), Axis(of_stuff)))


def claims_of(grid: Grid) -> Tuple[ClaimRule, ...]:
    """The claim rules that :func:`grid_of` was given."""
    return tuple(one["claim"] for one in grid.axes[0].alternatives)


def scores_of(grid: Grid) -> Tuple[float, ...]:
    """The score thresholds, likewise."""
    return tuple(one["instances_score_thresh"] for one in grid.axes[1].alternatives)


def limits_of(grid: Grid) -> Tuple[Tuple[float, float], ...]:
    """The limits of stuff, likewise."""
    return tuple((one["stuff_area_thresh"], one["stuff_area_fraction"]) for one in grid.axes[2].alternatives)
