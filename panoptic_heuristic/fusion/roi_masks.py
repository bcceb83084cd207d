"""The binary masks of a Mask R-CNN head, many times as fast as interpolating every pixel by the reference.

A pixel is decided here where its value is clear of the threshold, and by :func:`.paste.sampled` where it is not: this
rounds otherwise than the reference. Shape legend: N instances, K of them asked for, an image of H x W pixels, RoI masks
of M x M, crops of h x w; P pixels in all crops together, one crop after the other, of which D are doubtful.
"""

import itertools
from ctypes import c_float, c_int64, c_void_p
from functools import cached_property
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.instance_arguments import extremes
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD, paste, places_in_box, sampled, window_of

# How far from the threshold a value of ours must be to be on the reference's side of it, in units of M. A place in the
# mask is a number up to M. The reference rounds it in six float32 operations and we in at most one, which makes less
# than 10 * M * 2**-24 along each axis, and as much in the value, whose slope is at most 1 per place. Two axes make 20
# units; the rest is room for the sums. The largest difference seen was 4.
_GUARD = 32 * 2.0**-24

# In a crop, beside 0 outside and 1 inside: too close to the threshold to know.
_DOUBTFUL = 2

# Beyond it the size of a box may overflow.
_LARGEST_CORNER = 1e37

# In places for the reference to look at: masks have unlike numbers of them, and are filled up to the largest.
_MOST_FILLED_UP = 2**16

Pasted = Tuple[int, int, Tensor]
"""The left and the top pixel of a crop, and (h, w) bool."""


class MaskPaster:
    """Makes binary masks: those of :func:`.paste.paste`, cut at :data:`.paste.MASK_THRESHOLD`.

    Args:
        probabilities: (N, M, M) floating point.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels, finite, on the same device.
        height: H.
        width: W.
    """

    def __init__(self, probabilities: Tensor, boxes: Tensor, height: int, width: int):
        self._probabilities, self._boxes, self._size = probabilities, boxes, (height, width)

    def __call__(self, indices: Sequence[int]) -> List[Pasted]:
        """The masks at K places in the input."""
        if self._rois is not None:
            windows = [window_of(self._corners[index], *self._size) for index in indices]
            return _fast_masks(self._rois, indices, windows)
        masks = []
        for index in indices:
            roi, box, corners = self._probabilities[index], self._boxes[index], self._corners[index]
            left, top, values = paste(roi, box, *self._size, corners)
            masks.append((left, top, values >= MASK_THRESHOLD))
        return masks

    # All at once, and not before they are needed: on a GPU every question takes as long.
    @cached_property
    def _corners(self) -> List[List[float]]:
        return self._boxes.tolist()

    @cached_property
    def _rois(self) -> Optional["Rois"]:
        return Rois.of(self._probabilities, self._boxes)


class Rois(NamedTuple):
    """What masks are made of, as kernels take it: float32 arrays in row order. Get one from :meth:`of`.

    Attributes:
        probabilities: (N, M, M) in [0, 1].
        boxes: (N, 4), not huge.
    """

    probabilities: np.ndarray
    boxes: np.ndarray

    @classmethod
    def of(cls, probabilities: Tensor, boxes: Tensor) -> Optional["Rois"]:
        """None if the numbers are for the slow way: of another device or dtype, out of [0, 1], or in huge boxes."""
        if probabilities.device.type != "cpu" or probabilities.dtype != torch.float32 or not probabilities.numel():
            return None
        (low, high), (least, largest) = extremes(probabilities), extremes(boxes)
        if not (low >= 0 and high <= 1 and max(-least, largest) < _LARGEST_CORNER):
            return None
        return cls(np.ascontiguousarray(probabilities.numpy()), np.ascontiguousarray(boxes.numpy()))

    @property
    def size(self) -> int:
        """M."""
        return self.probabilities.shape[1]

    @property
    def guard(self) -> float:
        """More than a value of ours and the reference's differ by."""
        return _GUARD * self.size

    def values_at(self, which: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The probabilities of some masks at one pixel each, as :func:`.paste.paste` has them.

        Args:
            which: (D,) the mask.
            columns: (D,) the pixel.
            rows: likewise.

        Returns:
            (D,) float32.
        """
        values = np.empty(len(which), dtype=np.float32)
        if len(which):
            x0, y0, x1, y1 = self.boxes[which].T
            x, y = places_in_box(columns.astype(np.float32), x0, x1), places_in_box(rows.astype(np.float32), y0, y1)
            order, (named, counts) = which.argsort(kind="stable"), np.unique(which, return_counts=True)
            values[order] = _reference(self.probabilities[named], counts, np.stack([x, y], axis=1)[order])
        return values


def _fast_masks(
    rois: Rois, indices: Sequence[int], windows: Sequence[Optional[Tuple[int, int, int, int]]]
) -> List[Pasted]:
    """The same masks as by :func:`.paste.paste`, by the windows that :func:`.paste.window_of` gives."""
    crops, sizes = [], [0]
    for index, window in zip(indices, windows, strict=True):
        if window is not None:
            left, top, right, bottom = window
            # A kernel knows no places from the end.
            crops.append((index % len(rois.boxes), left, top, right - left, bottom - top, 0))
            sizes.append((right - left) * (bottom - top))
    begins = itertools.accumulate(sizes)
    painted = _painted(rois, np.array(crops, dtype=np.int64).reshape(-1, len(_CROP)), sum(sizes))
    masks = []
    for window in windows:
        left, top, right, bottom = window or (0, 0, 0, 0)
        shape = bottom - top, right - left
        masks.append((left, top, painted.as_strided(shape, (shape[1], 1), next(begins) if window else 0)))
    return masks


# The columns of a table of crops that are not empty, in the order of their pixels.
_CROP = _PLACE, _LEFT, _TOP, _WIDTH, _HEIGHT, _DOUBTFUL_PIXELS = range(6)


def _painted(rois: Rois, crops: np.ndarray, pixels: int) -> Tensor:
    """(P,) bool: the pixels of (K, 6) crops, whose last column gets the number of doubtful ones."""
    low, high = MASK_THRESHOLD - rois.guard, MASK_THRESHOLD + rois.guard
    kernel = native.function("ph_paste", _PASTE_ARGUMENTS)
    painted = np.empty(pixels, dtype=np.uint8)
    if kernel is None:
        _paint_by_products(painted, rois, crops, low, high)
    else:
        scratch = np.empty(2 * (rois.size + 2), dtype=np.int64)
        kernel(
            rois.probabilities.ctypes.data, rois.size, rois.boxes.ctypes.data, crops.ctypes.data, len(crops),
            low, high, painted.ctypes.data, scratch.ctypes.data,
        )  # fmt: skip
    if crops[:, _DOUBTFUL_PIXELS].any():
        _settle(painted, rois, crops)
    return torch.from_numpy(painted.view(bool))


_PASTE_ARGUMENTS = c_void_p, c_int64, c_void_p, c_void_p, c_int64, c_float, c_float, c_void_p, c_void_p


def _settle(painted: np.ndarray, rois: Rois, crops: np.ndarray) -> None:
    """Decides the doubtful pixels as the reference does."""
    pixels, sizes = (painted == _DOUBTFUL).nonzero()[0], crops[:, _WIDTH] * crops[:, _HEIGHT]
    owners = np.repeat(np.arange(len(crops)), crops[:, _DOUBTFUL_PIXELS])
    rows, columns = np.divmod(pixels - (sizes.cumsum() - sizes)[owners], crops[owners, _WIDTH])
    columns, rows = crops[owners, _LEFT] + columns, crops[owners, _TOP] + rows
    painted[pixels] = rois.values_at(crops[owners, _PLACE], columns, rows) >= MASK_THRESHOLD


def _reference(probabilities: np.ndarray, counts: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(D,) values of masks at (D, 2) places, so many of each (M, M) of ``probabilities`` in turn as ``counts`` says."""
    if len(counts) > 1 and len(counts) * counts.max() > _MOST_FILLED_UP:
        parts = np.split(where, counts.cumsum()[:-1])
        each = zip(probabilities[:, None], counts[:, None], parts, strict=True)
        return np.concatenate([_reference(*one) for one in each])
    held = np.arange(counts.max()) < counts[:, None]
    grid = np.zeros((*held.shape, 2), dtype=np.float32)
    grid[held] = where
    return sampled(torch.from_numpy(probabilities), torch.from_numpy(grid)[:, None])[:, 0].numpy()[held]


# In multiplications. OpenBLAS, which NumPy brings along, works on one thread up to 2**18.
_LARGEST_PRODUCT = 2**18


def _paint_by_products(painted: np.ndarray, rois: Rois, crops: np.ndarray, low: float, high: float) -> None:
    """Fills the pixels of crops without kernels: interpolating is two products with matrices, along either axis."""
    begin = 0
    for crop in crops:
        place, left, top, width, height = crop[:_DOUBTFUL_PIXELS].tolist()
        x0, y0, x1, y1 = rois.boxes[place].tolist()
        # In blocks so small that the BLAS of NumPy starts no threads, which take longer than they save, whatever the
        # number of PyTorch's. By NumPy, as PyTorch may be set to multiply more coarsely.
        blocks = -(-height // max(_LARGEST_PRODUCT // (max(width, rois.size) * rois.size), 1))
        rows_of_block = -(-height // blocks)
        across = _weights(left, left + width, x0, x1, rois.size)
        down = _weights(top, top + blocks * rows_of_block, y0, y1, rois.size)
        values = down.reshape(blocks, rows_of_block, rois.size) @ rois.probabilities[place] @ across.T
        values = values.reshape(-1)[: height * width]
        inside, possible = values > high, values >= low
        crop[_DOUBTFUL_PIXELS] = np.count_nonzero(inside != possible)
        # 1 where both are true, and _DOUBTFUL where one is.
        painted[begin : begin + height * width] = possible * np.uint8(_DOUBTFUL) - inside
        begin += height * width


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
