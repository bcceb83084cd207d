"""Named NumPy arrays in one file that knows when it is damaged.

A file is one line, ``panoptic_heuristic arrays 2 <SHA-256 of the rest>``, a line of JSON that lists each array's name,
type and shape, and two zlib streams: all whole numbers and bools, and all floating-point numbers. Equal arrays give
equal bytes, and nothing is ever unpickled. Files of version 1, which hold NumPy's ``.npz`` after the first line, are
read, too.
"""

import hashlib
import io
import json
import math
import zlib
from pathlib import Path
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple

import cv2
import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_bytes, written_whole

_START = b"panoptic_heuristic arrays "
_NEWEST = b"2"

MAX_BYTES = 2**31
"""The most bytes that the arrays of a file may take in memory: a few kilobytes of zlib can promise any number."""

# Byte by byte, level 1 makes smaller files of predictions and regions than level 6 does of the arrays as they are in
# memory, in a sixth of its time.
_LEVEL = 1

# By whether they hold floating-point numbers. Of logits and masks' probabilities hardly anything repeats but single
# bytes: not to look for more takes two fifths of the time, and makes files at most 2 % larger.
_STRATEGIES = {False: zlib.Z_DEFAULT_STRATEGY, True: zlib.Z_RLE}

_KINDS = "biuf"


class DamagedFileError(InputError):
    """A file is not what its checksum says."""


def write_arrays(path: PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays whole or not at all.

    Args:
        path: the file; its folder is made if it is missing.
        arrays: by name. Numbers and bools only.
    """
    ordered = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    listed = [[name, array.dtype.str, array.shape] for name, array in ordered.items()]
    packed = [
        _packed((array for array in ordered.values() if _is_float(array.dtype) == are_floats), strategy)
        for are_floats, strategy in _STRATEGIES.items()
    ]
    content = b"".join([json.dumps(listed).encode("ascii"), b"\n", *packed])
    with written_whole(path) as temporary:
        temporary.write_bytes(_first_line(_NEWEST, content) + content)


def read_arrays(path: PathLike) -> Dict[str, np.ndarray]:
    """Reads what :func:`write_arrays` wrote, in this version or the one before.

    Raises:
        DamagedFileError: the file is cut, was changed, or is something else.
        InputError: the file is missing or unreadable.
    """
    version, content = _checked(read_bytes(path))
    if version is None:
        raise DamagedFileError(f"{path} is damaged: its checksum does not fit; run again what wrote it")
    try:
        return _VERSIONS[version](content)
    # An archive of something else ends in a dozen kinds of exceptions, and all mean the same here.
    except Exception as error:
        raise DamagedFileError(f"{path} is damaged: {error}; run again what wrote it") from error


def is_sound(path: PathLike) -> bool:
    """True if the file is there and what its checksum says, whatever it holds."""
    try:
        return _checked(Path(path).read_bytes())[0] is not None
    except OSError:
        return False


def read_checksum(path: PathLike) -> str:
    """The SHA-256 that a file states of itself, in hex; the rest is not read.

    Raises:
        DamagedFileError: the file does not start as it should.
        InputError: the file is missing or unreadable.
    """
    first_line = read_bytes(path, len(_first_line(_NEWEST, b"")))
    stated = first_line[len(_START) : -1].partition(b" ")[2]
    if not first_line.startswith(_START) or first_line.find(b"\n") != len(first_line) - 1 or len(stated) != 64:
        raise DamagedFileError(f"{path} is damaged: it has no checksum; run again what wrote it")
    return stated.decode("ascii", "replace")


def _first_line(version: bytes, content: bytes) -> bytes:
    return _START + version + b" " + hashlib.sha256(content).hexdigest().encode("ascii") + b"\n"


def _checked(file: bytes) -> Tuple[Optional[bytes], bytes]:
    """The version of a file and what follows its first line; None in place of the version of a damaged one."""
    first_line, _, content = file.partition(b"\n")
    version = first_line[len(_START) :].partition(b" ")[0]
    fits = version in _VERSIONS and first_line + b"\n" == _first_line(version, content)
    return version if fits else None, content


def _arrays_of(content: bytes) -> Dict[str, np.ndarray]:
    """The arrays of version 2."""
    listed, _, packed = content.partition(b"\n")
    forms = [(name, np.dtype(kind), tuple(shape)) for name, kind, shape in json.loads(listed)]
    sizes = [_bytes_of(dtype, shape) for _, dtype, shape in forms]
    _check_size(sum(sizes))
    planes: Dict[int, memoryview] = {}
    for are_floats in _STRATEGIES:
        places = [place for place, (_, dtype, _) in enumerate(forms) if _is_float(dtype) == are_floats]
        some = [sizes[place] for place in places]
        data, packed = _unpacked(packed, sum(some))
        planes.update(zip(places, _cut(data, some), strict=True))
    return {name: _of_planes(planes[k], dtype).reshape(shape) for k, (name, dtype, shape) in enumerate(forms)}


def _arrays_of_npz(content: bytes) -> Dict[str, np.ndarray]:
    """The arrays of version 1."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        _check_size(sum(member.file_size for member in arrays.zip.infolist()))
        return {name: arrays[name] for name in arrays.files}


_VERSIONS = {b"1": _arrays_of_npz, b"2": _arrays_of}


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise ValueError(f"its arrays take more than {MAX_BYTES} bytes")


def _bytes_of(dtype: np.dtype, shape: Tuple[int, ...]) -> int:
    if dtype.kind not in _KINDS or any(type(side) is not int or side < 0 for side in shape):
        raise ValueError(f"it holds no numbers but {dtype} of shape {shape}")
    return dtype.itemsize * math.prod(shape)


def _cut(data: bytes, sizes: Iterable[int]) -> Iterator[memoryview]:
    start = 0
    for size in sizes:
        yield memoryview(data)[start : start + size]
        start += size


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f"


def _packed(arrays: Iterable[np.ndarray], strategy: int) -> bytes:
    packer = zlib.compressobj(_LEVEL, strategy=strategy)
    return b"".join([*(packer.compress(_planes(array)) for array in arrays), packer.flush()])


def _unpacked(packed: bytes, size: int) -> Tuple[bytes, bytes]:
    """So many bytes of a stream, which must be all that it holds; and what follows the stream."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(packed, size + 1)
    if len(data) != size or not unpacker.eof:
        raise ValueError("its arrays are of other sizes than it says")
    return data, unpacker.unused_data


def _planes(array: np.ndarray) -> np.ndarray:
    """The bytes of an array, the first of all numbers before the second of all: those of one place are alike."""
    values = array.reshape(-1).view(np.uint8).reshape(-1, array.itemsize)
    return values if min(values.shape) < 2 else cv2.transpose(values)


def _of_planes(planes: memoryview, dtype: np.dtype) -> np.ndarray:
    """The inverse of :func:`_planes`, one-dimensional."""
    places = np.frombuffer(planes, np.uint8).reshape(dtype.itemsize, -1)
    values = places.copy() if min(places.shape) < 2 else cv2.transpose(places)
    return values.reshape(-1).view(dtype)
