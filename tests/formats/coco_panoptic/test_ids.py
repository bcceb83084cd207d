import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import ids_to_rgb, rgb_to_ids
from panoptic_heuristic.formats.coco_panoptic import MAX_ID

# id = R + 256 G + 65536 B: the ids around each byte's end.
COLORS = {
    0: (0, 0, 0),
    1: (1, 0, 0),
    255: (255, 0, 0),
    256: (0, 1, 0),
    65535: (255, 255, 0),
    65536: (0, 0, 1),
    66051: (3, 2, 1),
    2**24 - 1: (255, 255, 255),
}


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64])
def test_colors_of_ids(dtype):
    ids = np.array([list(COLORS)], dtype=dtype)
    colors = np.array([list(COLORS.values())], dtype=np.uint8)
    assert ids_to_rgb(ids).dtype == np.uint8
    np.testing.assert_array_equal(ids_to_rgb(ids), colors)
    assert rgb_to_ids(colors).dtype == np.int32
    np.testing.assert_array_equal(rgb_to_ids(colors), ids)


def test_rows_and_columns_stay_in_place():
    ids = np.array([[1, 2, 3], [256, 512, 768]])
    assert ids_to_rgb(ids).shape == (2, 3, 3)
    assert ids_to_rgb(ids)[1, 2].tolist() == [0, 3, 0]
    np.testing.assert_array_equal(ids_to_rgb(np.asfortranarray(ids)), ids_to_rgb(ids))
    np.testing.assert_array_equal(ids_to_rgb(ids[:, ::-2]), ids_to_rgb(ids)[:, ::-2])


@given(
    st_numpy.arrays(np.int64, st_numpy.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, MAX_ID))
)
def test_round_trip_from_ids(ids):
    np.testing.assert_array_equal(rgb_to_ids(ids_to_rgb(ids)), ids)


@given(st_numpy.arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3))))
def test_round_trip_from_colors(rgb):
    np.testing.assert_array_equal(ids_to_rgb(rgb_to_ids(rgb)), rgb)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_maps_without_pixels(shape):
    assert ids_to_rgb(np.zeros(shape, dtype=np.int32)).shape == (*shape, 3)
    assert rgb_to_ids(np.zeros((*shape, 3), dtype=np.uint8)).shape == shape


@pytest.mark.parametrize("wrong", [2**24, -1])
def test_an_id_beyond_24_bits_is_refused(wrong):
    with pytest.raises(InputError, match=re.escape("must be in [0, 16777215]") + f".*{wrong}"):
        ids_to_rgb(np.array([[0, wrong]]))


@pytest.mark.parametrize("dtype", [np.float32, bool])
def test_ids_must_be_integers(dtype):
    with pytest.raises(InputError, match=f"must be integers, got an array of {np.dtype(dtype)}"):
        ids_to_rgb(np.ones((2, 2), dtype=dtype))


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 3), np.uint16),
        np.zeros((1, 2, 2, 3), np.uint8),
    ],
)
def test_colors_must_be_8_bit_rgb(rgb):
    with pytest.raises(InputError, match=re.escape(f"got {rgb.shape} {rgb.dtype}")):
        rgb_to_ids(rgb)


def test_the_argument_is_left_alone():
    ids = np.array([[5, 70000]])
    rgb = ids_to_rgb(ids)
    rgb[:] = 0
    assert ids.tolist() == [[5, 70000]]
    back = rgb_to_ids(rgb)
    back[:] = 9
    assert rgb.max() == 0
