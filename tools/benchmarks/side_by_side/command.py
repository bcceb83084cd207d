"""The flags of the benchmarks against Detectron2's functions, and what they do."""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Tuple

import torch

from benchmarks.side_by_side.contest import Contests
from benchmarks.side_by_side.inputs import write_inputs
from benchmarks.side_by_side.measuring import do_work, measure
from benchmarks.side_by_side.report import growth, plot, table, write_rows
from panoptic_heuristic.cli.arguments import add_output_arguments, add_seed_argument, number, whole_number
from panoptic_heuristic.cli.outputs import check_results, print_written

CLOCKS = ("1", "all", "gpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of these benchmarks."""
    sizes = [(480, 640), (800, 1333), (1024, 2048)]
    parser.add_argument(
        "--sizes", nargs="+", type=_size, default=sizes, help="HxW of the output (default: 480x640 800x1333 1024x2048)"
    )
    counts = [0, 10, 30, 100, 300]
    parser.add_argument("--instances", nargs="+", type=whole_number(0), default=counts, help="default: 0 10 30 100 300")
    parser.add_argument(
        "--instances-score-thresh", nargs="+", type=number(0, 1), default=[0.5, 0.05], help="default: 0.5 0.05"
    )
    parser.add_argument(
        "--clocks",
        nargs="+",
        choices=CLOCKS,
        default=list(CLOCKS),
        help="1: CPU time of one thread; all: elapsed time, all threads; gpu: elapsed time on a GPU (default: each)",
    )
    parser.add_argument(
        "--rounds", type=whole_number(1), default=3, help="runs of each side, in turns; the best counts"
    )
    add_seed_argument(parser, "the inputs")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peaks of memory")
    add_output_arguments(parser, "a CSV and a plot", required=False)
    parser.add_argument("--work", type=json.loads, help=argparse.SUPPRESS)


def _size(text: str) -> Tuple[int, int]:
    height, width = (int(side) for side in text.split("x"))
    if min(height, width) < 1:
        raise ValueError
    return height, width


def run(args: argparse.Namespace, name: str, contests: Contests) -> int:
    """Measures, prints tables, and writes files if asked; 1 if the two sides differ."""
    if args.work:
        return do_work(args.work, contests)
    if args.output is not None:
        check_results(args.output, [f"{name}.csv", f"{name}.png"], args.overwrite)
    clocks = [clock for clock in args.clocks if clock != "gpu" or torch.cuda.is_available()]
    if clocks != args.clocks:
        print("gpu: skipped, PyTorch finds no CUDA device here")
    with tempfile.TemporaryDirectory() as folder:
        digest = write_inputs(Path(folder), args)
        print(f"inputs: seed {args.seed}, SHA-256 {digest}")
        axes = {name: getattr(args, name) for name in ("sizes", "instances", "instances_score_thresh")}
        work = {"folder": folder, **axes, "rounds": args.rounds}
        rows, differences = measure(name, list(contests), work, clocks, not args.no_memory)
    if differences:
        print("\n".join(differences))
        return 1
    print(table(rows))
    print(growth(rows))
    print(f"the same maps and segments on both sides in all {len(rows)} rows")
    if args.output is not None:
        written = [args.output / f"{name}.csv", args.output / f"{name}.png"]
        write_rows(written[0], rows)
        plot(written[1], rows)
        print_written(written)
    return 0
