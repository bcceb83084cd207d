"""Pasting the RoI masks of a Mask R-CNN head into the image.

Shape legend: an image of H x W pixels, RoI masks of M x M, crops of h x w.
"""

import math
from typing import Any, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MASK_THRESHOLD = 0.5
"""A pixel belongs to a RoI mask if its probability is at least this, as in Mask R-CNN."""


def paste(
    probabilities: Tensor, box: Tensor, height: int, width: int, corners: Optional[Sequence[float]] = None
) -> Tuple[int, int, Tensor]:
    """Interpolates a mask's probabilities over its box.

    Args:
        probabilities: (M, M) floating point.
        box: (4,) float32 x0, y0, x1, y1 in pixels, finite.
        height: H.
        width: W.
        corners: the box as Python numbers, where they are known: asking a GPU waits for it.

    Returns:
        The left and the top pixel of a crop, and (h, w) probabilities in it, of the dtype of
        ``probabilities``; outside the crop they are 0. h and w are 0 for a box that is outside the
        image or has no area.
    """
    window = window_of(box.tolist() if corners is None else corners, height, width)
    if window is None:
        return 0, 0, probabilities[:0, :0]
    left, top, right, bottom = window
    if box.device.type == "cpu":
        # By NumPy, whose operations on small arrays take a third of PyTorch's time.
        sides, grid = box.numpy(), np.empty((bottom - top, right - left, 2), dtype=np.float32)
        # Huge boxes have infinite sides.
        with np.errstate(over="ignore"):
            grid[..., 0] = places_in_box(np.arange(left, right, dtype=np.float32), sides[0], sides[2])
            grid[..., 1] = places_in_box(np.arange(top, bottom, dtype=np.float32), sides[1], sides[3])[:, None]
        return left, top, sampled(probabilities[None], torch.from_numpy(grid)[None])[0]
    x = places_in_box(torch.arange(left, right, device=box.device, dtype=torch.float32), box[0], box[2])
    y = places_in_box(torch.arange(top, bottom, device=box.device, dtype=torch.float32), box[1], box[3])
    stacked = torch.stack([x[None, :].expand(len(y), len(x)), y[:, None].expand(len(y), len(x))], dim=2)
    return left, top, sampled(probabilities[None], stacked[None])[0]


def window_of(corners: Sequence[float], height: int, width: int) -> Optional[Tuple[int, int, int, int]]:
    """The first and the last pixel plus one, as x0, y0, x1, y1, that a box may reach; None if it reaches none."""
    x0, y0, x1, y1 = corners
    # With Detectron2's margin of one pixel around the box.
    left, top = max(math.floor(x0) - 1, 0), max(math.floor(y0) - 1, 0)
    right, bottom = min(math.ceil(x1) + 1, width), min(math.ceil(y1) + 1, height)
    # A mask over no area would divide by zero; Detectron2 drops such boxes before it pastes.
    if not (x0 < x1 and y0 < y1) or right <= left or bottom <= top:
        return None
    return left, top, right, bottom


def places_in_box(pixels: Any, low: Any, high: Any) -> Any:
    """The place of float32 pixels between the sides of a box, from -1 to 1; for tensors and for arrays.

    The order of these float32 operations decides the last bit, and so the pixel: it follows Detectron2's paste.
    """
    return (pixels + 0.5 - low) / (high - low) * 2 - 1


def sampled(probabilities: Tensor, grid: Tensor) -> Tensor:
    """(K, h, w) values of (K, M, M) probabilities at (K, h, w, 2) places."""
    return F.grid_sample(probabilities[:, None], grid.to(probabilities.dtype), align_corners=False)[:, 0]
