"""The commands that are measured, as a user types them, each from the files of those before it."""

import shutil
import sys
from pathlib import Path
from typing import Callable, Dict, List

_TOOLS = Path(__file__).resolve().parents[2]
_CONFIGS = _TOOLS.parent / "configs"

Arguments = Callable[[Path], List[object]]


def _ground_truth(own: Path) -> List[object]:
    return ["--gt-json", own / "panoptic.json", "--gt-folder", own.parent / "panoptic"]


def _results(own: Path) -> List[object]:
    files = {"--images": "panoptic.json", "--instances": "instances.json", "--semantics": "semantics.json"}
    return [part for flag, name in files.items() for part in (flag, own / name)]


# Arguments by row of the table, for the folder of one count of images. The first word names the file of tools/.
COMMANDS: Dict[str, Arguments] = {
    "check-dataset": lambda own: [own / "dataset.yaml"],
    "convert-panoptic coco-to-instances-semantic": lambda own: [
        "--panoptic-json", own / "panoptic.json", "--panoptic-root", own.parent / "panoptic",
    ],
    "convert-panoptic instances-semantic-to-coco": lambda own: [
        "--instances-json", output(own, "convert-panoptic coco-to-instances-semantic") / "instances.json",
        "--semantic-root", output(own, "convert-panoptic coco-to-instances-semantic") / "semantic",
        "--categories-json", own / "panoptic.json",
    ],
    "fuse-predictions": _results,
    "evaluate-pq": lambda own: [
        *_ground_truth(own),
        "--pred-json", output(own, "fuse-predictions") / "panoptic_predictions.json",
        "--pred-folder", output(own, "fuse-predictions") / "panoptic_predictions",
    ],
    "cache-predictions": _results,
    "sweep-fusion": lambda own: [*_cached(own), "--grid", _CONFIGS / "sweeps" / "coco.yaml"],
    "attribute-errors": lambda own: _cached(own),
    "explore-fusion": lambda own: [*_cached(own), "--sweep", output(own, "sweep-fusion")],
    "report-sweep": lambda own: [
        output(own, "sweep-fusion"), *_cached(own),
        "--attribution", output(own, "attribute-errors") / "attribution.json",
    ],
    "compare-fusion": lambda own: [*_cached(own), "--presets", _CONFIGS / "presets" / "mmdetection.yaml"],
    "tune-fusion": lambda own: _cached(own),
}  # fmt: skip

_WITHOUT_OUTPUT = ("check-dataset",)
_OUTPUT_FLAGS = {"cache-predictions": "--cache"}


def output(own: Path, name: str) -> Path:
    """What a command writes: a folder, or the explorer's page."""
    return own / "output" / (f"{name}.html" if name == "explore-fusion" else name.replace(" ", "-"))


def _cached(own: Path) -> List[object]:
    return ["--cache", output(own, "cache-predictions"), *_ground_truth(own)]


def command_line(own: Path, name: str, workers: int) -> List[str]:
    """The command of a row; what an earlier run of it wrote is deleted."""
    written = output(own, name)
    written.parent.mkdir(exist_ok=True)
    shutil.rmtree(written, ignore_errors=True)
    written.unlink(missing_ok=True)
    tool, *conversion = name.split()
    parts: List[object] = [sys.executable, _TOOLS / f"{tool.replace('-', '_')}.py", *conversion, *COMMANDS[name](own)]
    if name not in _WITHOUT_OUTPUT:
        parts += [_OUTPUT_FLAGS.get(name, "--output"), written]
    return [str(part) for part in (*parts, "--workers", workers)]
