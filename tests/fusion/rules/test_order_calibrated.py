"""The calibrated order: its features and probability as numbers, its ranking and cuts drawn."""

import math
import pickle

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    FEATURES,
    SCORE_WEIGHTS,
    Calibrated,
    Greedy,
    InstanceSet,
    Pipeline,
    calibrated_probability,
    calibration_features,
    covered_by_better,
    fuse,
    semantic_agreement,
)
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, DOG, assert_map, draw, fused, instances_in, reasons, row

# The bias alone, so that p is one half exactly whatever the instance.
HALF = (0, 0, 0, 0, 0)
AGREEMENT, AREA, COVERED = (0, 0, 1, 0, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, -1)
SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, things=5, stuff=12)
    for seed, count in enumerate([0, 1, 7, 40, 100])
]
FITTED = Calibrated(
    weights={0: (-1.5, 0.8, 1.2, 0.3, -2.0), 4: [0.5, 1.1, 0.0, -0.2, -1.0]},
    cut={0: 0.3, 2: 0.6},
    default_weights=(-0.4, 1.0, 0.9, 0.1, -1.5),
    default_cut=0.35,
)


def random_features(count, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.random(count)
    scores[: count // 10] = rng.choice([0.0, 1.0, 1e-9, 0.5], count // 10)
    return scores, rng.random(count), rng.integers(0, 300_000, count), rng.random(count)


class TestFeatures:
    def test_one_by_hand(self):
        features = calibration_features([0.5, 0.8], [0.25, 1], [1, 10000], [0, 0.5])
        assert len(FEATURES) == 4
        assert features.dtype == np.float64
        np.testing.assert_allclose(features, [[0, 0.25, 0, 0], [math.log(4), 1, math.log(10000), 0.5]], rtol=1e-15)

    def test_logits_stay_finite(self):
        features = calibration_features([0, 1, -3, 5, 1e-7], [0] * 5, [1] * 5, [0] * 5)
        low, high = math.log(1e-6 / (1 - 1e-6)), math.log((1 - 1e-6) / 1e-6)
        np.testing.assert_allclose(features[:, 0], [low, high, low, high, low], rtol=1e-9)

    def test_an_empty_mask_counts_as_one_pixel(self):
        assert calibration_features([0.5], [0], [0], [0])[0, 2] == 0

    def test_without_instances_there_are_no_rows(self):
        features = calibration_features([], [], [], [])
        assert features.shape == (0, 4)
        assert calibrated_probability(features, [], {}, SCORE_WEIGHTS).shape == (0,)


class TestProbability:
    def test_one_by_hand(self):
        weights = (0.5, 2, -1, 0.25, 3)
        p = calibrated_probability([[1, 2, 4, 0.5]], [CAT], {}, weights)
        assert p[0] == pytest.approx(1 / (1 + math.exp(-(0.5 + 2 - 2 + 1 + 1.5))), rel=1e-15)

    def test_each_category_has_its_weights_and_the_others_the_default(self):
        features = np.ones((3, 4))
        p = calibrated_probability(features, np.array([CAT, DOG, 99]), {DOG: (9, 0, 0, 0, 0)}, HALF)
        np.testing.assert_allclose(p, [0.5, 1 / (1 + math.exp(-9)), 0.5], rtol=1e-15)

    def test_the_default_is_the_score(self):
        scores, *others = random_features(500)
        p = Calibrated().probability(calibration_features(scores, *others), [CAT] * 500)
        np.testing.assert_allclose(p, np.clip(scores, 1e-6, 1 - 1e-6), rtol=1e-10)

    def test_the_largest_weights_give_0_and_1_without_a_warning(self):
        features = calibration_features([0, 1], [1, 1], [10**9] * 2, [1, 1])
        with np.errstate(all="raise", under="ignore"):
            p = calibrated_probability(features, [CAT, DOG], {CAT: (-1e6,) * 5}, (1e6,) * 5)
        assert p.tolist() == [0, 1]

    def test_how_instances_are_grouped_into_calls_does_not_change_a_bit(self):
        # Vectorised loops treat what is left at the end of an array apart, and strided arrays too.
        columns = random_features(131)
        category_ids = np.random.default_rng(1).integers(0, 5, 131)

        def probabilities(*chosen, ids):
            return FITTED.probability(calibration_features(*chosen), ids)

        expected = probabilities(*columns, ids=category_ids)
        assert len(np.unique(expected)) > 120
        for start in range(0, 131, 7):
            for stop in (start + 1, start + 3, start + 9, 131):
                part = probabilities(*(c[start:stop] for c in columns), ids=category_ids[start:stop])
                assert part.tobytes() == expected[start:stop].tobytes()
        for step in (2, 3, -1, -5):
            part = probabilities(*(c[::step] for c in columns), ids=category_ids[::step])
            assert part.tobytes() == expected[::step].tobytes()
        fortran = calibrated_probability(
            np.asfortranarray(calibration_features(*columns)), category_ids, FITTED.weights, FITTED.default_weights
        )
        assert fortran.tobytes() == expected.tobytes()
        lists = probabilities(*(c.tolist() for c in columns), ids=category_ids.tolist())
        assert lists.tobytes() == expected.tobytes()


class TestCuts:
    @pytest.mark.parametrize("cut, kept", [(np.nextafter(0.5, 0), True), (0.5, True), (np.nextafter(0.5, 1), False)])
    def test_a_probability_at_the_cut_is_kept_and_one_below_is_not(self, cut, kept):
        result = fused([row((0, 2), width=4)], [0.9], order=Calibrated(default_weights=HALF, default_cut=cut))
        assert reasons(result) == ({} if kept else {0: "probability"})

    def test_each_category_has_its_cut_and_the_others_the_default(self):
        order = Calibrated(cut={DOG: 0.5}, default_weights=HALF, default_cut=0.6)
        masks = [row((k, k + 1), width=4) for k in range(4)]
        result = fused(masks, [0.9, 0.8, 0.7, 0.6], category_ids=[DOG, CAT, DOG, CAT], order=order)
        assert_map(result, "1.2.")
        assert reasons(result) == {1: "probability", 3: "probability"}
        assert order.cuts([CAT, DOG]).tolist() == [0.6, 0.5]

    def test_the_score_threshold_comes_before(self):
        masks = [row((k, k + 1), width=4) for k in range(4)]
        order = Calibrated(default_cut=1.0)
        result = fused(masks, [0.9, 0.49, np.nan, 0.5], order=order)
        assert reasons(result) == {0: "probability", 1: "score", 2: "not_finite", 3: "probability"}

    def test_a_dropped_instance_claims_nothing(self):
        order = Calibrated(cut={DOG: 0.6}, default_weights=HALF)
        result = fused([row((0, 4), width=6), row((2, 6), width=6)], [0.9, 0.8], category_ids=[DOG, CAT], order=order)
        assert_map(result, "..1111")

    def test_an_empty_mask_that_is_not_cut_is_dropped_as_empty(self):
        result = fused([row(width=4), row((0, 2), width=4)], [0.9, 0.8], order=Calibrated())
        assert_map(result, "11..")
        assert reasons(result) == {0: "empty"}


class TestRanking:
    MASKS = [row((0, 4), width=12), row((3, 9), width=12), row((8, 11), width=12)]
    LABELS = draw("000111100000")

    @pytest.mark.parametrize(
        "weights, ranked",
        [
            (SCORE_WEIGHTS, [0, 1, 2]),
            (tuple(-w for w in SCORE_WEIGHTS), [2, 1, 0]),
            (AREA, [1, 0, 2]),  # 6, 4 and 3 pixels
            (AGREEMENT, [2, 0, 1]),  # 3 / 3, 3 / 4 and 2 / 6
            (COVERED, [0, 1, 2]),  # 0, 1 / 6 and 1 / 3
            (HALF, [0, 1, 2]),  # all the same: the order of the input
        ],
        ids=["score", "worst score", "area", "agreement", "covered", "ties"],
    )
    def test_each_feature_can_decide(self, weights, ranked):
        order = Calibrated(default_weights=weights)
        result = fused(self.MASKS, [0.9, 0.8, 0.7], self.LABELS, order=order, claim=Greedy(1.0))
        assert instances_in(result) == ranked

    def test_the_better_one_has_the_contested_pixel_and_the_score_stays_the_heads(self):
        order = Calibrated(default_weights=AREA)
        result = fused(self.MASKS, [0.9, 0.8, 0.7], order=order)
        assert_map(result, "22211111133.")
        assert [segment["score"] for segment in result.segments_info] == [0.8, 0.9, 0.7]

    def test_without_semantics_the_agreement_is_0(self):
        order = Calibrated(default_weights=AGREEMENT, default_cut=0.5)
        result = fused(self.MASKS, [0.7, 0.8, 0.9], order=order, claim=Greedy(1.0))
        assert instances_in(result) == [0, 1, 2]

    def test_better_instances_below_their_own_threshold_cover_too(self):
        # The cat is better and below the cats' threshold; what was said of the dog is not changed by that.
        masks = [row((0, 4), width=8), row((2, 6), width=8)]
        order = Calibrated(default_weights=COVERED, default_cut=0.45)
        for threshold in (0, 0.9):
            result = fused(
                masks, [0.8, 0.7], category_ids=[CAT, DOG], order=order, instances_score_thresh_of={CAT: threshold}
            )  # fmt: skip
            # Half of the dog is covered: p = 1 / (1 + exp(0.5)) = 0.38.
            assert reasons(result)[1] == "probability"


@pytest.mark.parametrize("scene", SCENES)
class TestLaws:
    def test_segments_come_by_probability_and_exactly_those_below_the_cut_are_dropped_for_it(self, scene):
        instances = scene.instances()
        result = fuse(instances, scene.semantics(), scene.categories, Pipeline(Greedy(0.8), 0.1, 60, order=FITTED))
        p = FITTED.probability(
            calibration_features(
                scene.scores.astype(np.float64),
                semantic_agreement(instances, scene.semantics(), scene.categories),
                scene.masks.sum(axis=(1, 2)),
                covered_by_better(instances),
            ),
            scene.category_ids.tolist(),
        )
        ranks = [p[segment["instance_id"]] for segment in result.segments_info if segment["isthing"]]
        assert ranks == sorted(ranks, reverse=True)
        below = (scene.scores >= 0.1) & (p < FITTED.cuts(scene.category_ids.tolist()))
        cut = [dropped.instance_id for dropped in result.dropped if dropped.reason == "probability"]
        assert cut == np.flatnonzero(below).tolist()
        if len(p) >= 40:
            assert cut and len(ranks) > 1 and ranks != sorted(ranks)

    def test_measures_that_are_carried_give_the_same(self, scene):
        pipeline = Pipeline(Greedy(), 0.1, 60, order=FITTED)
        result = fuse(scene.instances(), scene.semantics(), scene.categories, pipeline)
        agreement = semantic_agreement(scene.instances(), scene.semantics(), scene.categories)
        carrying = InstanceSet.from_bitmaps(
            scene.masks, scene.scores, scene.category_ids, semantic_agreement=agreement
        )  # fmt: skip
        again = fuse(carrying, scene.semantics(), scene.categories, pipeline)
        assert np.array_equal(again.panoptic_seg, result.panoptic_seg)
        assert (again.segments_info, again.dropped) == (result.segments_info, result.dropped)


class TestParameters:
    @pytest.mark.parametrize(
        "weights",
        [(1, 2, 3, 4), (1,) * 6, [], 1.0, None, "12345", (1, 2, 3, 4, np.nan), (1, 2, 3, 4, np.inf)],
        ids=repr,
    )
    def test_weights_are_five_finite_numbers(self, weights):
        message = r"must be 5 numbers in \[-1e\+06, 1e\+06\] \(bias, logit_score, .*\), got "
        with pytest.raises(InputError, match=r"default_weights " + message):
            Calibrated(default_weights=weights)
        with pytest.raises(InputError, match=r"weights\[7\] " + message):
            Calibrated({0: HALF, 7: weights})

    @pytest.mark.parametrize("weight", [1e6 + 1, -2e6, True, "1", None, 1j, [1]], ids=repr)
    def test_each_weight_is_a_number_that_cannot_overflow(self, weight):
        with pytest.raises(InputError, match=r"default_weights must be 5 numbers"):
            Calibrated(default_weights=(0, 0, weight, 0, 0))

    @pytest.mark.parametrize("weights", [[HALF], None, {"dog": HALF}, {1.5: HALF}], ids=repr)
    def test_weights_go_by_category_ids(self, weights):
        with pytest.raises(InputError, match="weights must be a mapping from category ids"):
            Calibrated(weights)

    def test_lists_and_arrays_will_do(self):
        one = Calibrated({7: [1, 2, 3, 4, 5]}, default_weights=np.arange(5.0))
        assert one == Calibrated({7: (1.0, 2.0, 3.0, 4.0, 5.0)}, default_weights=(0, 1, 2, 3, 4))
        assert hash(one) == hash(pickle.loads(pickle.dumps(one)))
        assert pickle.loads(pickle.dumps(one)) == one

    def test_they_cannot_be_changed_from_outside(self):
        row_of_weights, weights = [1, 2, 3, 4, 5], {}
        weights[7] = row_of_weights
        order = Calibrated(weights)
        row_of_weights[0] = weights[0] = 9
        assert dict(order.weights) == {7: (1, 2, 3, 4, 5)}
