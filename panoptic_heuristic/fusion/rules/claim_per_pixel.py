"""The highest score wins each pixel."""

from dataclasses import dataclass

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.rules.claim_greedy import Greedy


@CLAIM_REGISTRY.register("per_pixel")
@dataclass(frozen=True)
class PerPixel:
    """Every pixel goes to the best-ranked instance whose mask holds it; overlap drops nothing.

    That is the greedy rule without its overlap test, since no claimed fraction exceeds 1.
    """

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`."""
        return Greedy(overlap_threshold=1.0).claim(heads, order)
