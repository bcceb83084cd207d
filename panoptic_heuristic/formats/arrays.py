"""Named NumPy arrays in one file that knows when it is damaged.

A file is one line, ``panoptic_heuristic arrays 1 <SHA-256 of the rest>``, and NumPy's ``.npz`` after
it. Equal arrays give equal bytes, and nothing is ever unpickled.
"""

import hashlib
import io
from pathlib import Path
from typing import Dict, Mapping

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_bytes, written_whole

_START = b"panoptic_heuristic arrays 1 "

MAX_BYTES = 2**31
"""The most bytes that the arrays of a file may take in memory: a few megabytes of zip can promise any number."""


class DamagedFileError(InputError):
    """A file is not what its checksum says."""


def write_arrays(path: PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays whole or not at all.

    Args:
        path: the file; its folder is made if it is missing.
        arrays: by name. Numbers and bools only.
    """
    payload = io.BytesIO()
    np.savez_compressed(payload, **{name: np.asarray(array, order="C") for name, array in arrays.items()})
    content = payload.getvalue()
    with written_whole(path) as temporary:
        temporary.write_bytes(_first_line(content) + content)


def read_arrays(path: PathLike) -> Dict[str, np.ndarray]:
    """Reads what :func:`write_arrays` wrote.

    Raises:
        DamagedFileError: the file is cut, was changed, or is something else.
        InputError: the file is missing or unreadable.
    """
    first_line, _, payload = read_bytes(path).partition(b"\n")
    if first_line + b"\n" != _first_line(payload):
        raise DamagedFileError(f"{path} is damaged: its checksum does not fit; run again what wrote it")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            if sum(member.file_size for member in arrays.zip.infolist()) > MAX_BYTES:
                raise ValueError(f"its arrays take more than {MAX_BYTES} bytes")
            return {name: arrays[name] for name in arrays.files}
    # A zip archive of something else ends in a dozen kinds of exceptions, and all mean the same here.
    except Exception as error:
        raise DamagedFileError(f"{path} is damaged: {error}; run again what wrote it") from error


def is_sound(path: PathLike) -> bool:
    """True if the file is there and what its checksum says, whatever it holds."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return False
    first_line, _, payload = content.partition(b"\n")
    return first_line + b"\n" == _first_line(payload)


def read_checksum(path: PathLike) -> str:
    """The SHA-256 that a file states of itself, in hex; the rest is not read.

    Raises:
        DamagedFileError: the file does not start as it should.
        InputError: the file is missing or unreadable.
    """
    first_line = read_bytes(path, len(_START) + 65)
    if not first_line.startswith(_START) or first_line.find(b"\n") != len(_START) + 64:
        raise DamagedFileError(f"{path} is damaged: it has no checksum; run again what wrote it")
    return first_line[len(_START) : -1].decode("ascii", "replace")


def _first_line(payload: bytes) -> bytes:
    return _START + hashlib.sha256(payload).hexdigest().encode("ascii") + b"\n"
