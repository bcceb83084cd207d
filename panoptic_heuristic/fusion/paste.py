"""Pasting the RoI masks of a Mask R-CNN head into the image.

Shape legend: an image of H x W pixels, RoI masks of M x M, crops of h x w.
"""

import math
from typing import Any, Callable, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MASK_THRESHOLD = 0.5
"""A pixel belongs to a RoI mask if its probability is at least this, as in Mask R-CNN."""

# How far from the threshold a value of ours must be to be on the reference's side of it, in units of M. A place in the
# mask is a number up to M. The reference rounds it in six float32 operations and we in one, which makes less than
# 10 * M * 2**-24 along each axis, and as much in the value, whose slope is at most 1 per place. Two axes make 20 units;
# the rest is room for the sums. The largest difference seen was 4.
_GUARD = 32 * 2.0**-24


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
    window = _window(box.tolist() if corners is None else corners, height, width)
    if window is None:
        return 0, 0, probabilities[:0, :0]
    left, top, right, bottom = window
    if box.device.type == "cpu":
        # By NumPy, whose operations on small arrays take a third of PyTorch's time.
        (x, y), places = _axes(window, box.numpy()), np.empty((bottom - top, right - left, 2), dtype=np.float32)
        places[..., 0], places[..., 1] = x, y[:, None]
        return left, top, _sampled(probabilities, torch.from_numpy(places))
    x = places_in_box(torch.arange(left, right, device=box.device, dtype=torch.float32), box[0], box[2])
    y = places_in_box(torch.arange(top, bottom, device=box.device, dtype=torch.float32), box[1], box[3])
    grid = torch.stack([x[None, :].expand(len(y), len(x)), y[:, None].expand(len(y), len(x))], dim=2)
    return left, top, _sampled(probabilities, grid)


def _axes(window: Tuple[int, int, int, int], box: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The places of the columns and of the rows of a window between the sides of a box."""
    left, top, right, bottom = window
    # Huge boxes have infinite sides.
    with np.errstate(over="ignore"):
        x = places_in_box(np.arange(left, right, dtype=np.float32), box[0], box[2])
        return x, places_in_box(np.arange(top, bottom, dtype=np.float32), box[1], box[3])


def mask_paster(
    probabilities: Tensor, boxes: Tensor, height: int, width: int
) -> Callable[[int], Tuple[int, int, Tensor]]:
    """Gives the binary mask of each of N instances: those of :func:`paste`, cut at :data:`MASK_THRESHOLD`.

    Args:
        probabilities: (N, M, M) floating point.
        boxes: (N, 4) float32, see :func:`paste`, on the same device.
        height: H.
        width: W.

    Returns:
        A function from 0 to N - 1 to the left and the top pixel of a crop and (h, w) bool.
    """
    # All at once: on a GPU every question takes as long.
    corners = boxes.tolist()
    if _can_be_fast(probabilities, boxes):
        rois, exact_boxes = probabilities.numpy(), boxes.numpy()
        return lambda index: _fast_mask(rois[index], exact_boxes[index], corners[index], height, width)

    def mask(index: int) -> Tuple[int, int, Tensor]:
        left, top, values = paste(probabilities[index], boxes[index], height, width, corners[index])
        return left, top, values >= MASK_THRESHOLD

    return mask


def _window(corners: Sequence[float], height: int, width: int) -> Optional[Tuple[int, int, int, int]]:
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


def _sampled(probabilities: Tensor, grid: Tensor) -> Tensor:
    """(h, w) values of (M, M) probabilities at (h, w, 2) places."""
    return F.grid_sample(probabilities[None, None], grid[None].to(probabilities.dtype), align_corners=False)[0, 0]


# In multiplications. OpenBLAS, which NumPy brings along, works on one thread up to 2**18.
_LARGEST_PRODUCT = 2**18

# Beyond it the size of a box may overflow.
_LARGEST_CORNER = 1e37


def _can_be_fast(probabilities: Tensor, boxes: Tensor) -> bool:
    """True if :func:`_fast_mask` takes them: float32 on the CPU, all in [0, 1], and boxes that are not huge."""
    if probabilities.device.type != "cpu" or probabilities.dtype != torch.float32 or not probabilities.numel():
        return False
    low, high = probabilities.aminmax()
    return bool(low >= 0) and bool(high <= 1) and bool(boxes.abs().amax() < _LARGEST_CORNER)


def _fast_mask(
    probabilities: np.ndarray, box: np.ndarray, corners: Sequence[float], height: int, width: int
) -> Tuple[int, int, Tensor]:
    """The same mask as by :func:`paste`, several times as fast.

    Interpolating is two products with matrices, along either axis. They round otherwise than the reference, which is
    asked where the value is too close to the threshold.
    """
    window = _window(corners, height, width)
    if window is None:
        return 0, 0, torch.zeros(0, 0, dtype=torch.bool)
    left, top, right, bottom = window
    size = len(probabilities)
    # In blocks so small that the BLAS of NumPy starts no threads, which take longer than they save, whatever the number
    # of PyTorch's. By NumPy, as PyTorch may be set to multiply more coarsely.
    blocks = -(-(bottom - top) // max(_LARGEST_PRODUCT // (max(right - left, size) * size), 1))
    rows_of_block = -(-(bottom - top) // blocks)
    across = _weights(left, right, corners[0], corners[2], size)
    down = _weights(top, top + blocks * rows_of_block, corners[1], corners[3], size)
    values = down.reshape(blocks, rows_of_block, size) @ probabilities @ across.T
    values = values.reshape(-1, right - left)[: bottom - top]
    mask, possible = values > MASK_THRESHOLD + _GUARD * size, values >= MASK_THRESHOLD - _GUARD * size
    # Flat, since NumPy is ten times as slow at finding nothing in two dimensions.
    unsure = (mask != possible).ravel().nonzero()[0]
    if len(unsure):
        rows, columns = np.divmod(unsure, right - left)
        x, y = _axes(window, box)
        grid = torch.from_numpy(np.stack([x[columns], y[rows]], axis=1)[None])
        mask.reshape(-1)[unsure] = _sampled(torch.from_numpy(probabilities), grid)[0].numpy() >= MASK_THRESHOLD
    return left, top, torch.from_numpy(mask)


def _weights(first: int, end: int, low: float, high: float, size: int) -> np.ndarray:
    """(n, size) float32: what each of ``size`` cells between two sides of a box adds to each of n pixels."""
    cells_per_pixel = size / (high - low)
    positions = np.arange(first, end) * cells_per_pixel - ((low - 0.5) * cells_per_pixel + 0.5)
    # In a box of hardly any width, places outside may be infinite.
    with np.errstate(over="ignore"):
        positions = positions.astype(np.float32)
    # A cell's weight falls from 1 at its centre to 0 at those of its neighbours.
    weights = positions[:, None] - np.arange(size, dtype=np.float32)
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    return np.maximum(weights, 0, out=weights)
