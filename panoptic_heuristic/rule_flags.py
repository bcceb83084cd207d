"""The flags that choose how an image is fused: who gets a pixel, and Detectron2's three thresholds."""

import argparse
from typing import Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, Pipeline


def add_rule_arguments(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Adds ``--claim`` and the thresholds; returns their group."""
    default = Pipeline()
    rules = parser.add_argument_group("rules")
    rules.add_argument(
        "--claim", choices=("greedy", "per_pixel"), default="greedy",
        help="greedy: an instance mostly covered by better ones is dropped, as in Panoptic FPN; "
        "per_pixel: every pixel goes to its best instance and none is dropped (default: %(default)s)",
    )  # fmt: skip
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
        help="a stuff segment is dropped if its free area, in pixels, < it (default: %(default)s)",
    )  # fmt: skip
    return rules


def overlap_threshold_of(args: argparse.Namespace) -> Optional[float]:
    """The overlap threshold that the flags of :func:`add_rule_arguments` ask for; None for ``per_pixel``.

    Raises:
        InputError: one is given for ``per_pixel``, which has none.
    """
    if args.claim == "greedy":
        return Greedy().overlap_threshold if args.overlap_threshold is None else args.overlap_threshold
    if args.overlap_threshold is not None:
        raise InputError("--overlap-threshold means nothing to --claim per_pixel, which drops nothing for overlap")
    return None
