"""Non-maximum suppression across categories, as before the merging of mmdetection and UPSNet.

Shape legend: N boxes, K candidates.
"""

from dataclasses import dataclass
from typing import Any, Callable, FrozenSet, List, Sequence

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.instance_measures import mask_areas
from panoptic_heuristic.fusion.instances import Crop, InstanceSet
from panoptic_heuristic.fusion.order import ranked_by
from panoptic_heuristic.fusion.parameters import check_choice, check_number
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY, Suppression

KINDS = ("mask", "box")


@SUPPRESS_REGISTRY.register("nms")
@dataclass(frozen=True)
class Nms:
    """Drops an instance, as ``nms``, if its IoU with a better one that stays exceeds a threshold.

    Better is a higher score, and of equal ones the one earlier in the input; categories do not
    matter. The IoU is compared in float64. Empty masks overlap nothing.

    Attributes:
        iou_threshold: in [0, 1].
        kind: what overlaps: "mask", or "box" for the boxes of the instance head.

    Raises:
        InputError: a value is out of its interval.
    """

    iou_threshold: float = 0.5
    kind: str = "mask"

    def __post_init__(self):
        check_number("iou_threshold", self.iou_threshold, 0, 1)
        check_choice("kind", self.kind, KINDS)

    @property
    def needs(self) -> FrozenSet[Need]:
        """See :func:`panoptic_heuristic.fusion.head_outputs.needs_of`."""
        return frozenset({Need.BOXES} if self.kind == "box" else ())

    def suppress(self, heads: HeadOutputs, candidates: Sequence[int]) -> Suppression:
        """See :meth:`panoptic_heuristic.fusion.suppress.SuppressRule.suppress`.

        Raises:
            InputError: ``kind`` is "box", and the instances have none.
        """
        instances = heads.instances
        scores = instances.scores.tolist()
        ranked = ranked_by([scores[index] for index in candidates], candidates)
        exceeds = self._boxes_exceed if self.kind == "box" else self._masks_exceed
        kept = {ranked[place] for place in survivors(len(ranked), exceeds(instances, ranked))}
        return Suppression(
            instances,
            tuple(index for index in candidates if index in kept),
            {index: "nms" for index in candidates if index not in kept},
        )

    def _boxes_exceed(self, instances: InstanceSet, ranked: Sequence[int]) -> Callable[[int, int], bool]:
        if instances.boxes is None:
            raise InputError(
                "nms of kind 'box' needs the boxes of the instance head, but the instances have none; "
                "give them boxes, or take the kind 'mask'"
            )
        boxes = instances.boxes.cpu().numpy()[np.array(ranked, dtype=np.int64)]
        exceeds = box_ious(boxes) > self.iou_threshold
        return lambda worse, better: bool(exceeds[worse, better])

    def _masks_exceed(self, instances: InstanceSet, ranked: Sequence[int]) -> Callable[[int, int], bool]:
        crops, areas = [instances.crop(index) for index in ranked], mask_areas(instances, ranked).tolist()

        def exceeds(worse: int, better: int) -> bool:
            total = areas[worse] + areas[better]
            most = min(areas[worse], areas[better], _shared(crops[worse], crops[better]))
            # The IoU grows with the intersection, and so do its rounded values.
            if not iou_of_areas(most, total) > self.iou_threshold:
                return False
            return iou_of_areas(_intersection(crops[worse], crops[better]), total) > self.iou_threshold

        return exceeds


def survivors(count: int, exceeds: Callable[[int, int], bool]) -> List[int]:
    """The ranks that overlap none of the better ones that survive.

    Args:
        count: ranks are 0, the best, to count - 1.
        exceeds: whether two ranks, the worse one first, overlap too much.
    """
    kept: List[int] = []
    for rank in range(count):
        if not any(exceeds(rank, better) for better in kept):
            kept.append(rank)
    return kept


def iou_of_areas(intersection: int, areas_sum: int) -> float:
    """Intersection over union in float64, given the sum of the two areas; 0 where both are empty."""
    return intersection / (areas_sum - intersection) if areas_sum else 0.0


def box_ious(boxes: Any) -> np.ndarray:
    """(N, N) float64, the IoU of each two of (N, 4) boxes x0, y0, x1, y1; 0 for those without an area."""
    x0, y0, x1, y1 = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
    areas = np.maximum(x1 - x0, 0) * np.maximum(y1 - y0, 0)
    width = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    height = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = areas[:, None] + areas - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def _shared(one: Crop, other: Crop) -> int:
    """The pixels that are in both boxes."""
    (rows, columns), (other_rows, other_columns) = one.window, other.window
    height = min(rows.stop, other_rows.stop) - max(rows.start, other_rows.start)
    width = min(columns.stop, other_columns.stop) - max(columns.start, other_columns.start)
    return max(height, 0) * max(width, 0)


def _intersection(one: Crop, other: Crop) -> int:
    """The pixels that are in both masks, whose boxes overlap."""
    (rows, columns), (other_rows, other_columns) = one.window, other.window
    y0, y1 = max(rows.start, other_rows.start), min(rows.stop, other_rows.stop)
    x0, x1 = max(columns.start, other_columns.start), min(columns.stop, other_columns.stop)
    masks = (crop.mask[y0 - crop.y0 : y1 - crop.y0, x0 - crop.x0 : x1 - crop.x0] for crop in (one, other))
    return int((next(masks) & next(masks)).count_nonzero())
