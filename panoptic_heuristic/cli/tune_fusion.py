"""Finds fusion settings on some images, reports them on others, and says which ones to take.

Predictions come from cache-predictions; the model is not needed, nor are the images, but for borders that follow them.
All counts are exact.
Settings are never counted on the images they were tuned on: by default each of five folds is held out once.
"""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.tuning.borders import chosen_border
from panoptic_heuristic.ablation.tuning.calibrated import DEFAULT_FORM, FORMS
from panoptic_heuristic.ablation.tuning.files import TUNED, file_names, told
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.settings import STAGES, TUNED_PIPELINES
from panoptic_heuristic.ablation.tuning.splits import DEFAULT_FOLDS
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.ablation.tuning.usage import changed_keys, evaluating_command
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_output_arguments,
    add_seed_argument,
    add_workers_argument,
)
from panoptic_heuristic.cli.outputs import check_results, print_written, progress_bar
from panoptic_heuristic.cli.pipeline_flags import add_pipeline_arguments, pipeline_of_flags
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.formats.image_ids import ImageId, id_meant, is_image_id
from panoptic_heuristic.formats.packaged import config_path
from panoptic_heuristic.formats.tables import text_table

_EXAMPLES = """\
examples:
  panoptic-heuristic tune-fusion --cache cache --base output/config.yaml --output tuned
  panoptic-heuristic train-net --config-file tuned/tuned.yaml --eval-only MODEL.WEIGHTS output/model_best.pth

  panoptic-heuristic tune-fusion --cache cache --tuning-images half.txt --stages global per-class --output tuned

  panoptic-heuristic tune-fusion --cache cache_val --report-cache cache_test --groups 'name:(.*)_[0-9]+' --output tuned

  panoptic-heuristic tune-fusion --cache cache --image-root val --base output/config.yaml --output tuned

It writes one YAML per stage, tuned.yaml and tuning.json (all that was measured). tuned.yaml has the
default, which is the model's own settings, where nothing is surely better on held-out images; else, of what is surely
better, the simplest that is at most one standard error below the best: global before per_class before calibrated. The
YAMLs are tuned on all images of --cache, or on those of --tuning-images; the held-out PQ is what to expect of them on
others.

stages:
  global      one score, one overlap, one limit of stuff in pixels or as a fraction of the image
  per-class   a score and an overlap per thing, a limit per stuff, where the gain exceeds its standard error
  calibrated  instances ordered and cut by a fitted probability of being right; the cuts of classes lie midway between
              those that follow from PQ by a rule and the best one cut for all; both ends are shown as well.
              All classes share the slopes of the probability, which holds better on other videos; --calibration
              per-class fits each its own, on top of per-class, for many images that are like those to come

groups that are never parted, and that intervals take as one, since consecutive frames of a video are nearly alike:
  column:NAME   images whose entries in the ground truth's JSON have the same value of this key
  name:PATTERN  images whose names give the same texts for the parts in brackets of a regular expression
  blocks:N      N images that follow each other by name

Rules that see more of pixels than their regions, and your own, have the first stage: few settings, image by image.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    base = None if args.base is None else config_path(args.base)
    check_results(args.output, file_names(TUNED_PIPELINES), args.overwrite)
    stores = _stores(args)
    result = tune(
        stores[: len(args.cache)],
        pipeline_of_flags(args, stores[0].cache.manifest.categories),
        report_cache=None if args.report_cache is None else stores[-1],
        groups=args.groups,
        image_root=None if args.image_root is None else _per_cache(args, "image_root"),
        stages=args.stages,
        calibration=args.calibration,
        shrinkage=args.shrinkage,
        folds=args.folds,
        tuning_images=None if args.tuning_images is None else _read_ids(args.tuning_images, stores),
        seed=args.seed,
        workers=args.workers,
        progress=progress_bar("tune", "step"),
    )
    written = result.write(args.output, base)
    _remove_others(args.output, written)
    _print(result)
    _print_usage(result, args.output / TUNED, args.base is not None)
    print()
    print_written(written)
    return 0


def _stores(args: argparse.Namespace) -> List[RegionStore]:
    """All caches with their ground truth, that to report on last."""
    files = [_per_cache(args, name) for name in ("gt_json", "gt_folder")]
    return [open_store(*one) for one in zip(_caches(args), *files, strict=True)]


def _caches(args: argparse.Namespace) -> List[Path]:
    return [*args.cache, *([] if args.report_cache is None else [args.report_cache])]


def _per_cache(args: argparse.Namespace, name: str) -> List[Optional[Path]]:
    """One value for each cache, of a flag that may be given once for all of them."""
    number, values = len(_caches(args)), getattr(args, name) or [None]
    if len(values) not in (1, number):
        raise InputError(
            f"--{name.replace('_', '-')} must be given once, or once for each of the {number} caches, that of "
            f"--report-cache last; got {len(values)}"
        )
    return values * number if len(values) == 1 else values


def _read_ids(path: Path, stores: Sequence[RegionStore]) -> List[ImageId]:
    if path.suffix == ".json":
        values = read_json(path)
        if not isinstance(values, list) or not all(map(is_image_id, values)):
            raise InputError(f"{path} must hold a list of image ids, such as [1, 2, 5] or [\"a\", \"b\"]")
        return values
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from error
    known = {image_id for store in stores for image_id in store.image_ids}
    ids = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        image_id = id_meant(line.strip(), known)
        if image_id not in known and isinstance(image_id, str):
            raise InputError(f"{path}, line {number}: expected an image id, got {image_id!r}, which no cache has")
        ids.append(image_id)
    return ids


def _remove_others(folder: Path, written: Sequence[Path]) -> None:
    """Deletes what a run with more stages left, lest it is taken for a part of this one."""
    for name in file_names(TUNED_PIPELINES):
        if folder / name not in written:
            (folder / name).unlink(missing_ok=True)


def _print(result: TuningResult) -> None:
    untuned, chosen = result.settings.untuned, result.report(result.chosen)
    print(f"PQ in percent on {len(result.held_out_images)} held-out images, {_held_out(result)}")
    print(f"default: {untuned['default'].described()} ({result.default.meaning})")
    for name in list(untuned)[1:]:
        print(f"{name}: {untuned[name].described()}")
    if borders := result.outcome.borders:
        tried = ", ".join(f"{pq:.2f} with {name}" for name, pq in borders.items())
        print(f"border rule: {chosen_border(borders)}, for PQ of global when tuned is {tried}")
    headers = ["stage", "PQ", "things", "stuff", *(f"over {name}" for name in untuned), "over the one before"]
    rows = [
        [
            report.name,
            *(f"{report.pq[group]:.2f}" for group in ("all", "things", "stuff")),
            *(_cell(report.gain(name)) for name in untuned),
            _cell(report.over_the_stage_before),
            *_tuning_cells(report.gain("scaled")),
        ]
        for report in result.reports
    ]
    print(text_table(rows, [*headers, "when tuned", "overfit"], "l" + "r" * (len(headers) + 1)))
    print("over: gain with its 95 % interval; when tuned: gain over scaled on the tuning images; overfit: what is lost")
    print(f"\nrecommended: {chosen.name}, {_why(chosen)}")
    if gain := chosen.gain("default"):
        print(f"gain over the default: {told(gain)}")


def _print_usage(result: TuningResult, config: Path, has_base: bool) -> None:
    """Prints the config keys that change and the command; nothing if the default stays."""
    changed = changed_keys(result.default.pipeline, result.best, result.categories)
    if not changed:
        return
    rows = [[one.key, *("-" if value is None else value for value in one[1:])] for one in changed]
    print(text_table(rows, ["config key", "default", result.chosen], "lll"))
    command = evaluating_command(config, result.best, has_base=has_base, predictions=result.manifests[0].source)
    print(f"\n  {command or f'{config} builds on no config: put its keys into that of the model, or give --base'}")


def _why(chosen: StageReport) -> str:
    if chosen.gain("default") is None:
        return "since nothing is surely better"
    best = "it, the best" if chosen.to_best is None else f"the best, {chosen.to_best.against} ({told(chosen.to_best)})"
    return f"surely better than the default; what is simpler is not, or is more than a standard error below {best}"


def _held_out(result: TuningResult) -> str:
    groups = f"; {result.how['groups']} groups, none of them parted" if "groups" in result.how else ""
    if "folds" in result.how:
        return f"each of {result.how['folds']} folds tuned without{groups}"
    return f"tuned on {result.how['tuning_images']} others{groups}"


def _cell(gain: Optional[Gain]) -> str:
    if gain is None:
        return ""
    return f"{gain.held_out:+.2f}" if gain.interval is None else told(gain)


def _tuning_cells(gain: Optional[Gain]) -> Tuple[str, str]:
    return ("", "") if gain is None else (f"{gain.tuning:+.2f}", f"{gain.overfit:+.2f}")


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    files = parser.add_argument_group("files")
    files.add_argument(
        "--cache", type=Path, nargs="+", required=True, metavar="FOLDER", help="of cache-predictions, one or several"
    )
    files.add_argument(
        "--gt-json", type=Path, nargs="+", metavar="JSON",
        help="COCO panoptic JSON, one for all caches or one for each, that of --report-cache last (default: those "
        "the caches were made with)",
    )  # fmt: skip
    files.add_argument("--gt-folder", type=Path, nargs="+", metavar="FOLDER", help="of their PNGs, likewise")
    files.add_argument(
        "--image-root", type=Path, nargs="+", metavar="FOLDER",
        help="the photos, one folder for all caches or one for each, likewise: borders by guided_filter are tried, too",
    )  # fmt: skip
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
    held_out.add_argument(
        "--report-cache", type=Path, metavar="FOLDER", help="tune on all images of --cache, and report on those of this"
    )
    held_out.add_argument(
        "--groups", metavar="HOW", help="images that are not to be parted: column:NAME, name:PATTERN or blocks:N"
    )
    add_seed_argument(held_out, "the folds and the intervals")
    add_pipeline_arguments(parser)
    tuning = parser.add_argument_group("what is tuned", "the thresholds of these rules; the search starts from them")
    tuning.add_argument(
        "--stages", nargs="+", choices=STAGES, help="in this order (default: all that the rules allow)"
    )
    tuning.add_argument(
        "--calibration", choices=FORMS, default=DEFAULT_FORM, help="slopes of the probability (default: %(default)s)"
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
