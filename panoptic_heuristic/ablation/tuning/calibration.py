"""Fitting the probability that an instance is a true positive, and where to cut it.

The probability is the logistic function of :mod:`panoptic_heuristic.fusion.rules.order_calibrated`, fitted to
what instances would match before anything is fused. The cut follows from PQ itself: with a sum of
IoU I and D = TP + FP / 2 + FN / 2, an instance accepted adds p * u to I, u being the IoU to expect of
a true positive, and one half to D whether it is true or false. So PQ = I / D rises exactly if
p * u > PQ / 2.

Shape legend: n examples, F features.
"""

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions, rank_by
from panoptic_heuristic.ablation.regions.scoring import score
from panoptic_heuristic.fusion import SCORE_WEIGHTS, Weights
from panoptic_heuristic.quality import IOU_UNIT

FEWEST_EXAMPLES = 10
"""A category with fewer true, or fewer false, examples is taken to be like all together."""

PRIOR_DEVIATION = 0.5
"""A category's weights are thought to be so far from those of all, in logits per standard deviation of a feature."""

PRIOR_MATCHES = 10
"""As many true positives of the IoU of all categories are added to those of each, for its expected IoU."""

_POOLED_DEVIATION = 10.0
_NO_DEVIATION = 1e-9
_MOST_STEPS = 100
_SMALL_STEP = 1e-10


@dataclass(frozen=True, eq=False)
class Examples:
    """Instances and what became of them.

    Attributes:
        features: (n, F) float64.
        category_ids: (n,) int64 dataset ids.
        labels: (n,) bool: it is a true positive.
        ious: (n,) float64, of true positives their IoU, otherwise 0.
    """

    features: np.ndarray
    category_ids: np.ndarray
    labels: np.ndarray
    ious: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """A fitted calibration, by dataset category id.

    Attributes:
        weights: of the categories with examples enough.
        default_weights: of the others: fitted to all categories together.
        expected_iou: of a true positive of these categories.
        default_iou: of one of the others.
    """

    weights: Mapping[int, Weights]
    default_weights: Weights
    expected_iou: Mapping[int, float]
    default_iou: float


def examples_of(images: Sequence[Regions], score_floor: float) -> Examples:
    """The matches that instances of some images would have before fusion, mask against ground truth.

    An instance is a true positive if its mask has an IoU above 0.5 with a segment of its category
    that no better-scored instance of the category has matched. Those without a pixel are left out,
    and those on void or a crowd that count neither as true nor as false.

    Args:
        images: the tuning images.
        score_floor: instances with a lower score are left out.
    """
    parts: List[Tuple[np.ndarray, ...]] = []
    for regions in images:
        outcomes = score(regions.masks_on_gt, regions.category_ids, regions)
        ranked = rank_by(regions.scores, np.isfinite(regions.scores) & (regions.scores >= score_floor))
        ranked = ranked[outcomes.matched[ranked] | outcomes.false[ranked]]
        # A segment's first place in the ranking; 0 stands for no match.
        segments, first = np.unique(outcomes.gt[ranked], return_index=True)
        labels = np.zeros(len(ranked), dtype=bool)
        labels[first[segments > 0]] = True
        ious = np.where(labels, outcomes.iou[ranked] / IOU_UNIT, 0.0)
        parts.append((regions.calibration_features[ranked], regions.category_ids[ranked], labels, ious))
    return Examples(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def fit_calibration(examples: Examples) -> Calibration:
    """Fits one logistic function to all categories, and one to each, held near the first.

    A category's weights have a Gaussian prior around those of all categories, of
    :data:`PRIOR_DEVIATION`, which is ridge regression towards them: many examples move them away,
    few do not, and those below :data:`FEWEST_EXAMPLES` are not asked.

    Args:
        examples: of the tuning images. Without true or without false ones the probability is the score.
    """
    if _rarer_label(examples.labels) < FEWEST_EXAMPLES:
        return Calibration({}, SCORE_WEIGHTS, {}, _mean_iou(examples.ious[examples.labels], 0.75))
    mean, deviation = examples.features.mean(axis=0), examples.features.std(axis=0)
    # A feature that never varies, but for rounding, says nothing: its weight stays at the prior's, 0.
    varies = deviation > _NO_DEVIATION
    deviation = np.where(varies, deviation, 1.0)
    scaled = np.where(varies, (examples.features - mean) / deviation, 0.0)
    zero = np.zeros(1 + scaled.shape[1])
    pooled = fit_logistic(scaled, examples.labels, prior=zero, deviation=_POOLED_DEVIATION)
    default_iou = _mean_iou(examples.ious[examples.labels], 0.75)
    weights: Dict[int, Weights] = {}
    expected: Dict[int, float] = {}
    for category_id in np.unique(examples.category_ids).tolist():
        own = examples.category_ids == category_id
        if _rarer_label(examples.labels[own]) < FEWEST_EXAMPLES:
            continue
        fitted = fit_logistic(scaled[own], examples.labels[own], prior=pooled, deviation=PRIOR_DEVIATION)
        weights[category_id] = _unscaled(fitted, mean, deviation)
        ious = examples.ious[own & examples.labels]
        total, number = ious.sum() + PRIOR_MATCHES * default_iou, len(ious) + PRIOR_MATCHES
        expected[category_id] = float(total / number)
    return Calibration(weights, _unscaled(pooled, mean, deviation), expected, default_iou)


def fit_logistic(features: np.ndarray, labels: np.ndarray, *, prior: np.ndarray, deviation: float) -> np.ndarray:
    """The most probable weights of a logistic function under a Gaussian prior, by Newton's method.

    The minimum is unique and finite, even of examples that a plane separates.

    Args:
        features: (n, F), scaled to about one.
        labels: (n,) bool.
        prior: (1 + F,) its mean: the bias, then one weight per feature.
        deviation: its standard deviation, of all weights; above 0.

    Returns:
        (1 + F,) float64.
    """
    columns = np.concatenate([np.ones((len(features), 1)), features], axis=1)
    targets, precision = labels.astype(np.float64), 1 / deviation**2
    weights = np.array(prior, dtype=np.float64)
    loss = _loss(columns, targets, weights, prior, precision)
    for _ in range(_MOST_STEPS):
        p = _sigmoid(_products(columns, weights))
        gradient = _sums(columns, p - targets) + precision * (weights - prior)
        curvature = np.stack([_sums(columns, p * (1 - p) * column) for column in columns.T])
        step = np.linalg.solve(curvature + precision * np.eye(len(weights)), gradient)
        # Far from the minimum a whole step may overshoot.
        while True:
            moved = weights - step
            new_loss = _loss(columns, targets, moved, prior, precision)
            if new_loss <= loss or np.abs(step).max() < _SMALL_STEP:
                break
            step = step / 2
        weights, loss = moved, new_loss
        if np.abs(step).max() < _SMALL_STEP:
            break
    return weights


def cuts_by_rule(
    pq: Mapping[int, float], calibration: Calibration, categories: Sequence[int]
) -> Tuple[Dict[int, float], float]:
    """The cuts at which accepting an instance stops raising its category's PQ: p = PQ / (2 * expected IoU).

    Args:
        pq: 0 to 1 by dataset category id; things that occur in the tuning images.
        calibration: what was fitted there.
        categories: the dataset ids of the things that get a cut of their own, if they were calibrated
            by themselves and have a PQ.

    Returns:
        The cuts by category id, and that of the others, which follows from the mean PQ. Four digits.
    """
    mean = sum(pq.values()) / len(pq) if pq else 0.0
    cuts = {
        category_id: _cut(pq[category_id], calibration.expected_iou[category_id])
        for category_id in categories
        if category_id in calibration.weights and category_id in pq
    }
    return cuts, _cut(mean, calibration.default_iou)


def _cut(pq: float, expected_iou: float) -> float:
    return round(min(pq / (2 * expected_iou), 1.0), 4)


def _rarer_label(labels: np.ndarray) -> int:
    true = int(np.count_nonzero(labels))
    return min(true, len(labels) - true)


def _mean_iou(ious: np.ndarray, otherwise: float) -> float:
    return float(ious.mean()) if len(ious) else otherwise


def _unscaled(weights: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Weights:
    """Weights of the features as they are, of six digits: what is written to a YAML file is what was counted."""
    factors = weights[1:] / deviation
    bias = weights[0] - float((factors * mean).sum())
    rounded = (float(f"{value:.6g}") for value in (bias, *factors.tolist()))
    bias, score, agreement, area, covered = rounded
    return bias, score, agreement, area, covered


def _loss(
    columns: np.ndarray, targets: np.ndarray, weights: np.ndarray, prior: np.ndarray, precision: float
) -> float:
    total = _products(columns, weights)
    return float((np.logaddexp(0, total) - targets * total).sum() + precision / 2 * np.square(weights - prior).sum())


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -values))


# No matrix products: their last bits depend on the number of threads, and so would the weights.
def _products(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (columns * weights).sum(axis=1)


def _sums(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    return (columns * values[:, None]).sum(axis=0)

