"""PNGs whose pixels are whole numbers: semantic labels and label-divisor values.

One rule says how a number lies in a pixel: its bytes, most significant first, are the channels.

    bits  PNG              known as
       8  8-bit grey       semantic labels
      16  16-bit grey      Cityscapes' instanceIds
      24  8-bit RGB        KITTI-STEP: R category, 256 G + B instance, which is label divisor 65536
      32  8-bit RGBA       the same rule with one byte more, since no PNG has 32-bit grey

COCO's panoptic PNGs are RGB too, but with the least significant byte first; they are read by
:func:`panoptic_heuristic.formats.read_panoptic_png`.
"""

from typing import Dict, Optional, Tuple

import numpy as np
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_bytes, written_whole
from panoptic_heuristic.formats.png import (
    PngHeader,
    check_pixel_count,
    decode_with_pillow,
    png_header,
    without_opaque_alpha,
)

BITS = (8, 16, 24, 32)

_BITS_OF_KIND: Dict[str, int] = {
    "8-bit grey": 8, "16-bit grey": 16, "8-bit RGB": 24, "8-bit RGBA": 32,
    # The numbers are the indices, as in Pascal VOC; the colours are for the eye.
    "1-bit palette": 8, "2-bit palette": 8, "4-bit palette": 8, "8-bit palette": 8,
    # Where the alpha is opaque all over.
    "8-bit grey with alpha": 8,
}  # fmt: skip
# Fixed, so that equal labels give equal files whatever Pillow's default is.
_COMPRESS_LEVEL = 6


def read_label_png(path: PathLike, *, size: Optional[Tuple[int, int]] = None) -> Tuple[np.ndarray, int]:
    """Reads a PNG of whole numbers; the file itself says how many bits they have.

    Args:
        path: the PNG.
        size: the height and width it must have, in pixels; None to take any.

    Returns:
        (H, W) int64, and the number of bits, one of :data:`BITS`.

    Raises:
        InputError: the file is missing, damaged, not such a PNG, of another size, or of more than
            :data:`panoptic_heuristic.formats.png.MAX_PIXELS`.
    """
    content, header = _checked(path, size)
    if header.kind not in _BITS_OF_KIND:
        raise InputError(
            f"{path} is a PNG of {header.kind}; label PNGs are 8-bit grey, 16-bit grey, 8-bit RGB, 8-bit RGBA, or have "
            "a palette whose indices are the labels"
        )
    pixels = decode_with_pillow(content, path)
    if header.kind == "8-bit grey with alpha":
        pixels = without_opaque_alpha(pixels, path)[:, :, 0]
    if pixels.ndim == 2:
        return pixels.astype(np.int64), _BITS_OF_KIND[header.kind]
    values = np.zeros(pixels.shape[:2], dtype=np.int64)
    for channel in np.moveaxis(pixels, 2, 0):
        values = values << 8 | channel
    return values, _BITS_OF_KIND[header.kind]


def read_semantic_png(path: PathLike, *, size: Optional[Tuple[int, int]] = None) -> Tuple[np.ndarray, int]:
    """Reads a PNG of semantic labels.

    It differs from :func:`read_label_png` where three channels are equal in each pixel: that is a grey picture saved in
    colour, and as numbers of 24 bits all but 0 would be above any label.

    Args:
        path: the PNG.
        size: the height and width it must have, in pixels; None to take any.

    Returns:
        (H, W) int64, and the number of bits.

    Raises:
        InputError: as :func:`read_label_png`.
    """
    values, bits = read_label_png(path, size=size)
    if bits == 32 and (values & 255 == 255).all():
        # An opaque alpha, since labels so high do not exist.
        values, bits = values >> 8, 24
    if bits == 24:
        grey = values & 255
        if np.array_equal(values, grey * 0x010101):
            return grey, 8
    return values, bits


def read_channels(path: PathLike, *, size: Optional[Tuple[int, int]] = None) -> np.ndarray:
    """Reads a PNG each of whose channels is a number of its own.

    Args:
        path: the PNG.
        size: the height and width it must have, in pixels; None to take any.

    Returns:
        (H, W, 3) or (H, W, 4) uint8.

    Raises:
        InputError: the file is missing, damaged, not 8-bit RGB or RGBA, of another size, or too large.
    """
    content, header = _checked(path, size)
    if header.kind not in ("8-bit RGB", "8-bit RGBA"):
        raise InputError(f"{path} is a PNG of {header.kind}; expected 8-bit RGB or 8-bit RGBA")
    return decode_with_pillow(content, path)


def write_channels(path: PathLike, channels: np.ndarray) -> None:
    """Writes (H, W, 3) or (H, W, 4) uint8 as a PNG, whole or not at all; missing folders are made."""
    _save(path, channels)


def write_label_png(path: PathLike, values: np.ndarray, bits: int) -> None:
    """Writes whole numbers as a PNG, whole or not at all; missing folders are made.

    Args:
        path: the PNG.
        values: (H, W) integers, each 0 to 2**bits - 1.
        bits: one of :data:`BITS`.

    Raises:
        InputError: a value does not fit.
    """
    if bits not in BITS:
        raise InputError(f"bits must be one of {', '.join(map(str, BITS))}, got {bits!r}")
    values = np.asarray(values)
    if values.size and (values.min() < 0 or values.max() >= 2**bits):
        raise InputError(
            f"{path}: values from {values.min()} to {values.max()} do not fit a PNG of {bits} bits, "
            f"which holds 0 to {2**bits - 1}; take more bits"
        )
    if bits <= 16:
        _save(path, values.astype(np.uint8 if bits == 8 else np.uint16))
    else:
        shifts = np.arange(bits - 8, -1, -8)
        _save(path, (values[:, :, None] >> shifts & 255).astype(np.uint8))


def _save(path: PathLike, pixels: np.ndarray) -> None:
    with written_whole(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG", compress_level=_COMPRESS_LEVEL)


def _checked(path: PathLike, size: Optional[Tuple[int, int]]) -> Tuple[bytes, PngHeader]:
    """The bytes of a PNG of that size, and its header."""
    content = read_bytes(path)
    header = png_header(content, path)
    if size is not None and (header.height, header.width) != tuple(size):
        raise InputError(f"{path} is {header.width}x{header.height} pixels, but its image is {size[1]}x{size[0]}")
    check_pixel_count(header, path)
    return content, header
