"""The border stage: cleaning the borders of a finished map by the image."""

from typing import Protocol

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.result import FusionResult

BORDER_REGISTRY = NamedRegistry("PANOPTIC_BORDER", "refine")
BORDER_REGISTRY.__doc__ = """
Border rules by the name they have in YAML. An entry is a :class:`BorderRule` class.
"""


class BorderRule(Protocol):
    """The interface of a border rule: a frozen dataclass of its parameters with this method."""

    def refine(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """Moves borders.

        Args:
            heads: what was found, with the image if the rule needs it. Not changed.
            result: what the stages before made. Not changed.
        """
        ...
