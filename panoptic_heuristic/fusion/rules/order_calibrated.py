"""Ordering and cutting instances by a calibrated probability that they are true positives.

A detector's score ranks instances of one category; it says little about how likely one is to match
a ground-truth segment with an IoU above one half. A logistic function per category of the score and
of what else is known before anything is claimed says that better; see Platt, "Probabilistic Outputs
for Support Vector Machines", 1999.

Everything here is elementwise in float64, on new arrays: equal numbers give equal bits, however
they are grouped into calls. Shape legend: N instances.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, FrozenSet, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import covered_by_better, mask_areas, semantic_agreement
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, Order
from panoptic_heuristic.fusion.parameters import (
    OfCategory,
    ParameterError,
    check_ids,
    check_number,
    numbers_of_categories,
)

FEATURES = ("logit_score", "semantic_agreement", "log_area", "covered_fraction")
"""The columns of :func:`calibration_features`."""

Weights = Tuple[float, float, float, float, float]
"""The bias, then one weight per feature."""

SCORE_WEIGHTS: Weights = (0.0, 1.0, 0.0, 0.0, 0.0)
"""With these the probability is the score."""

# Keeps logits of scores 0 and 1 finite.
_LOWEST_SCORE, _HIGHEST_SCORE = 1e-6, 1 - 1e-6
# Keeps their weighted sum finite too.
_LARGEST_WEIGHT = 1e6


@ORDER_REGISTRY.register("calibrated")
@dataclass(frozen=True)
class Calibrated:
    """Highest probability p of being a true positive first; below its category's cut none takes part.

    Attributes:
        weights: of single categories; keys are dataset category ids of things.
        cut: of single categories: an instance is dropped as ``probability`` if p < it; in [0, 1].
        default_weights: of the other categories. The default makes p the score.
        default_cut: of the other categories; in [0, 1].

    Raises:
        InputError: weights are not five finite numbers, or a cut is not in [0, 1].
    """

    weights: Mapping[int, Weights] = field(default_factory=dict)
    cut: Mapping[int, float] = field(default_factory=dict)
    default_weights: Weights = SCORE_WEIGHTS
    default_cut: float = 0.0

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.SEMANTIC_LABELS})

    def __post_init__(self):
        check_ids("weights", self.weights)
        weights = {
            category_id: _checked_weights("weights", values, category_id)
            for category_id, values in self.weights.items()
        }
        check_number("default_cut", self.default_cut, 0, 1)
        for name, value in (
            ("weights", OfCategory(weights, isthing=True, example="[0, 1, 0, 0, 0]")),
            ("cut", numbers_of_categories("cut", self.cut, 0, 1, isthing=True)),
            ("default_weights", _checked_weights("default_weights", self.default_weights)),
        ):
            object.__setattr__(self, name, value)

    def order(self, heads: HeadOutputs, candidates: Sequence[int]) -> Order:
        """See :meth:`panoptic_heuristic.fusion.order.OrderRule.order`."""
        instances = heads.instances
        scores = instances.scores.tolist()
        features = calibration_features(
            [scores[index] for index in candidates],
            semantic_agreement(instances, heads.semantics, heads.categories, candidates),
            mask_areas(instances, candidates),
            covered_by_better(instances, candidates),
        )
        category_ids = [instances.category_ids[index] for index in candidates]
        probabilities = self.probability(features, category_ids)
        is_cut = dict(zip(candidates, (probabilities < self.cuts(category_ids)).tolist(), strict=True))
        return Order.by(
            {index: key for index, key in zip(candidates, probabilities.tolist(), strict=True) if not is_cut[index]},
            {index: "probability" for index, cut in is_cut.items() if cut},
        )

    def probability(self, features: Any, category_ids: Sequence[int]) -> np.ndarray:
        """:func:`calibrated_probability` with these weights."""
        return calibrated_probability(features, category_ids, self.weights, self.default_weights)

    def cuts(self, category_ids: Sequence[int]) -> np.ndarray:
        """(N,) float64, the probability each instance needs."""
        return np.array([self.cut.get(int(one), self.default_cut) for one in category_ids], dtype=np.float64)


def calibration_features(scores: Any, agreement: Any, areas: Any, covered: Any) -> np.ndarray:
    """The numbers that the probability is computed from.

    Args:
        scores: (N,) finite; those outside [1e-6, 1 - 1e-6] count as the nearer end.
        agreement: (N,) of :func:`panoptic_heuristic.fusion.instance_measures.semantic_agreement`.
        areas: (N,) pixels; an empty mask counts as one pixel.
        covered: (N,) of :func:`panoptic_heuristic.fusion.instance_measures.covered_by_better`.

    Returns:
        (N, 4) float64, the columns :data:`FEATURES`.
    """
    scores = np.clip(np.asarray(scores, dtype=np.float64), _LOWEST_SCORE, _HIGHEST_SCORE)
    areas = np.maximum(np.asarray(areas, dtype=np.float64), 1)
    columns = (np.log(scores / (1 - scores)), agreement, np.log(areas), covered)
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def calibrated_probability(
    features: Any, category_ids: Sequence[int], weights: Mapping[int, Weights], default_weights: Weights
) -> np.ndarray:
    """The probability that each instance is a true positive.

    Args:
        features: (N, 4) of :func:`calibration_features`.
        category_ids: N dataset category ids.
        weights: of single categories.
        default_weights: of the others.

    Returns:
        (N,) float64 in [0, 1].
    """
    rows = [weights.get(int(category_id), default_weights) for category_id in category_ids]
    bias, *factors = np.array(rows, dtype=np.float64).reshape(-1, 1 + len(FEATURES)).T
    total = bias
    # One feature after the other: a matrix product may add them in any order.
    for factor, feature in zip(factors, np.asarray(features, dtype=np.float64).T, strict=True):
        total = total + factor * feature
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-total))


def _checked_weights(name: str, values: Any, category_id: Optional[int] = None) -> Weights:
    numbers = list(values) if isinstance(values, (list, tuple, np.ndarray)) else []
    good = all(type(value) is not bool and isinstance(value, (int, float)) for value in numbers)
    if len(numbers) != 1 + len(FEATURES) or not good or not all(abs(value) <= _LARGEST_WEIGHT for value in numbers):
        raise ParameterError(
            name,
            f"must be {1 + len(FEATURES)} numbers in [-{_LARGEST_WEIGHT:g}, {_LARGEST_WEIGHT:g}] "
            f"(bias, {', '.join(FEATURES)}), got {values!r}",
            category_id=category_id,
        )
    bias, score, agreement, area, covered = map(float, numbers)
    return bias, score, agreement, area, covered
