import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import decode_label_divisor, encode_label_divisor

# Divisor 7, not a power of 2 or 10: a wrong modulo shows. Category 0 is legal stuff.
SKY, CAT, GRASS = 0, 2, 5
MAP = np.array(
    [
        [10, 10, 10, 0],
        [10, 41, 42, 0],
        [30, 41, 42, 42],
        [30, 30, 30, 30],
    ]
)
SEGMENTS = [
    {"id": 10, "isthing": False, "category_id": SKY},
    {"id": 42, "isthing": True, "category_id": CAT},
    {"id": 41, "isthing": True, "category_id": CAT},
    {"id": 30, "isthing": False, "category_id": GRASS},
]
# Segment 42 comes first in the list, so it is cat 1: 2 * 7 + 1.
LABELS = np.array(
    [
        [0, 0, 0, -1],
        [0, 16, 15, -1],
        [35, 16, 15, 15],
        [35, 35, 35, 35],
    ]
)


def things(category_id, count):
    return [{"id": i + 1, "isthing": True, "category_id": category_id} for i in range(count)]


def test_encodes_the_drawing():
    labels = encode_label_divisor(MAP, SEGMENTS, 7)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, LABELS)


def test_decodes_the_drawing():
    ids, segments = decode_label_divisor(LABELS, 7, [CAT])
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, [[1, 1, 1, 0], [1, 3, 2, 0], [4, 3, 2, 2], [4, 4, 4, 4]])
    assert segments == [
        {"id": 1, "isthing": False, "category_id": SKY, "area": 4},
        {"id": 2, "isthing": True, "category_id": CAT, "area": 3},
        {"id": 3, "isthing": True, "category_id": CAT, "area": 2},
        {"id": 4, "isthing": False, "category_id": GRASS, "area": 5},
    ]
    assert {type(value) for segment in segments for value in segment.values()} == {int, bool}


def test_instances_count_per_category():
    segments = [
        {"id": 1, "isthing": True, "category_id": 3},
        {"id": 2, "isthing": True, "category_id": 1},
        {"id": 3, "isthing": True, "category_id": 3},
    ]
    assert encode_label_divisor(np.array([[1, 2, 3]]), segments, 7).tolist() == [[22, 8, 23]]


@st.composite
def scenes(draw):
    """A map of segments 1 to n, things or stuff by category, each with at least a pixel."""
    divisor = draw(st.integers(2, 300))
    thing_ids = draw(st.sets(st.integers(0, 20), max_size=5))
    segments, instances = [], {}
    for category_id in draw(st.lists(st.integers(0, 20), max_size=10)):
        instances[category_id] = instances.get(category_id, 0) + 1
        isthing = category_id in thing_ids
        if instances[category_id] < (divisor if isthing else 2):
            segments.append({"id": len(segments) + 1, "isthing": isthing, "category_id": category_id})
    pixels = list(range(len(segments) + 1)) * 2
    return np.array([draw(st.permutations(pixels))]), segments, divisor, sorted(thing_ids)


@given(scenes())
def test_round_trip(scene):
    ids, segments, divisor, thing_ids = scene
    labels = encode_label_divisor(ids, segments, divisor)
    back, back_segments = decode_label_divisor(labels, divisor, thing_ids)
    # The same partition of the pixels, the same class for each part, the same void.
    pairs = set(zip(ids.ravel().tolist(), back.ravel().tolist(), strict=True))
    assert len(pairs) == len(segments) + 1 and (0, 0) in pairs
    before = {segment["id"]: (segment["category_id"], segment["isthing"]) for segment in segments}
    after = {segment["id"]: (segment["category_id"], segment["isthing"]) for segment in back_segments}
    assert all(before[old] == after[new] for old, new in pairs - {(0, 0)})
    assert all(segment["area"] == 2 for segment in back_segments)
    np.testing.assert_array_equal(encode_label_divisor(back, back_segments, divisor), labels)


@pytest.mark.parametrize("divisor", [2, 7, 1000])
def test_the_last_instance_number_and_the_one_after_it(divisor):
    ids = np.array([[divisor - 1]])
    assert encode_label_divisor(ids, things(3, divisor - 1), divisor).item() == 3 * divisor + divisor - 1
    with pytest.raises(
        InputError, match=f"category 3 has more than {divisor - 1} instances.* {divisor} can number"
    ):
        encode_label_divisor(ids, things(3, divisor), divisor)


@pytest.mark.parametrize(
    "dtype, last",
    [(np.uint8, 255), (np.int8, 127), (np.uint16, 65535), (np.int16, 32767), (np.int32, 2**31 - 1)],
)
def test_the_last_code_of_a_type_and_the_one_after_it(dtype, last):
    # Divisor 1 makes the code of stuff its category id.
    fits = [{"id": 4, "isthing": False, "category_id": last}]
    labels = encode_label_divisor(np.array([[4]]), fits, 1, void=0, dtype=dtype)
    assert labels.dtype == dtype and labels.item() == last
    too_large = [{"id": 4, "isthing": False, "category_id": last + 1}]
    name = np.dtype(dtype).name
    with pytest.raises(InputError, match=f"segment 4 encodes to {last + 1}, which does not fit {name};"):
        encode_label_divisor(np.array([[4]]), too_large, 1, void=0, dtype=dtype)


def test_void_must_fit_the_type():
    with pytest.raises(InputError, match="void encodes to -1, which does not fit uint16"):
        encode_label_divisor(MAP, SEGMENTS, 7, dtype=np.uint16)


def test_void_must_not_be_a_code():
    # 0 is the code of sky, the usual trap; 14 is the code of no segment here.
    with pytest.raises(InputError, match="void is 0, but segment 10 encodes to the same value"):
        encode_label_divisor(MAP, SEGMENTS, 7, void=0)
    assert encode_label_divisor(MAP, SEGMENTS, 7, void=14)[0, 3] == 14


@pytest.mark.parametrize("void", [-1, 255, 65535])
def test_void_comes_back(void):
    labels = encode_label_divisor(MAP, SEGMENTS, 7, void=void)
    assert (labels[MAP == 0] == void).all()
    ids, segments = decode_label_divisor(labels, 7, [CAT], void=void)
    np.testing.assert_array_equal(ids == 0, MAP == 0)
    assert len(segments) == 4


def test_stuff_may_not_occur_twice():
    segments = [{"id": i, "isthing": False, "category_id": GRASS} for i in (1, 2)]
    with pytest.raises(InputError, match="stuff category 5 occurs twice"):
        encode_label_divisor(np.array([[1, 2]]), segments, 7)


def test_segment_ids_are_unique_and_not_void():
    with pytest.raises(InputError, match="segment id 41 occurs twice"):
        encode_label_divisor(MAP, SEGMENTS + [SEGMENTS[2]], 7)
    with pytest.raises(InputError, match="segment id 0, which is void"):
        encode_label_divisor(MAP, SEGMENTS + [{"id": 0, "isthing": True, "category_id": CAT}], 7)


def test_ids_that_nobody_lists_are_named():
    with pytest.raises(
        InputError, match=re.escape("the map holds the ids [30, 42], which segments_info does not list")
    ):
        encode_label_divisor(MAP, [SEGMENTS[0], SEGMENTS[2]], 7)


def test_a_listed_segment_may_lack_pixels():
    assert encode_label_divisor(np.array([[42]]), SEGMENTS, 7).tolist() == [[15]]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_maps_without_pixels(shape):
    empty = np.zeros(shape, dtype=np.int32)
    assert encode_label_divisor(empty, [], 7).shape == shape
    ids, segments = decode_label_divisor(empty, 7, [CAT])
    assert ids.shape == shape and segments == []


def test_all_void():
    ids, segments = decode_label_divisor(np.full((2, 3), -1), 7, [CAT])
    assert ids.tolist() == [[0] * 3] * 2 and segments == []


@pytest.mark.parametrize(
    "labels, said",
    [
        (
            [[14]],
            "instance 0, but category 2 is a thing, whose instance number counts from 1;",
        ),
        (
            [[36]],
            "code 36 is category 5, instance 1, but category 5 is stuff, whose instance number must be 0",
        ),
        ([[-2]], "the map holds -2, which is neither void (-1) nor a code >= 0"),
        ([[1.0]], "a label-divisor map holds integers, got float64"),
    ],
)
def test_maps_of_another_scheme_are_refused(labels, said):
    with pytest.raises(InputError, match=re.escape(said)):
        decode_label_divisor(np.array(labels), 7, [CAT])


@pytest.mark.parametrize("divisor", [0, -7, 7.0, True, None])
def test_the_divisor_is_a_positive_integer(divisor):
    for call in (
        lambda: encode_label_divisor(MAP, SEGMENTS, divisor),
        lambda: decode_label_divisor(LABELS, divisor, [CAT]),
    ):
        with pytest.raises(InputError, match=f"label_divisor must be an integer >= 1, got {divisor}"):
            call()


def test_divisor_1_is_for_stuff_only():
    stuff = [{"id": 1, "isthing": False, "category_id": 3}]
    assert encode_label_divisor(np.array([[1, 0]]), stuff, 1).tolist() == [[3, -1]]
    with pytest.raises(InputError, match="more than 0 instances"):
        encode_label_divisor(np.array([[1]]), things(3, 1), 1)


def test_float_maps_are_refused_not_rounded():
    with pytest.raises(InputError, match="holds integers, got float64"):
        encode_label_divisor(MAP + 0.5, SEGMENTS, 7)


def test_arguments_are_left_alone():
    before, segments = MAP.copy(), [dict(segment) for segment in SEGMENTS]
    encode_label_divisor(MAP, SEGMENTS, 7)[:] = 9
    np.testing.assert_array_equal(MAP, before)
    assert segments == SEGMENTS
