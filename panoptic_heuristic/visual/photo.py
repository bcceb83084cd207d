"""The images that maps are drawn beside."""

from pathlib import Path
from typing import Tuple

import numpy as np
from PIL import ImageOps

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.images import opened_image
from panoptic_heuristic.formats.photos import eight_bit_photo, photo_depth, stretched_photo


def read_photo(
    image_root: Path, file_name: str, size: Tuple[int, int], said_by: str, *, for_the_eye: bool = False
) -> np.ndarray:
    """Reads an image as (H, W, 3) uint8 RGB, turned as its EXIF data says.

    Args:
        image_root: the folder of the images.
        file_name: in it.
        size: expected, (H, W) in pixels.
        said_by: the source of that size, for the error.
        for_the_eye: stretch a photograph of more than 8 bits per channel from its own darkest to its brightest pixel,
            which is a sight, and no input to anything that computes.

    Raises:
        InputError: the name leads out of the folder, the image is missing or damaged, not of the size, or of more than
            8 bits per channel and not for the eye.
    """
    path = inside(image_root, file_name)
    with opened_image(path) as photo:
        # Before it is decoded.
        if max(photo.size) != max(size):
            raise _other_size(path, photo.size[::-1], size, said_by)
        # As Detectron2 turns it before it compares sizes.
        shallow = stretched_photo(photo) if for_the_eye else eight_bit_photo(photo, path)
        pixels = np.asarray(ImageOps.exif_transpose(shallow).convert("RGB"))
    if pixels.shape[:2] != tuple(size):
        raise _other_size(path, pixels.shape[:2], size, said_by)
    return pixels


def is_stretched(image_root: Path, file_name: str) -> bool:
    """True of an image that :func:`read_photo` stretches for the eye. Nothing is decoded."""
    with opened_image(inside(image_root, file_name)) as photo:
        return photo_depth(photo) is not None


def _other_size(path: Path, found: Tuple[int, int], expected: Tuple[int, int], said_by: str) -> InputError:
    is_size, said = ("{1}x{0}".format(*one) for one in (found, expected))
    return InputError(f"{path} is {is_size} pixels, but {said_by} says {said}")
