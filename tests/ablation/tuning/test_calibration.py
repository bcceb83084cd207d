import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.calibration import (
    FEWEST_EXAMPLES,
    OFFSET_DEVIATION,
    Calibration,
    cuts_by_rule,
    fit_per_class,
    fit_shared,
)
from panoptic_heuristic.ablation.tuning.examples import Examples
from panoptic_heuristic.fusion import SCORE_WEIGHTS, calibrated_probability


def logistic(values):
    return 1 / (1 + np.exp(-values))


def examples(features, labels, category_ids=None, iou=0.8):
    category_ids = np.zeros(len(labels), dtype=np.int64) if category_ids is None else category_ids
    return Examples(features, category_ids, labels, np.where(labels, iou, 0.0))


# --- a fit per class ---


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
    fitted = fit_per_class(
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
    assert list(fit_per_class(examples(features, labels, category_ids)).weights) == [3]
    category_ids[np.flatnonzero(~labels)[FEWEST_EXAMPLES]] = 5
    assert list(fit_per_class(examples(features, labels, category_ids)).weights) == [3, 5]


def test_few_examples_stay_near_all():
    """Twenty of thousands, whose labels say the opposite: alone they would have a weight below 0."""
    rng = np.random.default_rng(8)
    features, labels, _ = made_up(rng, 8000, -2.0)
    category_ids = np.zeros(8000, dtype=np.int64)
    few = np.concatenate([np.flatnonzero(labels)[:FEWEST_EXAMPLES], np.flatnonzero(~labels)[:FEWEST_EXAMPLES]])
    category_ids[few], labels[few] = 1, ~labels[few]
    fitted = fit_per_class(examples(features, labels, category_ids))
    assert 0 < fitted.weights[1][1] < fitted.default_weights[1]
    alone = fit_per_class(examples(features[few], labels[few]))
    assert alone.default_weights[1] < 0


@pytest.mark.parametrize("fit", [fit_shared, fit_per_class])
def test_without_anything_to_fit_the_probability_is_the_score(fit):
    for labels in ([], [True] * 50, [False] * 50):
        features = np.zeros((len(labels), 4))
        fitted = fit(examples(features, np.array(labels, dtype=bool)))
        assert fitted.weights == {} and fitted.default_weights == SCORE_WEIGHTS and 0.5 < fitted.default_iou <= 1


@pytest.mark.parametrize("fit", [fit_shared, fit_per_class])
def test_a_feature_that_never_varies_has_no_weight(fit):
    rng = np.random.default_rng(5)
    features, labels, _ = made_up(rng, 500, -2.0)
    # A mean of equal numbers need not be that number.
    features[:, 1] = 0.1
    fitted = fit(examples(features, labels))
    assert fitted.weights[0][2] == 0 and fitted.default_weights[2] == 0


def test_the_expected_iou_of_few_matches_is_near_that_of_all():
    rng = np.random.default_rng(6)
    features, labels, _ = made_up(rng, 3000, -2.0)
    few = np.zeros(3000, dtype=np.int64)
    few[np.flatnonzero(labels)[:10]] = few[np.flatnonzero(~labels)[:10]] = 1
    ious = np.where(labels, np.where(few == 1, 0.6, 0.9), 0.0)
    fitted = fit_per_class(Examples(features, few, labels, ious))
    assert fitted.expected_iou[1] == pytest.approx((10 * 0.6 + 10 * fitted.default_iou) / 20)
    assert fitted.expected_iou[0] == pytest.approx(0.9, abs=1e-3)


def test_weights_have_six_digits():
    features, labels, _ = made_up(np.random.default_rng(7), 500, -2.0)
    for value in fit_per_class(examples(features, labels)).default_weights:
        assert value == float(f"{value:.6g}")


# --- shared slopes ---


def of_two(rng, n=40_000, few=0):
    """Two categories of the same slopes, with biases of -3 and -1; and a few instances of a third."""
    parts = [made_up(rng, n, -3.0), made_up(rng, n, -1.0), made_up(rng, few, -2.0)]
    labels = np.concatenate([part[1] for part in parts])
    return examples(np.concatenate([part[0] for part in parts]), labels, np.repeat([7, 0, 5], [n, n, few])), parts


def without_areas(found):
    """The same examples, made up of instances whose areas say nothing."""
    rng = np.random.default_rng(9)
    features = found.features.copy()
    features[:, 2] = 7.0
    biases = np.where(found.category_ids == 7, -3.0, -1.0)
    labels = rng.random(len(features)) < logistic(biases + features @ np.array([0.9, 1.5, 0.0, -2.0]))
    return examples(features, labels, found.category_ids)


def test_categories_share_slopes_and_differ_in_their_base_rates():
    fitted = fit_shared(without_areas(of_two(np.random.default_rng(10))[0]))
    assert list(fitted.weights) == [0, 7]
    assert fitted.weights[0] == pytest.approx((-1.0, 0.9, 1.5, 0.0, -2.0), abs=0.1)
    assert fitted.weights[7] == pytest.approx((-3.0, 0.9, 1.5, 0.0, -2.0), abs=0.1)
    assert fitted.weights[0][1:] == fitted.weights[7][1:] == fitted.default_weights[1:]
    assert fitted.weights[7][0] < fitted.default_weights[0] < fitted.weights[0][0]


def test_areas_have_no_weight_however_much_they_say():
    fitted = fit_shared(of_two(np.random.default_rng(11), 2000)[0])
    assert [weights[3] for weights in (*fitted.weights.values(), fitted.default_weights)] == [0.0] * 3
    other = examples_with_areas(of_two(np.random.default_rng(11), 2000)[0], 1e6)
    assert fit_shared(other).weights == fitted.weights


def examples_with_areas(found, log_area):
    features = found.features.copy()
    features[:, 2] *= log_area
    return Examples(features, found.category_ids, found.labels, found.ious)


def test_three_examples_stay_near_the_common_bias():
    """All three are true: alone their bias would be without bounds, and here it moves by what three can say."""
    found, _ = of_two(np.random.default_rng(12), few=3)
    labels = np.where(found.category_ids == 5, True, found.labels)
    fitted = fit_shared(examples(found.features, labels, found.category_ids))
    offset = fitted.weights[5][0] - fitted.default_weights[0]
    # Where the gradient vanishes: offset / 2^2 is the sum of what is missing to certainty, of three at most 3.
    p = calibrated_probability(found.features[-3:], [5] * 3, fitted.weights, fitted.default_weights)
    assert offset == pytest.approx(OFFSET_DEVIATION**2 * (1 - p).sum(), abs=1e-3)
    assert 0 < offset < 3 < OFFSET_DEVIATION**2
    assert fitted.expected_iou[5] == pytest.approx((3 * 0.8 + 10 * fitted.default_iou) / 13)


def test_a_category_that_nothing_is_known_of_has_the_common_bias():
    fitted = fit_shared(of_two(np.random.default_rng(13), 500)[0])
    assert 31 not in fitted.weights and 31 not in fitted.expected_iou
    biases = [weights[0] for weights in fitted.weights.values()]
    assert min(biases) < fitted.default_weights[0] < max(biases)


def test_a_category_without_true_positives_expects_the_iou_of_all():
    found, _ = of_two(np.random.default_rng(14), 500, few=40)
    labels = np.where(found.category_ids == 5, False, found.labels)
    fitted = fit_shared(examples(found.features, labels, found.category_ids))
    assert fitted.expected_iou[5] == fitted.default_iou and fitted.weights[5][0] < fitted.default_weights[0]


def test_shared_weights_have_six_digits_and_are_the_same_again():
    found, _ = of_two(np.random.default_rng(15), 500, few=3)
    fitted = fit_shared(found)
    for weights in (*fitted.weights.values(), fitted.default_weights):
        assert all(value == float(f"{value:.6g}") for value in weights)
    assert fit_shared(found) == fitted


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
