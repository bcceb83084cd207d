"""The order by score, as in Detectron2."""

from dataclasses import dataclass
from typing import Sequence

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.order import ORDER_REGISTRY, Order


@ORDER_REGISTRY.register("score")
@dataclass(frozen=True)
class ByScore:
    """Highest score first, compared in float64; nothing is dropped."""

    def order(self, heads: HeadOutputs, candidates: Sequence[int]) -> Order:
        """See :meth:`panoptic_heuristic.fusion.order.OrderRule.order`."""
        scores = heads.instances.scores.tolist()
        return Order.by({index: scores[index] for index in candidates}, {})
