"""The flags that say how images are fused, the same for every command that fuses."""

import argparse
from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.packaged import config_path
from panoptic_heuristic.fusion import Need, ParameterError, Pipeline

_PATHS = {
    "claim": "claim",
    "instances_score_thresh": "instances_score_thresh",
    "overlap_threshold": "claim.overlap_threshold",
    "stuff_area_thresh": "stuff_area_thresh",
    "stuff_area_fraction": "stuff_area_fraction",
    "island_area_fraction": "island_area_fraction",
}
"""Name of a flag -> path in a pipeline."""


def add_pipeline_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds ``--config-file`` and the flags that replace single values of it."""
    default = Pipeline()
    rules = parser.add_argument_group("rules", "Detectron2's, unless a file or a flag says otherwise")
    rules.add_argument(
        "--config-file", metavar="FILE",
        help="all rules and thresholds: a preset such as presets/rap.yaml, a tuned YAML, a config, or a fusion.json; "
        "the flags below replace single values of it",
    )  # fmt: skip
    rules.add_argument(
        "--claim", metavar="RULE",
        help="decides who gets a contested pixel, by its name in YAML, such as per_pixel (default: greedy)",
    )  # fmt: skip
    rules.add_argument(
        "--instances-score-thresh", type=float, metavar="T",
        help=f"an instance is kept if score >= it (default: {default.instances_score_thresh:g})",
    )  # fmt: skip
    rules.add_argument(
        "--overlap-threshold", type=float, metavar="T",
        help="an instance is dropped if its already claimed fraction > it "
        f"(default: {default.value('claim.overlap_threshold'):g})",
    )  # fmt: skip
    rules.add_argument(
        "--stuff-area-thresh", type=float, metavar="PIXELS",
        help=f"a stuff segment is dropped if its free area, in pixels, < it (default: {default.stuff_area_thresh:g})",
    )  # fmt: skip
    rules.add_argument(
        "--stuff-area-fraction", type=float, metavar="F",
        help=f"also if its free area < this share of the image (default: {default.stuff_area_fraction:g})",
    )  # fmt: skip
    rules.add_argument(
        "--island-area-fraction", type=float, metavar="F",
        help="a connected part of one semantic label with less than this share of the image takes the labels around it "
        f"first (default: {default.island_area_fraction:g})",
    )  # fmt: skip


def pipeline_of_flags(
    args: argparse.Namespace,
    categories: Optional[Categories] = None,
    missing: Mapping[Need, str] = MappingProxyType({}),
) -> Pipeline:
    """The pipeline that the flags of :func:`add_pipeline_arguments` ask for.

    Args:
        args: with these flags.
        categories: the data set's, for values of single categories; None if there is no file.
        missing: see :meth:`panoptic_heuristic.fusion.Pipeline.check_needs`.

    Raises:
        InputError: the file or a value is wrong, or a rule needs something that is missing.
    """
    pipeline = Pipeline()
    if args.config_file is not None:
        pipeline = Pipeline.from_file(config_path(args.config_file), categories, missing)
    values: Dict[str, Any] = {
        path: getattr(args, flag) for flag, path in _PATHS.items() if getattr(args, flag) is not None
    }
    try:
        pipeline = pipeline.replaced(values)
    except ParameterError as error:
        raise InputError(error.told(_flag)) from error
    pipeline.check_needs(missing)
    return pipeline


def _flag(stage: Optional[str], parameter: Optional[str]) -> str:
    """The flag of a value."""
    path = ".".join(part for part in (stage, parameter) if part)
    flag = next((flag for flag, one in _PATHS.items() if one == path), path)
    return f"--{flag.replace('_', '-')}"
