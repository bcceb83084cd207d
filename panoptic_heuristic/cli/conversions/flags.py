"""The flags that several conversions take."""

import argparse
from pathlib import Path
from typing import Callable, Optional

from panoptic_heuristic.cli.arguments import add_output_arguments, add_workers_argument, whole_number
from panoptic_heuristic.formats.conversions.painting import OVERLAPS
from panoptic_heuristic.formats.label_divisor import STUFF_NUMBERS, THING_ZERO, UNLISTED, Fates


def add_conversion(
    commands: "argparse._SubParsersAction", name: str, run: Callable, description: str
) -> argparse.ArgumentParser:
    """Adds a sub-command; ``run`` does it, and the first line of its docstring is its help."""
    one = commands.add_parser(name, help=run.__doc__, description=description)
    one.set_defaults(run=run)
    add_output_arguments(one, "the converted files")
    add_workers_argument(one)
    return one


def add_coco_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that name COCO panoptic files."""
    parser.add_argument("--panoptic-json", type=Path, required=True, help="COCO panoptic JSON")
    parser.add_argument("--panoptic-root", type=Path, required=True, help="the folder of its PNGs")


def add_categories_argument(parser: argparse.ArgumentParser, default: Optional[str] = None) -> None:
    """Adds ``--categories-json``, required without a ``default``, which says what stands for it."""
    parser.add_argument(
        "--categories-json",
        type=Path,
        required=default is None,
        help="any JSON with the list 'categories', things and stuff, such as a panoptic JSON; or that list itself"
        + (f" (default: {default})" if default else ""),
    )


def add_images_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--images-json``, whose images are converted instead of all PNGs."""
    parser.add_argument(
        "--images-json",
        type=Path,
        help="names, ids and sizes of the images: images.json, or any COCO panoptic JSON of these images "
        "(default: one image per PNG, numbered from 1)",
    )


def add_void_argument(parser: argparse.ArgumentParser, what: str, default: str) -> None:
    """Adds ``--void``; ``what`` it is, and its default."""
    parser.add_argument("--void", type=whole_number(0), help=f"{what} of void pixels (default: {default})")


def add_number_arguments(parser: argparse.ArgumentParser, *, stuff_numbers: str, thing_zero: str) -> None:
    """Adds the flags for pixels that forms disagree about, with their defaults."""
    parser.add_argument(
        "--unlisted",
        choices=UNLISTED,
        default="fail",
        help="pixels of categories that --categories-json lacks (default: %(default)s)",
    )
    parser.add_argument(
        "--stuff-numbers",
        choices=STUFF_NUMBERS,
        default=stuff_numbers,
        help="instance numbers of stuff end the run, or all pixels of a stuff category are one segment (ignore) "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--thing-zero",
        choices=THING_ZERO,
        default=thing_zero,
        help="things without an instance number end the run, are void (ignore), the crowd of their category or one "
        "segment of it (default: %(default)s)",
    )


def fates_of_flags(args: argparse.Namespace) -> Fates:
    """The fates that the flags of :func:`add_number_arguments` say."""
    return Fates(unlisted=args.unlisted, stuff_numbers=args.stuff_numbers, thing_zero=args.thing_zero)


def add_overlap_argument(parser: argparse.ArgumentParser) -> None:
    """Adds ``--overlap``, for annotations with masks of their own."""
    parser.add_argument(
        "--overlap",
        choices=OVERLAPS,
        default="fail",
        help="a pixel of several instances is an error (fail), stays with the first (skip) or goes to the last "
        "(overwrite) in file order (default: %(default)s)",
    )
