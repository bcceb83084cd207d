"""The reclaim rule, drawn: what lies on top gets contested pixels, whatever its rank."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, Reclaim
from tests.fusion.drawings import (
    CAT,
    DOG,
    GRASS,
    SKY,
    assert_map,
    draw,
    fused,
    fused_soft,
    instances_in,
    mask,
    reasons,
    row,
    stuff_in,
)

DOG_ABOVE = Reclaim(on_top="precedence", precedence=[(DOG, CAT)])


class TestArea:
    def test_a_small_instance_on_a_large_one_gets_its_pixels(self):
        # Greedy drops it, since all of it is claimed.
        masks = [
            mask(
                """
                ######
                ######
                ######
                """
            ),
            mask(
                """
                ......
                ..##..
                ..##..
                """
            ),
        ]
        result = fused(masks, [0.9, 0.8], claim=Reclaim())
        assert_map(
            result,
            """
            111111
            112211
            112211
            """,
        )
        assert reasons(fused(masks, [0.9, 0.8], claim=Greedy())) == {1: "overlap"}

    @pytest.mark.parametrize("small, on_top", [(3, True), (4, True), (5, False)], ids=["below", "at", "above"])
    def test_half_of_the_others_mask_is_much_smaller_and_not_a_pixel_more(self, small, on_top):
        result = fused([row((0, 8), width=9), row((2, 2 + small), width=9)], [0.9, 0.8], claim=Reclaim())
        assert reasons(result) == ({} if on_top else {1: "overlap"})

    @pytest.mark.parametrize("area, other", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (49, 50)])
    def test_the_ratio_is_compared_in_float64(self, area, other):
        masks = [row((0, other), width=60), row((0, area), width=60)]
        for ratio, kept in ((area / other, [0, 1]), (np.nextafter(area / other, 0), [0])):
            claim = Reclaim(overlap_threshold=0.99, area_ratio=ratio)
            assert instances_in(fused(masks, [0.9, 0.8], claim=claim)) == kept

    def test_masks_are_compared_and_not_what_is_left_of_them(self):
        # The second has 4 of its 10 pixels left, of which the third shares 2; its 5 are half of 10.
        masks = [row((0, 5), width=16), row((0, 9), (15, 16), width=16), row((7, 12), width=16)]
        result = fused(masks, [0.9, 0.8, 0.7], claim=Reclaim(overlap_threshold=0.8))
        assert_map(result, "1111122" + "33333" + "...2")

    def test_a_large_one_takes_nothing_back(self):
        masks = [row((2, 4), width=8), row((0, 8), width=8)]
        assert_map(fused(masks, [0.9, 0.8], claim=Reclaim()), "22112222")


class TestPrecedence:
    def test_what_the_table_has_above_gets_its_pixels(self):
        masks = [row((0, 6), width=10), row((3, 9), width=10)]
        assert_map(fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=DOG_ABOVE), "111222222.")

    def test_below_or_alike_it_is_as_in_greedy(self):
        masks = [row((0, 6), width=10), row((3, 9), width=10)]
        for ids in ([DOG, CAT], [DOG, DOG], [CAT, CAT]):
            assert_map(fused(masks, [0.9, 0.8], category_ids=ids, claim=DOG_ABOVE), "111111222.")

    @pytest.mark.parametrize("shared, taken", [(1, False), (2, True), (3, True)], ids=["below", "at", "above"])
    def test_it_needs_a_fifth_of_the_pixels(self, shared, taken):
        masks = [row((0, 10), width=20), row((10 - shared, 20 - shared), width=20)]
        result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=DOG_ABOVE)
        assert [segment["area"] for segment in result.segments_info] == [10 - shared * taken, 10 - shared * (not taken)]

    @pytest.mark.parametrize("first, second", [(20, 5), (5, 20)], ids=["of its mask", "of the segment"])
    def test_a_fifth_of_one_of_them_will_do(self, first, second):
        masks = [row((0, first), width=30), row((first - 1, first - 1 + second), width=30)]
        result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=DOG_ABOVE)
        assert [segment["area"] for segment in result.segments_info] == [first - 1, second]

    def test_less_than_a_fifth_of_both_will_not(self):
        masks = [row((0, 20), width=40), row((19, 39), width=40)]
        result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=DOG_ABOVE)
        assert [segment["area"] for segment in result.segments_info] == [20, 19]

    @pytest.mark.parametrize("shared, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (49, 50)])
    def test_that_fraction_is_compared_in_float64(self, shared, area):
        masks = [row((0, area), width=150), row((area - shared, 2 * area - shared), width=150)]
        for threshold, taken in ((shared / area, shared), (np.nextafter(shared / area, 1), 0)):
            claim = Reclaim(1.0, threshold, "precedence", precedence=[(DOG, CAT)])
            result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=claim)
            assert result.segments_info[0]["area"] == area - taken

    def test_the_fraction_is_of_the_segment_and_not_of_its_mask(self):
        # The second has 5 of its 10 pixels. The last shares 1 of them, a fifth, and a ninth of its own.
        masks = [row((0, 5), width=19), row((0, 10), width=19), row((9, 18), width=19)]
        claim = Reclaim(0.6, on_top="precedence", precedence=[(DOG, CAT)])
        assert_map(
            fused(masks, [0.9, 0.8, 0.7], category_ids=[CAT, CAT, DOG], claim=claim), "111112222" + "333333333" + "."
        )

    def test_only_those_below_lose_pixels(self):
        # The last, a dog, is on the cat and not on the first dog.
        masks = [row((0, 4), width=12), row((4, 8), width=12), row((2, 10), width=12)]
        result = fused(masks, [0.9, 0.8, 0.7], category_ids=[DOG, CAT, DOG], claim=DOG_ABOVE)
        assert_map(result, "1111222222..")
        assert reasons(result) == {1: "covered"}


class TestMeanProbability:
    def run(self, *lines, scores=(0.9, 0.8, 0.7), **others):
        pictures = [" ".join([line] * 4) for line in lines]
        return fused_soft(pictures, scores[: len(lines)], claim=Reclaim(on_top="mean_probability", **others))

    @pytest.mark.parametrize("right, taken", [("..47", False), ("..48", False), ("..58", True)], ids=str)
    def test_the_larger_mean_over_the_contested_pixels_wins(self, right, taken):
        # The left one says 6/8 in both; the right one less, the same and more, with one pixel above it.
        result = self.run("8866", right)
        assert_map(result, " ".join(["1122" if taken else "1111"] * 4))
        assert reasons(result) == ({} if taken else {1: "overlap"})

    def test_only_contested_pixels_count(self):
        # Over its whole mask the first is surer, but not where they meet, and that is what counts.
        assert_map(self.run("8884", "...5", overlap_threshold=0.9), "1112 1112 1112 1112")
        assert_map(self.run("4448", ".885", overlap_threshold=0.9), "1222 1222 1222 1222")
        assert_map(self.run("4448", "...5", overlap_threshold=0.9), "1111 1111 1111 1111")

    def test_each_segment_is_asked_for_its_own_pixels(self):
        # The last is surer than the second on its pixels and less sure than the first.
        result = self.run("87..", "..44", ".655", overlap_threshold=0.9)
        assert_map(result, "1122 1122 1122 1122")
        assert reasons(result) == {1: "covered"}

    def test_boxes_may_be_anywhere(self):
        pictures = ["8888 8888 8888 8888", "4466 4466 6666 6666", "8888 8888 8888 8888"]
        boxes = [(0, 0, 4, 4), (2, 2, 6, 6), (5, 4, 9, 8)]
        for scores, drawn in (
            ([0.9, 0.8, 0.7], "1111.. 1111.. 111122 111122 ..2223 ..2223"),
            ([0.8, 0.9, 0.7], "2222.. 2222.. 222211 222211 ..1113 ..1113"),
        ):
            result = fused_soft(pictures, scores, boxes=boxes, size=(6, 6), claim=Reclaim(on_top="mean_probability"))
            assert_map(result, drawn)

    def test_it_needs_probabilities(self):
        claim = Reclaim(on_top="mean_probability")
        with pytest.raises(InputError, match="on_top 'mean_probability' needs RoI mask probabilities, but the inst"):
            fused([row((0, 3), width=4)], [0.9], claim=claim)
        with pytest.raises(InputError, match="needs RoI mask probabilities"):
            fused([], [], draw("11"), claim=claim)


class TestOverlap:
    def test_what_is_taken_back_is_not_claimed(self):
        # A dog has 2 of its 6 pixels for good; a cat had 4, which would be too many with them.
        masks = [row((0, 3), width=12), row((3, 12), width=12), row((1, 7), width=12)]
        result = fused(masks, [0.9, 0.8, 0.7], category_ids=[DOG, CAT, DOG], claim=DOG_ABOVE)
        assert_map(result, "111333322222")

    def test_one_that_is_dropped_takes_nothing_back(self):
        # It would take 2 pixels of the cat, but has lost 4 of its 6 to the dog.
        masks = [row((0, 5), width=9), row((5, 9), width=9), row((1, 7), width=9)]
        result = fused(masks, [0.9, 0.8, 0.7], category_ids=[DOG, CAT, DOG], claim=DOG_ABOVE)
        assert_map(result, "111112222")
        assert reasons(result) == {2: "overlap"}

    def test_at_1_there_is_no_test_and_what_gets_no_pixel_is_covered(self):
        masks = [row((0, 6), width=7), row((0, 7), width=7), row((1, 5), width=7)]
        result = fused(masks, [0.9, 0.8, 0.7], claim=Reclaim(1.0))
        assert_map(result, "1111112")
        assert reasons(result) == {2: "covered"}


class TestVictims:
    @pytest.mark.parametrize("taken, kept", [(3, True), (4, True), (5, False)], ids=["below", "at", "above"])
    def test_one_that_has_lost_more_than_half_is_dropped(self, taken, kept):
        masks = [row((0, 8), width=12), row((8 - taken, 12), width=12)]
        result = fused(masks, [0.9, 0.8], draw("1" * 12), category_ids=[CAT, DOG], claim=DOG_ABOVE)
        assert reasons(result).get(0) == (None if kept else "overlap")
        # What it still had is stuff's, and the ids have no gap.
        rest = 8 - taken
        assert_map(result, ("1" * rest + "2" * (4 + taken)) if kept else ("2" * rest + "1" * (4 + taken)))

    def test_losses_add_up(self):
        # Each of the small ones takes 3 of 8 pixels.
        masks = [row((0, 8), width=8), row((0, 3), width=8), row((5, 8), width=8)]
        result = fused(masks, [0.9, 0.8, 0.7], claim=Reclaim())
        assert_map(result, "111..222")
        assert reasons(result) == {0: "overlap"}

    def test_pixels_lost_before_it_was_placed_count_too(self):
        # The second starts with 5 of its 8 pixels, of which the small one takes 2.
        masks = [row((0, 5), width=10), row((2, 10), width=10), row((8, 10), width=10)]
        result = fused(masks, [0.9, 0.8, 0.7], claim=Reclaim())
        assert_map(result, "11111...22")
        assert reasons(result) == {1: "overlap"}

    def test_one_without_a_pixel_is_covered(self):
        masks = [row((2, 5), width=8), row((1, 7), width=8)]
        for threshold in (0.5, 1.0):
            claim = Reclaim(threshold, on_top="precedence", precedence=[(DOG, CAT)])
            result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=claim)
            assert_map(result, ".111111.")
            assert reasons(result) == {0: "covered"}

    def test_without_a_test_a_single_pixel_is_enough(self):
        claim = Reclaim(1.0, on_top="precedence", precedence=[(DOG, CAT)])
        masks = [row((0, 8), width=8), row((1, 8), width=8)]
        assert_map(fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=claim), "12222222")

    def test_its_own_categorys_threshold_counts(self):
        # A cat may lose nothing here, and a dog half.
        masks = [row((0, 8), width=8), row((0, 2), width=8)]
        claim = Reclaim(overlap_threshold_of={CAT: 0.2})
        assert reasons(fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=claim)) == {0: "overlap"}
        assert reasons(fused(masks, [0.9, 0.8], category_ids=[DOG, CAT], claim=claim)) == {}

    def test_its_pixels_are_free_for_later_instances_and_then_for_stuff(self):
        # The third finds 2 of its 4 pixels free once the cat is gone, and grass the last.
        masks = [row((0, 8), width=8), row((3, 8), width=8), row((1, 5), width=8)]
        result = fused(masks, [0.9, 0.8, 0.7], draw("22222222"), category_ids=[CAT, DOG, CAT], claim=DOG_ABOVE)
        assert_map(result, "32211111")
        assert instances_in(result) == [1, 2]
        assert stuff_in(result) == [GRASS]

    def test_those_dropped_for_it_do_not_come_back(self):
        # The second had lost too much to the first when it came.
        masks = [row((0, 8), width=8), row((0, 3), width=8), row((3, 8), width=8)]
        result = fused(masks, [0.9, 0.8, 0.7], draw("1" * 8), category_ids=[CAT, CAT, DOG], claim=DOG_ABOVE)
        assert reasons(result) == {0: "overlap", 1: "overlap"}
        assert_map(result, "22211111")
        assert stuff_in(result) == [SKY]

    def test_one_that_took_may_lose_again(self):
        # Each is half of the one before.
        masks = [row((0, 16), width=16), row((0, 8), width=16), row((0, 4), width=16), row((0, 2), width=16)]
        assert_map(fused(masks, [0.9, 0.8, 0.7, 0.6], claim=Reclaim()), "4433222211111111")
