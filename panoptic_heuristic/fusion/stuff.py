"""The stuff stage: which stuff fills the pixels that things leave free."""

from dataclasses import dataclass
from typing import Callable, Dict, List, Protocol

from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.heads import HeadOutputs
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.semantics import SemanticMap

STUFF_REGISTRY = NamedRegistry("PANOPTIC_STUFF", "fill")
STUFF_REGISTRY.__doc__ = """
Stuff rules by the name they have in YAML. An entry is a :class:`StuffRule` class.
"""

IsTooSmall = Callable[[int, int], bool]
"""Whether stuff of a category id is dropped for its size, given the pixels that count."""


@dataclass(frozen=True)
class StuffFill:
    """The outcome of a stuff rule.

    Attributes:
        panoptic_seg: (H, W) int32: that of the claim, with n + k on free pixels where the k-th of
            ``areas`` is and n instances have pixels.
        areas: category id -> pixels, at least 1, in the order of the ids.
        dropped: category id -> reason, for the other stuff of the labels.
    """

    panoptic_seg: Tensor
    areas: Dict[int, int]
    dropped: Dict[int, str]


class StuffRule(Protocol):
    """What a stuff rule must offer: a frozen dataclass of its parameters with this method."""

    def fill(self, heads: HeadOutputs, claim: Claim, is_too_small: IsTooSmall) -> StuffFill:
        """Gives free pixels to stuff.

        Args:
            heads: what was found; ``semantics`` is there, and has the labels to fill by. Not changed.
            claim: who has which pixels. Not changed.
            is_too_small: the thresholds of the pipeline.
        """
        ...


def labels_of_stuff(semantics: SemanticMap, categories: Categories) -> Dict[int, List[int]]:
    """The labels of each stuff category that occurs in a semantic map, by its first label."""
    labels_of: Dict[int, List[int]] = {}
    for label in semantics.areas:
        category_id = semantics.label_to_category[label]
        if category_id is not None and not categories[category_id].isthing:
            labels_of.setdefault(category_id, []).append(label)
    return labels_of


COUNTED = ("after", "before")
"""When the pixels of stuff are counted: after things took theirs, or before."""


@STUFF_REGISTRY.register("void")
@dataclass(frozen=True)
class DroppedToVoid:
    """Stuff takes its free pixels unless it is too small; the pixels of what is dropped become void.

    It is dropped as ``covered`` if it has no free pixel and as ``stuff_area`` if it is too small.

    Attributes:
        counted: one of :data:`COUNTED`: whether its free pixels are too few, as in Detectron2, or
            all of its label, whatever things took.

    Raises:
        InputError: ``counted`` is none of the words.
    """

    counted: str = "after"

    def __post_init__(self):
        if self.counted not in COUNTED:
            raise InputError(f"counted must be one of {', '.join(COUNTED)}, got {self.counted!r}")

    def fill(self, heads: HeadOutputs, claim: Claim, is_too_small: IsTooSmall) -> StuffFill:
        """See :meth:`StuffRule.fill`."""
        semantics = heads.semantics
        free = claim.panoptic_seg == 0
        free_areas = semantics.count(free)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        id_of_label: Dict[int, int] = {}
        for category_id, labels in labels_of_stuff(semantics, heads.categories).items():
            area = sum(free_areas.get(label, 0) for label in labels)
            counted = area if self.counted == "after" else sum(semantics.areas[label] for label in labels)
            if area == 0:
                dropped[category_id] = "covered"
            elif is_too_small(category_id, counted):
                dropped[category_id] = "stuff_area"
            else:
                areas[category_id] = area
                id_of_label.update(dict.fromkeys(labels, len(claim.areas) + len(areas)))
        return StuffFill(claim.panoptic_seg.where(~free, semantics.look_up(id_of_label)), areas, dropped)
