"""The laws that claim rules with an overlap threshold share, drawn in rows of pixels of one category."""

from functools import partial

import numpy as np
import pytest

from panoptic_heuristic.fusion import ClassAware, Greedy, Reclaim
from tests.fusion.drawings import CAT, DOG, assert_map, fused, instances_in, reasons, row

# Without what else the rules look at.
RULES = {
    "greedy": Greedy,
    "class_aware": partial(ClassAware, duplicate_threshold=1, free_fraction=0),
    "reclaim": partial(Reclaim, area_ratio=0),
}
pytestmark = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
BELOW_AT_ABOVE = pytest.mark.parametrize(
    "claimed, kept", [(1, True), (2, True), (3, False)], ids=["below", "at", "above"]
)


@BELOW_AT_ABOVE
def test_half_may_be_claimed_and_not_a_pixel_more(rule, claimed, kept):
    masks = [row((0, 3), width=8), row((3 - claimed, 7 - claimed), width=8)]
    result = fused(masks, [0.9, 0.8], claim=rule())
    assert instances_in(result) == ([0, 1] if kept else [0])
    assert reasons(result) == ({} if kept else {1: "overlap"})


@pytest.mark.parametrize("claimed, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (5, 7), (49, 50), (0, 7), (7, 7)])
def test_the_claimed_fraction_is_compared_in_float64(rule, claimed, area):
    # In float32 1/10 and 3/10 would lie above the same number written as a threshold, others below.
    masks = [row((0, 60), width=150), row((60 - claimed, 60 - claimed + area), width=150)]
    at = fused(masks, [0.9, 0.8], claim=rule(claimed / area))
    assert reasons(at).get(1) != "overlap"
    if claimed:
        below = fused(masks, [0.9, 0.8], claim=rule(np.nextafter(claimed / area, 0)))
        assert reasons(below) == {1: "overlap"}


@BELOW_AT_ABOVE
def test_a_category_may_have_a_threshold_of_its_own(rule, claimed, kept):
    # A fifth may be claimed of a dog, however much of a cat.
    masks = [row((0, 12), width=24), row((12 - claimed, 22 - claimed), width=24)]
    claim = rule(0.9, overlap_threshold_of={DOG: 0.2})
    assert instances_in(fused(masks, [0.9, 0.8], category_ids=[DOG, DOG], claim=claim)) == [0, 1][: 1 + kept]
    assert instances_in(fused(masks, [0.9, 0.8], category_ids=[CAT, CAT], claim=claim)) == [0, 1]


def test_a_dropped_instance_claims_nothing(rule):
    # The second goes, since the first has 3 of its 5 pixels; so the third finds its own pixels free.
    masks = [row((0, 4), width=8), row((1, 6), width=8), row((4, 7), width=8)]
    result = fused(masks, [0.9, 0.8, 0.7], claim=rule())
    assert_map(result, "1111222.")
    assert reasons(result) == {1: "overlap"}


def test_claims_of_several_instances_add_up(rule):
    # Each of the first two has 2 of the last one's 6 pixels; together they have more than half.
    masks = [row((0, 3), width=8), row((5, 8), width=8), row((1, 7), width=8)]
    result = fused(masks, [0.9, 0.8, 0.7], claim=rule())
    assert_map(result, "111..222")
    assert reasons(result) == {2: "overlap"}


def test_an_empty_mask_is_dropped_and_takes_no_id(rule):
    masks = [row((0, 2), width=6), row(width=6), row((4, 6), width=6)]
    result = fused(masks, [0.7, 0.9, 0.8], claim=rule())
    assert_map(result, "22..11")
    assert reasons(result) == {1: "empty"}


@pytest.mark.parametrize("threshold", [0, 0.5, 1])
def test_an_empty_mask_is_empty_at_any_threshold(rule, threshold):
    # 0 of 0 pixels is no fraction.
    assert reasons(fused([row(width=4)] * 2, [0.9, 0.8], claim=rule(threshold))) == {0: "empty", 1: "empty"}


def test_rank_decides_and_not_the_place_in_the_input(rule):
    masks = [row((0, 5), width=8), row((4, 8), width=8)]
    result = fused(masks, [0.8, 0.9], claim=rule())
    assert_map(result, "22221111")
    assert instances_in(result) == [1, 0]
