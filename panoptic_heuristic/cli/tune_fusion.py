"""Finds the best fusion settings on one part of the images and reports them on the other.

Predictions come from cache-predictions; neither the model nor the images are needed, and all counts are exact.
Settings are never counted on the images they were tuned on: by default each of five folds is held out once.
"""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from tabulate import tabulate

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.files import TUNED, file_names
from panoptic_heuristic.ablation.tuning.gains import Gain
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.settings import BASELINES, STAGES, TUNED_PIPELINES
from panoptic_heuristic.ablation.tuning.splits import DEFAULT_FOLDS
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_output_arguments,
    add_seed_argument,
    add_workers_argument,
)
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import is_integer
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.formats.packaged import config_path

_EXAMPLES = """\
examples:
  panoptic-heuristic tune-fusion --cache cache --base output/config.yaml --output tuned
  panoptic-heuristic train-net --config-file tuned/tuned.yaml --eval-only MODEL.WEIGHTS output/model_best.pth

  panoptic-heuristic tune-fusion --cache cache --tuning-images half.txt --stages global per-class --output tuned

It writes one YAML per stage, tuned.yaml (the one of the highest PQ on held-out images; if none beats the thresholds
it started from with area limits scaled to the images, those) and tuning.json (all that was measured). The YAMLs are
tuned on all images, or on those of --tuning-images; the held-out PQ is what to expect of them on others.

stages:
  global      one score, one overlap, one limit of stuff in pixels or as a fraction of the image
  per-class   a score and an overlap per thing, a limit per stuff, where the gain exceeds its standard error
  calibrated  instances ordered and cut by a fitted probability of being right; the cuts follow from PQ by a rule, and
              calibrated_factor and calibrated_one_cut check it: its cuts times a searched factor, and one searched cut

Rules that see more of pixels than their regions, and your own, have the first stage: few settings, image by image.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    base = None if args.base is None else config_path(args.base)
    check_results(args.output, file_names(TUNED_PIPELINES), args.overwrite)
    store = open_store(args.cache, args.gt_json, args.gt_folder)
    result = tune(
        store,
        pipeline_of_flags(args, store.cache.manifest.categories),
        stages=args.stages,
        shrinkage=args.shrinkage,
        folds=args.folds,
        tuning_images=None if args.tuning_images is None else _read_ids(args.tuning_images),
        seed=args.seed,
        workers=args.workers,
        progress=progress_bar("tune", "step"),
    )
    _print(result)
    written = result.write(args.output, base)
    _remove_others(args.output, written)
    print()
    print_written(written)
    return 0


def _read_ids(path: Path) -> List[int]:
    if path.suffix == ".json":
        values = read_json(path)
        if not isinstance(values, list) or not all(map(is_integer, values)):
            raise InputError(f"{path} must hold a list of image ids, such as [1, 2, 5]")
        return values
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from error
    ids = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            ids.append(int(line))
        except ValueError:
            raise InputError(f"{path}, line {number}: expected an image id, got {line.strip()!r}") from None
    return ids


def _remove_others(folder: Path, written: Sequence[Path]) -> None:
    """Deletes what a run with more stages left, lest it is taken for a part of this one."""
    for name in file_names(TUNED_PIPELINES):
        if folder / name not in written:
            (folder / name).unlink(missing_ok=True)


def _print(result: TuningResult) -> None:
    pipelines, chosen = result.outcome.pipelines, result.chosen
    print(f"PQ in percent on {len(result.held_out_images)} held-out images, {_held_out(result)}")
    for name in BASELINES:
        print(f"{name}: {pipelines[name].described()}")
    headers = ["stage", "PQ", "things", "stuff", *(f"over {name}" for name in BASELINES), "over the one before"]
    rows = [
        [
            report.name,
            *(f"{report.pq[group]:.2f}" for group in ("all", "things", "stuff")),
            *(_cell(report.gain(name)) for name in BASELINES),
            _cell(report.over_the_stage_before),
            *_tuning_cells(report.gain("scaled")),
        ]
        for report in result.reports
    ]
    aligned = ("left", *["right"] * (len(headers) + 1))
    print(tabulate(rows, [*headers, "when tuned", "overfit"], disable_numparse=True, colalign=aligned))
    print("over: gain with its 95 % interval; when tuned: gain over scaled on the tuning images; overfit: what is lost")
    if chosen in BASELINES:
        print(f"no stage is better than {chosen} on held-out images: {TUNED} has the settings of {chosen}")
    else:
        print(f"{TUNED} has the settings of {chosen}: {pipelines[chosen].described()}")


def _held_out(result: TuningResult) -> str:
    if "folds" in result.how:
        return f"each of {result.how['folds']} folds tuned without"
    return f"tuned on {result.how['tuning_images']} others"


def _cell(gain: Optional[Gain]) -> str:
    if gain is None:
        return ""
    if gain.interval is None:
        return f"{gain.held_out:+.2f}"
    return f"{gain.held_out:+.2f} [{gain.interval[0]:+.2f}, {gain.interval[1]:+.2f}]"


def _tuning_cells(gain: Optional[Gain]) -> Tuple[str, str]:
    return ("", "") if gain is None else (f"{gain.tuning:+.2f}", f"{gain.overfit:+.2f}")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = parser.add_argument_group("files")
    add_cache_arguments(files)
    add_output_arguments(files, "the configs and the numbers")
    files.add_argument("--base", metavar="CONFIG", help="the _BASE_ of the YAMLs: the model's config")
    held_out = parser.add_argument_group("what is held out")
    held_out.add_argument("--folds", type=int, metavar="K", help=f"random parts (default: {DEFAULT_FOLDS})")
    held_out.add_argument(
        "--tuning-images",
        type=Path,
        metavar="IDS",
        help="tune on these images and report on the others: a JSON list of ids, or a text file with one per line",
    )
    add_seed_argument(held_out, "the folds and the intervals")
    add_pipeline_arguments(parser)
    tuning = parser.add_argument_group("what is tuned", "the thresholds of these rules; the search starts from them")
    tuning.add_argument(
        "--stages", nargs="+", choices=STAGES, help="in this order (default: all that the rules allow)"
    )
    tuning.add_argument(
        "--shrinkage",
        type=float,
        default=1.0,
        metavar="Z",
        help="a category has values of its own if they gain more than Z standard errors (default: %(default)s)",
    )
    add_workers_argument(parser)
    return parser
