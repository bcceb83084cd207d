"""The leftover stage: pixels whose semantic label is a thing, but which no instance took."""

from typing import Protocol

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.result import FusionResult

LEFTOVER_REGISTRY = NamedRegistry("PANOPTIC_LEFTOVER", "fill")
LEFTOVER_REGISTRY.__doc__ = """
Leftover rules by the name they have in YAML. An entry is a :class:`LeftoverRule` class.
"""


class LeftoverRule(Protocol):
    """The interface of a leftover rule: a frozen dataclass of its parameters with this method."""

    def fill(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """Gives void pixels to somebody.

        Args:
            heads: what was found; ``semantics`` is there, and is the head's. Not changed.
            result: what the stages before made. Not changed.
        """
        ...
