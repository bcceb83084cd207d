"""Encoding of panoptic PNGs: a few flat colours, for which an image writer's usual care is wasted."""

import struct
import zlib

import numpy as np

# Measured on maps of 480x640 pixels: Pillow takes 8.3 ms for 15.3 KiB, since it tries every filter on every
# row; "up" alone with this level takes 3.4 ms for 14.5 KiB, and level 6 takes 4.7 ms for 14.0 KiB.
_LEVEL = 4
_UP = 2
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_rgb_png(rgb: np.ndarray) -> bytes:
    """An 8-bit RGB PNG of an image whose rows are much like the rows above them.

    Args:
        rgb: (H, W, 3) uint8, at least one pixel.

    Returns:
        The bytes of the file; equal images give equal bytes.
    """
    height, width = rgb.shape[:2]
    rows = rgb.reshape(height, 3 * width)
    filtered = np.empty((height, 1 + 3 * width), dtype=np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    # 8 bits, RGB, and the one method there is for compression, filtering and no interlacing.
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, _LEVEL)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
