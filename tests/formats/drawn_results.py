"""Results of an instance head, drawn: a pixel of a mask is a letter."""

from typing import Any, Dict

import numpy as np
from pycocotools import mask as rle_codec


def rle(drawing: str, letter: str = "#", compressed: bool = True) -> Dict[str, Any]:
    """The run lengths of the pixels with a letter; rows are parted by spaces."""
    mask = np.array([[pixel == letter for pixel in row] for row in drawing.split()])
    if not compressed:
        flat = mask.ravel(order="F")
        borders = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
        return {"size": list(mask.shape), "counts": np.diff([0, *borders, flat.size]).tolist()}
    encoded = rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def found(category_id: int, drawing: str, score: float, image_id: int = 1) -> Dict[str, Any]:
    """An entry of a COCO results file."""
    return {"image_id": image_id, "category_id": category_id, "score": score, "segmentation": rle(drawing)}
