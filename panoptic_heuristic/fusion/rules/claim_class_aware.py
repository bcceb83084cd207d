"""An instance is kept off by its own category, and by its duplicates, of any category."""

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence

from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY, Claim, OverlapThresholds
from panoptic_heuristic.fusion.head_outputs import HeadOutputs
from panoptic_heuristic.fusion.id_maps import IdMap
from panoptic_heuristic.fusion.order import Order
from panoptic_heuristic.fusion.parameters import check_number


@CLAIM_REGISTRY.register("class_aware")
@dataclass(frozen=True)
class ClassAware(OverlapThresholds):
    """Instances take free pixels one after the other; overlap counts within a category only.

    This is what the RAP network (Relation-Aware Panoptic segmentation) tests before its learned
    relation decides, and what UPSNet (Xiong et al., CVPR 2019) does to its masks within a category:
    a chair behind a table is mostly covered by it, and still no false detection. A segment is the
    pixels it has in the map. With the fractions in float64, an instance is dropped as

    - ``empty`` if it has no pixel,
    - ``overlap`` if segments of its own category have more than ``overlap_threshold`` of it,
    - ``duplicate`` if a segment of any category shares pixels with it, and they are at least
      ``duplicate_threshold`` of both,
    - ``no_room`` if no more than ``free_fraction`` of it is free;

    the first of these that holds is the reason.

    Attributes:
        overlap_threshold: in [0, 1].
        duplicate_threshold: in [0, 1].
        free_fraction: in [0, 1]; at 0 one free pixel is enough. RAP wants half, but after its
            relation has given the instance the pixels of what lies behind it.
        overlap_threshold_of: for instances of single categories, in place of ``overlap_threshold``;
            keys are dataset category ids of things.

    Raises:
        InputError: a value is out of its interval.
    """

    overlap_threshold: float = 0.5
    duplicate_threshold: float = 0.5
    free_fraction: float = 0.1
    overlap_threshold_of: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        for name in ("duplicate_threshold", "free_fraction"):
            check_number(name, getattr(self, name), 0, 1)

    def claim(self, heads: HeadOutputs, order: Order) -> Claim:
        """See :meth:`panoptic_heuristic.fusion.claim.ClaimRule.claim`."""
        instances = heads.instances
        placed = IdMap(instances.image_size, len(order.ranked), instances.device)
        areas: Dict[int, int] = {}
        dropped: Dict[int, str] = {}
        for index in order.ranked:
            crop = instances.crop(index)
            # By segment id, so that the first are the free ones.
            shared = placed.areas_under(crop)[: len(areas) + 1]
            reason = self._reason(instances.category_ids, index, areas, shared)
            if reason is not None:
                dropped[index] = reason
                continue
            areas[index] = shared[0]
            placed.give(crop, [0], len(areas))
        return Claim(placed.ids, areas, dropped)

    def _reason(
        self, category_ids: Sequence[int], index: int, areas: Mapping[int, int], shared: List[int]
    ) -> Optional[str]:
        """The reason to drop an instance, given the pixels it shares with void and with each segment."""
        area = sum(shared)
        if area == 0:
            return "empty"
        category_id = category_ids[index]
        placed = list(zip(areas, areas.values(), shared[1:], strict=True))
        own = sum(pixels for other, _, pixels in placed if category_ids[other] == category_id)
        if own / area > self.overlap_threshold_for(category_id):
            return "overlap"
        for _, other_area, pixels in placed:
            if pixels and min(pixels / area, pixels / other_area) >= self.duplicate_threshold:
                return "duplicate"
        return "no_room" if shared[0] / area <= self.free_fraction else None
