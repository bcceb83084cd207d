"""Run lengths of crops against pycocotools' encoding of whole masks."""

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic.formats.rle import Box
from panoptic_heuristic.formats.rle_encoding import counts_of_boxes


def whole(crop, x0, y0, image_size):
    mask = np.zeros(image_size, dtype=np.uint8, order="F")
    mask[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
    return rle_codec.encode(mask)["counts"]


def drawn(rng, height, width):
    """A box with a mask from empty over ragged to full, with full columns in it."""
    h, w = rng.choice([rng.integers(0, height + 1), height]), rng.integers(0, width + 1)
    mask = (rng.random((h, w)) < rng.choice([0, 0.1, 0.5, 0.9, 1])) | (rng.random(w) < 0.3)[None]
    return Box(int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1)), mask)


@pytest.mark.parametrize("seed", range(100))
def test_masks_in_boxes_anywhere_are_encoded_as_whole_masks_are(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2).tolist()
    boxes = [drawn(rng, height, width) for _ in range(rng.integers(0, 12))]
    expected = tuple(whole(box.mask, box.x0, box.y0, (height, width)) for box in boxes)
    assert counts_of_boxes(boxes, (height, width)) == expected


@pytest.mark.parametrize(
    "crop, x0, y0",
    [
        (np.zeros((0, 0), bool), 0, 0),
        (np.zeros((2, 2), bool), 1, 1),
        (np.ones((3, 4), bool), 0, 0),  # the first run has no pixel, and there is no last one
        (np.ones((3, 1), bool), 3, 0),
        (np.ones((1, 1), bool), 0, 0),
        (np.ones((1, 1), bool), 3, 2),
        (np.ones((3, 2), bool), 1, 0),  # two columns, one run
        (np.eye(3, 4, dtype=bool)[:, ::-1], 0, 0),  # not contiguous in memory
        (np.eye(4, 3, dtype=bool).T, 0, 0),
    ],
)
def test_crops_at_the_edges(crop, x0, y0):
    assert counts_of_boxes([Box(x0, y0, crop)], (3, 4)) == (whole(crop, x0, y0, (3, 4)),)
