"""The outcome of tuning."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.files import write_tuning
from panoptic_heuristic.ablation.tuning.gains import StageReport, group_pq, recommended, stage_reports
from panoptic_heuristic.ablation.tuning.groups import sums_of_groups
from panoptic_heuristic.ablation.tuning.pool import images_of
from panoptic_heuristic.ablation.tuning.reliability import Bin
from panoptic_heuristic.ablation.tuning.settings import BASELINES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import Split
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import Pipeline


@dataclass(frozen=True)
class Tuned:
    """The outcome of one split.

    Attributes:
        pipelines: by name, see :mod:`panoptic_heuristic.ablation.tuning.settings`.
        calibration: of the last stage: ``rounds``, ``one_cut``, ``examples``, and of each calibrated
            thing its ``expected_iou``; empty without it.
        borders: PQ in percent of the global thresholds on the tuning images, by the border rules that were tried;
            empty if none was.
    """

    pipelines: Mapping[str, Pipeline]
    calibration: Mapping[str, Any]
    borders: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class TuningResult:
    """All that was tuned and counted.

    Attributes:
        manifests: of the predictions, cache by cache.
        settings: what was tuned.
        splits: which images were tuned and counted on; the last one's pipelines are the outcome.
        tuned: by split.
        tuning: the counts of the P pipelines on each split's own tuning images.
        held_out: the counts of each held-out image, in the order of ``held_out_images``.
        groups: the number of each image's group, cache by cache; None if each image is one.
        reliability: of the calibrated probabilities on held-out images; empty without them.
    """

    manifests: Tuple[Manifest, ...]
    settings: TuningSettings
    splits: Tuple[Split, ...]
    tuned: Tuple[Tuned, ...]
    tuning: Tuple[SettingCounts, ...]
    held_out: Tuple[SettingCounts, ...]
    groups: Optional[Tuple[int, ...]] = None
    reliability: Tuple[Bin, ...] = ()

    @property
    def categories(self) -> Categories:
        """The data set's."""
        return self.manifests[0].categories

    @property
    def default(self) -> Default:
        """The settings that gains are over: the model's own, or those that stand for them."""
        return Default(self.outcome.pipelines["default"], self.settings.default.meaning)

    @property
    def names(self) -> Tuple[str, ...]:
        """Of the P pipelines."""
        return tuple(self.tuned[-1].pipelines)

    @property
    def outcome(self) -> Tuned:
        """The pipelines that are kept in the end."""
        return self.tuned[-1]

    @property
    def held_out_images(self) -> Tuple[ImageId, ...]:
        """Ids of the images that were held out."""
        images = images_of(self.manifests)
        return tuple(images[place].image_id for split in self.splits for place in split.held_out)

    @property
    def how(self) -> Dict[str, int]:
        """The way images were held out, as JSON values.

        ``folds`` or ``tuning_images``, the ``seed``, and the number of ``groups`` if there are any.
        """
        folds = len(self.splits) - 1
        number = {"folds": folds} if folds else {"tuning_images": len(self.splits[0].tuning)}
        groups = {} if self.groups is None else {"groups": len(set(self.groups))}
        return {**number, **groups, "seed": self.settings.seed}

    @cached_property
    def reports(self) -> Tuple[StageReport, ...]:
        """PQ and gains of every pipeline on held-out images."""
        tuning = [counts for split, counts in zip(self.splits, self.tuning, strict=True) if split.held_out]
        held_out: Sequence[SettingCounts] = self.held_out
        if self.groups is not None:
            places = [place for split in self.splits for place in split.held_out]
            held_out = sums_of_groups(held_out, [self.groups[place] for place in places])
        return stage_reports(self.names, held_out, tuning, self.categories, seed=self.settings.seed)

    @property
    def chosen(self) -> str:
        """The name of the recommended pipeline, see :func:`.recommended`."""
        return recommended(self.reports)

    @property
    def best(self) -> Pipeline:
        """The pipeline that was chosen, as tuned in the end."""
        return self.outcome.pipelines[self.chosen]

    def report(self, name: str) -> StageReport:
        """PQ and gains of one pipeline on held-out images."""
        return next(report for report in self.reports if report.name == name)

    def held_out_counts(self, split: Optional[int] = None) -> SettingCounts:
        """Counts on the held-out images, of one split or of all."""
        ends = [0]
        for one in self.splits:
            ends.append(ends[-1] + len(one.held_out))
        images = self.held_out if split is None else self.held_out[ends[split] : ends[split + 1]]
        return sum(images, SettingCounts.zeros(len(self.categories), len(self.names)))

    def tuning_pq(self, split: int) -> Dict[str, float]:
        """PQ in percent of each pipeline of a split on the images it was tuned on."""
        values = group_pq(self.tuning[split], self.categories)["all"]
        return dict(zip(self.names, values.tolist(), strict=True))

    def held_out_pq(self, split: int) -> Dict[str, float]:
        """The same on the images that the split held out; NaN where nothing occurs."""
        values = group_pq(self.held_out_counts(split), self.categories)["all"]
        return dict(zip(self.names, values.tolist(), strict=True))

    def rows(self) -> List[Dict[str, Any]]:
        """A row per pipeline: PQ in percent on held-out images, and gains with their 95 % intervals."""
        rows = []
        for report in self.reports:
            row = {"stage": report.name, **{f"pq_{group}": value for group, value in report.pq.items()}}
            gains = {f"over_{name}": report.gain(name) for name in BASELINES}
            gains["over_the_stage_before"] = report.over_the_stage_before
            for name, gain in gains.items():
                low, high = (gain and gain.interval) or (None, None)
                row.update({name: gain and gain.held_out, f"{name}_low": low, f"{name}_high": high})
            scaled = report.gain("scaled")
            to_best = report.to_best
            low, high = (to_best and to_best.interval) or (None, None)
            row.update(to_best=to_best and to_best.held_out, to_best_low=low, to_best_high=high)
            row.update(when_tuned=scaled and scaled.tuning, overfit=scaled and scaled.overfit)
            rows.append(row)
        return rows

    def write(self, folder: PathLike, base: Optional[PathLike] = None) -> List[Path]:
        """Writes a config per pipeline and all numbers, as the command does.

        Args:
            folder: made if it is missing.
            base: a config file that the written ones build on.

        Returns:
            The files, that of the chosen pipeline first.
        """
        return write_tuning(folder, self, base)
