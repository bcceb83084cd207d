"""Shared by the commands: progress bars, care for files that are there already, and what is printed of files."""

from pathlib import Path
from typing import Callable, Iterable

from tqdm import tqdm

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import check_writable
from panoptic_heuristic.formats.listing import Listing


def progress_bar(what: str, unit: str = "image") -> Callable[[Iterable, int], Iterable]:
    """A function that shows how far an iterable is, given its length; silent when stderr is no terminal.

    Args:
        what: what is being done, before the bar.
        unit: what is counted.
    """
    return lambda items, total: tqdm(items, total=total, desc=what, unit=unit, disable=None)


def check_results(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """Refuses to replace result files unasked, and to work for files that cannot be written.

    Args:
        folder: what ``--output`` names; it need not exist.
        names: the files that will be written there.
        overwrite: whether they may be replaced.

    Raises:
        InputError: the folder is a file, holds one of the files, or nothing can be written there.
    """
    check_writable(folder)
    there = [name for name in names if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(f"{folder / there[0]} is there already; --overwrite replaces it")


def check_folder(folder: Path, overwrite: bool) -> None:
    """Checks the folder that ``--output`` names, for files whose names depend on the input; does not make it.

    Raises:
        InputError: it holds files and may not be written over, is a file, or nothing can be written there.
    """
    check_writable(folder)
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise InputError(f"{folder} holds files already; choose another --output, or --overwrite")


def print_note(listing: Listing) -> None:
    """Says which files were left out, if any were."""
    if note := listing.note():
        print(note)


def print_written(paths: Iterable[Path]) -> None:
    """Prints the files and folders that a command has written."""
    print(f"written: {', '.join(map(str, paths))}")
