"""The fate of each candidate, drawn; no pixel is lost on the way."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    Calibrated,
    Components,
    DroppedCandidate,
    FusionResult,
    Greedy,
    InstanceSet,
    LostPixels,
    NextBest,
    Pipeline,
    SemanticMap,
    SemanticVeto,
    explain,
    fuse,
)
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, LABELS, SKY, assert_map, draw, mask, row
from tests.fusion.logit_drawings import channels


def explained(masks, scores, labels=None, *, category_ids=None, label_to_category=None, pipeline):
    """Fuses drawings and explains the result."""
    shape = labels.shape if labels is not None else masks[0].shape
    bitmaps = np.array(masks, dtype=bool).reshape(-1, *shape)
    instances = InstanceSet.from_bitmaps(
        bitmaps, scores, [CAT] * len(bitmaps) if category_ids is None else category_ids
    )
    semantics = None if labels is None else SemanticMap(labels, label_to_category or LABELS)
    result = fuse(instances, semantics, CATEGORIES, pipeline)
    return result, explain(result, instances, semantics)


class TestWholePicture:
    MASKS = [
        mask(
            """
            .....
            ..###
            ..###
            .....
            """
        ),
        mask(
            """
            .....
            .##..
            .##..
            .##..
            """
        ),
        mask(
            """
            .....
            ..##.
            .....
            .....
            """
        ),
        mask(
            """
            #....
            ##...
            .....
            .....
            """
        ),
    ]
    SCENE = draw(
        """
        11111
        11000
        10000
        22000
        """
    )

    @pytest.fixture
    def explanations(self):
        result, explanations = explained(
            self.MASKS, [0.9, 0.8, 0.7, 0.4], self.SCENE,
            category_ids=[CAT, DOG, CAT, DOG], pipeline=Pipeline(stuff_area_thresh=2),
        )  # fmt: skip
        # The third goes for overlap, the fourth for its score, and of grass one pixel is too few.
        assert_map(
            result,
            """
            33333
            32111
            32111
            .22..
            """,
        )
        return explanations

    def test_kept_instances(self, explanations):
        cat, dog = explanations[:2]
        assert (cat.isthing, cat.category_id, cat.score, cat.instance_id) == (True, CAT, 0.9, 0)
        assert (cat.kept, cat.reason, cat.area_before, cat.area_kept, cat.lost_to) == (True, None, 6, 6, ())
        assert (dog.kept, dog.reason, dog.area_before, dog.area_kept) == (True, None, 6, 4)
        assert dog.lost_to == (LostPixels(1, CAT, 0, 2),)

    def test_dropped_instances(self, explanations):
        covered, unsure = explanations[2:4]
        assert (covered.kept, covered.reason, covered.area_before, covered.area_kept) == (False, "overlap", 2, 0)
        assert covered.lost_to == (LostPixels(1, CAT, 0, 2),)
        # Its mask was not needed for fusing; stuff has more of it than the dog.
        assert (unsure.kept, unsure.reason, unsure.area_before, unsure.area_kept) == (False, "score", 3, 0)
        assert unsure.lost_to == (LostPixels(3, SKY, None, 2), LostPixels(2, DOG, 1, 1))

    def test_stuff(self, explanations):
        sky, grass = explanations[4:]
        assert (sky.isthing, sky.category_id, sky.score, sky.instance_id) == (False, SKY, None, None)
        assert (sky.kept, sky.area_before, sky.area_kept, sky.lost_to) == (True, 8, 7, (LostPixels(2, DOG, 1, 1),))
        assert (grass.kept, grass.reason, grass.area_before, grass.area_kept) == (False, "stuff_area", 2, 0)
        # One each: the segment comes before void.
        assert grass.lost_to == (LostPixels(2, DOG, 1, 1), LostPixels(None, None, None, 1))


def test_takers_come_by_pixels_then_by_id_and_void_last():
    masks = [row((0, 1), width=9), row((1, 2), width=9), row((2, 5), width=9), row((0, 7), width=9)]
    _, explanations = explained(masks, [0.9, 0.8, 0.7, 0.1], draw("000000111"), pipeline=Pipeline(stuff_area_thresh=9))
    losses = [(3, CAT, 2, 3), (None, None, None, 2), (1, CAT, 0, 1), (2, CAT, 1, 1)]
    assert explanations[3].lost_to == tuple(LostPixels(*one) for one in losses)


def test_every_reason_is_told():
    masks = [row((0, 4), width=9), row((1, 5), width=9), row((1, 3), width=9), row(width=9)]
    masks += [row((6, 8), width=9)] * 3
    pipeline = Pipeline(Greedy(1.0), stuff_area_thresh=2, order=Calibrated(cut={DOG: 0.7}))
    _, explanations = explained(
        masks, [0.9, 0.85, 0.8, 0.95, 0.6, 0.4, np.nan], draw("111100002"),
        category_ids=[CAT, CAT, CAT, CAT, DOG, CAT, CAT], pipeline=pipeline,
    )  # fmt: skip
    assert [one.reason for one in explanations] == [
        None, None, "covered", "empty", "probability", "score", "not_finite", "covered", "stuff_area",
    ]  # fmt: skip
    assert [one.area_before for one in explanations] == [4, 4, 2, 0, 2, 2, 2, 4, 1]


def test_several_labels_of_one_category_are_one_candidate():
    meaning = {1: SKY, 2: GRASS, 3: SKY, 0: None}
    _, (sky, grass) = explained(
        [], [], draw("113320"), label_to_category=meaning, pipeline=Pipeline(stuff_area_thresh=2)
    )
    assert (sky.category_id, sky.area_before, sky.area_kept) == (SKY, 4, 4)
    assert (grass.category_id, grass.reason) == (GRASS, "stuff_area")


def test_labels_of_things_are_no_candidates():
    _, explanations = explained([], [], draw("0123"), label_to_category=[GRASS, CAT, None, SKY], pipeline=Pipeline())
    assert [one.category_id for one in explanations] == [GRASS, SKY]


class TestGained:
    def test_stuff_gains_the_pixels_of_an_instance_that_is_stuff(self):
        result, (cat, sky, grass) = explained(
            [row((0, 5), width=7)],
            [0.9],
            draw("1.22.11"),
            pipeline=Pipeline(stuff_area_thresh=0, veto=SemanticVeto(0.4)),
        )
        assert_map(result, "2222211")
        assert (cat.kept, cat.reason, cat.area_kept, cat.area_gained) == (False, "veto", 0, 0)
        assert cat.lost_to == (LostPixels(2, GRASS, None, 5),)
        assert (sky.area_before, sky.area_kept, sky.area_gained) == (3, 2, 0)
        assert sky.lost_to == (LostPixels(2, GRASS, None, 1),)
        assert (grass.area_before, grass.area_kept, grass.area_gained, grass.lost_to) == (2, 2, 3, ())

    def test_stuff_gains_the_pixels_of_stuff_that_goes(self):
        semantics = SemanticMap(draw("1112"), LABELS, channels("....", "9998", "...9"))
        instances = InstanceSet.from_bitmaps([row((0, 1), width=4)], [0.9], [CAT])
        result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=2, stuff=NextBest()))
        _, sky, grass = explain(result, instances, semantics)
        assert (sky.area_before, sky.area_kept, sky.area_gained, sky.lost_to) == (3, 2, 1, (LostPixels(1, CAT, 0, 1),))
        assert (grass.kept, grass.area_gained, grass.lost_to) == (False, 0, (LostPixels(2, SKY, None, 1),))

    def test_things_may_gain_too(self):
        # As when borders are cleaned: the cat got a pixel that was not in its mask.
        instances, semantics = (
            InstanceSet.from_bitmaps([row((0, 2), width=5)], [0.9], [CAT]),
            SemanticMap([[1] * 5], LABELS),
        )
        result = fuse(instances, semantics, CATEGORIES, Pipeline(stuff_area_thresh=0))
        moved = result.with_map(torch.tensor([[2, 1, 1, 1, 2]], dtype=torch.int32), "border")
        cat, sky = explain(moved, instances, semantics)
        assert (cat.area_before, cat.area_kept, cat.area_gained) == (2, 1, 2)
        assert cat.lost_to == (LostPixels(2, SKY, None, 1),)
        assert (sky.area_before, sky.area_kept, sky.area_gained, sky.lost_to) == (5, 2, 0, (LostPixels(1, CAT, 0, 3),))

    def test_stuff_none_of_whose_labels_occurs_comes_last(self):
        # As a rule may choose that fuses logits.
        instances = InstanceSet.from_bitmaps(np.zeros((0, 1, 3), dtype=bool), [], np.zeros(0, dtype=int))
        segments_info = [{"id": 1, "isthing": False, "category_id": SKY, "area": 2}]
        result = FusionResult(
            torch.tensor([[1, 1, 0]], dtype=torch.int32), segments_info, (DroppedCandidate(False, GRASS, "score"),)
        )
        grass, sky = explain(result, instances, SemanticMap(draw("2.."), LABELS))
        assert (grass.category_id, grass.area_before, grass.lost_to) == (GRASS, 1, (LostPixels(1, SKY, None, 1),))
        assert (sky.category_id, sky.kept, sky.area_before, sky.area_kept, sky.area_gained) == (SKY, True, 0, 0, 2)
        assert sky.lost_to == ()
        # What was left out without having been there is told as well.
        result = FusionResult(
            torch.zeros((1, 3), dtype=torch.int32),
            [],
            tuple(DroppedCandidate(False, one, "score") for one in (GRASS, SKY)),
        )
        told = explain(result, instances, SemanticMap(draw("2.."), LABELS))
        assert [(one.category_id, one.area_before) for one in told] == [(GRASS, 1), (SKY, 0)]

    def test_things_made_of_labels_are_no_candidates_but_take_pixels(self):
        meaning = {0: None, 1: DOG, 2: SKY}
        masks = [row((0, 2), width=4), row((1, 4), width=4)]
        result, (cat, other, sky) = explained(
            masks, [0.9, 0.1], draw("1112"), label_to_category=meaning,
            pipeline=Pipeline(stuff_area_thresh=0, leftover=Components(1)),
        )  # fmt: skip
        assert_map(result, "1132")
        assert other.lost_to == (LostPixels(1, CAT, 0, 1), LostPixels(2, SKY, None, 1), LostPixels(3, DOG, None, 1))
        assert [one.area_gained for one in (cat, other, sky)] == [0, 0, 0]
        # And one of them that went later does not count as an instance.
        gone = result.with_map(torch.from_numpy(result.panoptic_seg * (result.panoptic_seg != 3)), "border")
        instances = InstanceSet.from_bitmaps(masks, [0.9, 0.1], [CAT, CAT])
        assert len(explain(gone, instances, SemanticMap(draw("1112"), meaning))) == 3


class TestEmptyInputs:
    def test_no_semantics(self):
        _, (one,) = explained([row((0, 2), width=4)], [0.9], pipeline=Pipeline())
        assert (one.kept, one.area_kept) == (True, 2)

    def test_only_void(self):
        _, (one,) = explained([row((0, 2), width=4)], [0.1], pipeline=Pipeline())
        assert one.lost_to == (LostPixels(None, None, None, 2),)


class TestErrors:
    @pytest.fixture
    def fused(self):
        instances, semantics = (
            InstanceSet.from_bitmaps([row((0, 2), width=4)], [0.9], [CAT]),
            SemanticMap([[0, 1, 1, 2]], LABELS),
        )
        return fuse(instances, semantics, CATEGORIES), instances, semantics

    def test_another_size(self, fused):
        result, instances, semantics = fused
        with pytest.raises(InputError, match=r"is on \(1, 4\) pixels, the instances on \(1, 5\); give what was fused"):
            explain(result, InstanceSet.from_bitmaps([row((0, 2), width=5)], [0.9], [CAT]), semantics)
        with pytest.raises(InputError, match=r"is on \(1, 4\) pixels, the semantic labels on \(1, 3\)"):
            explain(result, instances, SemanticMap([[0, 1, 1]], LABELS))

    def test_another_number_of_instances(self, fused):
        result, _, semantics = fused
        two = InstanceSet.from_bitmaps([row((0, 2), width=4)] * 2, [0.9, 0.8], [CAT, CAT])
        with pytest.raises(InputError, match="the result is of 1 instances, got 2; give what was fused"):
            explain(result, two, semantics)

    def test_other_stuff(self, fused):
        result, instances, _ = fused
        for semantics in (None, SemanticMap([[0, 2, 2, 2]], {0: None, 2: GRASS})):
            with pytest.raises(
                InputError, match="has stuff of category 3, the semantic labels not; give what was fused"
            ):
                explain(result, instances, semantics)
