"""PNGs whose colours are numbers, where a wrong value is worse than an error: their headers, and careful decoding."""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Union

import numpy as np
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_bytes

MAX_PIXELS = 2**27
"""A PNG of a few kilobytes can promise billions of pixels; real maps are smaller than this (11585 x 11585)."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEADER_SIZE = 33
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


@dataclass(frozen=True)
class PngHeader:
    """The facts in the first bytes of a PNG.

    Attributes:
        height, width: in pixels.
        kind: depth and kind of its pixels, such as "8-bit RGB".
        interlaced: True if the pixels are stored in several passes.
    """

    height: int
    width: int
    kind: str
    interlaced: bool


def read_png_header(path: PathLike) -> PngHeader:
    """Reads the header of a PNG, and none of its pixels.

    Raises:
        InputError: the file is missing or no PNG.
    """
    return png_header(read_bytes(path, _HEADER_SIZE), path)


def png_header(start: bytes, path: PathLike) -> PngHeader:
    """The header of a PNG, from its first bytes, of which it needs 33.

    Raises:
        InputError: they are no PNG's; ``path`` is named.
    """
    if len(start) < _HEADER_SIZE or start[:8] != SIGNATURE or start[12:16] != b"IHDR":
        raise InputError(f"{path} is not a PNG")
    width, height, depth, color_type, _, _, interlaced = struct.unpack(">IIBBBBB", start[16:29])
    return PngHeader(height, width, f"{depth}-bit {_KINDS.get(color_type, 'unknown')}", bool(interlaced))


def check_pixel_count(header: PngHeader, path: PathLike) -> None:
    """Refuses to decode too large a PNG.

    Raises:
        InputError: it has more than :data:`MAX_PIXELS`.
    """
    if header.height * header.width > MAX_PIXELS:
        raise InputError(f"{path} is {header.width}x{header.height} pixels; at most {MAX_PIXELS} pixels are decoded")


def png_chunk(kind: bytes, data: Union[bytes, bytearray]) -> bytes:
    """A part of a PNG: length, kind of four letters, data and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def without_opaque_alpha(pixels: np.ndarray, path: PathLike) -> np.ndarray:
    """(H, W, C) pixels without their last channel, which says nothing if it is 255 all over.

    Raises:
        InputError: it is not.
    """
    if (pixels[:, :, -1] != 255).any():
        raise InputError(f"{path} has an alpha channel that is not opaque; if it says nothing, save the PNG without it")
    return pixels[:, :, :-1]


def decode_with_pillow(content: bytes, path: PathLike) -> np.ndarray:
    """Decodes a PNG.

    Args:
        content: the whole file.
        path: the file, for the error.

    Returns:
        (H, W) for grey, (H, W, C) for colours; uint8, or uint16 for 16-bit grey.

    Raises:
        InputError: the content is damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            return np.asarray(image)
    # Pillow's decoders end in a dozen kinds of exceptions on damaged files, and all mean the same here.
    except Exception as error:
        raise InputError(f"{path} is damaged: {str(error) or type(error).__name__}") from error
