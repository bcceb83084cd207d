"""Makes one HTML page on which people move thresholds and watch segments come and go.

The page fuses in the browser, on the regions of its images, and gives the very segments and PQ counts that this package
gives. It needs no other file, no network and no model: mail it, or open it on a phone.
"""

import argparse
from pathlib import Path
from typing import List, Optional, Sequence, Union

from panoptic_heuristic.ablation.explorer.choice import Selection
from panoptic_heuristic.ablation.explorer.image import PictureSettings
from panoptic_heuristic.ablation.explorer.make import ExplorerSettings, make_explorer
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.report.tuning import read_tuning
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_rule_files_argument,
    add_seed_argument,
    add_workers_argument,
    whole_number,
)
from panoptic_heuristic.cli.outputs import print_written, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.files import check_writable, write_text
from panoptic_heuristic.formats.image_ids import ImageId, id_meant
from panoptic_heuristic.fusion.rule_files import load_rule_files

_EXAMPLES = """\
examples:
  panoptic-heuristic explore-fusion --cache cache --image-root val2017 --output explorer.html

  panoptic-heuristic explore-fusion --cache cache --image-root val2017 --sweep sweep --tuning tuned/tuning.json \\
      --select changed --output explorer.html

With --tuning the page marks the settings that it recommends, with --sweep alone the best of the sweep. Rules that look
at more than regions, such as those that need logits, are listed on the page with the reason why they are not there.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    _check(args)
    load_rule_files(args.rule_files)
    store = open_store(args.cache, args.gt_json, args.gt_folder)
    sweep = None if args.sweep is None else SweepResult(args.sweep)
    settings = ExplorerSettings(
        title=args.title or f"Fusion of {store.cache.manifest.dataset_name}",
        select=_selection(args.select, store),
        images=args.images,
        pictures=PictureSettings(args.image_root, args.longest_side),
        seed=args.seed,
        workers=args.workers,
    )
    text = make_explorer(
        store,
        settings,
        sweep=sweep,
        tuning=None if args.tuning is None else read_tuning(args.tuning, sweep),
        progress=progress_bar,
    )
    write_text(args.output, text)
    print(f"{args.output.stat().st_size / 1e6:.1f} MB; open it in a browser")
    print_written([args.output])
    return 0


def _selection(words: Sequence[str], store: RegionStore) -> Union[Selection, List[ImageId]]:
    """How images are chosen, or their ids."""
    if len(words) == 1 and words[0] in [one.value for one in Selection]:
        return Selection(words[0])
    return [id_meant(word, store.image_ids) for word in words]


def _check(args: argparse.Namespace) -> None:
    if args.output.is_dir():
        raise InputError(f"--output {args.output} is a folder; expected an HTML file, such as {args.output}/page.html")
    if args.output.exists() and not args.overwrite:
        raise InputError(f"--output {args.output} is there already; --overwrite replaces it")
    if args.image_root is not None and not args.image_root.is_dir():
        raise InputError(f"--image-root {args.image_root} is no folder")
    if args.tuning is not None and args.sweep is None:
        raise InputError("--tuning needs --sweep, the sweep of the same predictions")
    check_writable(args.output.parent)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    add_cache_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="HTML", help="the page")
    parser.add_argument("--overwrite", action="store_true", help="replace the page if it is there")
    parser.add_argument("--title", help="of the page (default: made of the data set's name)")
    parser.add_argument("--image-root", type=Path, metavar="DIR", help="the images (default: no photos)")
    parser.add_argument(
        "--images", type=whole_number(1), default=24, metavar="N", help="how many images (default: %(default)s)"
    )
    parser.add_argument(
        "--select", nargs="+", default=["worst"], metavar="HOW",
        help="worst (of the lowest PQ under the default), changed (their errors change most between the default and "
        "what is recommended), random, or ids of images (default: worst)",
    )  # fmt: skip
    parser.add_argument(
        "--longest-side", type=whole_number(64, 8192), default=1024, metavar="PIXELS",
        help="of what is drawn; larger images are made smaller, which changes no count (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--sweep", type=Path, metavar="DIR", help="of sweep-fusion, for the heat map")
    parser.add_argument("--tuning", type=Path, metavar="JSON", help="of tune-fusion, for what is recommended")
    add_rule_files_argument(parser)
    add_seed_argument(parser, "random images")
    add_workers_argument(parser)
    return parser
