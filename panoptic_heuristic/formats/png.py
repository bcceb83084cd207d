"""Decoding of PNGs whose colours are numbers, where a wrong value is worse than an error.

OpenCV decodes a panoptic PNG about twice as fast as Pillow (1.7 against 3.4 ms for a COCO one of 640x427), so
it reads the plain ones. Pillow reads the others, and says what is wrong with a damaged one.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.panoptic_ids import bgr_to_ids, rgb_to_ids

MAX_PIXELS = 2**27
"""A PNG of a few kilobytes can promise billions of pixels; real maps are smaller than this (11585 x 11585)."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_SIZE = 33
_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
# Chunks that change nothing about the pixels. Transparency, animation and orientation might, in OpenCV.
_HARMLESS = frozenset(
    [b"IHDR", b"IDAT", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"bKGD"]
)


@dataclass(frozen=True)
class PngHeader:
    """What the first bytes of a PNG say.

    Attributes:
        height, width: in pixels.
        kind: depth and kind of its pixels, such as "8-bit RGB".
        interlaced: whether the pixels are stored in several passes.
    """

    height: int
    width: int
    kind: str
    interlaced: bool


def read_id_png(path: PathLike, *, height: int, width: int) -> np.ndarray:
    """Reads an 8-bit RGB PNG of ids; what its header says is checked before anything is decoded.

    Args:
        path: the PNG.
        height, width: the size it must have, in pixels.

    Returns:
        (height, width) int32, R + 256 G + 65536 B.

    Raises:
        InputError: the file is missing, damaged, no 8-bit RGB PNG, of another size, or of more than
            :data:`MAX_PIXELS`.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(_HEADER_SIZE)
            header = png_header(start, path)
            # From the file itself: Pillow reads 16-bit RGB as 8-bit in silence.
            if header.kind != "8-bit RGB":
                raise InputError(
                    f"{path} is a PNG of {header.kind}; panoptic PNGs are 8-bit RGB (id = R + 256 G + 65536 B)"
                )
            if (header.height, header.width) != (height, width):
                raise InputError(
                    f"{path} is {header.width}x{header.height} pixels, "
                    f"but the JSON says {width}x{height} for this image"
                )
            if height * width > MAX_PIXELS:
                raise InputError(f"{path} is {width}x{height} pixels; at most {MAX_PIXELS} pixels are decoded")
            content = start + file.read()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not header.interlaced and _is_plain(content):
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is not None and pixels.shape == (height, width, 3):
            return bgr_to_ids(pixels)
    return rgb_to_ids(_decode_with_pillow(content, path, (height, width, 3)))


def png_header(start: bytes, path: PathLike) -> PngHeader:
    """Reads the first bytes of a PNG, of which it needs 33.

    Raises:
        InputError: they are no PNG's; ``path`` is named.
    """
    if len(start) < _HEADER_SIZE or start[:8] != _SIGNATURE or start[12:16] != b"IHDR":
        raise InputError(f"{path} is not a PNG")
    width, height, depth, color_type, _, _, interlaced = struct.unpack(">IIBBBBB", start[16:29])
    return PngHeader(height, width, f"{depth}-bit {_KINDS.get(color_type, 'unknown')}", bool(interlaced))


def _is_plain(content: bytes) -> bool:
    """Whether every chunk is whole, and none could make OpenCV read other pixels than Pillow does."""
    place = len(_SIGNATURE)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        kind, end = content[place + 4 : place + 8], place + 8 + length
        checksum = zlib.crc32(memoryview(content)[place + 4 : end])
        if content[end : end + 4] != struct.pack(">I", checksum):
            return False
        if kind not in _HARMLESS:
            return kind == b"IEND"
        place = end + 4
    return False


def _decode_with_pillow(content: bytes, path: PathLike, shape: Tuple[int, int, int]) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            pixels = np.asarray(image)
    # Pillow's decoders end in a dozen kinds of exceptions on damaged files, and all mean the same here.
    except Exception as error:
        raise InputError(f"{path} is damaged: {str(error) or type(error).__name__}") from error
    if pixels.shape != shape:
        raise InputError(f"{path} is damaged: its header says {shape[:2]} pixels, and {pixels.shape[:2]} came out")
    return pixels
