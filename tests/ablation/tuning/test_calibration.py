import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.calibration import (
    FEWEST_EXAMPLES,
    Calibration,
    Examples,
    cuts_by_rule,
    examples_of,
    fit_calibration,
    fit_logistic,
)
from panoptic_heuristic.fusion import SCORE_WEIGHTS, calibrated_probability
from tests.ablation.tuning_images import drawn_image

NO_PRIOR = {"prior": np.zeros(3), "deviation": 1e3}


def logistic(values):
    return 1 / (1 + np.exp(-values))


def examples(features, labels, category_ids=None, iou=0.8):
    category_ids = np.zeros(len(labels), dtype=np.int64) if category_ids is None else category_ids
    return Examples(features, category_ids, labels, np.where(labels, iou, 0.0))


# --- the fit ---


def test_the_fit_recovers_known_weights():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200_000, 2))
    known = np.array([-1.0, 2.0, -0.5])
    labels = rng.random(len(features)) < logistic(known[0] + features @ known[1:])
    assert fit_logistic(features, labels, **NO_PRIOR) == pytest.approx(known, abs=0.03)


def test_the_fit_is_where_the_gradient_vanishes():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(300, 2)), rng.random(300) < 0.3
    prior, deviation = np.array([0.5, -1.0, 2.0]), 0.7
    weights = fit_logistic(features, labels, prior=prior, deviation=deviation)
    columns = np.concatenate([np.ones((300, 1)), features], axis=1)
    gradient = columns.T @ (logistic(columns @ weights) - labels) + (weights - prior) / deviation**2
    assert np.abs(gradient).max() < 1e-9


def test_without_examples_the_prior_stays():
    prior = np.array([0.5, -1.0, 2.0])
    fitted = fit_logistic(np.zeros((0, 2)), np.zeros(0, dtype=bool), prior=prior, deviation=0.5)
    assert fitted.tolist() == prior.tolist()


def test_examples_pull_the_weights_from_the_prior():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(5000, 1))
    labels = rng.random(5000) < logistic(3 * features[:, 0])
    slopes = [
        fit_logistic(features[:n], labels[:n], prior=np.zeros(2), deviation=0.5)[1] for n in (0, 20, 200, 5000)
    ]
    assert slopes == sorted(slopes) and slopes[0] == 0 and slopes[-1] == pytest.approx(3, abs=0.3)


def test_separable_examples_have_finite_weights():
    """Far out, where a whole Newton step overshoots, too."""
    for spread in (1.0, 30.0):
        features = spread * np.linspace(-1, 1, 40)[:, None]
        fitted = fit_logistic(features, features[:, 0] > 0, prior=np.zeros(2), deviation=10.0)
        assert np.isfinite(fitted).all() and fitted[1] > 0


def made_up(rng, n, bias):
    """Features of the size of real ones: logits, agreements, logs of areas, fractions; and what follows from them."""
    features = np.stack(
        [rng.normal(-1, 2, n), rng.random(n), rng.normal(7, 2, n), rng.random(n) ** 3], axis=1
    )
    known = np.array([bias, 0.9, 1.5, 0.3, -2.0])
    return features, rng.random(n) < logistic(known[0] + features @ known[1:]), known


def test_a_calibration_recovers_each_category():
    rng = np.random.default_rng(3)
    one, two = made_up(rng, 40_000, -3.0), made_up(rng, 40_000, -1.5)
    fitted = fit_calibration(
        examples(
            np.concatenate([one[0], two[0]]), np.concatenate([one[1], two[1]]), np.repeat([7, 0], 40_000)
        )
    )
    assert list(fitted.weights) == [0, 7]
    assert fitted.weights[7] == pytest.approx(one[2], abs=0.15)
    assert fitted.weights[0] == pytest.approx(two[2], abs=0.15)
    assert fitted.weights[7][0] < fitted.default_weights[0] < fitted.weights[0][0]
    # The probabilities are calibrated: as many are right as they say.
    p = calibrated_probability(one[0], [7] * 40_000, fitted.weights, fitted.default_weights)
    for low in (0.1, 0.3, 0.5, 0.7):
        inside = (p >= low) & (p < low + 0.2)
        assert one[1][inside].mean() == pytest.approx(p[inside].mean(), abs=0.03)


def test_rare_categories_are_like_all():
    rng = np.random.default_rng(4)
    features, labels, _ = made_up(rng, 4000, -2.0)
    category_ids = np.full(4000, 3)
    # Of category 5 there are enough true but not enough false examples.
    true = np.flatnonzero(labels)[: 3 * FEWEST_EXAMPLES]
    false = np.flatnonzero(~labels)[: FEWEST_EXAMPLES - 1]
    category_ids[true] = category_ids[false] = 5
    assert list(fit_calibration(examples(features, labels, category_ids)).weights) == [3]
    category_ids[np.flatnonzero(~labels)[FEWEST_EXAMPLES]] = 5
    assert list(fit_calibration(examples(features, labels, category_ids)).weights) == [3, 5]


def test_few_examples_stay_near_all():
    """Twenty of thousands, whose labels say the opposite: alone they would have a weight below 0."""
    rng = np.random.default_rng(8)
    features, labels, _ = made_up(rng, 8000, -2.0)
    category_ids = np.zeros(8000, dtype=np.int64)
    few = np.concatenate([np.flatnonzero(labels)[:FEWEST_EXAMPLES], np.flatnonzero(~labels)[:FEWEST_EXAMPLES]])
    category_ids[few], labels[few] = 1, ~labels[few]
    fitted = fit_calibration(examples(features, labels, category_ids))
    assert 0 < fitted.weights[1][1] < fitted.default_weights[1]
    alone = fit_calibration(examples(features[few], labels[few]))
    assert alone.default_weights[1] < 0


def test_without_anything_to_fit_the_probability_is_the_score():
    for labels in ([], [True] * 50, [False] * 50):
        features = np.zeros((len(labels), 4))
        fitted = fit_calibration(examples(features, np.array(labels, dtype=bool)))
        assert fitted.weights == {} and fitted.default_weights == SCORE_WEIGHTS and 0.5 < fitted.default_iou <= 1


def test_a_feature_that_never_varies_has_no_weight():
    rng = np.random.default_rng(5)
    features, labels, _ = made_up(rng, 500, -2.0)
    # A mean of equal numbers need not be that number.
    features[:, 1] = 0.1
    fitted = fit_calibration(examples(features, labels))
    assert fitted.weights[0][2] == 0 and fitted.default_weights[2] == 0


def test_the_expected_iou_of_few_matches_is_near_that_of_all():
    rng = np.random.default_rng(6)
    features, labels, _ = made_up(rng, 3000, -2.0)
    few = np.zeros(3000, dtype=np.int64)
    few[np.flatnonzero(labels)[:10]] = few[np.flatnonzero(~labels)[:10]] = 1
    ious = np.where(labels, np.where(few == 1, 0.6, 0.9), 0.0)
    fitted = fit_calibration(Examples(features, few, labels, ious))
    assert fitted.expected_iou[1] == pytest.approx((10 * 0.6 + 10 * fitted.default_iou) / 20)
    assert fitted.expected_iou[0] == pytest.approx(0.9, abs=1e-3)


def test_weights_have_six_digits():
    features, labels, _ = made_up(np.random.default_rng(7), 500, -2.0)
    for value in fit_calibration(examples(features, labels)).default_weights:
        assert value == float(f"{value:.6g}")


# --- what is true ---


def test_true_positives_of_a_drawing():
    image = drawn_image(
        "aaaabbbbcccc........",
        [
            ("####................", 0.4, 0),  # a again, but worse than the next: not true.
            ("#####...............", 0.9, 0),  # a with an IoU of 4 / 5.
            ("....##..............", 0.8, 0),  # Half of b: an IoU of one half is no match.
            ("....####............", 0.3, 31),  # b, but of another category.
            ("........###.........", 0.2, 31),  # c with an IoU of 3 / 4.
            ("........####........", 0.04, 31),  # Below the floor.
            ("............####....", 0.7, 0),  # On void: neither true nor false.
            ("....................", 0.6, 0),  # No pixel.
            ("........####........", float("nan"), 31),
        ],
    )
    found = examples_of([image], 0.05)
    # Best first.
    assert np.round(logistic(found.features[:, 0]), 6).tolist() == [0.9, 0.8, 0.4, 0.3, 0.2]
    assert found.labels.tolist() == [True, False, False, False, True]
    assert found.ious == pytest.approx([4 / 5, 0, 0, 0, 3 / 4])
    assert found.category_ids.tolist() == [0, 0, 0, 31, 31]


def test_images_without_instances_have_no_examples():
    found = examples_of([drawn_image("aa", []), drawn_image("aa", [("##", 0.5, 0)])], 0.05)
    assert found.labels.tolist() == [True] and found.features.shape == (1, 4)


# --- the rule ---

CALIBRATION = Calibration(dict.fromkeys((0, 31, 5), SCORE_WEIGHTS), SCORE_WEIGHTS, {0: 0.8, 31: 0.6, 5: 0.7}, 0.75)


def test_cuts_of_a_hand_made_example():
    """PQ 0.4 and an IoU of 0.8: p * 0.8 > 0.4 / 2 says p > 0.25."""
    cuts, default = cuts_by_rule({0: 0.4, 31: 0.3, 14: 0.05}, CALIBRATION, [0, 31, 5, 14])
    # 5 has no PQ, 14 no calibration; the others' cut is that of the mean PQ, 0.25.
    assert cuts == {0: 0.25, 31: 0.25}
    assert default == pytest.approx(0.25 / (2 * 0.75), abs=1e-4)
    assert cuts_by_rule({}, CALIBRATION, [0]) == ({}, 0.0)
    assert cuts_by_rule({0: 1.0}, Calibration({0: SCORE_WEIGHTS}, SCORE_WEIGHTS, {0: 0.5}, 0.5), [0]) == ({0: 1.0}, 1.0)


def test_an_instance_at_the_cut_changes_nothing():
    """The rule is derived from this: I / D with and without an instance of probability p and IoU u."""
    iou_sum, size, u = 30.0, 60.0, 0.8
    cuts, _ = cuts_by_rule({0: iou_sum / size}, CALIBRATION, [0])
    for above in (-0.1, 0.0, 0.1):
        p = cuts[0] + above
        assert (iou_sum + p * u) / (size + 0.5) - iou_sum / size == pytest.approx(above * u / 60.5, abs=1e-4)
