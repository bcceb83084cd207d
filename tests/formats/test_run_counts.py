"""The kernel that reads compressed runs, against the same in NumPy."""

import numpy as np
import pytest
from pycocotools import mask as rle_codec

from panoptic_heuristic import native
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.run_counts import ends_of_counts
from tests.formats.test_rle import random_masks
from tests.kernels import needs_kernels

pytestmark = needs_kernels


@pytest.fixture
def alike():
    """Checks that texts are read or refused alike with the kernel and without; gives what was found."""

    def attempt(texts, pixels):
        try:
            ends = ends_of_counts(texts, pixels, "mask {}".format)
        except InputError as error:
            return str(error)
        assert all(one.dtype == np.int64 for one in ends)
        return [one.tolist() for one in ends]

    def check(texts, pixels):
        found = attempt(texts, pixels)
        with native.switched_off():
            assert attempt(texts, pixels) == found
        return found

    return check


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1), (37, 23), (700, 300)])
def test_random_masks(alike, size):
    masks = random_masks(3, 40, size)
    texts = [rle_codec.encode(np.asfortranarray(one, dtype=np.uint8))["counts"] for one in masks]
    found = alike(texts, size[0] * size[1])
    assert [sum(stop - start for start, stop in zip(one[::2], one[1::2], strict=False)) for one in found] == [
        one.sum() for one in masks
    ]


@pytest.mark.parametrize("seed", range(200))
def test_texts_of_any_bytes(alike, seed):
    rng = np.random.default_rng([seed, 5])
    low, high = (48, 112) if seed % 2 else (0, 256)
    alike([bytes(rng.integers(low, high, rng.integers(0, 9)).astype(np.uint8)) for _ in range(2)], 4)


@pytest.mark.parametrize(
    "text, ends",
    [
        (b"1111", None),
        (b"1110", [1, 2, 3, 4]),
        (b"4", [4]),
        (b"04", [0, 4]),
        # More than the image has; below 0; below 0, which the next one makes up for.
        (b"5", None),
        (b"O5", None),
        (b"5O", None),
        # As many digits as are read, one more, one that goes on beyond the text, and none.
        (b"TPPPPP0", [4]),
        (b"TPPPPPP0", None),
        (b"4P", None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_drawn_texts(alike, text, ends):
    found = alike([b"22", text], 4)
    if ends is None:
        assert found.startswith("mask 1: counts must be run lengths >= 0 that add up to the 4 pixels of the image")
    else:
        assert found == [[2, 4], ends]


def test_no_mask_at_all(alike):
    assert alike([], 4) == []


def test_an_image_beyond_64_bits(alike):
    assert alike([b"4"], 2**64 + 4).startswith("mask 0: counts must be run lengths >= 0")
