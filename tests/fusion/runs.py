"""Every pipeline on every case."""

import functools
import importlib.util
from dataclasses import dataclass
from typing import Callable, Iterable

import numpy as np
import pytest

from panoptic_heuristic.fusion import DenseCrf, FusionResult, Need, Pipeline
from tests.fusion.cases import CASES, Case
from tests.fusion.every_pipeline import PIPELINES

HAS_CRF = importlib.util.find_spec("pydensecrf") is not None
needs_pydensecrf = pytest.mark.skipif(not HAS_CRF, reason="pydensecrf is optional")
# For laws that fuse more than once: all kinds of labels, few instances and many.
FEW = ("8 instances", "50 instances", "100 instances")


def lacks_pydensecrf(pipeline: Pipeline) -> bool:
    """True for what cannot be run here."""
    return isinstance(pipeline.border, DenseCrf) and not HAS_CRF


@dataclass(frozen=True)
class Run:
    """A pipeline on a case, both by their names."""

    pipeline_name: str
    case_name: str

    def __str__(self) -> str:
        return f"{self.pipeline_name}, {self.case_name}"

    @property
    def pipeline(self) -> Pipeline:
        return PIPELINES[self.pipeline_name]

    @property
    def case(self) -> Case:
        return CASES[self.case_name]

    @property
    def labels(self) -> np.ndarray:
        """(H, W) the semantic labels that are fused, without islands."""
        return self.case.semantics.without_islands(self.pipeline.island_area_fraction).labels.numpy()

    @property
    def can_be_fused(self) -> bool:
        pipeline, case = self.pipeline, self.case
        things = [category.id for category in case.scene.categories.things]
        single = set(things) & set(case.semantics.label_to_category.values())
        return (single or Need.THING_LABELS not in pipeline.needs) and not lacks_pydensecrf(pipeline)

    @property
    def result(self) -> FusionResult:
        """Made once for all laws."""
        return _result(self)


@functools.lru_cache(maxsize=None)
def _result(run: Run) -> FusionResult:
    return run.case.fused(run.pipeline)


def runs(holds_for: Callable[[Pipeline], bool] = lambda pipeline: True, cases: Iterable[str] = tuple(CASES)):
    """Parametrises a law with the pipelines that it holds for, on the cases that they can fuse."""
    chosen = [Run(name, case) for name, pipeline in PIPELINES.items() if holds_for(pipeline) for case in cases]
    return pytest.mark.parametrize("run", [run for run in chosen if run.can_be_fused], ids=str)
