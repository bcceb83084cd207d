"""Pasting the RoI masks of a Mask R-CNN head into the image.

Shape legend: an image of H x W pixels, RoI masks of M x M, crops of h x w.
"""

from typing import Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MASK_THRESHOLD = 0.5
"""A pixel belongs to a RoI mask if its probability is at least this, as in Mask R-CNN."""


def paste(probabilities: Tensor, box: Tensor, height: int, width: int) -> Tuple[int, int, Tensor]:
    """Interpolates a mask's probabilities over its box.

    Args:
        probabilities: (M, M) floating point.
        box: (4,) float32 x0, y0, x1, y1 in pixels, finite.
        height: H.
        width: W.

    Returns:
        The left and the top pixel of a crop, and (h, w) probabilities in it, of the dtype of
        ``probabilities``; outside the crop they are 0. h and w are 0 for a box that is outside the
        image or has no area.
    """
    # The order of these float32 operations decides the last bit, and so the pixel: it follows
    # Detectron2's paste, including the margin of one pixel around the box.
    x0, y0, x1, y1 = box.tolist()
    left, top = max(int(np.floor(x0)) - 1, 0), max(int(np.floor(y0)) - 1, 0)
    right, bottom = min(int(np.ceil(x1)) + 1, width), min(int(np.ceil(y1)) + 1, height)
    # A mask over no area would divide by zero; Detectron2 drops such boxes before it pastes.
    if not (x0 < x1 and y0 < y1) or right <= left or bottom <= top:
        return 0, 0, probabilities[:0, :0]
    x = torch.arange(left, right, device=box.device, dtype=torch.float32) + 0.5
    y = torch.arange(top, bottom, device=box.device, dtype=torch.float32) + 0.5
    x = (x - box[0]) / (box[2] - box[0]) * 2 - 1
    y = (y - box[1]) / (box[3] - box[1]) * 2 - 1
    grid = torch.stack([x[None, :].expand(len(y), len(x)), y[:, None].expand(len(y), len(x))], dim=2)
    values = F.grid_sample(probabilities[None, None], grid[None].to(probabilities.dtype), align_corners=False)
    return left, top, values[0, 0]
