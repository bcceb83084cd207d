"""No veto: every instance keeps what it claimed."""

from dataclasses import dataclass

from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.veto import VETO_REGISTRY


@VETO_REGISTRY.register("none")
@dataclass(frozen=True)
class NoVeto:
    """All instances keep what they claimed."""

    def veto(self, heads: HeadOutputs, claim: Claim) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.veto.VetoRule.veto`."""
        return claim
