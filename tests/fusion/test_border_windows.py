"""The parts in which border rules work."""

import numpy as np
import pytest

from panoptic_heuristic.fusion.border_windows import grown, have_choice, sides, windows, within
from tests.fusion.drawings import draw, mask


def found(picture: str, largest: int) -> list:
    """Rows and columns of each part, from first to last + 1."""
    parts = windows(mask(picture), lambda window: max(sides(window)) <= largest)
    return [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in parts]


def test_one_part_is_no_larger_than_its_pixels():
    assert found("....... ..#.... ....#.. .......", 9) == [(1, 3, 2, 5)]


def test_the_longer_side_is_halved_and_halves_shrink_to_their_pixels():
    assert found("#.....#. #......#", 3) == [(0, 2, 0, 1), (0, 2, 6, 8)]
    assert found("# . . # #", 2) == [(0, 1, 0, 1), (3, 5, 0, 1)]


def test_there_is_none_without_a_pixel():
    assert found("... ...", 1) == []


@pytest.mark.parametrize("largest", [1, 4, 20, 100])
def test_they_have_every_pixel_once(largest):
    has_choice = np.random.default_rng(largest).random((37, 53)) < 0.03
    times = np.zeros(has_choice.shape, dtype=int)
    for window in windows(has_choice, lambda window: max(sides(window)) <= largest):
        assert max(sides(window)) <= largest and has_choice[window].any()
        times[window] += 1
    assert times.max() == 1 and (times[has_choice] == 1).all()


def test_a_margin_ends_at_the_image():
    window = slice(3, 5), slice(1, 2)
    assert grown(window, 2) == (slice(1, 7), slice(0, 4))
    assert within(window, grown(window, 2)) == (slice(2, 4), slice(1, 2))


@pytest.mark.parametrize(
    "radius, stays, expected",
    [
        (0, "", "..........."),
        (1, "", ".##...####."),
        (2, "", "####.######"),
        # What stays is no choice, and has none.
        (1, "3", ".##........"),
        (2, "3", "####......."),
        (9, "12", "..........."),
    ],
)
def test_a_choice_is_another_one_near(radius, stays, expected):
    ids = draw("11222223311")
    movable = ~np.isin(ids, [int(one) for one in stays])
    found = have_choice(np.where(movable, ids, 0), movable, radius)
    np.testing.assert_array_equal(found, mask(expected))
