"""The id and the size of an image among the arrays of a cache's file."""

from typing import Dict, Mapping, Tuple

import numpy as np

from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays, wrong_inside
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.png import MAX_PIXELS

_FORMS = {"image": ArrayForm("whole numbers", (3,)), "image_id": ArrayForm("bytes", ("L",), optional=True)}


def image_to_arrays(image_id: ImageId, image_size: Tuple[int, int]) -> Dict[str, np.ndarray]:
    """``image``, (3,) int64: the id, height and width; of a text id 0, and its UTF-8 in ``image_id``, (L,) uint8."""
    if not isinstance(image_id, str):
        return {"image": np.array([image_id, *image_size], dtype=np.int64)}
    text = np.frombuffer(image_id.encode("utf-8"), dtype=np.uint8)
    return {"image": np.array([0, *image_size], dtype=np.int64), "image_id": text}


def image_of_arrays(arrays: Mapping[str, np.ndarray], where: str) -> Tuple[ImageId, Tuple[int, int]]:
    """The inverse of :func:`image_to_arrays`: the id and (H, W).

    Args:
        arrays: what was read.
        where: the file, for the error.

    Raises:
        InputError: the arrays are of something else, or the image has too many pixels.
    """
    check_arrays(arrays, _FORMS, where)
    image_id, height, width = arrays["image"].tolist()
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise wrong_inside(where, f"its image is {width}x{height} pixels; there are 1 to {MAX_PIXELS}")
    if "image_id" in arrays:
        try:
            image_id = arrays["image_id"].tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise wrong_inside(where, "the id of its image is no UTF-8") from error
    return image_id, (height, width)


def check_pixels(pixels: np.ndarray, name: str, image_size: Tuple[int, int], where: str) -> None:
    """Refuses parts of an image that have no pixel, or do not add up to its pixels.

    Args:
        pixels: integers, how many each part has.
        name: of the array, for the error.
        image_size: (H, W) in pixels.
        where: the file, for the error.

    Raises:
        InputError: they have none, or do not.
    """
    height, width = image_size
    # Each is in range before they are summed, lest the sum leaves 64 bits.
    inside = len(pixels) and pixels.min() >= 1 and pixels.max() <= height * width
    if not inside or int(pixels.sum(dtype=np.int64)) != height * width:
        raise wrong_inside(where, f"{name!r} does not add up to the {height * width} pixels of the image")
