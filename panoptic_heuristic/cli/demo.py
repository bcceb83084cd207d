"""Goes from nothing to tuned fusion thresholds and a report, in minutes, on two CPU cores.

Generates the built-in data set, trains a small Panoptic FPN on it from scratch, keeps what it says about the validation
images, and then sweeps, tunes and explains the fusion without the network. Every step is one of the project's commands.
Stopped and started again, it continues where it was.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from tabulate import tabulate
from tqdm import tqdm

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.files import check_writable, read_json, writing_to
from panoptic_heuristic.formats.packaged import config_path
from panoptic_heuristic.formats.workers import end_with_parent

_EXAMPLES = """\
example:
  panoptic-heuristic demo --output output/demo
"""

CONFIG = config_path("shapes/panoptic_heuristic_fpn_R_18.yaml")
GRID = config_path("sweeps/shapes.yaml")

# 4096 pixels of COCO's 640x480, scaled to the 160x128 of the built-in data set.
SCALED_STUFF_AREA = "273"


@command
def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument("--output", type=Path, default=Path("output/demo"), help="where everything is written")
    args = parser.parse_args(argv)
    import panoptic_heuristic.detectron  # noqa: F401  without Detectron2 it ends here, not after a step

    check_writable(args.output)
    with writing_to(args.output):
        args.output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    data, run = args.output / "shapes", args.output / "run"
    _step(1, "generate the built-in data set")
    _run(["generate-shapes", "--output", data], args.output / "generate.log")
    _step(2, "train a small Panoptic FPN from scratch and evaluate it")
    train(data / "shapes.yaml", run)
    _step(3, "PQ, AP and mIoU with Detectron2's evaluators")
    print_results(read_json(run / "inference" / "results.json"))
    ablate(args.output, data / "val" / "images", run)
    report, explorer = args.output / "report" / "report.html", args.output / "explorer.html"
    print(f"done in {(time.monotonic() - started) / 60:.1f} minutes; look at {report}, and play with {explorer}")
    return 0


def train(dataset_yaml: Path, run_folder: Path) -> None:
    """Trains and evaluates with train-net, or continues; its output goes to a log file."""
    if (run_folder / "inference" / "results.json").exists():
        print(f"already trained: {run_folder}")
        return
    arguments = [
        "train-net", "--resume", "--config-file", CONFIG,
        "DATASETS.PANOPTIC_YAML", dataset_yaml, "OUTPUT_DIR", run_folder,
    ]  # fmt: skip
    _run(arguments, run_folder.with_name("train.log"), progress=_TrainingProgress(run_folder))


def ablate(output: Path, images: Path, run_folder: Path, folds: int = 5) -> None:
    """Everything after the training: the network runs once more, and then no more.

    Args:
        output: the demo's folder.
        images: the folder of the validation images.
        run_folder: of the training, with its config and best checkpoint.
        folds: parts of the images for tuning, each held out once.
    """
    cache, sweep, tuned, errors = (output / name for name in ("cache", "sweep", "tuned", "errors"))
    _step(4, "keep what both heads say about the validation images")
    weights = ["MODEL.WEIGHTS", run_folder / "model_best.pth"]
    _run(["cache-predictions", "--config-file", run_folder / "config.yaml", "--cache", cache, *weights],
         output / "cache.log")  # fmt: skip
    print(*_last_lines(output / "cache.log", 4), sep="\n")
    _step(5, "PQ of every setting of a grid, and which segments the default loses why")
    _show(["sweep-fusion", "--cache", cache, "--grid", GRID, "--output", sweep])
    _run(["attribute-errors", "--cache", cache, "--output", errors, "--overwrite",
          "--stuff-area-thresh", SCALED_STUFF_AREA], output / "errors.log")  # fmt: skip
    _step(6, "tune on some images, report on others, against the model's own settings")
    _show(["tune-fusion", "--cache", cache, "--base", run_folder / "config.yaml", "--output", tuned,
           "--folds", folds, "--overwrite"])  # fmt: skip
    _step(7, "a page to move the thresholds on, and the report")
    explorer = output / "explorer.html"
    _show(["explore-fusion", "--cache", cache, "--image-root", images, "--sweep", sweep, "--output", explorer,
           "--tuning", tuned / "tuning.json", "--title", "Fusion of the demo's model", "--overwrite"])  # fmt: skip
    _show(["report-sweep", sweep, "--cache", cache, "--image-root", images, "--output", output / "report",
           "--attribution", errors / "attribution.json", "--tuning", tuned / "tuning.json", "--explorer", explorer,
           "--overwrite", "--title", "Fusion settings of the demo's model"])  # fmt: skip


def print_results(results: Dict[str, Dict[str, float]]) -> None:
    """Prints the head line of each evaluator."""
    panoptic, segm, box, semantic = (results[key] for key in ("panoptic_seg", "segm", "bbox", "sem_seg"))
    rows = [[name, panoptic[f"PQ{key}"], panoptic[f"SQ{key}"], panoptic[f"RQ{key}"]]
            for name, key in (("all", ""), ("things", "_th"), ("stuff", "_st"))]  # fmt: skip
    print(tabulate(rows, headers=["", "PQ", "SQ", "RQ"], floatfmt=".1f"))
    print(f"mask AP {segm['AP']:.1f}, box AP {box['AP']:.1f}, mIoU {semantic['mIoU']:.1f}")


def _step(number: int, title: str) -> None:
    print(f"\n[{number}/7] {title}", flush=True)


class _TrainingProgress:
    """Bars for training and evaluation, from what the training writes."""

    def __init__(self, run_folder: Path):
        self._metrics = run_folder / "metrics.json"
        self._iterations = int(re.search(r"MAX_ITER: (\d+)", CONFIG.read_text()).group(1))
        self._bar = tqdm(total=self._iterations, desc="train", unit="step")
        self._evaluating = False

    def update(self) -> None:
        """Looks at the files once."""
        step = self._last_step()
        if not self._evaluating:
            self._bar.update(min(step, self._iterations) - self._bar.n)
            if self._bar.n >= self._iterations:
                self.close()
                self._evaluating = True
                print("evaluating ...", flush=True)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _last_step(self) -> int:
        try:
            lines = self._metrics.read_text().splitlines()
            return json.loads(lines[-1])["iteration"] + 1 if lines else 0
        # The file is not there yet, or its last line is being written.
        except (OSError, ValueError, KeyError):
            return 0


def _run(arguments: Sequence, log: Path, progress: Optional[_TrainingProgress] = None) -> None:
    """Runs one of the project's commands; what it prints goes to a log file.

    Raises:
        InputError: the command failed; its last line is told.
    """
    with open(log, "a", encoding="utf-8") as file:
        process = subprocess.Popen(_command(arguments), stdout=file, stderr=file, preexec_fn=end_with_parent)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                if progress:
                    progress.update()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            if progress:
                progress.close()
    if process.returncode:
        raise InputError(f"{arguments[0]} failed ({' '.join(_last_lines(log, 1))}); the whole output is in {log}")


def _show(arguments: Sequence) -> None:
    """Runs one of the project's commands, which prints for itself.

    Raises:
        InputError: the command failed.
    """
    if subprocess.run(_command(arguments), preexec_fn=end_with_parent).returncode:
        raise InputError(f"{arguments[0]} failed; see above")


def _command(arguments: Sequence) -> List[str]:
    return [sys.executable, "-m", "panoptic_heuristic", *map(str, arguments)]


def _last_lines(log: Path, number: int) -> List[str]:
    return log.read_text(encoding="utf-8").strip().splitlines()[-number:]
