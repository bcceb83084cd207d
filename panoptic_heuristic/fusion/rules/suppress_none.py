"""No suppression: every candidate goes on as it is."""

from dataclasses import dataclass
from typing import Sequence

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY, Suppression


@SUPPRESS_REGISTRY.register("none")
@dataclass(frozen=True)
class NoSuppression:
    """All candidates go on as they are."""

    def suppress(self, heads: HeadOutputs, candidates: Sequence[int]) -> Suppression:
        """See :meth:`panoptic_heuristic.fusion.suppress.SuppressRule.suppress`."""
        return Suppression(heads.instances, tuple(candidates), {})
