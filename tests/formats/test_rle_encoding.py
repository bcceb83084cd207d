"""Run lengths of crops against pycocotools' encoding of whole masks."""

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic.formats.rle_encoding import counts_of_crop


def whole(crop, x0, y0, image_size):
    mask = np.zeros(image_size, dtype=np.uint8, order="F")
    mask[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
    return rle_codec.encode(mask)["counts"]


@pytest.mark.parametrize("seed", range(200))
def test_crops_anywhere_are_encoded_as_whole_masks_are(seed):
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 40, 2)
    h, w = rng.integers(0, height + 1), rng.integers(0, width + 1)
    if seed % 3 == 0:
        h = height
    x0, y0 = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    # From empty over ragged to full, full columns among them.
    crop = (rng.random((h, w)) < rng.choice([0, 0.1, 0.5, 0.9, 1])) | (rng.random(w) < 0.3)[None]
    size = int(height), int(width)
    assert counts_of_crop(crop, int(x0), int(y0), size) == whole(crop, x0, y0, size)


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
        (np.eye(3, 4, dtype=bool)[:, ::-1], 0, 0),  # not contiguous
    ],
)
def test_crops_at_the_edges(crop, x0, y0):
    assert counts_of_crop(crop, x0, y0, (3, 4)) == whole(crop, x0, y0, (3, 4))
