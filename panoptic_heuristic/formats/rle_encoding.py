"""Masks inside boxes as COCO's compressed run lengths."""

from typing import List, Sequence, Tuple

import cv2
import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.formats.rle import Box


def counts_of_boxes(boxes: Sequence[Box], image_size: Tuple[int, int]) -> Tuple[bytes, ...]:
    """The compressed run lengths that pycocotools' ``encode`` gives of each mask in its whole image.

    The cost depends on the size of the boxes, not on that of the image.

    Args:
        boxes: of each mask a part of the image outside of which it has no pixel, tight or not.
        image_size: (H, W) in pixels.
    """
    height, width = image_size
    runs = [np.diff(ends, prepend=0) for ends in _ends_of_runs(boxes, height, height * width)]
    encodings = [{"size": [height, width], "counts": one.tolist()} for one in runs]
    return tuple(one["counts"] for one in rle_codec.frPyObjects(encodings, height, width)) if encodings else ()


def _ends_of_runs(boxes: Sequence[Box], height: int, pixels: int) -> List[np.ndarray]:
    """Of each mask the pixel, in column order, after each of its runs: background, mask, and so on; the last has some.

    All at once: NumPy's calls take longer than their work on one mask.
    """
    shapes = [(box.mask.shape[1], box.mask.shape[0] + 1) for box in boxes]
    stops = np.cumsum([0, *(columns * rows for columns, rows in shapes)]).tolist()
    # Down the columns, with a free pixel below each, so that no run leaves its column, and one before all.
    flat = np.zeros(1 + stops[-1], dtype=np.uint8)
    for box, shape, start, stop in zip(boxes, shapes, stops, stops[1:], strict=False):
        if box.mask.size:
            flat[1 + start : 1 + stop].reshape(shape)[:, :-1] = cv2.transpose(box.mask.view(np.uint8))
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    borders = np.searchsorted(changes, stops)
    of_mask = np.repeat(np.arange(len(boxes)), np.diff(borders))
    x0, y0, rows, first = (
        np.array(values, dtype=np.int64)[of_mask]
        for values in ([box.x0 for box in boxes], [box.y0 for box in boxes], [rows for _, rows in shapes], stops[:-1])
    )
    columns, row = np.divmod(changes - first, rows)
    places = (columns + x0) * height + (row + y0)
    ends = []
    for start, stop in zip(borders, borders[1:], strict=False):
        # In full columns runs meet, and are one.
        one = places[start:stop]
        gaps = one[1:-1].reshape(-1, 2)
        meet = gaps[:, 0] == gaps[:, 1]
        if meet.any():
            one = np.concatenate([one[:1], gaps[~meet].reshape(-1), one[-1:]])
        ends.append(one if len(one) and one[-1] == pixels else np.append(one, pixels))
    return ends
