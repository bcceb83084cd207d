"""The suppress stage: doing nothing, and what a rule of one's own may do."""

from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_heuristic.fusion import (
    HeadOutputs,
    InstanceSet,
    NoSuppression,
    Pipeline,
    Suppression,
)
from tests.fusion.drawings import CAT, CATEGORIES, assert_map, fused, reasons, row

MASKS = [row((0, 3), width=8), row((2, 5), width=8), row((4, 7), width=8)]


def test_none_is_the_default_and_passes_candidates_on():
    assert Pipeline().suppress == NoSuppression()
    instances = InstanceSet.from_bitmaps(np.array(MASKS), [0.9, np.nan, 0.8], [CAT] * 3)
    outcome = NoSuppression().suppress(HeadOutputs(instances, None, CATEGORIES), [0, 2])
    assert outcome == Suppression(instances, (0, 2), {})


@dataclass(frozen=True)
class Drop:
    """Drops one."""

    place: int

    def suppress(self, heads, candidates):
        kept = tuple(index for index in candidates if index != self.place)
        return Suppression(heads.instances, kept, {self.place: "for fun"})


@pytest.mark.parametrize("score", [0.0, 0.65])
def test_what_is_dropped_claims_nothing(score):
    result = fused(MASKS, [0.7, 0.8, 0.6], suppress=Drop(1), score=score)
    assert_map(result, "111.222." if score == 0 else "111.....")
    # The score threshold comes before.
    assert reasons(result) == {1: "for fun", **({2: "score"} if score else {})}


def test_with_masks_keeps_who_an_instance_is():
    before = InstanceSet.from_bitmaps(
        np.array(MASKS), [0.9, 0.8, 0.7], [CAT] * 3,
        boxes=[[0, 0, 2, 1]] * 3, mask_quality=[0.5] * 3, semantic_agreement=[0.5] * 3,
    )  # fmt: skip
    after = before.with_masks(lambda index: before.crop(2 - index))
    assert after.scores.tolist() == before.scores.tolist()
    assert (after.category_ids, after.image_size, after.device) == (before.category_ids, (1, 8), before.device)
    assert after.boxes.tolist() == before.boxes.tolist()
    assert after.crop(0) is before.crop(2)
    assert (after.probabilities, after.mask_quality, after.semantic_agreement) == (None, None, None)
