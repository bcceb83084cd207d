"""The files in a folder, as folders are: with links to other disks, and with what file managers leave behind."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import FrozenSet, Iterator, List, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike

_LITTER = (".DS_Store", "Thumbs.db")
_LITTER_START = "._"


@dataclass(frozen=True)
class Listing:
    """The files that were looked for.

    Attributes:
        folder: where they lie.
        names: relative to it with forward slashes, sorted.
        left_out: those that a file manager made beside them, such as ``._0001.png`` of macOS, likewise.
    """

    folder: Path
    names: Tuple[str, ...]
    left_out: Tuple[str, ...]

    @property
    def paths(self) -> List[Path]:
        """The files, in the order of their names."""
        return [self.folder / name for name in self.names]

    def note(self) -> str:
        """The files left out in words; empty without any."""
        if not self.left_out:
            return ""
        files = "1 file" if len(self.left_out) == 1 else f"{len(self.left_out)} files"
        return f"left out {files} of file managers in {self.folder}, such as {self.left_out[0]}"


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
    left_out: List[str] = []
    for name in _walk(Path(folder), "", frozenset(), below):
        last = name.rpartition("/")[2]
        if last.endswith(ending):
            (left_out if is_litter(last) else names).append(name)
    return Listing(Path(folder), tuple(sorted(names)), tuple(sorted(left_out)))


def is_litter(name: str) -> bool:
    """True of the name of a file that file managers make: ``._*``, ``.DS_Store`` and ``Thumbs.db``."""
    return name.startswith(_LITTER_START) or name in _LITTER


def _walk(folder: Path, prefix: str, above: FrozenSet[Tuple[int, int]], below: bool) -> Iterator[str]:
    """The files of a folder, their names after a prefix; ``above`` has device and inode of the folders on the way."""
    try:
        status = os.stat(folder)
        key = (status.st_dev, status.st_ino)
        if key in above:
            return
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            if below:
                yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", above | {key}, below)
        elif entry.is_file():
            yield prefix + entry.name
