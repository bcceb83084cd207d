"""What is asked of every segment: the answers of the pixels, at a cost that does not grow with the segments."""

import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from pycocotools import mask as rle_codec

from panoptic_heuristic.formats.runs import (
    numbered_segments,
    segment_crops,
    segment_extents,
    segment_ids,
    segment_rles,
    values_of_segments,
)

SMALL_MAPS = st_numpy.arrays(
    st.sampled_from([np.int32, np.int64]),
    st_numpy.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.integers(0, 4),
)
# The last pixel of a column and the first of the next are one run of a mask.
WRAPPED = np.array([[1, 2, 1], [1, 1, 1], [2, 1, 2]])


def test_extents_of_a_drawing():
    boxes, areas = segment_extents(np.array([[0, 7, 7, 0], [9, 7, 0, 9]]))
    assert boxes == {0: (0, 0, 4, 2), 7: (1, 0, 2, 2), 9: (0, 1, 4, 1)}
    assert areas == {0: 3, 7: 3, 9: 2}


@given(SMALL_MAPS)
def test_extents_are_those_of_the_pixels(ids):
    boxes, areas = segment_extents(ids)
    assert list(boxes) == list(areas) == np.unique(ids).tolist()
    for segment_id, (x, y, width, height) in boxes.items():
        rows, columns = np.nonzero(ids == segment_id)
        assert areas[segment_id] == len(rows)
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width - 1, y + height - 1) == (columns.max(), rows.max())
        assert all(type(value) is int for value in (x, y, width, height, areas[segment_id]))


@given(SMALL_MAPS)
def test_the_ids_are_those_of_the_pixels(ids):
    found = segment_ids(ids)
    assert found.dtype == ids.dtype and found.tolist() == np.unique(ids).tolist()


@given(SMALL_MAPS)
def test_crops_are_the_masks_in_their_boxes(ids):
    crops = list(segment_crops(ids, [4, 5, 0, 1]))
    assert [segment_id for segment_id, _, _ in crops] == [i for i in (4, 0, 1) if (ids == i).any()]
    for segment_id, crop, mask in crops:
        pasted = np.zeros(ids.shape, dtype=bool)
        pasted[crop] = mask
        np.testing.assert_array_equal(pasted, ids == segment_id)
        assert mask.any(axis=0)[[0, -1]].all() and mask.any(axis=1)[[0, -1]].all()


@given(SMALL_MAPS)
@example(WRAPPED)
@example(np.zeros((3, 2), dtype=np.int32))
def test_rles_are_the_bytes_of_pycocotools(ids):
    wanted = [3, 0, 1, 2, 5]
    assert list(segment_rles(ids, wanted)) == [
        rle_codec.encode(np.asfortranarray(ids == one, dtype=np.uint8)) for one in wanted
    ]


@given(SMALL_MAPS)
def test_values_stand_where_their_ids_do(ids):
    numbers = values_of_segments(ids, {1: 10, 3: 30, 9: 90}, 5, np.uint8)
    np.testing.assert_array_equal(numbers, np.array([5, 10, 5, 30, 5], dtype=np.uint8)[ids])
    colors = values_of_segments(ids, {0: (1, 2, 3)}, (7, 8, 9), np.uint8)
    np.testing.assert_array_equal(colors, np.where((ids == 0)[..., None], (1, 2, 3), (7, 8, 9)))
    assert (numbers.dtype, colors.dtype) == (np.uint8, np.uint8)


@given(SMALL_MAPS)
def test_numbers_are_those_of_unique(ids):
    present, place = numbered_segments(ids)
    expected, inverse = np.unique(ids, return_inverse=True)
    np.testing.assert_array_equal(present, expected)
    np.testing.assert_array_equal(place, inverse.reshape(ids.shape))


def test_a_map_without_pixels():
    empty = np.zeros((0, 4), dtype=int)
    assert segment_extents(empty) == ({}, {})
    assert values_of_segments(empty, {1: (1, 2, 3)}, (0, 0, 0), np.uint8).shape == (0, 4, 3)


@pytest.mark.parametrize(
    "ask",
    [
        segment_extents,
        lambda ids: list(segment_rles(ids, range(10000))),
        lambda ids: list(segment_crops(ids, range(10000))),
    ],
    ids=["extents", "rles", "crops"],
)
def test_ten_thousand_segments_cost_seconds_at_most(ask):
    # 100 x 100 squares of 20 pixels. One comparison of the whole map per segment takes 30 seconds.
    ids = (np.arange(2000)[:, None] // 20 * 100 + np.arange(2000) // 20).astype(np.int32)
    start = time.process_time()
    ask(ids)
    assert time.process_time() - start < 5
