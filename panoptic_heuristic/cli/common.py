"""What several commands share: flags that mean the same, progress bars, and care for what is on disk already."""

import argparse
from pathlib import Path
from typing import Callable, Iterable

from tqdm import tqdm

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import default_workers


def progress_bar(what: str, unit: str = "image") -> Callable[[Iterable, int], Iterable]:
    """A function that shows how far an iterable is, given its length; silent when stderr is no terminal.

    Args:
        what: what is being done, before the bar.
        unit: what is counted.
    """
    return lambda items, total: tqdm(items, total=total, desc=what, unit=unit, disable=None)


def add_workers_argument(parser: "argparse._ActionsContainer") -> None:
    """Adds ``--workers``, a number of processes, to a parser or a group."""
    parser.add_argument(
        "--workers", type=int, default=default_workers(), help="processes (default: up to 4, here %(default)s)"
    )


def add_cache_arguments(parser: "argparse._ActionsContainer", *, required: bool = True) -> None:
    """Adds ``--cache``, ``--gt-json`` and ``--gt-folder``, which tell ``open_store`` what to open."""
    parser.add_argument("--cache", type=Path, required=required, help="folder of tools/cache_predictions.py")
    parser.add_argument("--gt-json", type=Path, help="COCO panoptic JSON (default: the one the cache was made with)")
    parser.add_argument("--gt-folder", type=Path, help="the folder of its PNGs")


def check_results(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """Refuses to replace result files unasked.

    Args:
        folder: what ``--output`` names; it need not exist.
        names: the files that will be written there.
        overwrite: whether they may be replaced.

    Raises:
        InputError: the folder is a file, or holds one of the files.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder} is a file; expected a folder")
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(f"{folder / there[0]} is there already; --overwrite replaces it")


def make_output(folder: Path, overwrite: bool) -> None:
    """Makes the folder that ``--output`` names, for files whose names depend on the input.

    Raises:
        InputError: it holds files and may not be written over, or cannot be made.
    """
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder} holds files already; choose another --output, or --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to --output {folder}: {error.strerror}") from error
