"""The flags that name the result files of two heads."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from panoptic_heuristic.cli.arguments import add_bad_annotations_argument

if TYPE_CHECKING:
    from panoptic_heuristic.formats.bad_annotations import BadAnnotations
    from panoptic_heuristic.head_results import Heads


def add_head_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> "argparse._ArgumentGroup":
    """Adds the flags that name the files; returns their group."""
    files = parser.add_argument_group("files")
    files.add_argument(
        "--images", type=Path, required=required,
        help="a panoptic, instances or image-info JSON: which images, what size",
    )  # fmt: skip
    files.add_argument(
        "--categories", type=Path, help="a JSON with panoptic categories, or a list of them (default: --images)"
    )
    files.add_argument("--instances", type=Path, help="results of the instance head, see below")
    files.add_argument("--semantics", type=Path, help="results of the semantic head, see below")
    files.add_argument(
        "--label-to-category", type=Path, help="a JSON list or object: the category id a label means, null for none"
    )
    files.add_argument(
        "--no-label", type=int, action="append", default=[], metavar="LABEL",
        help="a label that is no stuff, such as 0 in Detectron2's results for COCO; may be given several times",
    )  # fmt: skip
    add_bad_annotations_argument(files)
    return files


def heads_of_flags(args: argparse.Namespace, bad: "BadAnnotations") -> "Heads":
    """The results in the files that the flags of :func:`add_head_arguments` name.

    Args:
        args: the parsed flags.
        bad: collects the annotations whose mask cannot be read.

    Raises:
        InputError: a file is missing or wrong; which, and where.
    """
    # Here and not on top: it loads torch, and --help needs none.
    from panoptic_heuristic.head_results import read_heads

    return read_heads(
        images=args.images,
        categories=args.categories,
        instances=args.instances,
        semantics=args.semantics,
        label_to_category=args.label_to_category,
        no_labels=args.no_label,
        bad=bad,
    )
