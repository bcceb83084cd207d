"""PQ had other images of the same kind been drawn.

PQ is a ratio of sums over images, not a mean of images' PQ. So the bootstrap draws units, which are images
or groups of them, with replacement, adds up their counts and takes the PQ of the sum. All settings are
scored on the same draws, so that what makes images easy or hard cancels out in a difference (percentile
intervals: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

Shape legend: U units, R replicates, C categories in the order of the data set's list, S settings.
"""

import math
from dataclasses import dataclass
from typing import Dict, Iterator, NamedTuple, Optional, Sequence

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.quality.counts import IOU_UNIT, PQCounts
from panoptic_heuristic.quality.summary import groups_of, mean_of_occurring

REPLICATES = 1000
"""Units are drawn anew so many times unless told otherwise."""

# Of a sweep's hundred settings and 133 categories the PQ of so many replicates are 3 MB.
_AT_ONCE = 25

# In these units sums of up to two million IoUs are whole numbers below 2**53, so that matrix
# products are exact and do not depend on threads or on the order of adding.
_COARSE_UNIT = 2**32


class Interval(NamedTuple):
    """Bounds of a PQ or of a difference of two, in the unit of what they are made of."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class CountTables:
    """The counts that PQ follows from, by unit, category and setting.

    Attributes:
        iou_sum: (U, C, S) int64, in units of 1 / :data:`IOU_UNIT`.
        segments: (U, C, S) int64, TP + FP / 2 + FN / 2, doubled.
    """

    iou_sum: np.ndarray
    segments: np.ndarray

    @classmethod
    def of_counts(cls, units: Sequence[Sequence[PQCounts]], categories: Categories) -> "CountTables":
        """Tables of counts by category.

        Args:
            units: of each unit, the counts of its S settings, S at least 1; counts of categories other than
                the data set's are left out.
            categories: the data set's categories.
        """
        iou_sum, segments = np.zeros((2, len(units), len(categories), len(units[0]) if units else 1), dtype=np.int64)
        for unit, settings in enumerate(units):
            for setting, counts in enumerate(settings):
                for category_id in categories.keys() & counts.keys():
                    value, at = counts[category_id], (unit, categories.place_of[category_id], setting)
                    iou_sum[at], segments[at] = value.iou_sum, 2 * value.tp + value.fp + value.fn
        return cls(iou_sum, segments)


@dataclass(frozen=True, eq=False)
class Resampled:
    """PQ of some settings in R replicates of the data set.

    Attributes:
        groups: (R, S) by group of a summary; NaN where nothing of it occurs.
        by_category: (R, C) of each setting that it was asked for of; NaN where a category does not occur.
        place_of: each setting's place among the S.
    """

    groups: Dict[str, np.ndarray]
    by_category: Dict[int, np.ndarray]
    place_of: Dict[int, int]

    def difference(self, setting: int, against: int, group: str = "all") -> Optional[Interval]:
        """95 % interval of a setting's PQ less another's; None where it is not known."""
        values = self.groups[group]
        return percentile_interval(values[:, self.place_of[setting]] - values[:, self.place_of[against]])

    def paired_difference(
        self, setting: int, other: "Resampled", against: int, group: str = "all"
    ) -> Optional[Interval]:
        """95 % interval of a setting's PQ less that of another model's; None where it is not known.

        Args:
            setting: of these.
            other: of the same units, resampled with the same seed, so that each replicate has the units of ours.
            against: the other's setting.
            group: of a summary.
        """
        values = self.groups[group][:, self.place_of[setting]] - other.groups[group][:, other.place_of[against]]
        return percentile_interval(values)

    def category_difference(self, setting: int, against: int, place: int) -> Optional[Interval]:
        """The same of one category, by its place in the data set's list."""
        return percentile_interval(self.by_category[setting][:, place] - self.by_category[against][:, place])


def resample(
    tables: CountTables,
    categories: Categories,
    *,
    settings: Sequence[int] = (0,),
    by_category: Sequence[int] = (),
    scale: int = 1,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Resampled:
    """Draws units with replacement, as many as there are, and takes the PQ of their sum, again and again.

    A category that a replicate does not have is in no mean of it, as in a summary.

    Args:
        tables: the counts.
        categories: the data set's categories.
        settings: numbers by which the S settings are asked for, none twice.
        by_category: those of them whose PQ of each category is kept.
        scale: 1 for PQ from 0 to 1, 100 for percent.
        replicates: R, at least 2; of no units there are none.
        seed: equal arguments give equal results.

    Raises:
        InputError: ``replicates`` is out of range.
    """
    if not is_integer(replicates) or replicates < 2:
        raise InputError(f"replicates must be an integer of at least 2, got {replicates!r}")
    rows = replicates if len(tables.segments) else 0
    groups, place_of = groups_of(categories), {setting: place for place, setting in enumerate(settings)}
    means = {group: np.empty((rows, len(settings))) for group in groups}
    kept = {setting: np.empty((rows, len(categories))) for setting in by_category}
    start = 0
    for pq in _replicates(tables, scale, rows, np.random.default_rng(seed)):
        chunk = slice(start, start + len(pq))
        for group, chosen in groups.items():
            means[group][chunk] = mean_of_occurring(pq[:, chosen], axis=1)
        for setting, values in kept.items():
            values[chunk] = pq[:, :, place_of[setting]]
        start = chunk.stop
    return Resampled(means, kept, place_of)


def percentile_interval(values: np.ndarray, outside: float = 2.5) -> Optional[Interval]:
    """The bounds that some replicates lie between; NaN is left out, and of nothing else it is None.

    Args:
        values: (R,) floats.
        outside: percent of the replicates below the interval, and as many above it, in (0, 50).
    """
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    return Interval(*(float(value) for value in np.percentile(values, (outside, 100 - outside))))


def _replicates(tables: CountTables, scale: int, rows: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields (some replicates, C, S) PQ; NaN where a category does not occur."""
    units, *shape = tables.segments.shape
    flat = units, math.prod(shape)
    ious = (tables.iou_sum // (IOU_UNIT // _COARSE_UNIT)).reshape(flat).astype(np.float64)
    segments = tables.segments.reshape(flat).astype(np.float64)
    for start in range(0, rows, _AT_ONCE):
        drawn = rng.integers(units, size=(min(_AT_ONCE, rows - start), units))
        times = np.stack([np.bincount(row, minlength=units) for row in drawn]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            yield (2 * scale / _COARSE_UNIT * (times @ ious) / (times @ segments)).reshape(-1, *shape)
