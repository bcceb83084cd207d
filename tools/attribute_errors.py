#!/usr/bin/env python
"""Says what caused each missed segment and each false positive, and what PQ each kind of perfection would bring.

It starts from predictions kept by tools/cache_predictions.py; neither the model nor the images are needed.
"""

import argparse
import sys
from pathlib import Path
from typing import Iterable, Optional, Sequence

from tqdm import tqdm

from panoptic_heuristic.ablation.attribution.attribute import AttributionJob, attribute, attribute_image, fuse_cached
from panoptic_heuristic.ablation.attribution.files import FILES, write_attribution
from panoptic_heuristic.ablation.grid import ClaimSetting, Setting, StuffLimit
from panoptic_heuristic.ablation.region_store import open_store
from panoptic_heuristic.attribution_tables import attribution_tables, error_table
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.explaining import explanation_table
from panoptic_heuristic.formats.workers import default_workers
from panoptic_heuristic.fusion import Greedy, Pipeline, explain

_EXAMPLE = """\
examples:
  python tools/attribute_errors.py --cache cache --output attribution

  what became of every candidate of one image, and its errors:
  python tools/attribute_errors.py --cache cache --image 285

It writes segments.csv (one line per missed segment and false positive) and attribution.json (causes by category,
oracles, pixels, the images with most errors).

An oracle knows the ground truth and makes one thing perfect, while all else stays as it is. What it gains is what
better rules of that kind could bring at most.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    if args.workers < 1:
        raise InputError(f"--workers must be at least 1, got {args.workers}")
    if (args.output is None) == (args.image is None):
        raise InputError("give --output for all images, or --image to see one; not both")
    setting = _setting(args)
    if args.output is not None:
        _check_output(args.output, args.overwrite)
    job = AttributionJob(open_store(args.cache, args.gt_json, args.gt_folder), setting)
    if args.image is not None:
        print(explained(job, args.image))
        return 0
    total = attribute(job, workers=args.workers, progress=_progress_bar)
    written = write_attribution(args.output, job, total)
    things, stuff = total.segments
    print(f"{len(total.image_ids)} images with {things} things and {stuff} stuff segments, crowds left out")
    print(f"\n{attribution_tables(total, job.categories)}\n")
    print(f"written: {', '.join(map(str, written))}")
    return 0


def explained(job: AttributionJob, image_id: int) -> str:
    """What became of every candidate of an image, and its errors."""
    instances, semantics, result = fuse_cached(job, image_id)
    blocks = [
        explanation_table(explain(result, instances, semantics), job.categories),
        error_table(attribute_image(job, image_id).errors, job.categories) or "no errors",
    ]
    return "\n\n".join(block for block in blocks if block)


def _setting(args: argparse.Namespace) -> Setting:
    overlap_threshold = args.overlap_threshold
    if args.claim == "per_pixel" and overlap_threshold is not None:
        raise InputError("--overlap-threshold means nothing to --claim per_pixel, which drops nothing for overlap")
    if args.claim == "greedy" and overlap_threshold is None:
        overlap_threshold = Greedy().overlap_threshold
    setting = Setting(
        ClaimSetting(args.claim, overlap_threshold),
        args.instances_score_thresh,
        StuffLimit(args.stuff_area_thresh, args.stuff_area_fraction),
    )
    # Says what is wrong with a threshold.
    setting.pipeline()
    return setting


def _check_output(folder: Path, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder} is a file; expected a folder")
    there = [name for name in FILES if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(f"{folder / there[0]} is there already; --overwrite replaces it")


def _progress_bar(images: Iterable, total: int) -> Iterable:
    # disable=None: silent when stderr is no terminal.
    return tqdm(images, total=total, desc="attribute", unit="image", disable=None)


def _parser() -> argparse.ArgumentParser:
    default = Pipeline()
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=_EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    files = parser.add_argument_group("files")
    files.add_argument("--cache", type=Path, required=True, help="folder of tools/cache_predictions.py")
    files.add_argument("--gt-json", type=Path, help="COCO panoptic JSON (default: the one the cache was made with)")
    files.add_argument("--gt-folder", type=Path, help="the folder of its PNGs")
    files.add_argument("--output", type=Path, help=f"a folder for {' and '.join(FILES)}")
    files.add_argument("--overwrite", action="store_true", help="replace the files that are there")
    files.add_argument("--image", type=int, metavar="ID", help="print what became of this image; write nothing")
    rules = parser.add_argument_group("rules")
    rules.add_argument(
        "--claim", choices=("greedy", "per_pixel"), default="greedy", help="who gets a pixel (default: %(default)s)"
    )
    rules.add_argument(
        "--instances-score-thresh", type=float, default=default.instances_score_thresh, metavar="T",
        help="an instance is kept if score >= it (default: %(default)s)",
    )  # fmt: skip
    rules.add_argument(
        "--overlap-threshold", type=float, metavar="T",
        help=f"an instance is dropped if its already claimed fraction > it (default: {Greedy().overlap_threshold})",
    )  # fmt: skip
    rules.add_argument(
        "--stuff-area-thresh", type=float, default=default.stuff_area_thresh, metavar="PIXELS",
        help="a stuff segment is dropped if its free area < it (default: %(default)s)",
    )  # fmt: skip
    rules.add_argument(
        "--stuff-area-fraction", type=float, default=default.stuff_area_fraction, metavar="F",
        help="it is also dropped if its free area < this share of the image (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes (default: up to 4, here %(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
