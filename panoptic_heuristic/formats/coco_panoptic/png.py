"""The PNGs of COCO panoptic data: 8-bit RGB, a segment id in each pixel.

A fast decoder reads the plain ones. Pillow, which takes twice OpenCV's time and more, reads the others, and says what
is wrong with a damaged one.
"""

import struct
import zlib

import cv2
import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic.ids import ids_to_bgr, rgb_to_ids
from panoptic_heuristic.formats.coco_panoptic.png_decoder import plain_ids
from panoptic_heuristic.formats.files import PathLike, read_bytes, written_whole
from panoptic_heuristic.formats.png import (
    SIGNATURE,
    check_pixel_count,
    decode_with_pillow,
    png_header,
    without_opaque_alpha,
)

# Chunks that change nothing about the pixels. Transparency, animation and orientation might, in some decoder.
_HARMLESS = frozenset(
    [b"IHDR", b"IDAT", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"bKGD"]
)

# Flat colours need none of an image writer's usual care: "up" alone at this level gives files no larger than Pillow's
# in half the time. OpenCV before 4.12 chooses the filter itself.
_WRITING = [cv2.IMWRITE_PNG_COMPRESSION, 4, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _WRITING += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def read_panoptic_png(path: PathLike, *, height: int, width: int) -> np.ndarray:
    """Reads the segment ids of a panoptic PNG.

    Args:
        path: the PNG, 8-bit RGB; an alpha channel must be opaque all over.
        height, width: the size the JSON gives, in pixels.

    Returns:
        (height, width) int32, R + 256 G + 65536 B; 0 is void.

    Raises:
        InputError: the file is missing, damaged, no 8-bit RGB PNG, of another size, or of more than
            :data:`panoptic_heuristic.formats.png.MAX_PIXELS`.
    """
    return decode_panoptic_png(read_bytes(path), path, height=height, width=width)


def decode_panoptic_png(content: bytes, path: PathLike, *, height: int, width: int) -> np.ndarray:
    """Decodes a panoptic PNG that was read; its header is checked before anything is decoded.

    Args:
        content: the whole file.
        path: the file, for the error.
        height, width, and all else: as in :func:`read_panoptic_png`.
    """
    header = png_header(content, path)
    # From the file itself: Pillow reads 16-bit RGB as 8-bit in silence.
    if header.kind not in ("8-bit RGB", "8-bit RGBA"):
        raise InputError(
            f"{path} is a PNG of {header.kind}; panoptic PNGs are 8-bit RGB (id = R + 256 G + 65536 B). If its numbers "
            "are the ids, write them as such: R = id % 256, G = id // 256 % 256, B = id // 65536"
        )
    if (header.height, header.width) != (height, width):
        raise InputError(
            f"{path} is {header.width}x{header.height} pixels, but the JSON says {width}x{height} for this image"
        )
    check_pixel_count(header, path)
    if header.kind == "8-bit RGB" and not header.interlaced and _is_plain(content):
        ids = plain_ids(content, height, width)
        if ids is not None:
            return ids
    pixels = decode_with_pillow(content, path)
    if header.kind == "8-bit RGBA":
        pixels = without_opaque_alpha(pixels, path)
    if pixels.shape != (height, width, 3):
        raise InputError(
            f"{path} is damaged: its header says {(height, width)} pixels, and {pixels.shape[:2]} came out"
        )
    return rgb_to_ids(pixels)


def write_panoptic_png(path: PathLike, ids: np.ndarray) -> None:
    """Writes segment ids as a panoptic PNG, whole or not at all; missing folders are made.

    Args:
        path: the PNG.
        ids: (H, W) integers, each 0 (void) to 2**24 - 1. Equal ids give equal bytes.

    Raises:
        InputError: an id does not fit a PNG.
    """
    _, encoded = cv2.imencode(".png", ids_to_bgr(ids), _WRITING)
    with written_whole(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _is_plain(content: bytes) -> bool:
    """True if every chunk is whole, and none could make a decoder read other pixels than Pillow does."""
    place = len(SIGNATURE)
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
