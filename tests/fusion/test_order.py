"""The order stage: by score, and what a rule of one's own may do."""

from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_heuristic.fusion import ByScore, HeadOutputs, InstanceSet, Order
from panoptic_heuristic.fusion.order import ranked_by
from tests.fusion.drawings import CAT, CATEGORIES, assert_map, fused, reasons, row


def instances(scores) -> InstanceSet:
    return InstanceSet.from_bitmaps([row((0, 1), width=2)] * len(scores), scores, [CAT] * len(scores))


def test_highest_keys_first_and_equal_ones_in_the_order_of_the_candidates():
    assert ranked_by([0.5, 0.9, 0.5, 0.9, 0.7], [3, 4, 8, 9, 10]) == (4, 9, 10, 3, 8)
    assert ranked_by([], []) == ()


def test_only_candidates_are_ranked():
    order = ByScore().order(HeadOutputs(instances([0.5, np.nan, 0.9, 0.7]), None, CATEGORIES), [0, 3])
    assert order == Order((3, 0), (0.7, 0.5), {})


def test_scores_are_compared_in_float64():
    scores = np.array([0.7, np.nextafter(0.7, 1)])
    assert ByScore().order(HeadOutputs(instances(scores), None, CATEGORIES), [0, 1]).ranked == (1, 0)


@dataclass(frozen=True)
class LastFirst:
    """Ranks by place, last first, and drops one."""

    drop: int

    def order(self, heads, candidates):
        return Order.by({index: index for index in candidates if index != self.drop}, {self.drop: "for fun"})


@pytest.mark.parametrize("score", [0.0, 0.65])
def test_the_order_decides_who_claims_first_and_what_takes_part(score):
    masks = [row((0, 3), width=8), row((2, 5), width=8), row((4, 7), width=8)]
    result = fused(masks, [0.7, 0.8, 0.6], order=LastFirst(1), score=score)
    assert_map(result, "222.111." if score == 0 else "111.....")
    # The score threshold comes before.
    assert reasons(result) == {1: "for fun", **({2: "score"} if score else {})}
