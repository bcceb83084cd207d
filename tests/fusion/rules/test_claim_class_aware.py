"""The class-aware rule, drawn: only its own category and its duplicates keep an instance off."""

import numpy as np
import pytest

from panoptic_heuristic.fusion import ClassAware
from tests.fusion.drawings import CAT, DOG, assert_map, fused, instances_in, mask, reasons, row


def test_another_category_does_not_suppress():
    # Three quarters of the dog are behind the cat, which greedy would drop it for; it is a twelfth
    # of the cat, and so no duplicate.
    masks = [
        mask(
            """
            ######
            ######
            ......
            """
        ),
        mask(
            """
            ..#...
            ..#...
            ..##..
            """
        ),
    ]
    result = fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())
    assert_map(
        result,
        """
        111111
        111111
        ..22..
        """,
    )
    assert result.dropped == ()


@pytest.mark.parametrize("claimed, kept", [(1, True), (2, True), (3, False)], ids=["below", "at", "above"])
def test_half_may_be_of_its_own_category_and_not_a_pixel_more(claimed, kept):
    first, second = row((0, 9), width=16), row((9 - claimed, 13 - claimed), width=16)
    result = fused([first, second], [0.9, 0.8], claim=ClassAware())
    assert instances_in(result) == [0, 1][: 1 + kept]
    assert reasons(result) == ({} if kept else {1: "overlap"})


def test_claims_of_its_own_category_add_up_and_those_of_others_do_not():
    # Two cats have 2 pixels each of the last one's 6; as dogs they would not count.
    masks = [row((0, 3), width=8), row((5, 8), width=8), row((1, 7), width=8)]
    claim = ClassAware(duplicate_threshold=0.9)
    assert reasons(fused(masks, [0.9, 0.8, 0.7], claim=claim)) == {2: "overlap"}
    result = fused(masks, [0.9, 0.8, 0.7], category_ids=[CAT, DOG, CAT], claim=claim)
    assert_map(result, "11133222")


def test_what_its_own_category_claimed_counts_and_not_what_its_masks_hold():
    # The second cat lies mostly behind the dog; the third, behind both, shares 1 pixel of 5 with it.
    masks = [row((0, 4), width=9), row((1, 6), width=9), row((2, 5), (6, 8), width=9)]
    result = fused(masks, [0.9, 0.8, 0.7], category_ids=[DOG, CAT, CAT], claim=ClassAware(0.2, 0.9))
    assert_map(result, "11112233.")


@pytest.mark.parametrize("shared, kept", [(4, True), (5, False), (6, False)], ids=["below", "at", "above"])
def test_a_duplicate_shares_half_of_both(shared, kept):
    first, second = row((0, 10), width=20), row((10 - shared, 20 - shared), width=20)
    result = fused([first, second], [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())
    assert reasons(result) == ({} if kept else {1: "duplicate"})


@pytest.mark.parametrize("first, second", [(10, 4), (4, 10)], ids=["half of the second", "half of the first"])
def test_half_of_one_of_them_is_no_duplicate(first, second):
    # They share 3 pixels.
    masks = [row((0, first), width=20), row((first - 3, first - 3 + second), width=20)]
    assert reasons(fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())) == {}


def test_a_duplicate_is_one_of_a_single_segment():
    # Each of the first two has a third of the last one; together they would be a duplicate of it.
    masks = [row((0, 3), width=9), row((3, 6), width=9), row((0, 9), width=9)]
    result = fused(masks, [0.9, 0.8, 0.7], category_ids=[CAT, CAT, DOG], claim=ClassAware())
    assert_map(result, "111222333")


def test_a_segment_is_what_it_has_in_the_map():
    # The second loses 4 of its 7 pixels. The third shares 3 of its 4 with it: all that is left of
    # the second, but less than half of its mask.
    masks = [row((0, 4), width=8), row((0, 7), width=8), row((4, 8), width=8)]
    result = fused(masks, [0.9, 0.8, 0.7], category_ids=[CAT, DOG, CAT], claim=ClassAware(duplicate_threshold=0.7))
    assert_map(result, "1111222.")
    assert reasons(result) == {2: "duplicate"}


def test_what_shares_no_pixel_is_no_duplicate_at_any_threshold():
    masks = [row((0, 2), width=6), row((2, 4), width=6), row((3, 6), width=6)]
    result = fused(masks, [0.9, 0.8, 0.7], claim=ClassAware(duplicate_threshold=0))
    assert reasons(result) == {2: "duplicate"}


@pytest.mark.parametrize("free, kept", [(0, False), (1, False), (2, True)], ids=["below", "at", "above"])
def test_more_than_a_tenth_must_be_free(free, kept):
    first, second = row((0, 30), width=50), row((20 + free, 30 + free), width=50)
    result = fused([first, second], [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())
    assert reasons(result) == ({} if kept else {1: "no_room"})


@pytest.mark.parametrize("free, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (49, 50)])
def test_the_free_fraction_is_compared_in_float64(free, area):
    masks = [row((0, 60), width=150), row((60 + free - area, 60 + free), width=150)]
    for threshold, reason in ((free / area, {1: "no_room"}), (np.nextafter(free / area, 0), {})):
        claim = ClassAware(duplicate_threshold=1, free_fraction=threshold)
        assert reasons(fused(masks, [0.9, 0.8], category_ids=[CAT, DOG], claim=claim)) == reason


def test_at_a_free_fraction_of_0_one_free_pixel_is_enough_and_none_is_not():
    masks = [row((0, 9), width=10), row((1, 10), width=10), row((2, 4), width=10)]
    claim = ClassAware(1.0, 1.0, 0.0)
    result = fused(masks, [0.9, 0.8, 0.7], claim=claim)
    assert_map(result, "1111111112")
    assert reasons(result) == {2: "no_room"}


def test_the_first_reason_that_holds_is_told():
    same = [row((0, 4), width=6)] * 2
    assert reasons(fused(same, [0.9, 0.8], claim=ClassAware())) == {1: "overlap"}
    assert reasons(fused(same, [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())) == {1: "duplicate"}
    inside = [row((0, 5), width=6), row((1, 3), width=6)]
    assert reasons(fused(inside, [0.9, 0.8], category_ids=[CAT, DOG], claim=ClassAware())) == {1: "no_room"}


@pytest.mark.parametrize("threshold", [0, 0.5, 1])
def test_an_empty_mask_is_empty_at_any_threshold(threshold):
    claim = ClassAware(threshold, threshold, threshold)
    assert reasons(fused([row(width=4)] * 2, [0.9, 0.8], claim=claim)) == {0: "empty", 1: "empty"}
