"""Leftover pixels become instances of their own where enough of them hang together."""

from dataclasses import dataclass
from typing import Any, ClassVar, Dict, FrozenSet, List

import cv2
import numpy as np
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.head_outputs import HeadOutputs, Need
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY
from panoptic_heuristic.fusion.parameters import check_number
from panoptic_heuristic.fusion.result import FusionResult


@LEFTOVER_REGISTRY.register("components")
@dataclass(frozen=True)
class Components:
    """Connected void pixels whose labels mean one thing category become an instance of it.

    Pixels hang together if they touch at a side or at a corner. Components that are too small stay
    void. The new segments come after all others, by the first label of their category and then by
    their first pixel, row by row. No instance of the head is behind them: their ``instance_id`` is
    None, and they have no ``score``.

    It needs a semantic head with labels of single things. The components are found on the CPU.

    Attributes:
        area: pixels that a component needs; >= 0. The default is where COCO's small objects end.

    Raises:
        InputError: a value is out of its interval.
    """

    area: float = 1024

    needs: ClassVar[FrozenSet[Need]] = frozenset({Need.THING_LABELS})

    def __post_init__(self):
        check_number("area", self.area, 0)

    def fill(self, heads: HeadOutputs, result: FusionResult) -> FusionResult:
        """See :meth:`panoptic_heuristic.fusion.leftover.LeftoverRule.fill`.

        Raises:
            InputError: no label means a thing.
        """
        semantics, categories = heads.semantics, heads.categories
        if not any(one is not None and categories[one].isthing for one in semantics.label_to_category.values()):
            raise InputError(
                "components needs semantic labels of single things, but no label means a thing; "
                "use a head that has them, or another leftover rule"
            )
        labels_of = semantics.labels_of_category()
        things = [category_id for category_id in labels_of if categories[category_id].isthing]
        place_of = {label: place for place, one in enumerate(things, start=1) for label in labels_of[one]}
        places = semantics.look_up(place_of).masked_fill(result.panoptic_seg != 0, 0).cpu().numpy()
        panoptic_seg = result.panoptic_seg.cpu().numpy().copy()
        segments_info: List[Dict[str, Any]] = list(result.segments_info)
        for place, category_id in enumerate(things, start=1):
            for pixels in _components(places == place):
                if len(pixels) >= self.area:
                    who = {"isthing": True, "category_id": category_id, "area": len(pixels), "instance_id": None}
                    segments_info.append({"id": len(segments_info) + 1, **who})
                    panoptic_seg.reshape(-1)[pixels] = len(segments_info)
        on_device = torch.from_numpy(panoptic_seg).to(result.panoptic_seg.device)
        return FusionResult(on_device, segments_info, result.dropped)


def _components(mask: np.ndarray) -> List[np.ndarray]:
    """The pixels of each connected component of an (H, W) bool mask, as places in row order, by their first."""
    _, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    pixels = np.flatnonzero(mask)
    numbers = numbers.reshape(-1)[pixels]
    order = np.argsort(numbers, kind="stable")
    groups = np.split(pixels[order], np.flatnonzero(np.diff(numbers[order])) + 1)
    # OpenCV does not promise an order of its numbers.
    return sorted((group for group in groups if len(group)), key=lambda group: group[0])
