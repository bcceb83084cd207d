"""The per-pixel rule, drawn: the highest score wins each pixel, and overlap drops nothing."""

import numpy as np

from panoptic_heuristic.fusion import Greedy, PerPixel
from tests.fusion.drawings import SKY, assert_map, draw, fused, instances_in, mask, reasons, row, stuff_in

# The second has 3 of its 4 pixels in the first, the third lies within both.
MASKS = [
    mask(
        """
        ####....
        ####....
        ........
        """
    ),
    mask(
        """
        ........
        .####...
        ........
        """
    ),
    mask(
        """
        ..##....
        ..###...
        ........
        """
    ),
]


def test_the_highest_score_wins_each_pixel():
    result = fused(MASKS, [0.9, 0.8, 0.7], claim=PerPixel())
    assert_map(
        result,
        """
        1111....
        11112...
        ........
        """,
    )
    # Nothing is left of the third; it gets no segment.
    assert reasons(result) == {2: "covered"}


def test_greedy_drops_what_per_pixel_keeps():
    assert reasons(fused(MASKS, [0.9, 0.8, 0.7], claim=Greedy())) == {1: "overlap", 2: "overlap"}


def test_rank_decides_and_not_the_place_in_the_input():
    result = fused(MASKS, [0.7, 0.8, 0.9], claim=PerPixel())
    assert_map(
        result,
        """
        3311....
        32111...
        ........
        """,
    )
    assert instances_in(result) == [2, 1, 0]


def test_a_single_pixel_is_enough():
    result = fused([row((0, 7), width=8), row((0, 8), width=8)], [0.9, 0.8], claim=PerPixel())
    assert_map(result, "11111112")


def test_of_equal_scores_the_earlier_wins():
    masks = [row((0, 3), width=5), row((1, 5), width=5), row((2, 4), width=5)]
    assert_map(fused(masks, [0.8] * 3, claim=PerPixel()), "11122")
    assert_map(fused(masks[::-1], [0.8] * 3, claim=PerPixel()), "32112")


def test_score_threshold_empty_masks_and_bad_scores_are_as_in_greedy():
    masks = [row((0, 2), width=6), row(width=6), row((1, 4), width=6), row((3, 6), width=6)]
    result = fused(masks, [0.5, 0.9, np.nextafter(0.5, 0), np.nan], claim=PerPixel())
    assert_map(result, "11....")
    assert reasons(result) == {1: "empty", 2: "score", 3: "not_finite"}


def test_stuff_takes_what_is_left():
    result = fused(MASKS, [0.9, 0.8, 0.7], draw("11111111 11111111 00000000"), claim=PerPixel(), stuff_area=7)
    assert_map(
        result,
        """
        11113333
        11112333
        ........
        """,
    )
    assert stuff_in(result) == [SKY]
