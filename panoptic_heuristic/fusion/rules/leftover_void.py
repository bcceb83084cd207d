"""Pixels of things that no instance took stay void, as in Detectron2."""

from dataclasses import dataclass

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY
from panoptic_heuristic.fusion.result import FusionResult


@LEFTOVER_REGISTRY.register("void")
@dataclass(frozen=True)
class LeftToVoid:
    """They stay void."""

    def fill(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.leftover.LeftoverRule.fill`."""
        return result
