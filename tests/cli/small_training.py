"""A training that takes seconds, and what tests do with it."""

import contextlib
import io
import subprocess
from pathlib import Path
from typing import NamedTuple, Sequence

from panopticapi.evaluation import pq_compute

from panoptic_heuristic.formats.yaml_files import read_yaml
from tests.cli.processes import run
from tests.conftest import ROOT

SMALL_MODEL = Path(__file__).with_name("small_model.yaml")


class Trained(NamedTuple):
    """A finished training: its output folder and its data set."""

    folder: Path
    data: Path

    @property
    def config(self):
        """The config that was saved."""
        return read_yaml(self.folder / "config.yaml")

    @property
    def overrides(self):
        """Names the data set and the weights, for another run."""
        return [
            "DATASETS.PANOPTIC_YAML", str(self.data / "shapes.yaml"),
            "MODEL.WEIGHTS", str(self.folder / "model_final.pth"),
        ]  # fmt: skip


def run_command(path: str, arguments: Sequence[str]) -> subprocess.CompletedProcess:
    """Runs a command of the project as a user would."""
    return run([ROOT / path, *arguments], cwd=ROOT, timeout=None)


def panopticapi_quality(ground_truth: Path, predictions: Path) -> dict:
    """The quality that panopticapi finds in the files that the prediction writer left."""
    with contextlib.redirect_stdout(io.StringIO()):
        return pq_compute(
            str(ground_truth / "panoptic.json"),
            str(predictions / "panoptic_predictions.json"),
            str(ground_truth / "panoptic"),
            str(predictions / "panoptic_predictions"),
        )
