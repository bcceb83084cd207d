"""The id and the size of an image among the arrays of a cache's file."""

from typing import Dict, Mapping, Tuple

import numpy as np

from panoptic_heuristic.formats.image_ids import ImageId


def image_to_arrays(image_id: ImageId, image_size: Tuple[int, int]) -> Dict[str, np.ndarray]:
    """``image``, (3,) int64: the id, height and width; of a text id 0, and its UTF-8 in ``image_id``, (L,) uint8."""
    if not isinstance(image_id, str):
        return {"image": np.array([image_id, *image_size], dtype=np.int64)}
    text = np.frombuffer(image_id.encode("utf-8"), dtype=np.uint8)
    return {"image": np.array([0, *image_size], dtype=np.int64), "image_id": text}


def image_of_arrays(arrays: Mapping[str, np.ndarray]) -> Tuple[ImageId, Tuple[int, int]]:
    """The inverse of :func:`image_to_arrays`: the id and (H, W).

    Raises:
        KeyError, ValueError: the arrays are of something else.
    """
    image_id, height, width = arrays["image"].tolist()
    if "image_id" in arrays:
        image_id = arrays["image_id"].tobytes().decode("utf-8")
    return image_id, (height, width)
