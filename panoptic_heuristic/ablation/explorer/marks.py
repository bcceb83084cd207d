"""The settings that a page marks: the default, and what a report recommends."""

from dataclasses import dataclass
from typing import Any, Optional

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.own_settings import default_of
from panoptic_heuristic.ablation.explorer.rules import why_not_exact
from panoptic_heuristic.ablation.report.tuning import Tuning
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.tables import quality_columns, ranking
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline

_DETECTRON2 = "Detectron2's defaults"


@dataclass(frozen=True)
class Mark:
    """Settings with a name of their own.

    Attributes:
        pipeline: one that a page can fuse by.
        words: what they are.
    """

    pipeline: Pipeline
    words: str


@dataclass(frozen=True)
class Marks:
    """The settings that a page marks.

    Attributes:
        default: what gains are over.
        recommended: None if nothing else is known, or a page cannot fuse by it.
        notes: sentences on what could not be marked, and why.
    """

    default: Mark
    recommended: Optional[Mark]
    notes: tuple

    @classmethod
    def of(cls, cache: PredictionCache, sweep: Optional[SweepResult], tuning: Optional[Tuning]) -> "Marks":
        """Those of a tuning, or else the best of a sweep; the default is the model's own where it is known."""
        known = default_of(cache) if tuning is None else tuning.default
        notes = []
        default = Mark(known.pipeline, known.meaning.partition(", since")[0])
        if (reason := why_not_exact(known.pipeline, cache)) is not None:
            default = Mark(DEFAULT_PIPELINE, _DETECTRON2)
            notes.append(f"The default of the report ({known.pipeline.described()}) is not shown here: {reason}.")
        recommended = _recommended(sweep, tuning)
        if recommended is not None and (reason := why_not_exact(recommended.pipeline, cache)) is not None:
            notes.append(f"The recommended settings ({recommended.pipeline.described()}) are not shown here: {reason}.")
            recommended = None
        if recommended is not None and recommended.pipeline == default.pipeline:
            notes.append("The default is recommended as it is.")
            recommended = None
        return cls(default, recommended, tuple(notes))

    @property
    def goal(self) -> Pipeline:
        """The recommended settings; the default where there are none."""
        return self.default.pipeline if self.recommended is None else self.recommended.pipeline


def _recommended(sweep: Optional[SweepResult], tuning: Optional[Tuning]) -> Optional[Mark]:
    if tuning is not None:
        return Mark(tuning.pipeline, tuning.chosen)
    if sweep is None:
        return None
    best: Any = ranking(quality_columns(sweep.total(), sweep.categories)["pq_all"])[0]
    return Mark(sweep.grid.settings[best], "the best of the sweep")
