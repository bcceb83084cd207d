"""The PNGs of COCO panoptic data: 8-bit RGB, a segment id in each pixel.

A fast decoder reads the plain ones. Pillow, which takes twice OpenCV's time and more, reads the others, and says what
is wrong with a damaged one.
"""

import struct

import numpy as np
from deflate import zlib_compress

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic.ids import ids_to_rgb, rgb_to_ids
from panoptic_heuristic.formats.coco_panoptic.png_decoder import PanopticMap, as_ids, plain_map
from panoptic_heuristic.formats.files import PathLike, read_bytes, written_whole
from panoptic_heuristic.formats.png import (
    SIGNATURE,
    check_pixel_count,
    decode_with_pillow,
    png_chunk,
    png_header,
    without_opaque_alpha,
)

# Rows of flat colours are like the row above. At this level files are a few percent smaller than those of zlib's usual
# one, and writing them takes a third of the time.
_FILTER_UP = 2
_LEVEL = 5


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
    return as_ids(read_panoptic_map(path, height=height, width=width))


def decode_panoptic_png(content: bytes, path: PathLike, *, height: int, width: int) -> np.ndarray:
    """Decodes a panoptic PNG that was read.

    Args:
        content: the whole file.
        path: the file, for the error.
        height, width, and all else: as in :func:`read_panoptic_png`.
    """
    return as_ids(_decoded(content, path, height, width))


def read_panoptic_map(path: PathLike, *, height: int, width: int) -> PanopticMap:
    """:func:`read_panoptic_png` without the step to ids where none is needed; arguments and errors are the same."""
    return _decoded(read_bytes(path), path, height, width)


def _decoded(content: bytes, path: PathLike, height: int, width: int) -> PanopticMap:
    """The header is checked before anything is decoded."""
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
    if header.kind == "8-bit RGB" and not header.interlaced:
        plain = plain_map(content, height, width)
        if plain is not None:
            return plain
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
        InputError: an id does not fit a PNG, or there is no pixel.
    """
    colors = ids_to_rgb(ids)
    if not colors.size:
        raise InputError(f"a PNG has at least one pixel, got segment ids of shape {colors.shape[:2]}")
    with written_whole(path) as temporary:
        temporary.write_bytes(_encoded(colors))


def _encoded(colors: np.ndarray) -> bytes:
    height, width, _ = colors.shape
    rows = colors.reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), dtype=np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[:1, 1:] = rows[:1]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    compressed = zlib_compress(filtered.data, _LEVEL)
    return SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", compressed) + png_chunk(b"IEND", b"")
