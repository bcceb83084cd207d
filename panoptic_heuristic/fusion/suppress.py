"""The suppress stage: what goes before instances are ordered, and what of their masks goes on."""

from dataclasses import dataclass
from typing import Dict, Protocol, Sequence, Tuple

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.registry import NamedRegistry

SUPPRESS_REGISTRY = NamedRegistry("PANOPTIC_SUPPRESS", "suppress")
SUPPRESS_REGISTRY.__doc__ = """
Suppress rules by the name they have in YAML. An entry is a :class:`SuppressRule` class.
"""


@dataclass(frozen=True)
class Suppression:
    """The outcome of a suppress rule.

    Attributes:
        instances: what claims: those given, or as many with other masks. An instance keeps its
            place in the input.
        candidates: ascending indices of the instances that go on.
        dropped: instance index -> reason, for the other candidates.
    """

    instances: InstanceSet
    candidates: Tuple[int, ...]
    dropped: Dict[int, str]


class SuppressRule(Protocol):
    """The interface of a suppress rule: a frozen dataclass of its parameters with this method."""

    def suppress(self, heads: HeadOutputs, candidates: Sequence[int]) -> Suppression:
        """Drops instances, or parts of their masks.

        The order stage measures the masks that the heads gave, also where the claim stage gets
        smaller ones.

        Args:
            heads: what was found. Not changed.
            candidates: ascending indices of the instances whose score is finite and not below
                ``instances_score_thresh``.
        """
        ...
