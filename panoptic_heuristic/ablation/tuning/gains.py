"""What the stages of tuning gain on images that they were not tuned on, and how sure that is."""

import itertools
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts, resample_settings
from panoptic_heuristic.ablation.tuning.tune import BASELINES, BEFORE, TuningResult
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import Interval, Resampled, groups_of


@dataclass(frozen=True)
class Gain:
    """PQ of one pipeline less that of another on the same images, in percent.

    Attributes:
        against: the other one's name.
        held_out: on the images that were held out.
        interval: 95 % of it; None where it is not known.
        tuning: on the tuning images, the mean over the parts that hold images out.
    """

    against: str
    held_out: float
    interval: Optional[Interval]
    tuning: float

    @property
    def overfit(self) -> float:
        """How much of the gain stays behind on the images that were tuned on."""
        return self.tuning - self.held_out


@dataclass(frozen=True)
class StageReport:
    """How good one pipeline is on images that it was not tuned on, in percent.

    Attributes:
        name: of the stage.
        pq: by group of a summary: ``all``, ``things`` and ``stuff``; NaN where nothing occurs.
        gains: against the baselines and the stage before, as far as they are others.
    """

    name: str
    pq: Mapping[str, float]
    gains: Tuple[Gain, ...]

    def gain(self, against: str) -> Optional[Gain]:
        """The gain against a pipeline, if it was compared with it."""
        return next((gain for gain in self.gains if gain.against == against), None)

    @property
    def over_scaled(self) -> float:
        """The gain over the scaled default, 0 for the baselines."""
        gain = self.gain("scaled")
        return 0.0 if gain is None else gain.held_out


def stage_reports(result: TuningResult, *, replicates: int = 1000, seed: int = 0) -> Tuple[StageReport, ...]:
    """PQ and gains of every pipeline; intervals are a paired bootstrap over the held-out images.

    Args:
        result: what was counted.
        replicates: how many times the images are drawn.
        seed: equal arguments give equal intervals.
    """
    names, categories = result.stages, result.categories
    place_of = {name: place for place, name in enumerate(names)}
    groups = _group_pq(result.held_out_counts(), categories)
    held_out_parts = [place for place, part in enumerate(result.parts) if part.held_out]
    tuning = [_group_pq(result.tuning[place], categories)["all"] for place in held_out_parts]
    mean_tuning = np.mean(tuning, axis=0)
    rows = [SettingCounts(*row, segments, 1) for row, segments in zip(result.held_out, result.segments, strict=True)]
    drawn = resample_settings(rows, range(len(names)), categories, pair=(0, 1), replicates=replicates, seed=seed)

    def gain(name: str, against: str) -> Gain:
        one, other = place_of[name], place_of[against]
        return Gain(
            against,
            float(groups["all"][one] - groups["all"][other]),
            _interval(drawn, one, other),
            float(mean_tuning[one] - mean_tuning[other]),
        )

    return tuple(
        StageReport(
            name,
            {group: float(values[place]) for group, values in groups.items()},
            tuple(gain(name, against) for against in _compared_with(name, names)),
        )
        for place, name in enumerate(names)
    )


def chosen_stage(reports: Sequence[StageReport]) -> str:
    """The pipeline of the highest held-out PQ, the earlier of equal ones; ``scaled`` if no stage beats that."""
    tuned = [report for report in reports if report.name not in BASELINES]
    best = max(tuned, key=lambda report: report.over_scaled)
    return best.name if best.over_scaled > 0 else "scaled"


def tuning_pq(result: TuningResult, part: int) -> Dict[str, float]:
    """PQ in percent of each pipeline of a part on the images it was tuned on."""
    values = _group_pq(result.tuning[part], result.categories)["all"]
    return dict(zip(result.stages, values.tolist(), strict=True))


def _interval(drawn: Optional[Resampled], one: int, other: int) -> Optional[Interval]:
    return None if drawn is None else drawn.difference(one, other)


def _compared_with(name: str, names: Sequence[str]) -> List[str]:
    if name in BASELINES:
        return list(BASELINES[: BASELINES.index(name)])
    before = (other for other in BEFORE[name] if other in names)
    return [*BASELINES, *itertools.islice(before, 1)]


def _group_pq(counts: SettingCounts, categories: Categories) -> Dict[str, np.ndarray]:
    """(P,) percent by group."""
    quality = counts.quality()
    return {group: 100 * quality.mean("pq", chosen) for group, chosen in groups_of(categories).items()}
