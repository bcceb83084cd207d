"""Default colours: the first are as they always were, and 150 classes can be told apart."""

import numpy as np
import pytest

from panoptic_heuristic.formats.default_colors import default_color
from tests.formats.color_distances import cie76, ciede2000, lab

BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def distances(colors, measure):
    """Of all pairs, (N * (N - 1) / 2,)."""
    values = lab(colors)
    first, second = np.triu_indices(len(colors), 1)
    return measure(values[first], values[second])


def test_the_first_colors_are_as_they_always_were():
    assert [bytes(default_color(place)).hex() for place in range(21)] == """
        802d2d 3e60b2 a7e650 802d75 3eb29f e6a150 412d80 43b23e e65082 2d6180 a9b23e
        c650e6 2d8056 b2563e 505de6 4c802d b23e8c 50e0e6 806b2d 733eb2 50e669
    """.split()


def test_150_classes_are_10_apart_from_each_other_and_from_void_and_outlines():
    colors = [default_color(place) for place in range(150)] + [BLACK, WHITE]
    assert distances(colors, cie76).min() >= 10
    # Two pairs of the first 21, which stay, are 8.2 and 9.3 apart by the stricter measure.
    strict = distances(colors, ciede2000)
    assert sorted(strict)[:2] == pytest.approx([8.24, 9.30], abs=0.01) and (strict < 10).sum() == 2


def test_more_classes_have_colors_too():
    colors = [default_color(place) for place in range(1000)]
    assert len(set(colors)) > 600
    assert all(type(part) is int and 0 <= part <= 255 for color in colors for part in color)


@pytest.mark.parametrize("one, other, expected", [
    ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
])  # fmt: skip
def test_the_measure_is_that_of_its_paper(one, other, expected):
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=5e-5)
