"""Ordering instances by a product of powers of their score and of how sure the heads are of their masks.

Here s is the score, q the mask quality and g the semantic agreement, see
:mod:`panoptic_heuristic.fusion.instance_measures`. The key s q is that of Panoptic FCN (Li et al.,
CVPR 2021), s q^2 that of Panoptic SegFormer (Li et al., CVPR 2022), s g that of OCFusion (Lazarow
et al., CVPR 2020). Shape legend: N instances.
"""

import math
import sys
from dataclasses import dataclass
from typing import Any, FrozenSet, Optional, Sequence

import numpy as np

from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import mask_quality, semantic_agreement
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, Order
from panoptic_heuristic.fusion.parameters import check_number


@ORDER_REGISTRY.register("power")
@dataclass(frozen=True)
class Power:
    """Highest key s^a * q^b * g^e first. The default is the order by score.

    Attributes:
        score_exponent: a; finite, at least 0.
        quality_exponent: b, likewise. If it is 0, q need not be known.
        agreement_exponent: e, likewise.
        key_cutoff: an instance is dropped as ``key`` if its key < it; finite, at least 0. Panoptic
            FCN cuts on the key, in place of ``instances_score_thresh``; set that to 0 for it.

    Raises:
        InputError: a value is out of its interval.
    """

    score_exponent: float = 1.0
    quality_exponent: float = 0.0
    agreement_exponent: float = 0.0
    key_cutoff: float = 0.0

    def __post_init__(self):
        for name in ("score_exponent", "quality_exponent", "agreement_exponent", "key_cutoff"):
            check_number(name, getattr(self, name), 0)

    @property
    def needs(self) -> FrozenSet[Need]:
        """See :func:`panoptic_heuristic.fusion.head_outputs.needs_of`."""
        exponents = {Need.MASK_QUALITY: self.quality_exponent, Need.SEMANTIC_LABELS: self.agreement_exponent}
        return frozenset(need for need, exponent in exponents.items() if exponent)

    def order(self, heads: HeadOutputs, candidates: Sequence[int]) -> Order:
        """See :meth:`panoptic_heuristic.fusion.order.OrderRule.order`.

        Raises:
            InputError: a measure whose exponent is not 0 is not known.
        """
        instances = heads.instances
        scores = instances.scores.tolist()
        keys = self.keys(
            [scores[index] for index in candidates],
            mask_quality(instances, candidates) if self.quality_exponent else None,
            self._agreement(heads, candidates),
        ).tolist()
        key_of = dict(zip(candidates, keys, strict=True))
        return Order.by(
            {index: key for index, key in key_of.items() if key >= self.key_cutoff},
            {index: "key" for index, key in key_of.items() if key < self.key_cutoff},
        )

    def _agreement(self, heads: HeadOutputs, candidates: Sequence[int]) -> Optional[np.ndarray]:
        if not self.agreement_exponent:
            return None
        return semantic_agreement(heads.instances, heads.semantics, heads.categories, candidates)

    def keys(self, scores: Any, quality: Optional[Any] = None, agreement: Optional[Any] = None) -> np.ndarray:
        """The key of each instance. 0 to the power of 0 is 1.

        Args:
            scores: (N,) finite; a negative one counts as 0.
            quality: (N,) in [0, 1]; None if its exponent is 0.
            agreement: likewise.

        Returns:
            (N,) float64, finite, at least 0. Powers of scores above 1 end at the largest float64.
        """
        keys = _powers(np.maximum(np.asarray(scores, dtype=np.float64), 0), self.score_exponent)
        for values, exponent in ((quality, self.quality_exponent), (agreement, self.agreement_exponent)):
            if exponent:
                keys = keys * _powers(np.asarray(values, dtype=np.float64), exponent)
        return keys


def _powers(values: np.ndarray, exponent: float) -> np.ndarray:
    # Number by number: NumPy's vectorised power may round the ends of an array, or strided ones, in
    # another way, and equal instances must have equal keys however they are grouped into calls.
    return np.array([_power(value, exponent) for value in values.tolist()], dtype=np.float64)


def _power(value: float, exponent: float) -> float:
    try:
        return math.pow(value, exponent)
    except OverflowError:
        # An infinite key times a quality of 0 would be no number.
        return sys.float_info.max
