import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.logistic import fit_logistic, fit_offsets

NO_PRIOR = {"prior": np.zeros(3), "deviation": 1e3}
WEAK = {"deviation": 10.0, "offset_deviation": 2.0}


def logistic(values):
    return 1 / (1 + np.exp(-values))


# --- one function ---


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


# --- groups with offsets ---


def of_groups(rng, n=600, groups=3):
    return rng.normal(size=(n, 2)), rng.random(n) < 0.3, np.arange(n) % groups


def test_the_fit_with_offsets_is_where_the_gradient_vanishes():
    features, labels, groups = of_groups(np.random.default_rng(1))
    labels |= groups == 2
    shared, offsets = fit_offsets(features, labels, groups, deviation=0.7, offset_deviation=1.5)
    columns = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    wrong = logistic(columns @ shared + offsets[groups]) - labels
    assert np.abs(columns.T @ wrong + shared / 0.7**2).max() < 1e-9
    for group, offset in enumerate(offsets):
        assert abs(wrong[groups == group].sum() + offset / 1.5**2) < 1e-9


def test_the_fit_is_that_of_a_column_per_group():
    """A group is a feature that is 1 in it; dividing it by five makes a deviation of 10 one of 2."""
    features, labels, groups = of_groups(np.random.default_rng(2))
    columns = np.concatenate([features, np.eye(3)[groups] / 5], axis=1)
    plain = fit_logistic(columns, labels, prior=np.zeros(6), deviation=10.0)
    shared, offsets = fit_offsets(features, labels, groups, **WEAK)
    assert shared == pytest.approx(plain[:3], abs=1e-8) and offsets == pytest.approx(plain[3:] / 5, abs=1e-8)


def test_groups_of_opposite_base_rates():
    """By symmetry the bias is 0, and an offset balances what is wrong of ten: 10 (p - 0.8) + offset / 2^2 = 0."""
    labels = np.repeat([True, False, True, False], [8, 2, 2, 8])
    shared, (first, second) = fit_offsets(np.zeros((20, 1)), labels, np.repeat([0, 1], 10), **WEAK)
    assert shared == pytest.approx([0, 0], abs=1e-9) and first == pytest.approx(-second)
    assert 10 * (logistic(first) - 0.8) + first / 4 == pytest.approx(0, abs=1e-9)


def test_offsets_of_separable_examples_are_finite():
    features = 30 * np.linspace(-1, 1, 40)[:, None]
    shared, offsets = fit_offsets(features, features[:, 0] > 0, (features[:, 0] > 0).astype(int), **WEAK)
    assert np.isfinite(shared).all() and np.isfinite(offsets).all() and offsets[0] < 0 < offsets[1]


def test_the_same_bits_again():
    arguments = of_groups(np.random.default_rng(3))
    one, other = (fit_offsets(*arguments, **WEAK) for _ in range(2))
    assert one[0].tobytes() == other[0].tobytes() and one[1].tobytes() == other[1].tobytes()
