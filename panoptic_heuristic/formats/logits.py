"""Semantic logits on disk: one .npz per image with one array (C, H, W)."""

import zipfile
import zlib
from typing import Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike


def read_logits(path: PathLike, *, channels: int, height: int, width: int) -> Tuple[np.ndarray, np.ndarray]:
    """Reads logits, and which is the largest one of each pixel.

    Args:
        path: an .npz file with one floating-point array; what it is called does not matter.
        channels, height, width: the shape it must have.

    Returns:
        (channels, height, width) logits as they are in the file, and (height, width) channels of the
        largest: uint8, int32 for more than 256 channels. Of equal logits the first counts.

    Raises:
        InputError: the file is missing or damaged, its array has another shape or no floating-point
            numbers, or one is NaN.
    """
    try:
        name, shape, dtype = _header(path)
        # Before anything is unpacked: a small file can promise terabytes. PyTorch has no numbers of more than 64 bits.
        if shape != (channels, height, width) or dtype.kind != "f" or dtype.itemsize > 8:
            raise InputError(
                f"{path}: expected floating-point logits of shape {(channels, height, width)}, got {shape} {dtype}"
            )
        with np.load(path, allow_pickle=False) as arrays:
            logits = arrays[name]
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read as an .npz file: {error}") from error
    return logits, _argmax(logits, path)


def _header(path: PathLike) -> Tuple[str, Tuple[int, ...], np.dtype]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1 or not names[0].endswith(".npy"):
            raise InputError(f"{path} must hold one array, got {len(names)}")
        with archive.open(names[0]) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
    return names[0][: -len(".npy")], shape, dtype


def _argmax(logits: np.ndarray, path: PathLike) -> np.ndarray:
    # Channel after channel instead of NumPy's argmax over the first axis, which jumps through memory.
    labels = np.zeros(logits.shape[1:], dtype=np.uint8 if len(logits) <= 256 else np.int32)
    largest = logits[0].copy()
    for label, channel in enumerate(logits[1:], start=1):
        labels[channel > largest] = label
        # Keeps a NaN where there is one.
        np.maximum(largest, channel, out=largest)
    if np.isnan(largest).any():
        raise InputError(f"{path}: the logits hold NaN")
    return labels
