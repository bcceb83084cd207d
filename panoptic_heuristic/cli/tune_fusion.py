"""Finds the best fusion settings on one part of the images and reports them on the other.

Predictions come from cache-predictions; neither the model nor the images are needed, and all counts are exact.
Settings are never counted on the images they were tuned on: by default each of five folds is held out once.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from tabulate import tabulate

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.files import TUNED, check_names, described, file_names, write_tuning
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport, chosen_stage, stage_reports
from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines
from panoptic_heuristic.ablation.tuning.images import load_images
from panoptic_heuristic.ablation.tuning.parts import Part, fold_parts, split_part
from panoptic_heuristic.ablation.tuning.tune import (
    BASELINES,
    STAGES,
    TUNED_PIPELINES,
    TuningResult,
    TuningSettings,
    run_tuning,
)
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_output_arguments,
    add_seed_argument,
    add_workers_argument,
)
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import is_integer
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.fusion.stages import rule_class

_EXAMPLES = """\
examples:
  panoptic-heuristic tune-fusion --cache cache --base output/config.yaml --output tuned
  panoptic-heuristic train-net --config-file tuned/tuned.yaml --eval-only MODEL.WEIGHTS output/model_best.pth

  panoptic-heuristic tune-fusion --cache cache --tuning-images half.txt --stages global per-class --output tuned

It writes one YAML per stage, tuned.yaml (the one of the highest PQ on held-out images; if none beats Detectron2's
thresholds with the limit of stuff scaled to the image, those) and tuning.json (all that was measured). The YAMLs are
tuned on all images, or on those of --tuning-images; the held-out PQ is what to expect of them on others.

stages:
  global      one score, one overlap, one limit of stuff in pixels or as a fraction of the image
  per-class   a score and an overlap per thing, a limit per stuff, where the gain exceeds its standard error
  calibrated  instances ordered and cut by a fitted probability of being right; the cuts follow from PQ by a rule, and
              calibrated_factor and calibrated_one_cut check it: its cuts times a searched factor, and one searched cut
"""

_DEFAULT_FOLDS = 5
_REFERENCE_PIXELS = 640 * 480


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if args.base is not None and not args.base.is_file():
        raise InputError(f"there is no config file {args.base}; --base names the one that the YAMLs build on")
    store = open_store(args.cache, args.gt_json, args.gt_folder)
    manifest = store.cache.manifest
    settings = TuningSettings(
        _baselines(args), manifest.floors.instances_score_thresh, tuple(args.stages), args.shrinkage
    )
    if settings.stages != STAGES[:1]:
        check_names(manifest.categories)
    parts, how = _parts(args, store.image_ids)
    check_results(args.output, file_names(TUNED_PIPELINES), args.overwrite)

    images = load_images(
        store,
        calibrated="calibrated" in settings.stages,
        workers=args.workers,
        progress=progress_bar("regions"),
    )
    result = run_tuning(
        images, manifest.categories, settings, parts, workers=args.workers, progress=progress_bar("tuning", "step")
    )
    reports = stage_reports(result, seed=args.seed)
    _print(result, reports, how)
    written = write_tuning(args.output, result, reports, settings, manifest, how=how, base=args.base)
    _remove_others(args.output, written)
    print()
    print_written(written)
    return 0


def _baselines(args: argparse.Namespace) -> Baselines:
    fraction = args.baseline_stuff_area_fraction
    if fraction is None:
        # Not more than the whole image, which is refused otherwise.
        fraction = min(args.baseline_stuff_area_thresh / _REFERENCE_PIXELS, 1.0)
    try:
        return Baselines.of_values(
            args.baseline_instances_score_thresh,
            args.baseline_overlap_threshold,
            args.baseline_stuff_area_thresh,
            fraction,
            rule_class("claim", args.claim)(),
        )
    except InputError as error:
        raise InputError(f"the baseline: {error}") from error


def _parts(args: argparse.Namespace, image_ids: Sequence[int]) -> Tuple[Tuple[Part, ...], Dict[str, Any]]:
    """How the images are parted, and the same for people and files."""
    if args.tuning_images is None:
        folds = _DEFAULT_FOLDS if args.folds is None else args.folds
        return fold_parts(len(image_ids), folds, args.seed), {"folds": folds, "seed": args.seed}
    if args.folds is not None:
        raise InputError("--folds parts the images at random, --tuning-images by a list; give one of them")
    parts = split_part(image_ids, _read_ids(args.tuning_images))
    return parts, {"tuning_images": len(parts[0].tuning), "seed": args.seed}


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


def _print(result: TuningResult, reports: Sequence[StageReport], how: Dict[str, Any]) -> None:
    baselines = result.outcome.pipelines
    print(f"PQ in percent on {len(result.held_out_images)} held-out images, {_described(how, result)}")
    for name in BASELINES:
        print(f"{name}: {described(baselines[name])}")
    headers = ["stage", "PQ", "things", "stuff", *(f"over {name}" for name in BASELINES), "over the one before"]
    rows = [
        [
            report.name,
            *(f"{report.pq[group]:.2f}" for group in ("all", "things", "stuff")),
            *(_cell(report.gain(name)) for name in BASELINES),
            _cell(next((gain for gain in report.gains if gain.against not in BASELINES), None)),
            *_tuning_cells(report.gain("scaled")),
        ]
        for report in reports
    ]
    aligned = ("left", *["right"] * (len(headers) + 1))
    print(tabulate(rows, [*headers, "when tuned", "overfit"], disable_numparse=True, colalign=aligned))
    print("over: gain with its 95 % interval; when tuned: gain over scaled on the tuning images; overfit: what is lost")
    chosen = chosen_stage(reports)
    if chosen in BASELINES:
        print(f"no stage is better than {chosen} on held-out images: {TUNED} has the settings of {chosen}")
    else:
        print(f"{TUNED} has the settings of {chosen}: {described(result.outcome.pipelines[chosen])}")


def _described(how: Dict[str, Any], result: TuningResult) -> str:
    if "folds" in how:
        return f"each of {how['folds']} folds tuned without"
    return f"tuned on {len(result.parts[-1].tuning)} others"


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
    files.add_argument("--base", type=Path, metavar="CONFIG", help="the _BASE_ of the YAMLs: the model's config")
    held_out = parser.add_argument_group("what is held out")
    held_out.add_argument("--folds", type=int, metavar="K", help=f"random parts (default: {_DEFAULT_FOLDS})")
    held_out.add_argument(
        "--tuning-images",
        type=Path,
        metavar="IDS",
        help="tune on these images and report on the others: a JSON list of ids, or a text file with one per line",
    )
    add_seed_argument(held_out, "the folds and the intervals")
    tuning = parser.add_argument_group("what is tuned")
    tuning.add_argument(
        "--stages", nargs="+", choices=STAGES, default=list(STAGES), help="in this order (default: all of them)"
    )
    tuning.add_argument(
        "--claim",
        choices=("greedy", "class_aware", "reclaim"),
        default="greedy",
        help="the rule whose thresholds are tuned; reclaim is by area (default: %(default)s)",
    )
    tuning.add_argument(
        "--shrinkage",
        type=float,
        default=1.0,
        metavar="Z",
        help="a category has values of its own if they gain more than Z standard errors (default: %(default)s)",
    )
    baseline = parser.add_argument_group("baselines (Detectron2's by default)")
    for name in ("--baseline-instances-score-thresh", "--baseline-overlap-threshold"):
        baseline.add_argument(name, type=float, default=0.5, help="default: %(default)s")
    baseline.add_argument("--baseline-stuff-area-thresh", type=int, default=4096, help="pixels (default: %(default)s)")
    baseline.add_argument(
        "--baseline-stuff-area-fraction",
        type=float,
        help="of the image, in the scaled baseline (default: that of --baseline-stuff-area-thresh in 640x480 pixels)",
    )
    add_workers_argument(parser)
    return parser
