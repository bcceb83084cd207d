"""A sweep as it is reported: its best setting, the default, and how sure the gain is."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.report.slices import Family, families_of
from panoptic_heuristic.ablation.setting_counts import SettingCounts, resample_settings
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.tables import quality_columns, ranking
from panoptic_heuristic.ablation.tuning.thresholds import REFERENCE_PIXELS, with_stuff_fraction
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, Pipeline
from panoptic_heuristic.fusion.stages import rule_to_mapping
from panoptic_heuristic.quality import Resampled

GROUPS = ("all", "things", "stuff")
SHOWN = 10
"""The number of the best settings that are listed."""


def setting_of(default: Pipeline, grid: Grid, image_area: float = REFERENCE_PIXELS) -> Pipeline:
    """The default with its stuff limit of the kind that a grid has.

    Args:
        default: any settings.
        grid: if it has fractions only, a limit in pixels becomes its share of an image.
        image_area: pixels of an image.
    """
    if not default.stuff_area_thresh or not _has_fractions_only(grid):
        return default
    return with_stuff_fraction(default, image_area)


def nearest(wanted: Pipeline, grid: Grid) -> int:
    """The number of the setting of a grid that is nearest to another one, rules first and then threshold by threshold.

    Of two as near it is the first in the grid. A grid without the claim rule has greedy in its place, or its first.
    """
    claims = [type(pipeline.claim) for pipeline in grid.settings]
    claim = next((one for one in (type(wanted.claim), Greedy) if one in claims), claims[0])
    kind, other = "stuff_area_thresh", "stuff_area_fraction"
    if wanted.stuff_area_fraction:
        kind, other = other, kind
    wanted_overlap = wanted.value("claim.overlap_threshold")

    def distance(pipeline: Pipeline) -> Tuple[float, ...]:
        others = sum(pipeline.rules[stage] != rule for stage, rule in wanted.rules.items() if stage != "claim")
        overlap = pipeline.value("claim.overlap_threshold")
        return (
            type(pipeline.claim) is not claim,
            others,
            _other_parameters(pipeline) != _other_parameters(wanted),
            abs(pipeline.thing_area_thresh - wanted.thing_area_thresh),
            abs(pipeline.island_area_fraction - wanted.island_area_fraction),
            0.0 if overlap is None or wanted_overlap is None else abs(overlap - wanted_overlap),
            abs(pipeline.instances_score_thresh - wanted.instances_score_thresh),
            abs(pipeline.value(other) - wanted.value(other)),
            abs(pipeline.value(kind) - wanted.value(kind)),
        )

    return min(range(len(grid)), key=lambda number: distance(grid.settings[number]))


def _other_parameters(pipeline: Pipeline) -> Dict[str, Any]:
    """The parameters of the claim rule besides the overlap threshold."""
    parameters = rule_to_mapping("claim", pipeline.claim)
    return {name: value for name, value in parameters.items() if name != "overlap_threshold"}


@dataclass(frozen=True, eq=False)
class ReportedSweep:
    """A sweep with what follows from its counts. Get one from :meth:`of`.

    Attributes:
        name: what the report calls it.
        result: the sweep.
        counts: of all images.
        columns: (S,) percent of each measure and group, such as ``pq_things``.
        order: (S,) settings, best first.
        families: the grid's.
        meant: the default, and what it is.
        wanted: the default, its stuff limit of the kind that the grid has.
        default: the number of the setting that stands for it.
    """

    name: str
    result: SweepResult
    counts: SettingCounts
    columns: Dict[str, np.ndarray]
    order: np.ndarray
    families: Tuple[Family, ...]
    meant: Default
    wanted: Pipeline
    default: int

    @classmethod
    def of(
        cls, name: str, result: SweepResult, default: Default, image_area: float = REFERENCE_PIXELS
    ) -> "ReportedSweep":
        """Adds up a sweep and finds its best setting.

        Args:
            name: what the report calls it.
            result: the sweep.
            default: what its best setting is compared with.
            image_area: pixels of an image, by which a limit in pixels is a fraction.

        Raises:
            InputError: a bucket is damaged, or no setting has a PQ.
        """
        counts = result.total()
        columns = quality_columns(counts, result.categories)
        order = ranking(columns["pq_all"])
        if np.isnan(columns["pq_all"][order[0]]):
            raise InputError(f"{result.folder} counted no segment in {counts.images} images: nothing to report")
        grid = result.grid
        families, wanted = families_of(grid), setting_of(default.pipeline, grid, image_area)
        return cls(name, result, counts, columns, order, families, default, wanted, nearest(wanted, grid))

    @property
    def best(self) -> int:
        """The setting of the highest PQ, the first of equal ones."""
        return int(self.order[0])

    @property
    def has_default(self) -> bool:
        """True if the grid holds the default."""
        return self.result.grid.settings[self.default] == self.wanted

    def pq(self, setting: int, group: str = "all") -> float:
        """PQ in percent; NaN where nothing of the group occurs."""
        return float(self.columns[f"pq_{group}"][setting])

    def gain(self, group: str = "all") -> float:
        """PQ of the best setting less that of the default."""
        return self.pq(self.best, group) - self.pq(self.default, group)

    def rank(self, setting: int) -> int:
        """Its place among all, from 1."""
        return int(np.flatnonzero(self.order == setting)[0]) + 1

    def occurs(self, group: str) -> bool:
        """True if any setting has a PQ of a group."""
        return not np.isnan(self.columns[f"pq_{group}"]).all()

    def resampled(self, more: Iterable[int] = ()) -> Optional[Resampled]:
        """The default, the best settings, all on the lines that curves follow, and some more, resampled."""
        lines = [
            family.line(axis, family.best(self.columns["pq_all"])).tolist()
            for family in self.families
            for axis in family.drawn
        ]
        best = self.order[:SHOWN].tolist()
        settings = list(dict.fromkeys([self.default, *best, *(number for line in lines for number in line), *more]))
        return resample_settings(
            self.result.of_settings(settings), settings, self.result.categories, pair=(self.default, self.best)
        )


def _has_fractions_only(grid: Grid) -> bool:
    limits = {(pipeline.stuff_area_thresh, pipeline.stuff_area_fraction) for pipeline in grid.settings}
    return any(fraction for _, fraction in limits) and not any(pixels and not fraction for pixels, fraction in limits)
