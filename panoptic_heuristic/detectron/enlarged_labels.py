"""Semantic labels at output size from a head's small logits, without every channel at output size.

Shapes in this file: C channels, h x w cells of the semantic head, H x W output pixels, T tiles of
a x b pixels, each made of p x q cells.

An interpolated value lies between the cells it is made of, up to rounding. So among the few cells that
make a pixel a channel is out if its largest is below the smallest of another one, and most are. In a tile
those are left that are left anywhere in it. They are interpolated in our own way, whose rounding differs from
the reference's by less than a bound; where the best two are closer than that, the reference's own operations decide.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.detectron.enlarged_logits import Axis, Upsampling
from panoptic_heuristic.errors import InputError

# A tile is about this many cells wide and high. Measured from 2 to 10: smaller ones have fewer channels
# left, but there are more of them; from 5 to 10 the time is the same.
_TILE_CELLS = 6

# How far two values must be apart to be told apart, in units of the largest magnitude in the tile times
# the float32 rounding unit 2**-24. Each of the reference's four one-axis interpolations rounds two
# products and a sum (2 units each, 8 in all), and ours rounds weights (6) and two sums of up to four
# products (8). Two values make 44 units; the rest is room for weights that do not add up to 1.
# The largest error of a value seen was 6 units, of 22.
_GUARD = 64 * 2.0**-24
_SMALLEST_GUARD = 1e-36  # where the product above would be subnormal
_LARGEST_LOGIT = 1e37  # beyond it sums and differences may overflow

# With a larger fraction of all channels to be compared, all are worked out as the reference does it, which has no
# detours: one channel in all tiles takes about the time of that channel there.
_MOST_RIVALS = 0.5

# Up to this many pairs of a pixel and a channel are worked out alone; more, channel by channel.
_MOST_POINTS = 128


def semantic_labels(
    logits: Tensor, *, stride: int, image_size: Tuple[int, int], output_size: Tuple[int, int]
) -> Tensor:
    """The label of every output pixel, as Detectron2 finds it, faster and in a fraction of the memory.

    On the CPU equal, pixel for pixel, to enlarging contiguous ``logits`` by ``stride`` (bilinear), cutting them to
    ``image_size``, resizing them to ``output_size`` (bilinear) and ``argmax(dim=0)``: the first of equal channels
    wins, and NaN wins over numbers. On other devices these operations are done one channel at a time; whether a
    device rounds them alike for one channel and for many is its own affair.

    Args:
        logits: (C, h, w) float32, the semantic head's output before it is enlarged, padding included. Not changed.
        stride: pixels of the network's input per cell, ``MODEL.SEM_SEG_HEAD.COMMON_STRIDE``.
        image_size: (height, width) in pixels of the network's input without padding.
        output_size: (H, W) in pixels.

    Returns:
        (H, W) int64, in [0, C), on the device of ``logits``.

    Raises:
        InputError: logits that are not (C, h, w) float32 or are empty, a stride or a size below 1, or an image that
            is larger than its logits.
    """
    _check(logits, stride, image_size, output_size)
    logits = logits.detach().contiguous()
    upsampling = Upsampling(tuple(logits.shape[1:]), stride, tuple(image_size), tuple(output_size))
    if logits.device.type != "cpu":
        return upsampling.labels(logits)
    if not upsampling.can_be_parted(len(logits)):
        return upsampling.planes(logits).argmax(dim=0)
    grid = _Grid.of(upsampling)
    contest = _contest(logits, grid)
    return upsampling.labels(logits) if contest is None else _labels_of_contest(logits, upsampling, grid, contest)


def _check(logits: Tensor, stride: int, image_size: Sequence[int], output_size: Sequence[int]) -> None:
    if logits.ndim != 3 or logits.dtype != torch.float32 or not logits.numel():
        raise InputError(
            f"semantic logits must be (C, h, w) float32 with at least one value, "
            f"got {tuple(logits.shape)} {logits.dtype}"
        )
    if stride < 1:
        raise InputError(f"stride must be in [1, inf), got {stride}")
    for name, size in (("image_size", image_size), ("output_size", output_size)):
        if len(size) != 2 or min(size) < 1:
            raise InputError(f"{name} must be (height, width), both in [1, inf), got {tuple(size)}")
    if image_size[0] > stride * logits.shape[1] or image_size[1] > stride * logits.shape[2]:
        raise InputError(
            f"image_size {tuple(image_size)} is larger than logits of {tuple(logits.shape[1:])} times stride {stride}; "
            f"expected the size of the network's input without padding"
        )


@dataclass(frozen=True)
class _Cuts:
    """One output axis cut into tiles of equal size; the last one may reach beyond the axis.

    Attributes:
        size: output places per tile.
        starts: (tiles,) int64, the first cell a tile needs.
        span: cells needed from there on, the same number for every tile.
        weights: (tiles, size, span) float32, of the cells in the tile's output places, both resizings in one.
    """

    size: int
    starts: Tensor
    span: int
    weights: np.ndarray

    @classmethod
    def of(cls, enlarging: Axis, resizing: Axis) -> "_Cuts":
        pixels, pixel_weights = resizing.taps
        cells, cell_weights = (taps[pixels].flatten(1) for taps in enlarging.taps)  # (target, 4)
        weights = cell_weights * pixel_weights.repeat_interleave(2, dim=1)

        size = round(_TILE_CELLS * enlarging.stride * resizing.target / resizing.source)
        size = min(max(size, 1), resizing.target)
        tiles = -(-resizing.target // size)
        place = torch.arange(tiles * size).clamp(max=resizing.target - 1)
        cells, weights = (taps[place].view(tiles, size, 4) for taps in (cells, weights))

        used = weights != 0
        starts = torch.where(used, cells, enlarging.source).amin(dim=(1, 2))
        span = 1 + int((torch.where(used, cells, 0).amax(dim=(1, 2)) - starts).max())
        starts = starts.clamp(max=enlarging.source - span)
        # Cells that have no weight may lie outside; wherever they go, they add 0.
        places = (cells - starts[:, None, None]).clamp(0, span - 1)
        return cls(size, starts, span, torch.zeros(tiles, size, span).scatter_add_(2, places, weights).numpy())


@dataclass(frozen=True)
class _Grid:
    """The output cut into T tiles, numbered row by row."""

    rows: _Cuts
    columns: _Cuts
    output_size: Tuple[int, int]

    @classmethod
    def of(cls, upsampling: Upsampling) -> "_Grid":
        rows, columns = (_Cuts.of(*axes) for axes in zip(*upsampling.axes, strict=True))
        return cls(rows, columns, upsampling.output_size)

    def place(self, tiles: Tensor) -> Tuple[Tensor, Tensor]:
        """The tiles' rows and columns in the grid."""
        across = len(self.columns.starts)
        return tiles // across, tiles % across

    def tiles_of(self, pixels: Tensor) -> Tensor:
        """(N, 2) output pixels -> (N,) the tiles they are in."""
        return pixels[:, 0] // self.rows.size * len(self.columns.starts) + pixels[:, 1] // self.columns.size

    def without_padding(self, logits: Tensor) -> Tensor:
        """The cells that no tile is made of are left out at the end of both axes."""
        bottom, right = (int(cuts.starts.max()) + cuts.span for cuts in (self.rows, self.columns))
        return logits[:, :bottom, :right]

    def largest(self, planes: np.ndarray) -> Tensor:
        """(K, h, w) -> (T, K): the largest of the cells a tile is made of."""
        rows, columns = self.rows, self.columns
        bands = np.stack([planes[:, at : at + rows.span].max(axis=1) for at in rows.starts.tolist()])
        # Columns first, so that the maximum is taken over whole lines.
        lines = bands.transpose(2, 0, 1).copy()
        tiles = [lines[at : at + columns.span].max(axis=0) for at in columns.starts.tolist()]
        return torch.from_numpy(np.stack(tiles, axis=1)).flatten(0, 1)

    def windows(self, logits: Tensor, tiles: Tensor, channels: Tensor) -> np.ndarray:
        """(K, p, q): the cells of one channel in each of K tiles."""
        row, column = self.place(tiles)
        windows = logits.unfold(1, self.rows.span, 1).unfold(2, self.columns.span, 1)
        return windows[channels, self.rows.starts[row], self.columns.starts[column]].numpy()

    def joined(self, tiles: Tensor) -> Tensor:
        """(T, a, b) -> (H, W)."""
        down, across = len(self.rows.starts), len(self.columns.starts)
        grid = tiles.view(down, across, self.rows.size, self.columns.size).transpose(1, 2)
        return grid.reshape(down * self.rows.size, -1)[: self.output_size[0], : self.output_size[1]]


@dataclass(frozen=True)
class _Contest:
    """The channels that may win somewhere in a tile.

    Attributes:
        rivals: (T, C) bool; at least one per tile.
        guard: (T,) float32; values that are further apart are in the reference's order.
    """

    rivals: Tensor
    guard: Tensor


def _contest(logits: Tensor, grid: _Grid) -> Optional[_Contest]:
    """None where leaving channels out does not pay, or logits are not fit for it: NaN, infinite or huge."""
    logits = grid.without_padding(logits)
    magnitude = torch.maximum(logits.amax(dim=0).abs(), logits.amin(dim=0).abs()).numpy()
    if not (magnitude < _LARGEST_LOGIT).all():
        return None
    guard = np.maximum(magnitude * np.float32(_GUARD), np.float32(_SMALLEST_GUARD))
    rivals = grid.largest(logits.numpy() >= _certain(logits.numpy()) - guard.max())
    count = rivals.sum(dim=1)
    if int(count[count > 1].sum()) > _MOST_RIVALS * rivals.numel():
        return None
    return _Contest(rivals, grid.largest(guard[None])[:, 0])


def _certain(logits: np.ndarray) -> np.ndarray:
    """(h, w): what the best of (C, h, w) channels has at least, up to rounding, in every pixel that a cell is part of.

    A pixel is made of at most three cells in a row, both ways, so it lies in the three by three around one of them,
    where a channel has at least its smallest value.
    """
    around = np.ones((3, 3), dtype=np.uint8)
    highest = np.full(logits.shape[1:], -np.inf, dtype=np.float32)
    for plane in logits:
        np.maximum(highest, cv2.erode(plane, around), out=highest)
    return cv2.erode(highest, around)


def _labels_of_contest(logits: Tensor, upsampling: Upsampling, grid: _Grid, contest: _Contest) -> Tensor:
    """The labels by our own arithmetic, and by the reference's where that cannot tell."""
    labels, unsure = _winners(logits, grid, contest)
    labels = grid.joined(labels).long()
    if not unsure.any():
        return labels
    undecided = contest.rivals[unsure.flatten(1).any(dim=1)].any(dim=0)
    unsure = grid.joined(unsure)
    count = int(unsure.sum())
    if count <= _MOST_POINTS:
        pixels = unsure.nonzero()
        rivals = _close_rivals(logits, grid, contest, pixels)
        if int(rivals.sum()) <= _MOST_POINTS:
            labels[pixels[:, 0], pixels[:, 1]] = _exact_labels(logits, upsampling, pixels, rivals)
            return labels
        undecided = rivals.any(dim=0)
    channels = undecided.nonzero()[:, 0]
    return torch.where(unsure, channels[upsampling.labels(logits[channels])], labels)


def _winners(logits: Tensor, grid: _Grid, contest: _Contest) -> Tuple[Tensor, Tensor]:
    """The best rival of every pixel, by our own arithmetic.

    In rounds: one rival of every tile after the other. Tiles with the most rivals come first, so that those still in
    a round are a prefix.

    Returns:
        (T, a, b) int32 labels, and (T, a, b) bool, whether the second best is too close to tell.
    """
    count, order = contest.rivals.sum(dim=1).sort(descending=True, stable=True)
    channels = contest.rivals[order].nonzero()[:, 1]
    first = count.cumsum(0) - count
    labels = torch.empty(len(order), dtype=torch.int32).index_copy_(0, order, channels[first].int())
    labels = labels[:, None, None].repeat(1, grid.rows.size, grid.columns.size)
    unsure = torch.zeros(labels.shape, dtype=torch.bool)

    order = order[: int((count > 1).sum())]
    winners = labels[order]
    best = torch.full(winners.shape, -torch.inf)
    second = best.clone()
    for turn in range(int(count[0]) if len(order) else 0):
        playing = min(len(order), int((count > turn).sum()))
        channel = channels[first[:playing] + turn]
        values = _tile_values(logits, grid, order[:playing], channel)
        leader, runner_up, winner = best[:playing], second[:playing], winners[:playing]
        torch.where(values > leader, channel.int()[:, None, None], winner, out=winner)
        torch.maximum(runner_up, torch.minimum(leader, values), out=runner_up)
        torch.maximum(leader, values, out=leader)

    labels[order] = winners
    unsure[order] = best - second <= contest.guard[order, None, None]
    return labels, unsure


def _tile_values(logits: Tensor, grid: _Grid, tiles: Tensor, channels: Tensor) -> Tensor:
    """(K, a, b): one channel in each of K tiles. By NumPy, as PyTorch may be set to multiply more coarsely."""
    row, column = (place.numpy() for place in grid.place(tiles))
    across = grid.columns.weights[column].transpose(0, 2, 1)
    return torch.from_numpy(grid.rows.weights[row] @ grid.windows(logits, tiles, channels) @ across)


def _close_rivals(logits: Tensor, grid: _Grid, contest: _Contest, pixels: Tensor) -> Tensor:
    """(N, C) bool: the channels that are too close to the best one in N pixels."""
    tiles = grid.tiles_of(pixels)
    pixel, channel = contest.rivals[tiles].nonzero().t()
    row, column = (place.numpy() for place in grid.place(tiles[pixel]))
    y, x = pixels[pixel].numpy().T
    down = grid.rows.weights[row, y % grid.rows.size][:, None, :]
    across = grid.columns.weights[column, x % grid.columns.size][:, :, None]
    values = torch.full((len(pixels), len(logits)), -torch.inf)
    values[pixel, channel] = torch.from_numpy((down @ grid.windows(logits, tiles[pixel], channel) @ across)[:, 0, 0])
    return values >= (values.amax(dim=1) - contest.guard[tiles])[:, None]


def _exact_labels(logits: Tensor, upsampling: Upsampling, pixels: Tensor, rivals: Tensor) -> Tensor:
    """(N,) int64 labels of (N, 2) pixels by the reference's operations, among their (N, C) rivals."""
    pixel, channel = rivals.nonzero().t()
    values = torch.full(rivals.shape, -torch.inf)
    values[pixel, channel] = upsampling.values_at(logits, channel, *pixels[pixel].t())
    return values.argmax(dim=1)
