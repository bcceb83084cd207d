"""The flags that choose how an image is fused: who gets a pixel and Detectron2's three thresholds, or a config."""

import argparse
from pathlib import Path
from typing import Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.fusion import Greedy, Need, PerPixel, Pipeline


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


def add_config_argument(rules: "argparse._ArgumentGroup") -> None:
    """Adds ``--config-file``, which is there in place of the flags of :func:`add_rule_arguments`."""
    rules.add_argument(
        "--config-file", type=Path, metavar="YAML",
        help="all rules and thresholds of a config, in place of the flags above: one of configs/presets, a tuned one "
        "or one's own",
    )  # fmt: skip


def pipeline_of_flags(args: argparse.Namespace) -> Pipeline:
    """What the flags of :func:`add_rule_arguments` ask for.

    Raises:
        InputError: a value is wrong.
    """
    overlap_threshold = overlap_threshold_of(args)
    return Pipeline(
        PerPixel() if overlap_threshold is None else Greedy(overlap_threshold),
        instances_score_thresh=args.instances_score_thresh,
        stuff_area_thresh=args.stuff_area_thresh,
    )


def pipeline_of_config(args: argparse.Namespace, categories: Categories, missing: Mapping[Need, str]) -> Pipeline:
    """What ``--config-file`` asks for.

    Args:
        args: with the flags of :func:`add_rule_arguments` and :func:`add_config_argument`.
        categories: the data set's.
        missing: what there will not be when it fuses, see :meth:`Pipeline.check_needs`.

    Raises:
        InputError: the file is wrong, a rule needs what is missing, or there are both kinds of flags.
    """
    parser = argparse.ArgumentParser()
    add_rule_arguments(parser)
    for name, default in vars(parser.parse_args([])).items():
        if getattr(args, name) != default:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag} and --config-file say both how to fuse; set it in {args.config_file} instead")
    return Pipeline.from_file(args.config_file, categories, missing)
