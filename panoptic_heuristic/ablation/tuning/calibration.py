"""Fitting the probability that an instance is a true positive, and where to cut it.

The probability is the logistic function of :mod:`panoptic_heuristic.fusion.rules.order_calibrated`, fitted to
what instances would match before anything is fused. The cut follows from PQ itself: with a sum of
IoU I and D = TP + FP / 2 + FN / 2, an instance accepted adds p * u to I, u being the IoU to expect of
a true positive, and one half to D whether it is true or false. So PQ = I / D rises exactly if
p * u > PQ / 2.

Shape legend: n examples, F features.
"""

from dataclasses import dataclass
from typing import Dict, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.tuning.examples import Examples
from panoptic_heuristic.ablation.tuning.logistic import fit_logistic, fit_offsets
from panoptic_heuristic.fusion import SCORE_WEIGHTS, Weights
from panoptic_heuristic.fusion.rules.order_calibrated import FEATURES

FEWEST_EXAMPLES = 10
"""A category with fewer true, or fewer false, examples is taken to be like all together."""

PRIOR_DEVIATION = 0.5
"""A category's weights are thought to be so far from those of all, in logits per standard deviation of a feature."""

PRIOR_MATCHES = 10
"""As many true positives of the IoU of all categories are added to those of each, for its expected IoU."""

SHARED_DEVIATION = 10.0
"""Of the prior of the weights of all categories together; it says next to nothing."""

OFFSET_DEVIATION = 2.0
"""A category's bias is thought to be so far from that of all, in logits."""

_NO_DEVIATION = 1e-9
_LOG_AREA = FEATURES.index("log_area")


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


def fit_shared(examples: Examples) -> Calibration:
    """Fits one logistic function, whose bias each category has an offset to; areas are left out.

    Slopes of single categories learn what is peculiar to the images, such as the sequence of a video, and lose
    on others. Shared ones are held by all examples; the prior of the shared weights has the deviation
    :data:`SHARED_DEVIATION`, that of the offsets :data:`OFFSET_DEVIATION`, so that a category with few examples stays
    near all.

    Args:
        examples: of the tuning images. Without true or without false ones the probability is the score.
    """
    if _rarer_label(examples.labels) < FEWEST_EXAMPLES:
        return _scores_alone(examples)
    scaled, scale = _scaled(examples.features)
    scaled[:, _LOG_AREA] = 0.0
    category_ids, groups = np.unique(examples.category_ids, return_inverse=True)
    shared, offsets = fit_offsets(
        scaled, examples.labels, groups, deviation=SHARED_DEVIATION, offset_deviation=OFFSET_DEVIATION
    )
    default_iou = _mean_iou(examples.ious[examples.labels], 0.75)
    weights: Dict[int, Weights] = {}
    expected: Dict[int, float] = {}
    for category_id, offset in zip(category_ids.tolist(), offsets.tolist(), strict=True):
        weights[category_id] = scale.unscaled(np.array([shared[0] + offset, *shared[1:]]))
        expected[category_id] = _expected_iou(examples, examples.category_ids == category_id, default_iou)
    return Calibration(weights, scale.unscaled(shared), expected, default_iou)


def fit_per_class(examples: Examples) -> Calibration:
    """Fits one logistic function to all categories, and one to each, held near the first.

    A category's weights have a Gaussian prior around those of all categories, of
    :data:`PRIOR_DEVIATION`, which is ridge regression towards them: many examples move them away,
    few do not, and those below :data:`FEWEST_EXAMPLES` are not asked.

    Args:
        examples: of the tuning images. Without true or without false ones the probability is the score.
    """
    if _rarer_label(examples.labels) < FEWEST_EXAMPLES:
        return _scores_alone(examples)
    scaled, scale = _scaled(examples.features)
    zero = np.zeros(1 + scaled.shape[1])
    pooled = fit_logistic(scaled, examples.labels, prior=zero, deviation=SHARED_DEVIATION)
    default_iou = _mean_iou(examples.ious[examples.labels], 0.75)
    weights: Dict[int, Weights] = {}
    expected: Dict[int, float] = {}
    for category_id in np.unique(examples.category_ids).tolist():
        own = examples.category_ids == category_id
        if _rarer_label(examples.labels[own]) < FEWEST_EXAMPLES:
            continue
        fitted = fit_logistic(scaled[own], examples.labels[own], prior=pooled, deviation=PRIOR_DEVIATION)
        weights[category_id] = scale.unscaled(fitted)
        expected[category_id] = _expected_iou(examples, own, default_iou)
    return Calibration(weights, scale.unscaled(pooled), expected, default_iou)


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


def _scores_alone(examples: Examples) -> Calibration:
    return Calibration({}, SCORE_WEIGHTS, {}, _mean_iou(examples.ious[examples.labels], 0.75))


def _expected_iou(examples: Examples, own: np.ndarray, default_iou: float) -> float:
    ious = examples.ious[own & examples.labels]
    total, number = ious.sum() + PRIOR_MATCHES * default_iou, len(ious) + PRIOR_MATCHES
    return float(total / number)


@dataclass(frozen=True, eq=False)
class _Scale:
    """The mean and the deviation of each feature, (F,) float64."""

    mean: np.ndarray
    deviation: np.ndarray

    def unscaled(self, weights: np.ndarray) -> Weights:
        """Weights of the features as they are, of six digits: what is written to a YAML file is what was counted."""
        factors = weights[1:] / self.deviation
        bias = weights[0] - float((factors * self.mean).sum())
        rounded = (float(f"{value:.6g}") for value in (bias, *factors.tolist()))
        bias, score, agreement, area, covered = rounded
        return bias, score, agreement, area, covered


def _scaled(features: np.ndarray) -> Tuple[np.ndarray, _Scale]:
    """Features of mean 0 and deviation 1."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    # A feature that never varies, but for rounding, says nothing: its weight stays at the prior's, 0.
    varies = deviation > _NO_DEVIATION
    deviation = np.where(varies, deviation, 1.0)
    return np.where(varies, (features - mean) / deviation, 0.0), _Scale(mean, deviation)
