"""The stuff stage: which stuff fills the pixels that things leave free."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Callable, Dict, FrozenSet, List, Optional, Protocol

import torch
from torch import Tensor

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.claim import Claim
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.label_probabilities import labels_at_least
from panoptic_heuristic.fusion.parameters import check_choice, check_number
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.semantics import SemanticMap

STUFF_REGISTRY = NamedRegistry("PANOPTIC_STUFF", "fill")
STUFF_REGISTRY.__doc__ = """
Stuff rules by the name they have in YAML. An entry is a :class:`StuffRule` class.
"""

IsTooSmall = Callable[[int, int], bool]
"""Tells if stuff of a category id is dropped for its size, given the pixels that count."""


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
    """The interface of a stuff rule: a frozen dataclass of its parameters with this method."""

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
    labels_of = semantics.labels_of_category()
    return {category_id: labels for category_id, labels in labels_of.items() if not categories[category_id].isthing}


COUNTED = ("after", "before")
"""The times when the pixels of stuff are counted: after things took theirs, or before."""


@dataclass(frozen=True)
class Survey:
    """The stuff that stays, and the pixels where stuff may be.

    Attributes:
        claim: who has which pixels.
        probable: (H, W) bool: pixels whose label is probable enough; None if all are.
        areas: category id -> fillable pixels, at least 1, of the stuff that stays, by first label.
        dropped: category id -> reason, for the other stuff of the labels.
    """

    claim: Claim
    probable: Optional[Tensor]
    areas: Dict[int, int]
    dropped: Dict[int, str]

    @cached_property
    def fillable(self) -> Tensor:
        """(H, W) bool: free pixels whose label is probable enough."""
        free = _free_pixels(self.claim)
        return free if self.probable is None else free & self.probable

    def filled(self, semantics: SemanticMap) -> StuffFill:
        """The map where stuff that stays has the fillable pixels of its labels."""
        panoptic_seg, first = self.claim.panoptic_seg, len(self.claim.areas) + 1
        id_of = {category_id: segment_id for segment_id, category_id in enumerate(self.areas, start=first)}
        meaning = semantics.label_to_category
        ids = {label: id_of[meaning[label]] for label in semantics.areas if meaning[label] in id_of}
        if self.probable is None:
            panoptic_seg = semantics.filled(panoptic_seg, ids)
        else:
            # Fillable pixels are free, which is 0, and sums take a tenth of the time of choosing by a mask.
            values = quick(semantics.look_up(ids)) * quick(self.fillable)
            panoptic_seg = torch.as_tensor(quick(panoptic_seg) + values)
        return StuffFill(panoptic_seg, self.areas, self.dropped)


@dataclass(frozen=True)
class CountedStuff:
    """The base of stuff rules: stuff is dropped if it is too small, or nowhere probable enough.

    It is dropped as ``covered`` if it has no free pixel, as ``probability`` if none of these is
    probable enough, and as ``stuff_area`` if it is too small.

    Attributes:
        counted: one of :data:`COUNTED`: whether its free pixels are too few, as in Detectron2, or
            all of its label, whatever things took.
        probability_floor: a pixel whose label is less probable, by the softmax over all channels,
            gets no stuff and does not count, neither before nor after; compared in float64; in
            [0, 1]. Above 0 it needs semantic logits.

    Raises:
        InputError: ``counted`` is none of the words, or the floor is out of its interval.
    """

    counted: str = "after"
    probability_floor: float = 0.0

    def __post_init__(self):
        check_choice("counted", self.counted, COUNTED)
        check_number("probability_floor", self.probability_floor, 0, 1)

    @property
    def needs(self) -> FrozenSet[Need]:
        """See :func:`panoptic_heuristic.fusion.head_outputs.needs_of`."""
        return frozenset({Need.LOGITS} if self.probability_floor > 0 else ())

    def survey(self, heads: HeadOutputs, claim: Claim, is_too_small: IsTooSmall) -> Survey:
        """Decides which stuff stays; arguments are those of :meth:`StuffRule.fill`.

        Raises:
            InputError: ``probability_floor`` is above 0, and there are no finite logits.
        """
        semantics = heads.semantics
        labels_of = labels_of_stuff(semantics, heads.categories)
        taken_areas = semantics.count_taken(claim.panoptic_seg) if claim.areas else {}
        free_areas = {label: area - taken_areas.get(label, 0) for label, area in semantics.areas.items()}
        fillable_areas, counted_areas = free_areas, free_areas if self.counted == "after" else semantics.areas
        probable = None
        if self.probability_floor > 0:
            free = _free_pixels(claim)
            asked = semantics.having(list(itertools.chain(*labels_of.values())))
            asked = asked & free if self.counted == "after" else asked
            probable = labels_at_least(semantics, asked, self.probability_floor, "probability_floor")
            counted_areas = semantics.count(probable)
            # After things took theirs, nothing else was asked.
            fillable_areas = counted_areas if self.counted == "after" else semantics.count(probable & free)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for category_id, labels in labels_of.items():
            area = sum(fillable_areas.get(label, 0) for label in labels)
            if not any(free_areas[label] for label in labels):
                dropped[category_id] = "covered"
            elif area == 0:
                dropped[category_id] = "probability"
            elif is_too_small(category_id, sum(counted_areas.get(label, 0) for label in labels)):
                dropped[category_id] = "stuff_area"
            else:
                areas[category_id] = area
        return Survey(claim, probable, areas, dropped)


def _free_pixels(claim: Claim) -> Tensor:
    """(H, W) bool: the pixels that no instance has."""
    return torch.as_tensor(quick(claim.panoptic_seg) == 0)
