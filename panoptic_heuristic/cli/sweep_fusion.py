"""Counts PQ of every setting of a grid, exactly.

The predictions come from cache-predictions. Neither the model nor the images are needed. Stopped and started again, it
continues where it was.
"""

import argparse
import re
import time
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from tabulate import tabulate

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import merge_sweeps, missing_buckets, run_sweep
from panoptic_heuristic.ablation.sweeping.tables import quality_columns, ranking
from panoptic_heuristic.cli.arguments import (
    CommandParser,
    add_cache_arguments,
    add_rule_files_argument,
    add_workers_argument,
)
from panoptic_heuristic.cli.outputs import print_written, progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.files import check_writable
from panoptic_heuristic.formats.packaged import config_path
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.fusion.rule_files import load_rule_files

_EXAMPLES = f"""\
examples:
  panoptic-heuristic sweep-fusion --cache cache --grid sweeps/coco.yaml --output sweep

  one part per machine, then all together:
  panoptic-heuristic sweep-fusion --cache cache --grid sweeps/coco.yaml --output part1 --shard 1/2
  panoptic-heuristic sweep-fusion --cache cache --grid sweeps/coco.yaml --output part2 --shard 2/2
  panoptic-heuristic sweep-fusion --merge part1 part2 --output sweep

It writes sweep.json and buckets/*.arrays (the counts, in {BUCKETS} fixed groups of images), settings.csv (PQ, SQ and RQ
of every setting, best first) and classes.csv (the same per category). Shards may write to one --output, too.
"""

_SHOWN = 5


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    check_writable(args.output)
    if args.merge:
        for name in ("cache", "grid", "shard", "gt_json", "gt_folder"):
            if getattr(args, name) is not None:
                raise InputError(f"--merge brings finished shards together; leave out --{name.replace('_', '-')}")
        load_rule_files(args.rule_files)
        merge_sweeps(args.merge, args.output)
    else:
        if args.rule_files:
            raise InputError("--rule-files is for --merge; a grid names its own under RULE_FILES")
        _sweep(args)
    missing = missing_buckets(args.output)
    if missing:
        print(f"{len(missing)} of {BUCKETS} buckets are missing; {args.output} is a shard")
        return 0
    result = SweepResult(args.output)
    written = result.write(args.output)
    print_best(result)
    print_written(written)
    return 0


def _sweep(args: argparse.Namespace) -> None:
    for name in ("cache", "grid"):
        if getattr(args, name) is None:
            raise InputError(f"--{name} is needed to sweep; see --help")
    buckets = _buckets(args.shard)
    grid = Grid.from_file(config_path(args.grid))
    job = SweepJob(open_store(args.cache, args.gt_json, args.gt_folder), grid, args.output)
    if slow := len(job.by_pixels):
        print(f"{slow} of {len(job.grid)} settings have rules that need pixels; these are fused one by one: it is slow")
    started = time.perf_counter()
    done = run_sweep(job, buckets, workers=args.workers, progress=progress_bar("sweep", "bucket"))
    seconds = time.perf_counter() - started
    images = sum(len(job.images_of(bucket)) for bucket in buckets)
    print(f"{len(job.grid)} settings on {images} images; {done} of {len(buckets)} buckets counted now, {seconds:.1f} s")


def print_best(result: SweepResult) -> None:
    """Prints the best settings, and Detectron2's default if the grid has it."""
    counts = result.total()
    columns = quality_columns(counts, result.categories)
    order, grid = ranking(columns["pq_all"]).tolist(), result.grid
    shown = [(f"{rank}", number) for rank, number in enumerate(order[:_SHOWN], start=1)]
    if Pipeline() in grid.settings:
        default = grid.settings.index(Pipeline())
        shown.append((f"{order.index(default) + 1} (default)", default))
    rows = [
        [rank, *grid.row(number).values(), *(columns[f"pq_{group}"][number] for group in _GROUPS)]
        for rank, number in shown
    ]
    headers = ["rank", *grid.columns, "PQ", "PQ things", "PQ stuff"]
    formats = ("", *("g" for _ in grid.columns), ".2f", ".2f", ".2f")
    print(f"{len(grid)} settings, {counts.images} images")
    print(tabulate(rows, headers=[header.replace("_", " ") for header in headers], floatfmt=formats))


_GROUPS = ("all", "things", "stuff")


def _buckets(shard: Optional[str]) -> List[int]:
    part, parts = (1, 1) if shard is None else _shard(shard)
    return list(range(BUCKETS))[part - 1 :: parts]


def _shard(text: str) -> Tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= part <= parts <= BUCKETS:
        raise InputError(f"--shard must be i/n with 1 <= i <= n <= {BUCKETS}, such as 1/4; got {text!r}")
    return part, parts


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    add_cache_arguments(parser, required=False)
    parser.add_argument("--grid", type=Path, help="the settings: a YAML such as sweeps/coco.yaml")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="for the counts and tables")
    parser.add_argument("--shard", metavar="I/N", help="count one of N equal parts only, I from 1")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="DIR", help="bring the folders of shards together")
    add_rule_files_argument(parser)
    add_workers_argument(parser)
    return parser
