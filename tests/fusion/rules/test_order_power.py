"""The order by a product of powers: its keys as numbers, its ranking and its cutoff drawn."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, InstanceSet, Pipeline, Power, SemanticMap, explain, fuse
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, CATEGORIES, LABELS, assert_map, draw, instances_in, reasons, row

SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, things=5, stuff=12)
    for seed, count in enumerate([0, 1, 7, 40, 100])
]
PANOPTIC_FCN, SEGFORMER, OCFUSION = Power(1, 1), Power(1, 2), Power(1, 0, 1)


class TestKeys:
    @pytest.mark.parametrize(
        "order, key",
        [
            (Power(), 0.81),
            (PANOPTIC_FCN, 0.81 * 0.5),
            (SEGFORMER, 0.81 * 0.25),
            (OCFUSION, 0.81 * 0.04),
            (Power(0.5, 3, 0.5), 0.9 * 0.125 * 0.2),
            (Power(0, 0, 0), 1),
        ],
    )
    def test_by_hand(self, order, key):
        keys = order.keys([0.81], [0.5], [0.04])
        assert keys.dtype == np.float64
        assert keys[0] == pytest.approx(key, rel=1e-14)

    def test_zero_to_the_power_of_zero_is_one(self):
        assert Power(0, 0, 0).keys([0.0], [0.0], [0.0]).tolist() == [1]
        assert Power(0, 1, 0).keys([0.0, 0.0], [0.0, 0.5]).tolist() == [0, 0.5]

    @pytest.mark.parametrize("exponent", [0.5, 1, 2])
    def test_a_negative_score_counts_as_0(self, exponent):
        assert Power(exponent).keys([-0.5, -0.0, 0.0]).tolist() == [0, 0, 0]

    def test_a_score_to_the_power_of_1_is_itself(self):
        scores = np.random.default_rng(0).random(100)
        assert Power().keys(scores).tobytes() == scores.tobytes()

    def test_keys_stay_finite(self):
        keys = Power(1e9, 1, 1e9).keys([1.5, 1.5, 0.5], [1, 0, 1], [1, 1, 1])
        assert keys.tolist() == [np.finfo(np.float64).max, 0, 0]

    def test_how_instances_are_grouped_into_calls_does_not_change_a_bit(self):
        columns = np.random.default_rng(3).random((3, 67))
        order = Power(1.3, 0.7, 2.1)
        expected = order.keys(*columns)
        for chosen in (*map(slice, range(67)), *(slice(None, None, step) for step in (2, 3, -1, -5))):
            assert order.keys(*columns[:, chosen]).tobytes() == expected[chosen].tobytes()

    def test_no_instances(self):
        assert Power(1, 1, 1).keys([], [], []).shape == (0,)


def ordered(masks, scores, order, *, labels=None, score=0.0, **measures):
    """Fuses drawings of cats that carry measures."""
    instances = InstanceSet.from_bitmaps(np.array(masks), scores, [CAT] * len(scores), **measures)
    semantics = None if labels is None else SemanticMap(labels, LABELS)
    pipeline = Pipeline(Greedy(1.0), instances_score_thresh=score, stuff_area_thresh=0, order=order)
    return fuse(instances, semantics, CATEGORIES, pipeline)


class TestRanking:
    MASKS = [row((0, 4), width=10), row((3, 7), width=10), row((6, 9), width=10)]

    def test_quality_decides(self):
        # s q: 0.27, 0.48 and 0.49.
        result = ordered(self.MASKS, [0.9, 0.8, 0.7], PANOPTIC_FCN, mask_quality=[0.3, 0.6, 0.7])
        assert_map(result, "333222111.")
        assert instances_in(result) == [2, 1, 0]
        # The score stays the head's.
        assert [segment["score"] for segment in result.segments_info] == [0.7, 0.8, 0.9]

    def test_its_square_decides_otherwise(self):
        # s q: 0.45 and 0.42. s q^2: 0.225 and 0.252.
        quality = [0.5, 0.6]
        assert instances_in(ordered(self.MASKS[:2], [0.9, 0.7], PANOPTIC_FCN, mask_quality=quality)) == [0, 1]
        assert instances_in(ordered(self.MASKS[:2], [0.9, 0.7], SEGFORMER, mask_quality=quality)) == [1, 0]

    def test_agreement_decides(self):
        # g: 0 of 4, 2 of 4 and 3 of 3 pixels; things are label 0. s g: 0, 0.4, 0.7.
        result = ordered(self.MASKS, [0.9, 0.8, 0.7], OCFUSION, labels=draw("1111100001"))
        assert_map(result, "3332221114")
        assert instances_in(result) == [2, 1, 0]

    def test_equal_keys_keep_the_order_of_the_input(self):
        scores, quality = [0.25, 0.5, 0.5], [1.0, 0.5, 0.5]
        assert instances_in(ordered(self.MASKS, scores, PANOPTIC_FCN, mask_quality=quality)) == [0, 1, 2]
        assert instances_in(ordered(self.MASKS, [0.7, 0.8, 0.9], Power(0))) == [0, 1, 2]

    def test_negative_scores_come_last_in_the_order_of_the_input(self):
        result = ordered(self.MASKS, [-0.5, -0.1, 0.2], Power(), score=-1)
        assert instances_in(result) == [2, 0, 1]


class TestCutoff:
    @pytest.mark.parametrize("cutoff, kept", [(np.nextafter(0.25, 0), True), (0.25, True), (0.2500001, False)])
    def test_a_key_at_the_cutoff_is_kept_and_one_below_is_not(self, cutoff, kept):
        order = Power(1, 1, key_cutoff=cutoff)
        result = ordered([row((0, 2), width=4)], [0.5], order, mask_quality=[0.5])
        assert reasons(result) == ({} if kept else {0: "key"})

    def test_what_is_dropped_claims_nothing_and_is_explained(self):
        masks = np.array([row((0, 4), width=6), row((2, 6), width=6)])
        instances = InstanceSet.from_bitmaps(masks, [0.9, 0.6], [CAT, CAT], mask_quality=[0.2, 0.9])
        result = fuse(instances, None, CATEGORIES, Pipeline(order=Power(1, 1, key_cutoff=0.5)))
        assert_map(result, "..1111")
        dropped = explain(result, instances, None)[0]
        assert (dropped.reason, dropped.area_before, dropped.lost_to[0].instance_id) == ("key", 4, 1)

    def test_the_score_threshold_comes_before(self):
        masks = [row((k, k + 1), width=4) for k in range(4)]
        result = ordered(masks, [0.9, 0.4, np.nan, 0.5], Power(key_cutoff=0.6), score=0.5)
        assert reasons(result) == {1: "score", 2: "not_finite", 3: "key"}

    def test_with_all_exponents_0_every_key_is_1(self):
        masks = [row((0, 2), width=4)]
        assert reasons(ordered(masks, [0.1], Power(0, key_cutoff=1))) == {}
        assert reasons(ordered(masks, [0.1], Power(0, key_cutoff=1.5))) == {0: "key"}


class TestMeasures:
    MASKS = [row((0, 2), width=4), row((2, 4), width=4)]

    def test_quality_that_is_not_known(self):
        with pytest.raises(InputError, match="mask_quality needs RoI mask probabilities.*binary masks only"):
            ordered(self.MASKS, [0.9, 0.8], PANOPTIC_FCN)
        with pytest.raises(InputError, match="mask_quality of instance 1 is not known"):
            ordered(self.MASKS, [0.9, 0.8], PANOPTIC_FCN, mask_quality=[0.5, np.nan])

    def test_it_is_asked_for_of_candidates_only_and_only_if_it_matters(self):
        quality = [0.5, np.nan]
        assert reasons(ordered(self.MASKS, [0.9, 0.4], PANOPTIC_FCN, mask_quality=quality, score=0.5)) == {1: "score"}
        unknown = {"mask_quality": [np.nan] * 2, "semantic_agreement": [np.nan] * 2}
        assert instances_in(ordered(self.MASKS, [0.9, 0.8], Power(), **unknown)) == [0, 1]

    def test_without_semantics_nothing_agrees(self):
        assert instances_in(ordered(self.MASKS, [0.8, 0.9], OCFUSION)) == [0, 1]

    def test_quality_of_the_heads_probabilities(self):
        probabilities = torch.stack([torch.full((2, 2), 0.5), torch.full((2, 2), 1.0)])
        boxes = [[0, 0, 2, 2], [1, 0, 3, 2]]
        instances = InstanceSet.from_rois(probabilities, boxes, [0.9, 0.8], [CAT, CAT], (2, 4))
        assert instances_in(fuse(instances, None, CATEGORIES, Pipeline(Greedy(1.0), order=Power()))) == [0, 1]
        assert instances_in(fuse(instances, None, CATEGORIES, Pipeline(Greedy(1.0), order=PANOPTIC_FCN))) == [1, 0]


@pytest.mark.parametrize("scene", SCENES)
class TestLaws:
    def test_segments_come_by_key_and_exactly_those_below_the_cutoff_are_dropped_for_it(self, scene):
        rng = np.random.default_rng(len(scene.scores))
        quality, agreement = rng.random((2, len(scene.scores))).round(1)
        instances = InstanceSet.from_bitmaps(
            scene.masks, scene.scores, scene.category_ids, mask_quality=quality, semantic_agreement=agreement
        )
        order = Power(1, 0.5, 0.5, key_cutoff=0.1)
        keys = order.keys(scene.scores, quality, agreement)
        result = fuse(instances, scene.semantics(), scene.categories, Pipeline(Greedy(0.8), 0.1, 60, order=order))
        ranks = [keys[index] for index in instances_in(result)]
        assert ranks == sorted(ranks, reverse=True)
        cut = [dropped.instance_id for dropped in result.dropped if dropped.reason == "key"]
        assert cut == np.flatnonzero((scene.scores >= 0.1) & (keys < 0.1)).tolist()
        if len(keys) >= 40:
            assert cut and len(ranks) > 1
