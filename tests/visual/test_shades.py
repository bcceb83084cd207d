"""Colours of segments: the class's own first, then shades that stay near it."""

import colorsys
import time

import pytest

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.visual.shades import segment_colors, shade, shade_numbers

CAT, SKY = 7, 0
CATEGORIES = Categories([Category(SKY, "sky", False, (10, 20, 200)), Category(CAT, "cat", True, (200, 30, 40))])


def segments(*category_ids):
    return [{"id": 10 * place, "category_id": category_id} for place, category_id in enumerate(category_ids, start=1)]


@pytest.mark.parametrize("color", [(200, 30, 40), (0, 0, 0), (255, 255, 255), (128, 128, 128), (0, 0, 70)])
class TestShade:
    def test_the_first_is_the_color_itself(self, color):
        assert shade(color, 0) == color

    def test_neighbouring_numbers_differ_visibly(self, color):
        shades = [shade(color, number) for number in range(7)]
        assert len(set(shades)) == 7
        for one, other in zip(shades, shades[1:], strict=False):
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 12

    def test_no_other_is_void_or_border(self, color):
        for number in range(1, 7):
            assert 15 <= sum(shade(color, number)) / 3 <= 240

    def test_all_stay_near_the_class(self, color):
        for number in range(20):
            hls = [colorsys.rgb_to_hls(*(c / 255 for c in one)) for one in (color, shade(color, number))]
            # Black and white have farther to go for room.
            assert abs(hls[0][1] - hls[1][1]) < (0.25 if 0.26 <= hls[0][1] <= 0.68 else 0.55)
            assert all(0 <= channel <= 255 and isinstance(channel, int) for channel in shade(color, number))


class TestNumbers:
    def test_each_category_counts_for_itself(self):
        assert shade_numbers(segments(CAT, SKY, CAT, CAT)) == {10: 0, 20: 0, 30: 1, 40: 2}

    def test_given_numbers_are_kept_and_the_others_take_what_is_free(self):
        assert shade_numbers(segments(CAT, CAT, CAT), {30: 0}) == {10: 1, 20: 2, 30: 0}
        assert shade_numbers(segments(CAT, CAT, CAT), {10: 2}) == {10: 2, 20: 0, 30: 1}

    def test_given_numbers_are_kept_per_category(self):
        assert shade_numbers(segments(CAT, SKY, CAT, SKY), {10: 1, 40: 0}) == {10: 1, 20: 1, 30: 0, 40: 0}

    def test_ten_thousand_of_a_class_cost_a_second_at_most(self):
        listed = segments(*[CAT] * 10_000)
        start = time.process_time()
        assert list(shade_numbers(listed, {10: 0}).values()) == list(range(10_000))
        assert time.process_time() - start < 1

    def test_nothing(self):
        assert shade_numbers([]) == {}


def test_colors_by_segment():
    listed = segments(SKY, CAT, CAT)
    colors = segment_colors(listed, CATEGORIES, shade_numbers(listed))
    assert colors == {10: (10, 20, 200), 20: (200, 30, 40), 30: shade((200, 30, 40), 1)}
    assert colors[20] != colors[30]
