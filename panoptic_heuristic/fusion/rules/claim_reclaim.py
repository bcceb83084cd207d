"""A later instance that lies on top takes back its pixels from those placed before."""

from dataclasses import dataclass, field
from typing import Dict, FrozenSet, Mapping, Sequence, Tuple

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, OverlapThresholds
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.id_maps import IdMap, renumbered
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import ParameterError, check_choice, check_number, thing_pairs
from panoptic_heuristic.fusion.soft_masks import check_probabilities, soft_crop

ON_TOP = ("area", "mean_probability", "precedence")
"""The ways to tell which of two instances lies on top."""


@CLAIM_REGISTRY.register("reclaim")
@dataclass(frozen=True)
class Reclaim(OverlapThresholds):
    """The greedy rule, but what lies on top gets contested pixels, whatever its rank.

    OCFusion (Lazarow et al., CVPR 2020) learns which of two instances occludes the other; PKU_360's
    entry to the COCO challenge of 2018 has a table of categories. Instances come one after the
    other. Where one shares pixels with a segment placed before, and they are at least
    ``intersection_threshold`` of its mask or of the segment, it takes them if it lies on top:

    - ``area``: its mask is no larger than ``area_ratio`` times the other's mask;
    - ``mean_probability``: the mean of its mask probability over these pixels is larger;
    - ``precedence``: the pair of their categories is in the table. Pairs do not chain.

    Then it is dropped as ``empty`` if it has no pixel, as ``overlap`` if the fraction of its mask
    that it does not get exceeds its ``overlap_threshold``, and as ``covered`` if it gets none; it
    takes nothing in that case. Segments that lost pixels are looked at again at once: one without a
    pixel is dropped as ``covered``, and one that now lacks more of its mask than its
    ``overlap_threshold`` allows as ``overlap``. What such a segment still had is free again, for
    later instances and then for stuff; earlier ones that were dropped do not come back. Fractions
    and means are compared in float64.

    Attributes:
        overlap_threshold: in [0, 1]. At 1 there is no overlap test, as in PKU_360's.
        intersection_threshold: in [0, 1].
        on_top: one of :data:`ON_TOP`. ``mean_probability`` needs RoI mask probabilities.
        area_ratio: in [0, 1], for ``area``. At the default an instance takes at most half of
            another's mask, so that alone it cannot make the default ``overlap_threshold`` drop one
            that had all its pixels.
        precedence: pairs (above, below) of dataset category ids of things, for ``precedence``; with
            none of them nothing lies on top.
        overlap_threshold_of: for instances of single categories, in place of ``overlap_threshold``;
            keys are dataset category ids of things.

    Raises:
        InputError: a value is out of its interval, or is for another ``on_top``.
    """

    overlap_threshold: float = 0.5
    intersection_threshold: float = 0.2
    on_top: str = "area"
    area_ratio: float = 0.5
    precedence: Sequence[Tuple[int, int]] = ()
    overlap_threshold_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        for name in ("intersection_threshold", "area_ratio"):
            check_number(name, getattr(self, name), 0, 1)
        check_choice("on_top", self.on_top, ON_TOP)
        object.__setattr__(self, "precedence", thing_pairs("precedence", self.precedence))
        for name, owner in (("area_ratio", "area"), ("precedence", "precedence")):
            if self.on_top != owner and getattr(self, name) != getattr(Reclaim, name):
                problem = f"means nothing while <on_top> is {self.on_top!r}; leave it out"
                raise ParameterError(name, problem, mentions=("on_top",))

    @property
    def needs(self) -> FrozenSet[Need]:
        """See :func:`panoptic_heuristic.fusion.head_outputs.needs_of`."""
        return frozenset({Need.ROI_PROBABILITIES} if self.on_top == "mean_probability" else ())

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`.

        Raises:
            InputError: ``mean_probability`` without RoI mask probabilities.
        """
        instances = heads.instances
        if self.on_top == "mean_probability":
            check_probabilities(instances, "on_top 'mean_probability'")
        placing = _Placing(self, instances)
        for index in order.ranked:
            placing.place(index)
        return placing.claim()

    def allows(self, category_id: int, area: int, kept_area: int) -> bool:
        """True if an instance stays in the map.

        Args:
            category_id: of the instance.
            area: the pixels of its mask, at least 1.
            kept_area: how many of them it has.
        """
        return (area - kept_area) / area <= self.overlap_threshold_for(category_id)


class _Placing:
    """The map while instances are placed. An instance has the value index + 1 there."""

    def __init__(self, rule: Reclaim, instances: InstanceSet):
        self.rule = rule
        self.instances = instances
        self.map = IdMap(instances.image_size, len(instances), instances.device)
        self.mask_areas: Dict[int, int] = {}
        self.areas: Dict[int, int] = {}
        self.dropped: Dict[int, str] = {}

    def place(self, index: int) -> None:
        """Gives an instance its pixels, or drops it; then drops those that lost too many by it."""
        crop = self.instances.crop(index)
        # By value in the map, so that the first are the free ones.
        shared = self.map.areas_under(crop)
        self.mask_areas[index] = sum(shared)
        if not self.mask_areas[index]:
            self.dropped[index] = "empty"
            return
        contested = [other for other in self.areas if shared[other + 1]]
        victims = [other for other in contested if self._takes(index, other, shared[other + 1], crop)]
        area = shared[0] + sum(shared[other + 1] for other in victims)
        if not self._allows(index, area):
            self.dropped[index] = "overlap"
        elif area == 0:
            self.dropped[index] = "covered"
        else:
            self.map.give(crop, [0, *(other + 1 for other in victims)], index + 1)
            for other in victims:
                self.areas[other] -= shared[other + 1]
            self.areas[index] = area
            self._look_again(victims)

    def claim(self) -> Claim:
        """The outcome, when all are placed."""
        kept = [index + 1 for index in self.areas]
        return Claim(renumbered(self.map.ids, kept, len(self.instances)), self.areas, self.dropped)

    def _takes(self, index: int, other: int, pixels: int, crop: Crop) -> bool:
        """True if an instance takes the pixels it shares with a segment."""
        fraction = max(pixels / self.mask_areas[index], pixels / self.areas[other])
        return fraction >= self.rule.intersection_threshold and self._on_top(index, other, crop)

    def _on_top(self, index: int, other: int, crop: Crop) -> bool:
        rule, category_ids = self.rule, self.instances.category_ids
        if rule.on_top == "area":
            return self.mask_areas[index] / self.mask_areas[other] <= rule.area_ratio
        if rule.on_top == "precedence":
            return (category_ids[index], category_ids[other]) in rule.precedence
        contested = Crop(crop.x0, crop.y0, crop.mask & (self.map.ids[crop.window] == other + 1))
        # Over the same pixels, so that sums compare as means do.
        own, others = (soft_crop(self.instances, one).total(contested) for one in (index, other))
        return own > others

    def _allows(self, index: int, kept_area: int) -> bool:
        return self.rule.allows(self.instances.category_ids[index], self.mask_areas[index], kept_area)

    def _look_again(self, victims: Sequence[int]) -> None:
        for other in victims:
            if self.areas[other] and self._allows(other, self.areas[other]):
                continue
            self.dropped[other] = "overlap" if self.areas.pop(other) else "covered"
            window = self.map.ids[self.instances.crop(other).window]
            window.masked_fill_(window == other + 1, 0)
