"""Masks inside boxes as COCO's compressed run lengths."""

from typing import Tuple

import numpy as np
from pycocotools import mask as rle_codec


def counts_of_crop(mask: np.ndarray, x0: int, y0: int, image_size: Tuple[int, int]) -> bytes:
    """The compressed run lengths that pycocotools' ``encode`` gives of a mask in its whole image.

    The cost depends on the size of the crop, not on that of the image.

    Args:
        mask: (h, w) bool, a part of the image; outside it the mask has no pixel.
        x0, y0: the crop's left upper pixel.
        image_size: (H, W) in pixels.
    """
    height, width = image_size
    rows = mask.shape[0] + 1
    # A free pixel below each column, so that no run leaves its column.
    columns = np.zeros((mask.shape[1], rows), dtype=np.uint8)
    columns[:, :-1] = mask.T
    pixels = columns.reshape(-1)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    column, row = np.divmod(np.concatenate([[0], changes]) if pixels[:1].any() else changes, rows)
    edges = (column + x0) * height + (row + y0)
    # In full columns runs meet, and are one.
    gaps = edges[1:-1].reshape(-1, 2)
    gaps = gaps[gaps[:, 0] != gaps[:, 1]]
    runs = np.diff(np.concatenate([[0], edges[:1], gaps.reshape(-1), edges[-1:], [height * width]]))
    # There is a first run without a pixel, but no last one.
    runs = runs if runs[-1] else runs[:-1]
    return rle_codec.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)["counts"]
