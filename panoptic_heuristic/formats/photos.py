"""Photographs of more than 8 bits per channel: Pillow turns their pixels to white, without a word."""

from pathlib import Path
from typing import Optional, Tuple

import numpy as np
from PIL import Image

from panoptic_heuristic.errors import InputError

ValueRange = Tuple[float, float]

_DEPTHS = {"I": "32-bit integers", "F": "floating-point numbers"}


def photo_depth(photo: Image.Image) -> Optional[str]:
    """The depth, in words, of a photograph whose pixels would be clipped when read with 8 bits; None of any other.

    Nothing is decoded. None of 16 bits in colour, either: Pillow reads their upper 8, which is the right picture.
    """
    return "16-bit grey" if photo.mode.startswith("I;16") else _DEPTHS.get(photo.mode)


def check_photo_depth(photo: Image.Image, path: Path, image_range: Optional[ValueRange]) -> None:
    """Refuses a deep photograph that no range scales. Nothing is decoded.

    Raises:
        InputError: it is grey with 16 bits, or of 32-bit integers or floating-point numbers, without a range.
    """
    depth = photo_depth(photo)
    if depth is not None and image_range is None:
        raise InputError(
            f"{path} has pixels of {depth}, which would all become white; save it with 8 bits per channel, by one "
            "scale for all images, or set that scale in the data set YAML, as in image_range: [0, 4095]"
        )


def eight_bit_photo(photo: Image.Image, path: Path, image_range: Optional[ValueRange] = None) -> Image.Image:
    """A photograph with 8 bits per channel: itself if it has no more.

    Args:
        photo: as Pillow opened it.
        path: the file, for the error.
        image_range: the pixel values of deep photographs that become 0 and 255; those between are scaled linearly,
            those beyond are clipped. None to refuse deep photographs.

    Raises:
        InputError: as :func:`check_photo_depth`.
    """
    check_photo_depth(photo, path, image_range)
    return photo if image_range is None or photo_depth(photo) is None else _scaled(photo, image_range)


def stretched_photo(photo: Image.Image) -> Image.Image:
    """A photograph with 8 bits per channel for the eye: a deep one from its own darkest to its brightest pixel."""
    if photo_depth(photo) is None:
        return photo
    values = np.asarray(photo)
    values = values[np.isfinite(values)]
    return _scaled(photo, (float(values.min()), float(values.max())) if values.size else (0, 1))


def _scaled(photo: Image.Image, image_range: ValueRange) -> Image.Image:
    low, high = image_range
    # An image of one value is black.
    share = (np.asarray(photo, dtype=np.float64) - low) / ((high - low) or 1)
    grey = Image.fromarray(np.rint(np.nan_to_num(share).clip(0, 1) * 255).astype(np.uint8))
    # The orientation is told there.
    grey.info.update(photo.info)
    grey.getexif().update(photo.getexif())
    return grey
