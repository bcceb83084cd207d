"""The most probable weights of logistic functions under Gaussian priors, by Newton's method.

The minimum is unique and finite, even of examples that a plane separates.

Shape legend: n examples, F features, G groups.
"""

from typing import Callable, Tuple

import numpy as np

_MOST_STEPS = 100
_SMALL_STEP = 1e-10


def fit_logistic(features: np.ndarray, labels: np.ndarray, *, prior: np.ndarray, deviation: float) -> np.ndarray:
    """The weights of one function.

    Args:
        features: (n, F), scaled to about one.
        labels: (n,) bool.
        prior: (1 + F,) its mean: the bias, then one weight per feature.
        deviation: its standard deviation, of all weights; above 0.

    Returns:
        (1 + F,) float64.
    """
    columns, targets, precision = _with_bias(features), labels.astype(np.float64), 1 / deviation**2

    def loss(weights: np.ndarray) -> float:
        distance = precision / 2 * np.square(weights - prior).sum()
        return _misfit(_products(columns, weights), targets) + float(distance)

    def step(weights: np.ndarray) -> np.ndarray:
        p = _sigmoid(_products(columns, weights))
        gradient = _sums(columns, p - targets) + precision * (weights - prior)
        curvature = np.stack([_sums(columns, p * (1 - p) * column) for column in columns.T])
        return np.linalg.solve(curvature + precision * np.eye(len(weights)), gradient)

    return _minimum(np.array(prior, dtype=np.float64), loss, step)


def fit_offsets(
    features: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, deviation: float, offset_deviation: float
) -> Tuple[np.ndarray, np.ndarray]:
    """The weights that groups share, and what the bias of each differs by; all priors have the mean 0.

    Args:
        features: (n, F), scaled to about one.
        labels: (n,) bool.
        groups: (n,) int, 0 to G - 1; each occurs.
        deviation: of the prior of the shared weights; above 0.
        offset_deviation: of that of the offsets; above 0.

    Returns:
        (1 + F,) float64, the shared bias and weights; and (G,) float64, the offsets.
    """
    columns, targets = _with_bias(features), labels.astype(np.float64)
    shared, number = columns.shape[1], int(groups.max()) + 1
    precision = np.repeat([1 / deviation**2, 1 / offset_deviation**2], [shared, number])

    def totals(weights: np.ndarray) -> np.ndarray:
        return _products(columns, weights[:shared]) + weights[shared:][groups]

    def of_groups(values: np.ndarray) -> np.ndarray:
        return np.bincount(groups, values, number)

    def loss(weights: np.ndarray) -> float:
        return _misfit(totals(weights), targets) + float((precision / 2 * np.square(weights)).sum())

    def step(weights: np.ndarray) -> np.ndarray:
        p = _sigmoid(totals(weights))
        wrong, slope = p - targets, p * (1 - p)
        gradient = np.concatenate([_sums(columns, wrong), of_groups(wrong)]) + precision * weights
        # No example is of two groups, so that their block is diagonal.
        curvature = np.diag(np.concatenate([np.zeros(shared), of_groups(slope)]) + precision)
        for place, column in enumerate(columns.T):
            curvature[place, :shared] += _sums(columns, slope * column)
            curvature[place, shared:] = curvature[shared:, place] = of_groups(slope * column)
        return np.linalg.solve(curvature, gradient)

    weights = _minimum(np.zeros(shared + number), loss, step)
    return weights[:shared], weights[shared:]


def _minimum(
    start: np.ndarray, loss: Callable[[np.ndarray], float], step: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The minimum of a convex loss, of which ``step`` gives Newton's step."""
    weights, lowest = start, loss(start)
    for _ in range(_MOST_STEPS):
        change = step(weights)
        # Far from the minimum a whole step may overshoot.
        while True:
            moved = weights - change
            new_loss = loss(moved)
            if new_loss <= lowest or np.abs(change).max() < _SMALL_STEP:
                break
            change = change / 2
        weights, lowest = moved, new_loss
        if np.abs(change).max() < _SMALL_STEP:
            break
    return weights


def _with_bias(features: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)


def _misfit(totals: np.ndarray, targets: np.ndarray) -> float:
    return float((np.logaddexp(0, totals) - targets * totals).sum())


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -values))


# No matrix products: their last bits depend on the number of threads, and so would the weights.
def _products(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (columns * weights).sum(axis=1)


def _sums(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (columns * values[:, None]).sum(axis=0)
