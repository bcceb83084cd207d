"""Confidence intervals of the PQ of one evaluation."""

from dataclasses import dataclass
from typing import Dict, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.bootstrap import REPLICATES, CountTables, Interval, percentile_interval, resample
from panoptic_heuristic.quality.result import Result


@dataclass(frozen=True)
class Intervals:
    """Intervals of PQ, 0 to 1.

    Attributes:
        all, things, stuff: of a summary's groups; None where nothing occurs.
        by_category: of each category that occurs, by dataset category id.
    """

    all: Optional[Interval]
    things: Optional[Interval]
    stuff: Optional[Interval]
    by_category: Dict[int, Interval]


def bootstrap_intervals(
    result: Result,
    categories: Categories,
    *,
    measure: str = "pq",
    confidence: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Intervals:
    """The intervals in which PQ would vary had other images of the same kind been drawn, see :func:`resample`.

    Args:
        result: with the counts of each image.
        categories: the data set's categories.
        measure: a measure's name, see :attr:`MeasureSettings.names`; the result must keep it per image.
        confidence: the share of replicates inside the interval, in (0, 1).
        replicates: how many times the images are drawn anew, at least 2.
        seed: equal arguments give equal intervals.

    Raises:
        InputError: an argument is out of range, or the result does not keep ``measure`` per image.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), got {confidence!r}")
    tables = CountTables.of_counts([(counts,) for counts in result.per_image(measure).values()], categories)
    drawn = resample(tables, categories, by_category=(0,), replicates=replicates, seed=seed)
    outside = 50 * (1 - confidence)
    groups = {group: percentile_interval(values[:, 0], outside) for group, values in drawn.groups.items()}
    each = zip(categories, drawn.by_category[0].T, strict=True)
    by_category = {category_id: percentile_interval(values, outside) for category_id, values in each}
    return Intervals(
        **groups,
        by_category={category_id: found for category_id, found in by_category.items() if found is not None},
    )
