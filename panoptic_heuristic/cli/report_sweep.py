"""Reports on finished sweeps: the settings to take, their gain, where, and how sure that is.

Several sweeps of one grid, such as those of several backbones, are also compared: whether the best setting of one
holds for another.
"""

import argparse
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from panoptic_heuristic.ablation.cache.own_settings import Default, default_of
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.report.attribution import attribution_blocks
from panoptic_heuristic.ablation.report.make import Images, Reported, file_prefix, make_report, write_report
from panoptic_heuristic.ablation.report.plots import Form
from panoptic_heuristic.ablation.report.tuning import Tuning, read_tuning
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_output_arguments,
    add_rule_files_argument,
    add_workers_argument,
    whole_number,
)
from panoptic_heuristic.cli.outputs import check_folder, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.fusion import ParameterError, Pipeline
from panoptic_heuristic.fusion.rule_files import load_rule_files

_DEFAULT_PATHS = ("instances_score_thresh", "claim.overlap_threshold", "stuff_area_thresh")

_EXAMPLES = """\
examples:
  panoptic-heuristic report-sweep sweep --output report --cache cache --image-root val2017

  panoptic-heuristic report-sweep sweep_r50 sweep_r101 --names R50 R101 --output report

With --tuning it opens with the recommended settings, their gain over the default on held-out images, and how to use
them. It writes report.html (one page, no other file needed), report.md with its figures as PNGs beside it,
settings.csv (all settings, best first), classes.csv (every class under the default and the best setting), and in
tables/ every table of the report as CSV and as LaTeX.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    _check(args)
    load_rule_files(args.rule_files)
    names = _names(args.sweeps, args.names)
    stores = _images(args)
    results = [SweepResult(folder) for folder in args.sweeps]
    attributions = _read(args, "attribution", attribution_blocks, results)
    tunings = _read(args, "tuning", read_tuning, results)
    reported = [
        Reported(name, result, _default(args, images, tuning), images, tuple(attribution or ()), tuning)
        for name, result, images, attribution, tuning in zip(
            names, results, stores, attributions, tunings, strict=True
        )
    ]
    title = args.title or f"Fusion settings: {', '.join(names)}"
    explorer = None if args.explorer is None else Path(os.path.relpath(args.explorer, args.output)).as_posix()
    document, sweeps = make_report(
        reported, title, explorer=explorer, workers=args.workers, progress=progress_bar("compare")
    )
    written = write_report(args.output, document, sweeps, [Form(name) for name in args.format])
    print(document.summary)
    tables = [path for path in written if path.parent != args.output]
    print(f"written: {', '.join(map(str, written[:4]))}, {len(written) - 4 - len(tables)} figures and the tables")
    return 0


def _images(args: argparse.Namespace) -> List[Optional[Images]]:
    """The files that pictures of each sweep are made of; None for sweeps without."""
    number = len(args.sweeps)
    if args.cache is None:
        for name in ("gt_json", "gt_folder", "image_root"):
            if getattr(args, name) is not None:
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} is for pictures, which need the predictions, too: give --cache")
        return [None] * number
    if len(args.cache) != number:
        raise InputError(f"--cache must name one folder per sweep, in their order: {number}, got {len(args.cache)}")
    files = [_per_sweep(args, name) for name in ("gt_json", "gt_folder", "image_root")]
    for root in files[2]:
        if root is not None and not root.is_dir():
            raise InputError(f"--image-root {root} is no folder")
    return [
        Images(open_store(cache, gt_json, gt_folder), image_root, args.pictures)
        for cache, gt_json, gt_folder, image_root in zip(args.cache, *files, strict=True)
    ]


def _per_sweep(args: argparse.Namespace, name: str) -> List[Optional[Path]]:
    """One value for each sweep, of a flag that may be given once for all of them."""
    number, values = len(args.sweeps), getattr(args, name)
    if values is None or len(values) == 1:
        return (values or [None]) * number
    if len(values) != number:
        flag = name.replace("_", "-")
        raise InputError(f"--{flag} must be given once, or once for each of the {number} sweeps; got {len(values)}")
    return values


def _read(args: argparse.Namespace, name: str, read: Callable, results: Sequence[SweepResult]) -> List[Any]:
    """For each sweep what the report shows of another command's JSON; None if none is given."""
    paths = getattr(args, name)
    if paths is None:
        return [None] * len(results)
    if len(paths) != len(results):
        raise InputError(f"--{name} must name one JSON per sweep, in their order: {len(results)}, got {len(paths)}")
    return [read(path, result) for path, result in zip(paths, results, strict=True)]


def _names(folders: Sequence[Path], names: Optional[Sequence[str]]) -> List[str]:
    if names is not None and len(names) != len(folders):
        raise InputError(f"--names must give one name per sweep: {len(folders)}, got {len(names)}")
    chosen = list(names) if names is not None else [folder.resolve().name for folder in folders]
    prefixes = [file_prefix(name) for name in chosen]
    for place, prefix in enumerate(prefixes):
        if prefix in prefixes[:place]:
            first = chosen[prefixes.index(prefix)]
            raise InputError(f"two sweeps are called {first!r} and {chosen[place]!r}; tell them apart with --names")
    return chosen


def _default(args: argparse.Namespace, images: Optional[Images], tuning: Optional[Tuning]) -> Default:
    """The settings that the best is compared with: as given, or the model's own where they are known."""
    if tuning is not None:
        return tuning.default
    if given := _given_default(args):
        return Default(Pipeline().replaced(given), "as given")
    if images is not None:
        return default_of(images.store.cache)
    return Default(Pipeline(), "Detectron2's defaults, since only --cache and --tuning say the model's own settings")


def _given_default(args: argparse.Namespace) -> Dict[str, float]:
    """The values of the flags, by path."""
    values = {path: getattr(args, f"default_{path.rpartition('.')[2]}") for path in _DEFAULT_PATHS}
    return {path: value for path, value in values.items() if value is not None}


def _flag(path: str) -> str:
    return f"--default-{path.rpartition('.')[2].replace('_', '-')}"


def _check(args: argparse.Namespace) -> None:
    given = _given_default(args)
    # Says what is wrong with a threshold in the words of the fusion itself.
    try:
        Pipeline().replaced(given)
    except ParameterError as error:
        raise InputError(error.told(lambda stage, parameter: _flag(str(parameter)))) from error
    if given and args.tuning is not None:
        raise InputError(
            f"{_flag(next(iter(given)))} means nothing with --tuning, whose default the report has; leave it out"
        )
    if args.explorer is not None and not args.explorer.is_file():
        raise InputError(f"--explorer {args.explorer} is no file; make it with explore-fusion")
    if args.output.resolve() in [folder.resolve() for folder in args.sweeps]:
        raise InputError(f"{args.output} holds a sweep with a settings.csv of its own; choose another --output")
    check_folder(args.output, args.overwrite)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument("sweeps", type=Path, nargs="+", metavar="SWEEP_DIR", help="folder of sweep-fusion")
    add_output_arguments(parser, "the report")
    parser.add_argument("--title", help="of the report (default: made of the sweeps' names)")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=[form.value for form in Form],
        default=[Form.PNG.value],
        help="of figures: svg and pdf are for papers, 8.4 cm wide; report.md has its PNGs in any case (default: png)",
    )
    parser.add_argument("--names", nargs="+", metavar="NAME", help="of the sweeps (default: their folders' names)")
    default = parser.add_argument_group(
        "the default",
        "what the best is compared with: that of --tuning, else what is given here, else the model's own settings as "
        "--cache has them, else Detectron2's; the nearest setting in the grid stands for it",
    )
    for path in _DEFAULT_PATHS:
        default.add_argument(_flag(path), type=float, metavar="T", help="in place of Detectron2's")
    images = parser.add_argument_group(
        "pictures of the images that change most between the default and the best",
        "with --tuning also the errors that the recommended settings mend and break",
    )
    images.add_argument("--cache", type=Path, nargs="+", metavar="DIR", help="of cache-predictions, per sweep")
    images.add_argument(
        "--gt-json", type=Path, nargs="+", metavar="JSON", help="ground truth (default: what the cache was made with)"
    )
    images.add_argument("--gt-folder", type=Path, nargs="+", metavar="DIR", help="the folder of its PNGs")
    images.add_argument("--image-root", type=Path, nargs="+", metavar="DIR", help="the images (default: not drawn)")
    images.add_argument(
        "--pictures", type=whole_number(0), default=6, metavar="N", help="how many images (default: %(default)s)"
    )
    others = parser.add_argument_group("results of other commands, one JSON per sweep")
    others.add_argument("--attribution", type=Path, nargs="+", metavar="JSON", help="of attribute-errors")
    add_rule_files_argument(parser)
    add_workers_argument(parser)
    parser.add_argument("--explorer", type=Path, metavar="HTML", help="page of explore-fusion that the report leads to")
    others.add_argument("--tuning", type=Path, nargs="+", metavar="JSON", help="of tune-fusion")
    return parser
