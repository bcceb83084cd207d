"""The decoder of plain PNGs: libdeflate and a compiled kernel, or OpenCV where the kernels are not built.

Both give the same ids. OpenCV takes 1.1 to 1.6 ms for panoptic PNGs of 480x360 and 640x427, the kernel 0.1 to 0.4.
"""

import ctypes
import struct
import zlib
from dataclasses import dataclass
from typing import Iterator, Optional, Tuple, Union

import cv2
import numpy as np
from deflate import DeflateError, zlib_decompress

from panoptic_heuristic import native
from panoptic_heuristic.formats.coco_panoptic.ids import rgb_to_ids
from panoptic_heuristic.formats.png import SIGNATURE

# Chunks that change nothing about the pixels. Transparency, animation and orientation might, in some decoder.
_HARMLESS = frozenset(
    [b"IHDR", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"bKGD"]
)

# None, sub, up, average and Paeth.
_LAST_FILTER = 4

_UNDO_FILTERS = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)


@dataclass(frozen=True, eq=False)
class PngRows:
    """A panoptic PNG of which all is decoded but the filters of its rows, for the kernels.

    Attributes:
        filtered: (H, 1 + 3 W) uint8; a row is the number of its filter, 0 to 4, and what that left of the colours.
    """

    filtered: np.ndarray

    @property
    def shape(self) -> Tuple[int, int]:
        """(H, W) in pixels."""
        return self.filtered.shape[0], self.filtered.shape[1] // 3

    def ids(self) -> np.ndarray:
        """(H, W) int32, R + 256 G + 65536 B."""
        height, width = self.shape
        above, colors = np.zeros(3 * width, np.uint8), np.empty((height, width, 3), np.uint8)
        undo_filters = native.function("ph_undo_png_filters", _UNDO_FILTERS)
        undo_filters(self.filtered.ctypes.data, height, width, above.ctypes.data, colors.ctypes.data)
        return rgb_to_ids(colors)


PanopticMap = Union[np.ndarray, PngRows]
"""(H, W) integers, segment ids, or the rows of a PNG of them; both have a ``shape``."""


def as_ids(panoptic_map: PanopticMap) -> np.ndarray:
    """(H, W) integers, segment ids."""
    return panoptic_map.ids() if isinstance(panoptic_map, PngRows) else panoptic_map


def decoder_name() -> str:
    """The library that :func:`plain_map` decodes with."""
    return "libdeflate" if native.are_there() else "OpenCV"


def plain_map(content: bytes, height: int, width: int) -> Optional[PanopticMap]:
    """Decodes an 8-bit RGB PNG that is not interlaced.

    Args:
        content: the whole file.
        height, width: of its header, in pixels.

    Returns:
        Its rows where the kernels are, its ids, (height, width) int32, elsewhere; None where a chunk is damaged or
        unusual, or the pixels are damaged.
    """
    compressed = _compressed_rows(content)
    if compressed is None:
        return None
    if native.are_there():
        return _rows(compressed, height, width)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    is_whole = pixels is not None and pixels.shape == (height, width, 3)
    return rgb_to_ids(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)) if is_whole else None


def _rows(compressed: bytes, height: int, width: int) -> Optional[PngRows]:
    size = height * (1 + 3 * width)
    try:
        rows = np.frombuffer(zlib_decompress(compressed, size), np.uint8)
    except DeflateError:
        return None
    if rows.size != size:
        return None
    filtered = rows.reshape(height, -1)
    return PngRows(filtered) if filtered[:, 0].max() <= _LAST_FILTER else None


def _compressed_rows(content: bytes) -> Optional[bytes]:
    """The data of the pixels; None if a chunk is damaged, or could make a decoder read other pixels than Pillow."""
    parts = []
    for kind, data in _chunks(content):
        if kind == b"IDAT":
            parts.append(data)
        elif kind not in _HARMLESS:
            return b"".join(parts) if kind == b"IEND" else None
    return None


def _chunks(content: bytes) -> Iterator[Tuple[bytes, memoryview]]:
    """Kind and data of each chunk, as far as they are whole."""
    view, place = memoryview(content), len(SIGNATURE)
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        end = place + 8 + length
        if content[end : end + 4] != struct.pack(">I", zlib.crc32(view[place + 4 : end])):
            return
        yield content[place + 4 : place + 8], view[place + 8 : end]
        place = end + 4
