"""Names for what is still being written. They tell whose it is, so that what a killed process left can go."""

import os
import platform
import re
import shutil
import zlib
from pathlib import Path
from typing import Set

_NAME = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial")
_LONGEST_SUFFIX = 8

# The folders in which this process has looked for leftovers.
_cleared: Set[Path] = set()


def temporary_beside(path: Path) -> Path:
    """The name under which this process writes ``path``: hidden, in the same folder, of at most 45 bytes.

    It keeps a short suffix, since image writers choose the format by it. The first call in a folder removes what
    processes of this machine left there that have ended since.
    """
    folder = Path(os.path.abspath(path.parent))
    if folder not in _cleared:
        _cleared.add(folder)
        _remove_leftovers(folder)
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    return path.with_name(f".{_machine()}-{os.getpid()}-{_checksum(os.fsencode(path.name))}.partial{suffix}")


def is_temporary(name: str) -> bool:
    """True of a name that :func:`temporary_beside` gives, on whatever machine."""
    return _NAME.match(name) is not None


def _remove_leftovers(folder: Path) -> None:
    for entry in os.scandir(folder):
        match = _NAME.match(entry.name)
        if match and match[1] == _machine() and not _is_alive(int(match[2])):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


def _machine() -> str:
    """Several machines may share a disk, and each knows its own processes only."""
    return _checksum(platform.node().encode("utf-8"))


def _checksum(text: bytes) -> str:
    return f"{zlib.crc32(text):08x}"


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # There a signal of 0 is none.
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
