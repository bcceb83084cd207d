"""How sure a difference between settings is.

The bootstrap draws the buckets of a sweep with replacement and scores all settings on the same draw,
so that what makes images easy or hard cancels out in a difference (percentile intervals: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).

Shape legend: B buckets with images, R replicates, C categories, S settings.
"""

from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts, groups_of
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import IOU_UNIT

REPLICATES = 1000
_AT_ONCE = 25
# In these units sums of two million IoUs are whole numbers below 2**53: exact, whatever the order.
_COARSE_UNIT = 2**32


@dataclass(frozen=True, eq=False)
class Resampled:
    """PQ of some settings, in percent, had other images of the same kind been drawn.

    Attributes:
        groups: (R, S) by group of a summary; NaN where nothing of it occurs.
        class_gain: (R, C) PQ of the pair's second setting less that of its first.
        place_of: each setting's place among the S.
    """

    groups: Dict[str, np.ndarray]
    class_gain: np.ndarray
    place_of: Dict[int, int]

    def difference(self, setting: int, against: int, group: str = "all") -> Optional[Tuple[float, float]]:
        """95 % interval of a setting's PQ less another's; None where it is not known."""
        values = self.groups[group]
        return interval(values[:, self.place_of[setting]] - values[:, self.place_of[against]])


def resample(
    parts: Sequence[SettingCounts],
    settings: Sequence[int],
    categories: Categories,
    *,
    pair: Tuple[int, int],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Optional[Resampled]:
    """Draws buckets anew.

    Args:
        parts: the counts of the settings, bucket by bucket.
        settings: their numbers, none twice.
        categories: the data set's.
        pair: two of the settings, of which ``class_gain`` is.
        replicates: how many times.
        seed: equal arguments give equal results.

    Returns:
        None if fewer than two buckets have images, of which nothing can be drawn.
    """
    parts = [part for part in parts if part.images]
    if len(parts) < 2:
        return None
    groups = groups_of(categories)
    place_of = {setting: place for place, setting in enumerate(settings)}
    before, after = (place_of[setting] for setting in pair)
    means: Dict[str, list] = {group: [] for group in groups}
    gains = []
    for pq in _replicates(parts, replicates, np.random.default_rng(seed)):
        for group, chosen in groups.items():
            means[group].append(_mean_of_occurring(pq[:, chosen]))
        gains.append(pq[:, :, after] - pq[:, :, before])
    return Resampled(
        {group: np.concatenate(values) for group, values in means.items()},
        np.concatenate(gains),
        place_of,
    )


def interval(values: np.ndarray) -> Optional[Tuple[float, float]]:
    """What 95 % of some replicates lie between; NaN is left out."""
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _replicates(
    parts: Sequence[SettingCounts], replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yields (some replicates, C, S) PQ in percent; NaN where a category does not occur."""
    shape = (-1, *parts[0].tp.shape)
    ious = np.stack([(part.iou_sum // (IOU_UNIT // _COARSE_UNIT)).ravel() for part in parts]).astype(np.float64)
    # TP + FP / 2 + FN / 2, doubled.
    segments = np.stack([(part.tp + part.fp + part.segments[:, None]).ravel() for part in parts]).astype(np.float64)
    for start in range(0, replicates, _AT_ONCE):
        drawn = rng.integers(len(parts), size=(min(_AT_ONCE, replicates - start), len(parts)))
        times = np.stack([np.bincount(row, minlength=len(parts)) for row in drawn]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            yield (200 / _COARSE_UNIT * (times @ ious) / (times @ segments)).reshape(shape)


def _mean_of_occurring(pq: np.ndarray) -> np.ndarray:
    """(replicates, S) means over the categories that occur; NaN where none does."""
    occurs = ~np.isnan(pq)
    with np.errstate(invalid="ignore"):
        return np.where(occurs, pq, 0).sum(axis=1) / occurs.sum(axis=1)
