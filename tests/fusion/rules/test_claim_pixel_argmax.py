"""The per-pixel vote of the MaskFormers, drawn in eighths of probability."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import PixelArgmax
from tests.fusion.drawings import (
    SKY,
    assert_map,
    draw,
    fused,
    fused_soft,
    instances_in,
    reasons,
    row,
    stuff_in,
)

NO_TEST = PixelArgmax(0)


def lines(*rows):
    """Pictures of four equal rows."""
    return [" ".join([one] * 4) for one in rows]


def cells(inside, outside, *counts):
    """A 4x4 picture: from the first count to the second, in reading order, ``inside``."""
    flat = [inside if counts[0] <= k < counts[1] else outside for k in range(16)]
    return " ".join("".join(flat[k : k + 4]) for k in range(0, 16, 4))


class TestWhoWins:
    def test_score_times_probability(self):
        # In the third column 6/8 * 0.5 meets 5/8 * 0.75, in the fourth 6/8 * 0.5 meets 8/8 * 0.75.
        result = fused_soft(lines("8866", "..58"), [0.5, 0.75], claim=NO_TEST)
        assert_map(result, "2211 2211 2211 2211")
        assert instances_in(result) == [1, 0]

    def test_the_probability_alone(self):
        result = fused_soft(lines("8866", "..58"), [0.5, 0.75], claim=PixelArgmax(0, by="mask"))
        assert_map(result, "2221 2221 2221 2221")

    def test_the_lower_score_may_win(self):
        result = fused_soft(lines("8844", ".688"), [0.75, 0.5], claim=NO_TEST)
        assert_map(result, "1122 1122 1122 1122")

    def test_of_equal_values_the_better_ranked_wins(self):
        # 4/8 * 1 and 8/8 * 0.5; then three that are alike, of which the first in the input is best.
        assert_map(fused_soft(lines("8884", "...8"), [1.0, 0.5], claim=NO_TEST), "1111 " * 4)
        assert_map(fused_soft(lines("88..", ".88.", "..88"), [0.75] * 3, claim=NO_TEST), "1123 " * 4)
        assert_map(fused_soft(lines("..88", ".88.", "88.."), [0.75] * 3, claim=NO_TEST), "3211 " * 4)

    def test_values_are_compared_in_float64(self):
        # 8/8 * 0.5 is more than 4/8 of a bit less than 1, and in float32 the same.
        result = fused_soft(lines("8...", "4444"), [0.5, np.nextafter(1.0, 0)], claim=NO_TEST)
        assert_map(result, "2111 " * 4)

    def test_ids_go_by_rank_and_not_by_what_was_won(self):
        result = fused_soft(lines("8...", "..88"), [0.75, 0.5], claim=PixelArgmax(by="mask"))
        assert_map(result, "1.22 " * 4)
        assert instances_in(fused_soft(lines("8...", "..88"), [0.5, 0.75], claim=NO_TEST)) == [1, 0]


class TestKeptFraction:
    @pytest.mark.parametrize("lost, kept", [(3, True), (4, True), (5, False)], ids=["below", "at", "above"])
    def test_it_must_win_three_quarters_and_may_not_lose_a_pixel_more(self, lost, kept):
        pictures = [cells("6", ".", 0, 16), cells("8", ".", 0, lost)]
        result = fused_soft(pictures, [0.75, 0.75], claim=PixelArgmax(0.75))
        assert reasons(result) == ({} if kept else {0: "outvoted"})

    @pytest.mark.parametrize("won, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (5, 7), (13, 14)])
    def test_the_fraction_is_compared_in_float64(self, won, area):
        pictures = [cells("6", ".", 0, area), cells("8", ".", won, 16)]
        for fraction, reason in ((won / area, None), (np.nextafter(won / area, 1), "outvoted")):
            result = fused_soft(pictures, [0.75, 0.75], claim=PixelArgmax(fraction))
            assert reasons(result).get(0) == reason

    def test_the_default_is_four_fifths(self):
        for won, reason in ((7, "outvoted"), (8, None)):
            pictures = [cells("6", ".", 0, 10), cells("8", ".", won, 16)]
            assert reasons(fused_soft(pictures, [0.75, 0.75], claim=PixelArgmax())).get(0) == reason

    def test_pixels_won_outside_its_mask_count_as_in_the_references(self):
        # It wins 4 pixels of its mask of 8, and 8 outside: 12 / 8.
        pictures = lines("8833", ".8..")
        assert_map(fused_soft(pictures, [0.5, 0.75], claim=PixelArgmax(1)), "21.. " * 4)
        assert_map(fused_soft(pictures, [0.5, 0.75], claim=PixelArgmax(1, kept_pixels="won")), "2122 " * 4)

    def test_at_0_one_pixel_is_enough_and_none_is_not(self):
        pictures = [cells("6", ".", 0, 16), cells("8", ".", 0, 15), cells("5", ".", 0, 3)]
        result = fused_soft(pictures, [0.75] * 3, claim=NO_TEST)
        assert_map(result, "2222 2222 2222 2221")
        assert reasons(result) == {2: "outvoted"}

    def test_pixels_of_a_dropped_one_go_to_stuff_and_not_to_others(self):
        # The second wins the last of its 3 columns, of which the first says 5/8.
        pictures = lines("8885", ".448")
        result = fused_soft(pictures, [0.75, 0.5], draw("1111 " * 4), claim=PixelArgmax(0.75, by="mask"))
        assert_map(result, "1112 " * 4)
        assert (reasons(result), stuff_in(result)) == ({1: "outvoted"}, [SKY])


class TestKeep:
    def test_of_what_it_won_only_its_mask(self):
        assert_map(fused_soft(lines("8431"), [0.75], claim=PixelArgmax()), "11.. " * 4)

    def test_or_all_of_it_where_its_probability_is_not_0(self):
        assert_map(fused_soft(lines("843."), [0.75], claim=PixelArgmax(kept_pixels="won")), "111. " * 4)

    def test_one_that_won_nothing_of_its_mask_is_outvoted(self):
        # It wins as many pixels as its mask has, but none of them.
        pictures = lines("4433", "55..")
        result = fused_soft(pictures, [0.75, 0.75], claim=PixelArgmax())
        assert_map(result, "11.. " * 4)
        assert reasons(result) == {0: "outvoted"}
        assert_map(fused_soft(pictures, [0.75, 0.75], claim=PixelArgmax(kept_pixels="won")), "2211 " * 4)


class TestEmpty:
    def test_one_that_says_less_than_half_everywhere(self):
        result = fused_soft(lines("3333", "8..."), [0.75, 0.75], claim=PixelArgmax(kept_pixels="won"))
        assert_map(result, "1... " * 4)
        assert reasons(result) == {0: "empty"}

    @pytest.mark.parametrize("fraction", [0, 0.5, 1])
    def test_at_any_fraction(self, fraction):
        # 0 of 0 pixels is no fraction.
        assert reasons(fused_soft(lines("...."), [0.75], claim=PixelArgmax(fraction))) == {0: "empty"}

    def test_it_votes_all_the_same(self):
        # 3/8 * 1 are more than 4/8 * 0.5.
        result = fused_soft(lines("3...", "4444"), [1.0, 0.5], claim=PixelArgmax(0.75))
        assert_map(result, ".111 " * 4)

    def test_a_box_outside_the_image(self):
        result = fused_soft(lines("8888", "8888"), [0.75] * 2, boxes=[(9, 9, 13, 13), (0, 0, 4, 4)], claim=NO_TEST)
        assert reasons(result) == {0: "empty"}


class TestBoxes:
    FRAMED = "1111 1881 1881 1111"

    def test_nothing_is_won_outside_a_box(self):
        # The one with the higher score says 0 there, not less than 0.
        result = fused_soft(
            [self.FRAMED] * 2, [1.0, 0.5], boxes=[(0, 0, 4, 4), (3, 2, 7, 6)], size=(6, 8),
            claim=PixelArgmax(kept_pixels="won"),
        )  # fmt: skip
        assert_map(
            result,
            """
            1111....
            1111....
            1111222.
            1111222.
            ...2222.
            ...2222.
            """,
        )

    def test_a_box_may_leave_the_image(self):
        claim = PixelArgmax(kept_pixels="won")
        result = fused_soft([self.FRAMED], [1.0], boxes=[(-2, -2, 2, 2)], size=(3, 3), claim=claim)
        assert_map(result, "11. 11. ...")

    def test_a_score_of_0_wins_nothing(self):
        result = fused_soft([self.FRAMED], [0.0], score=0.0, claim=NO_TEST)
        assert reasons(result) == {0: "outvoted"}
        assert_map(fused_soft([self.FRAMED], [0.0], score=0.0, claim=PixelArgmax(0, by="mask")), ".... .11. .11. ....")


def test_it_needs_probabilities():
    with pytest.raises(InputError, match="the claim rule pixel_argmax needs RoI mask probabilities, but the inst"):
        fused([row((0, 3), width=4)], [0.9], claim=PixelArgmax())
