"""Detectron2's way from a semantic head's small logits to output size, whole or in parts, rounded alike.

Shapes in this file: K planes (channels), h x w cells of the semantic head, H x W output pixels.

Detectron2 enlarges the logits by the head's stride, cuts off the padding and resizes to the output
(``SemSegFPNHead.forward``, then ``sem_seg_postprocess``), both bilinear. Everything here is PyTorch's
``interpolate`` with the same sources and targets, so that values in the last bit are the same too.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Iterable, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Where height + width <= 128, PyTorch takes another kernel, which rounds otherwise and may depend on the number of
# channels. With every side above that, maps, rows and columns all go through the same one.
_SMALL_SIDE = 128

AXIS_CELLS = 3
"""An output pixel is made of so many cells in a row at most, both ways: two pixels side by side, each of two cells."""


def _interpolated(planes: Tensor, **size) -> Tensor:
    return F.interpolate(planes[None], mode="bilinear", align_corners=False, **size)[0]


@dataclass(frozen=True)
class Axis:
    """One axis of one resizing.

    Attributes:
        source: places before.
        target: places after.
        stride: of a resizing by a factor; None for one to a size, as PyTorch works out the scale of the two
            differently.
        vertical: whether it goes down, over rows.
    """

    source: int
    target: int
    stride: Optional[int]
    vertical: bool

    def resized(self, lines: Tensor) -> Tensor:
        """(L, source) -> (L, target): every line by itself, with the operation that resizes whole planes.

        The other axis keeps its size, so its weights are 1 and 0, and finite values pass unchanged.
        """
        lines = lines.t().contiguous() if self.vertical else lines
        if self.stride is None:
            lines = _interpolated(lines[None], size=self._along(self.target, lines.shape))
        else:
            lines = _interpolated(lines[None], scale_factor=self._along(float(self.stride), (1.0, 1.0)))
        return lines[0].t() if self.vertical else lines[0]

    def _along(self, value, pair):
        return (value, pair[1]) if self.vertical else (pair[0], value)

    @cached_property
    def taps(self) -> Tuple[Tensor, Tensor]:
        """(target, 2) int64, the two places each target place is made of, and (target, 2) float32, their weights.

        Read off the operation itself, by resizing four combs with a 1 at every fourth place: it works out positions
        in float32, and far from 0 those are wrong by much more than the values' rounding.
        """
        places = torch.arange(self.source)
        combs = torch.zeros(4, self.source)
        combs[places % 4, places] = 1
        weights = self.resized(combs).t()

        centre = (torch.arange(self.target, dtype=torch.float64) + 0.5) * (self.source / self.target) - 0.5
        near = centre.floor().long()[:, None] + torch.arange(-1, 3)
        near_weights = weights.gather(1, near % 4) * ((near >= 0) & (near < self.source))
        # The first of the four that has a weight, and the one after it.
        at = (near_weights != 0).int().argmax(dim=1, keepdim=True)
        pair = torch.cat([at, at + 1], dim=1)
        return near.gather(1, pair).clamp(0, self.source - 1), near_weights.gather(1, pair)


@dataclass(frozen=True)
class Upsampling:
    """The two resizings with the crop between them, for one shape of logits.

    Attributes:
        cells: (h, w) of the logits.
        stride: pixels of the network's input per cell.
        image_size: (height, width) of the network's input without padding.
        output_size: (H, W).
    """

    cells: Tuple[int, int]
    stride: int
    image_size: Tuple[int, int]
    output_size: Tuple[int, int]

    def planes(self, logits: Tensor) -> Tensor:
        """(K, h, w) -> (K, H, W): what Detectron2 does."""
        height, width = self.image_size
        enlarged = _interpolated(logits, scale_factor=float(self.stride))[:, :height, :width]
        return _interpolated(enlarged, size=self.output_size)

    def planes_in_turn(self, logits: Tensor) -> Tensor:
        """:meth:`planes`, one channel after the other: faster, since the large ones before the crop stay in the cache.

        The same to the last bit where :meth:`can_be_parted` says so.
        """
        planes = logits.new_empty((len(logits), *self.output_size))
        for channel in range(len(logits)):
            planes[channel] = self.planes(logits[channel : channel + 1])[0]
        return planes

    def labels(self, logits: Tensor) -> Tensor:
        """(C, h, w) -> (H, W) int64: the largest channel of each pixel; one channel at output size at a time.

        As ``argmax``: the first of equal channels wins, and NaN wins over numbers.
        """
        best = self.planes(logits[:1])[0]
        labels = torch.zeros_like(best, dtype=torch.int64)
        for channel in range(1, len(logits)):
            values = self.planes(logits[channel : channel + 1])[0]
            # Not `values > best`: a NaN wins over numbers, and the first one over later ones.
            wins = ~((values <= best) | best.isnan())
            labels.masked_fill_(wins, channel)
            torch.maximum(best, values, out=best)
        return labels

    def values_at(self, logits: Tensor, channel: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """(N,) values of :meth:`planes` in N places, without the planes; logits must be finite.

        Args:
            logits: (C, h, w) float32 on the CPU.
            channel, y, x: (N,) int64 each.
        """
        return _values_at(logits, self.axes, channel, y, x)

    @property
    def windows(self) -> Tuple[Tuple[np.ndarray, np.ndarray], Tuple[np.ndarray, np.ndarray]]:
        """(rows, columns): both resizings in one, see :func:`_window_of_places`."""
        rows, columns = (_window_of_places(*axes) for axes in zip(*self.axes, strict=True))
        return rows, columns

    @cached_property
    def axes(self) -> Tuple[Tuple[Axis, Axis], Tuple[Axis, Axis]]:
        """(rows, columns) of the enlarging, then (rows, columns) of the resizing."""
        enlarging = [Axis(n, n * self.stride, self.stride, i == 0) for i, n in enumerate(self.cells)]
        sizes = zip(self.image_size, self.output_size, strict=True)
        resizing = [Axis(source, target, None, i == 0) for i, (source, target) in enumerate(sizes)]
        return tuple(enlarging), tuple(resizing)

    def can_be_parted(self, channels: int) -> bool:
        """True if what is worked out in parts has the last bits that :meth:`planes` of all channels has.

        Not where PyTorch takes different kernels for them: for small maps; for a single cell, since there contiguous
        and channels-last are the same; and where a trial says so.
        """
        sides = *(n * self.stride for n in self.cells), *self.output_size
        return min(sides) > _SMALL_SIDE and self.cells != (1, 1) and _trial(channels, torch.get_num_threads())


def can_be_parted(
    logits: Tensor, stride: int, image_sizes: Iterable[Tuple[int, int]], output_sizes: Iterable[Tuple[int, int]]
) -> bool:
    """True if each of (N, C, h, w) logits by itself, in parts, has the bits that enlarging all of them at once gives.

    Args:
        logits: before they are enlarged by ``stride``.
        stride, image_sizes, output_sizes: of :class:`Upsampling`; the sizes of each image.
    """
    if logits.device.type != "cpu" or logits.dtype != torch.float32 or not logits.is_contiguous():
        return False
    pairs = zip(image_sizes, output_sizes, strict=True)
    return all(Upsampling(tuple(logits.shape[2:]), stride, *pair).can_be_parted(logits.shape[1]) for pair in pairs)


# Images of a data set have few sizes.
@lru_cache(maxsize=64)
def _window_of_places(enlarging: Axis, resizing: Axis) -> Tuple[np.ndarray, np.ndarray]:
    """The cells that each output place of an axis is made of, by both resizings.

    Returns:
        (target,) int32, ascending, the first cell of a window of ``AXIS_CELLS``, which ends inside where the axis is
        that long, and (target, ``AXIS_CELLS``) float32, their weights.
    """
    pixels, pixel_weights = resizing.taps
    cells, cell_weights = (taps[pixels].flatten(1) for taps in enlarging.taps)  # (target, 4)
    weights = cell_weights * pixel_weights.repeat_interleave(2, dim=1)
    starts = torch.where(weights != 0, cells, enlarging.source).amin(dim=1)
    starts = starts.clamp(max=max(enlarging.source - AXIS_CELLS, 0))
    # Cells that have no weight may lie outside; wherever they go, they add 0.
    places = (cells - starts[:, None]).clamp(0, AXIS_CELLS - 1)
    weights = torch.zeros(len(cells), AXIS_CELLS).scatter_add_(1, places, weights)
    return starts.int().numpy(), weights.numpy()


@lru_cache(maxsize=None)
def _trial(channels: int, threads: int) -> bool:
    """True if this PyTorch rounds alike channel by channel, and within rows before between them.

    It does not for three channels on one thread, which have a kernel of their own; and a release may interpolate both
    ways at once. The number of threads is there because PyTorch's choice depends on it.
    """
    noise = torch.rand(channels, _SMALL_SIDE, 30, generator=torch.Generator().manual_seed(0))
    whole = _interpolated(noise, size=(150, 40))
    parts = [_interpolated(_interpolated(plane[None], size=(_SMALL_SIDE, 40)), size=(150, 40)) for plane in noise]
    return torch.equal(whole, torch.cat(parts))


def _values_at(logits: Tensor, axes: Sequence[Tuple[Axis, Axis]], channel: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """The values after the last of the resizings ``axes``.

    Each is made of four values before it. These are put where they belong in two rows that are 0 otherwise, the rows
    are resized, and likewise the column of what they have at x.
    """
    if not axes:
        return logits[channel, y, x]
    rows, columns = axes[-1]
    ys, xs = rows.taps[0][y], columns.taps[0][x]  # (N, 2)
    corners = [t.expand(-1, 2, 2).flatten() for t in (channel[:, None, None], ys[:, :, None], xs[:, None, :])]
    corners = _values_at(logits, axes[:-1], *corners).view(-1, 2)

    line = torch.zeros(len(corners), columns.source).scatter_(1, xs.repeat_interleave(2, dim=0), corners)
    ends = columns.resized(line).gather(1, x.repeat_interleave(2)[:, None]).view(-1, 2)
    line = torch.zeros(len(ends), rows.source).scatter_(1, ys, ends)
    return rows.resized(line).gather(1, y[:, None])[:, 0]
