"""The veto stage: instances that the semantic labels speak against, looked at after all have claimed."""

from typing import Protocol

from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry

VETO_REGISTRY = NamedRegistry("PANOPTIC_VETO", "veto")
VETO_REGISTRY.__doc__ = """
Veto rules by the name they have in YAML. An entry is a :class:`VetoRule` class.
"""


class VetoRule(Protocol):
    """The interface of a veto rule: a frozen dataclass of its parameters with this method."""

    def veto(self, heads: HeadOutputs, claim: Claim) -> Claim:
        """Takes whole instances back.

        Args:
            heads: what was found; its ``semantics`` are those that stuff will fill by. Not changed.
            claim: who has which pixels. Not changed; :meth:`Claim.without` gives another.
        """
        ...
