"""Time and memory of each command by the number of images, and what 118,000 of them would take.

Generated images of 640x480 with 100 detections go through the real commands, one after the other, each a process of its
own. Times are CPU times of a command with all its workers. What was measured is kept in --folder: stopped and started
again, it goes on where it was; with --commands, those are measured anew.
"""

import argparse
import json
from pathlib import Path
from typing import Dict, List, Optional

from tabulate import tabulate
from tqdm import tqdm

from benchmarks.growing.commands import COMMANDS, command_line
from benchmarks.growing.inputs import write_inputs
from benchmarks.growing.measuring import Usage, measured
from panoptic_heuristic.cli.arguments import add_workers_argument, whole_number
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import write_json

# The images of COCO's train2017.
MANY = 118_000

# By the number of images, what each command took.
Measured = Dict[int, Dict[str, Usage]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument(
        "--images", type=int, nargs="+", default=[100, 1000], help="how many, ascending (default: 100 1000)"
    )
    parser.add_argument(
        "--detections", type=whole_number(0), default=100, help="instances per image (default: %(default)s)"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("output/growth"), help="for all files, about 0.4 MB per image and count"
    )
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, help="measure these again, and no others")
    add_workers_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Measures what is missing and prints the table."""
    if args.images[0] < 5 or any(a >= b for a, b in zip(args.images, args.images[1:], strict=False)):
        raise InputError("--images must be ascending numbers, 5 or more")
    found: Measured = {}
    for count in args.images:
        own = write_inputs(args.folder, count, detections=args.detections, workers=args.workers)
        kept = own / "measured.json"
        found[count] = {name: Usage(*usage) for name, usage in _content(kept).items()}
        wanted = args.commands or [name for name in COMMANDS if name not in found[count]]
        for name in tqdm(wanted, desc=f"{count} images", unit="command", disable=None):
            found[count][name] = measured(command_line(own, name, args.workers), own / f"{name.replace(' ', '-')}.log")
            write_json(kept, found[count])
    print(f"generated images of 640x480, {args.detections} detections each, {args.workers} workers")
    print(table(found))
    return 0


def table(found: Measured) -> str:
    """A row per command: time and memory by the number of images, what one more takes, and what :data:`MANY` would."""
    counts = list(found)
    headers = ["command", *(f"{count}: {unit}" for count in counts for unit in ("ms per image", "MB"))]
    if len(counts) > 1:
        headers += ["one more: ms", "KB", f"{MANY:,}: hours", "GB"]
    rows = []
    for name in COMMANDS:
        usages = [found[count].get(name) for count in counts]
        cells = [_cells(count, usage) for count, usage in zip(counts, usages, strict=True)]
        row = [name, *(cell for pair in cells for cell in pair)]
        if len(counts) > 1 and None not in usages[-2:]:
            row += _growth(*counts[-2:], *usages[-2:])
        rows.append(row)
    align = ["left"] + ["right"] * (len(headers) - 1)
    return tabulate(rows, headers, colalign=align, disable_numparse=True, tablefmt="github")


def _cells(count: int, usage: Optional[Usage]) -> List[str]:
    return ["", ""] if usage is None else [f"{1000 * usage.seconds / count:.1f}", f"{usage.megabytes:.0f}"]


def _growth(fewer: int, more: int, before: Usage, after: Usage) -> List[str]:
    """What an image more takes from one count to the next, and :data:`MANY` if it goes on like that."""
    # What does not grow differs a little from run to run, and is no gain of more images.
    seconds, megabytes = (max(b - a, 0) / (more - fewer) for a, b in zip(before, after, strict=True))
    left = MANY - more
    hours, gigabytes = (after.seconds + left * seconds) / 3600, (after.megabytes + left * megabytes) / 1000
    return [f"{1000 * seconds:.1f}", f"{1000 * megabytes:.1f}", f"{hours:.2f}", f"{gigabytes:.1f}"]


def _content(path: Path) -> Dict[str, List[float]]:
    return json.loads(path.read_text()) if path.exists() else {}
