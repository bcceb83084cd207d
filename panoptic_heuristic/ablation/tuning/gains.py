"""The gains of tuning on images that were not tuned on, and their intervals."""

import itertools
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts, resample_settings
from panoptic_heuristic.ablation.tuning.counts import best_of
from panoptic_heuristic.ablation.tuning.settings import BASELINES, BEFORE
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import Interval, groups_of

_STANDARD_ERRORS = 2 * 1.96
"""So many of them is a 95 % interval of a normal distribution wide."""


@dataclass(frozen=True)
class Gain:
    """PQ of one pipeline less that of another on the same images, in percent.

    Attributes:
        against: the other one's name.
        held_out: on the images that were held out.
        interval: 95 % of it; None where it is not known.
        tuning: on the tuning images, the mean over the splits that hold images out.
    """

    against: str
    held_out: float
    interval: Optional[Interval]
    tuning: float

    @property
    def is_sure(self) -> bool:
        """True if the interval lies above 0."""
        return self.interval is not None and self.interval.low > 0

    @property
    def standard_error(self) -> Optional[float]:
        """Of the difference on the held-out images, as the interval of a normal distribution has it."""
        return None if self.interval is None else (self.interval.high - self.interval.low) / _STANDARD_ERRORS

    @property
    def overfit(self) -> float:
        """The part of the gain that stays behind on the images that were tuned on."""
        return self.tuning - self.held_out


@dataclass(frozen=True)
class StageReport:
    """The quality of one pipeline on images that it was not tuned on, in percent.

    Attributes:
        name: of the pipeline.
        pq: by group of a summary: ``all``, ``things`` and ``stuff``; NaN where nothing occurs.
        gains: against the baselines and the stage before, as far as they are others.
        to_best: against the pipeline of the highest held-out PQ, the earlier of equal ones; None of that itself.
    """

    name: str
    pq: Mapping[str, float]
    gains: Tuple[Gain, ...]
    to_best: Optional[Gain] = None

    @property
    def is_close_to_best(self) -> bool:
        """True if it is no more than one standard error below the best one."""
        if self.to_best is None or self.to_best.standard_error is None:
            return True
        return self.to_best.held_out >= -self.to_best.standard_error

    def gain(self, against: str) -> Optional[Gain]:
        """The gain against a pipeline, if it was compared with it."""
        return next((gain for gain in self.gains if gain.against == against), None)

    @property
    def over_the_stage_before(self) -> Optional[Gain]:
        """The gain against what is no baseline, if there is one."""
        return next((gain for gain in self.gains if gain.against not in BASELINES), None)


def stage_reports(
    names: Sequence[str],
    held_out: Sequence[SettingCounts],
    tuning: Sequence[SettingCounts],
    categories: Categories,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> Tuple[StageReport, ...]:
    """PQ and gains of every pipeline; intervals are a paired bootstrap over what is held out.

    Args:
        names: of P pipelines.
        held_out: their counts of each held-out image, or of each group of images that are drawn together.
        tuning: their counts of the tuning images of each split that holds images out.
        categories: the data set's.
        replicates: how many times they are drawn.
        seed: equal arguments give equal intervals.
    """
    place_of = {name: place for place, name in enumerate(names)}
    total = sum(held_out, SettingCounts.zeros(len(categories), len(names)))
    groups = group_pq(total, categories)
    mean_tuning = np.mean([group_pq(counts, categories)["all"] for counts in tuning], axis=0)
    drawn = resample_settings(held_out, range(len(names)), categories, pair=(0, 1), replicates=replicates, seed=seed)

    def gain(name: str, against: str) -> Gain:
        one, other = place_of[name], place_of[against]
        return Gain(
            against,
            float(groups["all"][one] - groups["all"][other]),
            None if drawn is None else drawn.difference(one, other),
            float(mean_tuning[one] - mean_tuning[other]),
        )

    best = names[best_of(groups["all"])]
    return tuple(
        StageReport(
            name,
            {group: float(values[place]) for group, values in groups.items()},
            tuple(gain(name, against) for against in _compared_with(name, names)),
            None if name == best else gain(name, best),
        )
        for place, name in enumerate(names)
    )


def recommended(reports: Sequence[StageReport]) -> str:
    """The settings to use: the default, unless others are surely better.

    Of those whose gain over the default has an interval above 0, it is the simplest that is no more than one standard
    error below the best, as in the pruning of Breiman et al., Classification and Regression Trees (1984): of what the
    images can hardly tell apart the simpler is preferred. Where the best itself is not sure, and none of the sure ones
    is that close to it, it is the best of these.

    Args:
        reports: the default first, then the simplest.
    """
    default, *others = reports
    sure = [one for one in others if (gain := one.gain(default.name)) is not None and gain.is_sure]
    if not sure:
        return default.name
    close = (one for one in sure if one.is_close_to_best)
    return next(close, max(sure, key=lambda one: one.pq["all"])).name


def group_pq(counts: SettingCounts, categories: Categories) -> Dict[str, np.ndarray]:
    """(P,) PQ in percent by group of a summary."""
    quality = counts.quality()
    return {group: 100 * quality.mean("pq", chosen) for group, chosen in groups_of(categories).items()}


def _compared_with(name: str, names: Sequence[str]) -> List[str]:
    untuned = [other for other in BASELINES if other in names]
    if name in untuned:
        return untuned[: untuned.index(name)]
    before = (other for other in BEFORE[name] if other in names)
    return [*untuned, *itertools.islice(before, 1)]
