"""RoI mask probabilities inside their boxes, for the rules that look at more than binary masks.

Shape legend: an image of H x W pixels, crops of h x w.
"""

from typing import NamedTuple, Tuple

import numpy as np
from torch import Tensor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.instances import Crop, InstanceSet


class SoftCrop(NamedTuple):
    """Mask probabilities inside an integer box; outside the box they are 0.

    Attributes:
        x0, y0: the box's left upper pixel.
        values: (h, w) floating point in [0, 1]; h and w may be 0.
    """

    x0: int
    y0: int
    values: Tensor

    @property
    def window(self) -> Tuple[slice, slice]:
        """The box as a pair of slices, rows first."""
        height, width = self.values.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)

    def total(self, crop: Crop) -> float:
        """The sum of the probabilities over a mask."""
        (height, width), (mask_height, mask_width) = self.values.shape, crop.mask.shape
        left, top = max(self.x0, crop.x0), max(self.y0, crop.y0)
        right = max(min(self.x0 + width, crop.x0 + mask_width), left)
        bottom = max(min(self.y0 + height, crop.y0 + mask_height), top)
        values = self.values[top - self.y0 : bottom - self.y0, left - self.x0 : right - self.x0]
        inside = crop.mask[top - crop.y0 : bottom - crop.y0, left - crop.x0 : right - crop.x0]
        # NumPy's sum does not depend on the number of threads, torch's does.
        return float(np.sum(values.masked_select(inside).double().cpu().numpy()))


def check_probabilities(instances: InstanceSet, who: str) -> None:
    """Raises if instances have no RoI mask probabilities.

    Args:
        instances: the things found.
        who: the rule that needs them, for the message.

    Raises:
        InputError: names the rule.
    """
    if instances.probabilities is None or instances.boxes is None:
        raise InputError(
            f"{who} needs RoI mask probabilities, but the instances have binary masks only, as all have after "
            "semantic_gate; build them with InstanceSet.from_rois, or choose another rule"
        )


def soft_crop(instances: InstanceSet, index: int) -> SoftCrop:
    """The mask probabilities of one instance; those that are at least 1/2 are its mask.

    Args:
        instances: with RoI mask probabilities.
        index: 0 to N - 1, the place in the input.
    """
    return SoftCrop(*instances.pasted(index))
