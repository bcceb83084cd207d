"""Checks a data set in COCO panoptic format before anyone trains on it.

Reads every image, JSON and PNG that a data set's YAML file names, prints each problem with file
and segment, and counts per class.
"""

import argparse
from typing import Iterable, List, Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser, add_workers_argument, number, whole_number
from panoptic_heuristic.cli.outputs import progress_bar
from panoptic_heuristic.errors import command, printable
from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.check import DEFAULT_STUFF_AREA_THRESH, Problem, Report, check_dataset
from panoptic_heuristic.formats.check.summary import SplitSummary
from panoptic_heuristic.formats.tables import text_table

_EXAMPLES = """\
example:
  panoptic-heuristic check-dataset datasets/shapes/shapes.yaml --split val

exit code: 0 if there is no problem (notes are no problems), 1 if there is one, 2 for a wrong
command line or a YAML file that cannot be read.
"""


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument("dataset", help="the data set's YAML file")
    parser.add_argument(
        "--split", action="append", help="a split to check; may be given several times (default: all of them)"
    )
    add_workers_argument(parser)
    parser.add_argument(
        "--max-problems",
        type=whole_number(1),
        default=20,
        help="lines to print per kind of problem (default: %(default)s)",
    )
    parser.add_argument(
        "--stuff-area-thresh",
        type=number(0),
        default=DEFAULT_STUFF_AREA_THRESH,
        help="the stuff area limit in pixels to be used, MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT; "
        "it is pointed out if it exceeds 5 %% of the median image (default: %(default)s)",
    )
    return parser


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    report = check_dataset(
        read_dataset_yaml(args.dataset),
        splits=args.split,
        workers=args.workers,
        stuff_area_thresh=args.stuff_area_thresh,
        progress=progress_bar("images"),
    )
    print(_render(report, args.dataset, args.max_problems))
    return 1 if report.problems else 0


def _render(report: Report, dataset: str, max_problems: int) -> str:
    blocks: List[str] = []
    for word, findings in (("problem", report.problems), ("note", report.notes)):
        if findings:
            blocks.append("\n".join(_lines(word, findings, max_problems)))
    blocks += [_render_split(split) for split in report.splits]
    verdict = f"{dataset}: {_count(len(report.problems), 'problem')}, {_count(len(report.notes), 'note')}"
    blocks.append(verdict if report.problems else f"{verdict}; the data set passes")
    return "\n\n".join(blocks)


def _lines(word: str, findings: Iterable[Problem], max_problems: int) -> List[str]:
    by_kind: dict = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    lines = []
    for kind, alike in by_kind.items():
        for finding in alike[:max_problems]:
            where = f"[{finding.split}] " if finding.split else ""
            lines.append(printable(f"{word} ({kind}): {where}{finding.text}"))
        if len(alike) > max_problems:
            more = len(alike) - max_problems
            lines.append(f"{word} ({kind}): {more} more; --max-problems {len(alike)} shows them all")
    return lines


def _render_split(split: SplitSummary) -> str:
    size = f", median size {split.median_width:g}x{split.median_height:g}" if split.images else ""
    title = f"split {split.split}: {_count(split.images, 'image')}{size}"
    if not split.annotated_images:
        return f"{title}, no annotations read"
    things = [count for count in split.classes if count.isthing]
    stuff = [count for count in split.classes if not count.isthing]
    crowds = sum(count.crowd_segments for count in split.classes)
    thing_segments, stuff_segments = (sum(count.segments for count in group) for group in (things, stuff))
    totals = (
        f"{_count(thing_segments + stuff_segments + crowds, 'segment')}: "
        f"{thing_segments} things of {_count(len(things), 'class', 'es')}, "
        f"{stuff_segments} stuff of {_count(len(stuff), 'class', 'es')}, {_count(crowds, 'crowd')}; "
        f"void: {split.void_pixels / split.pixels:.2%} of all pixels"
    )
    rows = [
        [
            count.category_id,
            count.name,
            "thing" if count.isthing else "stuff",
            count.segments,
            count.images,
            count.crowd_segments,
            count.pixels,
            f"{count.pixels / split.pixels:.2%}",
            "-" if count.median_area is None else f"{count.median_area:.0f}",
        ]
        for count in split.classes
    ]
    headers = ["id", "class", "kind", "segments", "images", "crowds", "pixels", "share", "median area"]
    return f"{title}\n{totals}\n{text_table(rows, headers, 'rllrrrrrr')}"


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"
