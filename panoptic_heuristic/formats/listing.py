"""The files in a folder, as folders are: with links to other disks, and with what file managers leave behind."""

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.temporary_names import is_temporary

LITTER = "of file managers"
NO_FILE = "that cannot be opened as a file"
OTHER_ENDING = "with another ending"
UNFINISHED = "that are not written to the end"

_LITTER_NAMES = (".DS_Store", "Thumbs.db")
_LITTER_START = "._"


@dataclass(frozen=True)
class Listing:
    """The files that were looked for, and the others.

    Attributes:
        folder: where they lie.
        names: relative to it with forward slashes, sorted.
        left_out: the other names, likewise, by the reason: :data:`LITTER` (``._*`` of macOS, ``.DS_Store``,
            ``Thumbs.db``), :data:`NO_FILE` (such as links that lead nowhere), :data:`OTHER_ENDING`.
    """

    folder: Path
    names: Tuple[str, ...]
    left_out: Dict[str, Tuple[str, ...]]

    @property
    def paths(self) -> List[Path]:
        """The files, in the order of their names."""
        return [self.folder / name for name in self.names]

    def note(self) -> str:
        """The names left out, counted and with an example by reason; empty without any."""
        if not self.left_out:
            return ""
        parts = [f"{len(names)} {reason}, such as {names[0]}" for reason, names in self.left_out.items()]
        return f"left out of {self.folder}: {'; '.join(parts)}"


def list_files(folder: PathLike, ending: str, *, below: bool = True) -> Listing:
    """Finds the files whose names end so. Links are followed, to files and to folders.

    Args:
        folder: the folder.
        ending: of the names, as ".png".
        below: also in its sub-folders, however deep; a link to a folder that holds it is not entered again.

    Raises:
        InputError: a folder cannot be read.
    """
    names: List[str] = []
    left_out: Dict[str, List[str]] = defaultdict(list)
    for name, is_file in _walk(Path(folder), "", frozenset(), below):
        reason = _reason_to_leave_out(name.rpartition("/")[2], is_file, ending)
        (left_out[reason] if reason else names).append(name)
    return Listing(Path(folder), tuple(sorted(names)), {key: tuple(sorted(left_out[key])) for key in sorted(left_out)})


def _reason_to_leave_out(name: str, is_file: bool, ending: str) -> str:
    if name.startswith(_LITTER_START) or name in _LITTER_NAMES:
        return LITTER
    if is_temporary(name):
        return UNFINISHED
    if not is_file:
        return NO_FILE
    return "" if name.endswith(ending) else OTHER_ENDING


def _walk(
    folder: Path, prefix: str, above: FrozenSet[Tuple[int, int]], below: bool
) -> Iterator[Tuple[str, bool]]:
    """What a folder holds: names after a prefix, and True of files.

    ``above`` has device and inode of the folders on the way.
    """
    try:
        status = os.stat(folder)
        key = (status.st_dev, status.st_ino)
        if key in above:
            return
        entries = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error
    for name in entries:
        path = folder / name
        # Of a link in a circle they say False, where os.scandir's entries raise.
        if not os.path.isdir(path):
            yield prefix + name, os.path.isfile(path)
        elif below:
            yield from _walk(path, f"{prefix}{name}/", above | {key}, below)
