"""Shared by the command lines: the parser, types of numbers, and flags that mean the same everywhere."""

import argparse
import math
import re
from pathlib import Path
from typing import Any, Callable, NoReturn, Optional, Sequence

from panoptic_heuristic.errors import InputError


class CommandParser(argparse.ArgumentParser):
    """A parser that shows texts as they are, and says in one sentence what is wrong with a command line.

    Args:
        description: of the command; its module's docstring.
        examples: come after the flags.
        options: as for ``ArgumentParser``, which makes the parsers of sub-commands.
    """

    def __init__(self, description: Optional[str] = None, examples: Optional[str] = None, **options: Any):
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, epilog=examples, formatter_class=raw, **options)

    def error(self, message: str) -> NoReturn:
        """Raises an :class:`InputError` for a wrong command line."""
        raise InputError(re.sub(r"^argument (\S+): ", r"\1 ", message))


def whole_number(low: int, high: Optional[int] = None) -> Callable[[str], int]:
    """The type of a flag whose value is an integer of ``low`` to ``high``, both included."""
    return _number_type(int, "a whole number", low, math.inf if high is None else high)


def number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """The type of a flag whose value is a float of ``low`` to ``high``, both included; never NaN."""
    return _number_type(float, "a number", low, high)


def _number_type(kind: Callable, name: str, low: float, high: float) -> Callable:
    bounds = f"at least {low}" if high == math.inf else f"in [{low}, {high}]"

    def parse(text: str):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be {name}, got {text!r}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be {bounds}, got {text}")
        return value

    return parse


def add_workers_argument(parser: "argparse._ActionsContainer") -> None:
    """Adds ``--workers``, a number of processes, to a parser or a group."""
    # The doctor has this module on a bare Python, too.
    from panoptic_heuristic.formats.workers import default_workers

    parser.add_argument(
        "--workers", type=whole_number(1), default=default_workers(), metavar="N",
        help="processes (default: up to 4, here %(default)s)",
    )  # fmt: skip


def add_bad_annotations_argument(parser: "argparse._ActionsContainer") -> None:
    """Adds ``--bad-annotations``, the fate of annotations whose mask cannot be read."""
    # The doctor has this module on a bare Python, too.
    from panoptic_heuristic.formats.bad_annotations import BAD_ANNOTATIONS

    parser.add_argument(
        "--bad-annotations", choices=BAD_ANNOTATIONS, default="fail",
        help="an annotation without a mask that can be read, such as an empty segmentation, a polygon of two points or "
        "an RLE of another size, ends the run (fail) or is left out and counted (skip) (default: %(default)s)",
    )  # fmt: skip


def add_seed_argument(parser: "argparse._ActionsContainer", what: str) -> None:
    """Adds ``--seed``, which decides all that is random; ``what`` says what that is."""
    parser.add_argument("--seed", type=whole_number(0), default=0, help=f"of {what} (default: %(default)s)")


def add_output_arguments(
    parser: "argparse._ActionsContainer", files: str, *, required: bool = True, default: Optional[Path] = None
) -> None:
    """Adds ``--output``, a folder, and ``--overwrite``; ``files`` says what is written there."""
    if default is not None:
        required, files = False, f"{files} (default: {default})"
    parser.add_argument(
        "--output", type=Path, required=required, default=default, metavar="FOLDER", help=f"a folder for {files}"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")


def add_cache_arguments(parser: "argparse._ActionsContainer", *, required: bool = True) -> None:
    """Adds ``--cache``, ``--gt-json`` and ``--gt-folder``, which tell ``open_store`` what to open."""
    parser.add_argument("--cache", type=Path, required=required, metavar="FOLDER", help="of cache-predictions")
    parser.add_argument("--gt-json", type=Path, help="COCO panoptic JSON (default: the one the cache was made with)")
    parser.add_argument("--gt-folder", type=Path, help="the folder of its PNGs")


def add_register_argument(parser: "argparse._ActionsContainer") -> None:
    """Adds ``--register``, which may be given several times; :func:`register_data_sets` takes its values."""
    parser.add_argument(
        "--register", action="append", default=[], metavar="FILE_OR_MODULE",
        help="Python that registers your data sets in Detectron2's catalogs, such as my_datasets.py; may be repeated",
    )  # fmt: skip


def register_data_sets(sources: Sequence[str]) -> None:
    """Runs what ``--register`` names, once per process. Processes that are launched are fresh and do it, too.

    Raises:
        InputError: there is no such file or module, or it raises.
    """
    # The doctor has this module on a bare Python, too.
    from panoptic_heuristic.formats.user_code import run_file_or_module

    for source in sources:
        run_file_or_module(source, "data sets")


def add_rule_files_argument(parser: "argparse._ActionsContainer") -> None:
    """Adds ``--rule-files``; :func:`~panoptic_heuristic.fusion.rule_files.load_rule_files` takes its values."""
    parser.add_argument(
        "--rule-files", nargs="+", default=[], metavar="FILE",
        help="Python that registers the rules of your own that a sweep has; what the sweep itself names is not run",
    )  # fmt: skip
