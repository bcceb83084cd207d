"""No border clean-up."""

from dataclasses import dataclass

from panoptic_heuristic.fusion.border import BORDER_REGISTRY
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.result import FusionResult


@BORDER_REGISTRY.register("none")
@dataclass(frozen=True)
class NoRefinement:
    """Borders stay where they are."""

    def refine(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.border.BorderRule.refine`."""
        return result
