"""The claim stage: who gets a contested pixel. One rule per file; this is what they share."""

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, Mapping, Optional, Protocol

from torch import Tensor

from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.id_maps import renumbered
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import check_number, numbers_of_categories
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.semantics import SemanticMap

CLAIM_REGISTRY = NamedRegistry("PANOPTIC_CLAIM", "claim")
CLAIM_REGISTRY.__doc__ = """
Claim rules by the name they have in YAML. An entry is a :class:`ClaimRule` class.
"""


@dataclass(frozen=True)
class Claim:
    """The outcome of a claim rule, and what a veto makes of it.

    Attributes:
        panoptic_seg: (H, W) int32: 0 where no instance is, k where the k-th of ``areas`` is.
        areas: instance index -> pixels it got (at least 1), in the order of the ids.
        dropped: instance index -> reason, for the other ranked instances.
        semantics: the labels that stuff fills the free pixels by; None for those of the semantic
            head. A rule that gives pixels to stuff too, or keeps it off some, has labels of its own.
        dropped_stuff: category id -> reason, for stuff that such a rule left out.
    """

    panoptic_seg: Tensor
    areas: Dict[int, int]
    dropped: Dict[int, str]
    semantics: Optional[SemanticMap] = None
    dropped_stuff: Mapping[int, str] = field(default_factory=dict)

    def without(self, reasons: Mapping[int, str]) -> "Claim":
        """The same without some of its instances; their pixels become free.

        Args:
            reasons: index of an instance that has pixels -> why it goes.
        """
        if not reasons:
            return self
        kept = {index: area for index, area in self.areas.items() if index not in reasons}
        values = [value for value, index in enumerate(self.areas, start=1) if index in kept]
        return dataclasses.replace(
            self,
            panoptic_seg=renumbered(self.panoptic_seg, values, len(self.areas)),
            areas=kept,
            dropped={**self.dropped, **reasons},
        )


class ClaimRule(Protocol):
    """The interface of a claim rule: a frozen dataclass of its parameters with this method."""

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """Gives pixels to instances.

        Args:
            heads: what was found, with the masks that the suppress stage left. Not changed.
            order: the instances that take part, best first.
        """
        ...


class OverlapThresholds:
    """The checks of ``overlap_threshold`` and ``overlap_threshold_of``, and which of them counts for a category.

    A dataclass that has both fields, at places of its own, derives from it;
    :class:`HasOverlapThreshold` is for those that have no other.
    """

    overlap_threshold: float
    overlap_threshold_of: Mapping[int, float]

    def __post_init__(self):
        check_number("overlap_threshold", self.overlap_threshold, 0, 1)
        values = numbers_of_categories("overlap_threshold_of", self.overlap_threshold_of, 0, 1, isthing=True)
        object.__setattr__(self, "overlap_threshold_of", values)

    def overlap_threshold_for(self, category_id: int) -> float:
        """The fraction of an instance of a category that may be taken."""
        return self.overlap_threshold_of.get(category_id, self.overlap_threshold)


@dataclass(frozen=True)
class HasOverlapThreshold(OverlapThresholds):
    """The parameters of rules that drop an instance if too much of it is taken.

    Attributes:
        overlap_threshold: in [0, 1].
        overlap_threshold_of: for instances of single categories, in place of ``overlap_threshold``;
            keys are dataset category ids of things.

    Raises:
        InputError: a value is out of its interval.
    """

    overlap_threshold: float = 0.5
    overlap_threshold_of: Mapping[int, float] = field(default_factory=dict)
