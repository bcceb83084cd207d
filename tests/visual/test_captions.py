"""The places of names: inside their segments, or none, and never on each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panoptic_heuristic.visual.captions import Caption, caption_sizes, draw_captions, place_captions
from panoptic_heuristic.visual.text import text_size


def blank(height=120, width=200):
    return np.zeros((height, width), dtype=int)


def box(caption):
    return slice(caption.y, caption.y + caption.height), slice(caption.x, caption.x + caption.width)


class TestPlace:
    def test_inside_its_segment(self):
        ids = blank()
        ids[30:80, 40:160] = 5
        (caption,) = place_captions(ids, {5: "cat"})
        assert caption.text == "cat" and (ids[box(caption)] == 5).all()

    def test_in_the_wider_part(self):
        ids = blank()
        ids[5:10, 5:195] = 1
        ids[5:115, 120:195] = 1
        (caption,) = place_captions(ids, {1: "cat"})
        assert caption.x >= 120

    def test_not_in_the_hole(self):
        ids = blank()
        ids[10:110, 10:190] = 1
        ids[40:80, 60:140] = 0
        (caption,) = place_captions(ids, {1: "cat"})
        assert (ids[box(caption)] == 1).all()

    def test_the_largest_font_that_fits(self):
        ids = blank(300, 500)
        width, height = text_size("elephant", 13)
        ids[10 : 10 + height + 2, 10 : 10 + width + 2] = 1
        ids[100:300] = 2
        captions = place_captions(ids, {1: "elephant", 2: "elephant"}, sizes=(20, 13, 11))
        found = {caption.size: np.unique(ids[box(caption)]).tolist() for caption in captions}
        assert found == {13: [1], 20: [2]}

    @pytest.mark.parametrize(
        "shape", [(slice(50, 53), slice(50, 53)), (slice(60, 65), slice(0, 200)), (slice(10, 110), slice(90, 110))]
    )
    def test_none_for_a_speck_or_a_thread_or_a_post(self, shape):
        ids = blank()
        ids[shape] = 1
        assert place_captions(ids, {1: "elephant"}) == []

    def test_never_on_another_segment_or_on_void(self):
        width, height = text_size("cat", 11)
        ids = blank()
        ids[20 : 20 + height + 2, 30 : 30 + width + 2] = 1
        (caption,) = place_captions(ids, {1: "cat"})
        assert (ids[box(caption)] == 1).all()
        # One column less, and it would touch what is beside it.
        ids[:, 30] = 2
        assert place_captions(ids, {1: "cat"}) == []

    def test_a_text_wider_than_the_picture(self):
        ids = np.ones((40, 40), dtype=int)
        assert place_captions(ids, {1: "a name too long for this"}) == []

    def test_only_the_texts_given_and_only_segments_that_are_there(self):
        ids = blank()
        ids[:60], ids[60:] = 1, 2
        assert [caption.text for caption in place_captions(ids, {2: "cat", 3: "dog"})] == ["cat"]

    def test_what_is_taken_stays_free_of_others(self):
        ids = np.ones((60, 200), dtype=int)
        first = place_captions(ids, {1: "cat"})
        second = place_captions(ids, {1: "dog"}, taken=first)
        assert len(second) == 1
        together = np.zeros(ids.shape, dtype=int)
        for caption in first + second:
            together[box(caption)] += 1
        assert together.max() == 1

    def test_nothing(self):
        assert place_captions(blank(), {}) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 100)] * 2, *[st.integers(1, 90)] * 2), max_size=14))
def test_never_on_each_other_nor_outside_their_segments(boxes):
    ids = np.zeros((110, 150), dtype=int)
    for number, (y, x, height, width) in enumerate(boxes, start=1):
        ids[y : y + height, x : x + width] = number
    captions = place_captions(ids, {number: f"name {number}" for number in range(1, len(boxes) + 1)})
    covered = np.zeros(ids.shape, dtype=int)
    for caption in captions:
        assert caption.x >= 0 and caption.y >= 0
        assert caption.x + caption.width <= 150 and caption.y + caption.height <= 110
        assert len(np.unique(ids[box(caption)])) == 1
        covered[box(caption)] += 1
    assert covered.max(initial=0) <= 1


class TestDraw:
    @pytest.mark.parametrize("background", [0, 127, 255])
    def test_white_and_black_on_any_background_and_only_in_its_box(self, background):
        picture = np.full((60, 120, 3), background, dtype=np.uint8)
        (caption,) = place_captions(np.ones((60, 120), dtype=int), {1: "cat"})
        drawn = draw_captions(picture, [caption])
        inside = drawn[box(caption)].reshape(-1, 3)
        assert (inside == 255).all(axis=1).sum() > 20 and (inside == 0).all(axis=1).sum() > 20
        outside = drawn.copy()
        outside[box(caption)] = background
        np.testing.assert_array_equal(outside, picture)
        assert (picture == background).all()

    def test_the_text_fills_its_box(self):
        width, height = text_size("Cg", 20)
        drawn = draw_captions(np.full((60, 90, 3), 127, np.uint8), [Caption("Cg", 10, 5, width, height, 20)])
        rows, columns = np.where((drawn != 127).any(axis=2))
        assert (rows.min(), columns.min()) >= (5, 10)
        assert rows.max() - 5 in (height - 1, height - 2) and abs(columns.max() - 10 - width) <= 2


def test_fonts_grow_with_the_picture_and_stay_readable():
    assert caption_sizes(720) == (20, 16, 13, 11)
    assert caption_sizes(300) == (11,)
    assert min(caption_sizes(10)) == 11
