"""Labels by PyTorch and NumPy, tile by tile: as the kernel does it, see ``native/enlarged_labels.c``.

Shapes in this file: C channels, h x w cells of the semantic head, H x W output pixels, T tiles of
a x b pixels, each made of p x q cells.

An interpolated value lies between the cells it is made of, up to rounding. So among the few cells that
make a pixel a channel is out if its largest is below the smallest of another one, and most are. In a tile
those are left that are left anywhere in it, and only they are interpolated.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic.detectron import label_draft
from panoptic_heuristic.detectron.enlarged_logits import AXIS_CELLS, Axis, Upsampling
from panoptic_heuristic.detectron.label_draft import LabelDraft

# A tile is about this many cells wide and high; from 5 to 10 the time is the same.
_TILE_CELLS = 6

# With a larger fraction of all channels to be compared, all are worked out as the reference does it, which has no
# detours: one channel in all tiles takes about the time of that channel there.
_MOST_RIVALS = 0.5


def draft_labels(logits: Tensor, upsampling: Upsampling) -> Optional[LabelDraft]:
    """A draft of the labels; None where that does not pay, or logits are not fit for it: NaN, infinite or huge.

    Args:
        logits: (C, h, w) float32, contiguous, on the CPU.
        upsampling: of such logits.
    """
    grid = Grid.of(upsampling)
    contest = _contest(logits, grid)
    if contest is None:
        return None
    labels, unsure = _winners(logits, grid, contest)
    labels = grid.joined(labels)
    if not unsure.any():
        return LabelDraft(labels, None, contest.rivals.new_zeros(len(logits)), None)
    close = contest.rivals[unsure.flatten(1).any(dim=1)].any(dim=0)
    unsure = grid.joined(unsure)
    points = None
    if int(unsure.sum()) <= label_draft.MOST_POINTS:
        points = _close_rivals(logits, grid, contest, unsure.nonzero())
        close = torch.zeros_like(close).index_fill_(0, points[:, 0], True)
        points = points if len(points) <= label_draft.MOST_POINTS else None
    return LabelDraft(labels, unsure, close, points)


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
    def of(cls, windows: Tuple[np.ndarray, np.ndarray], enlarging: Axis, resizing: Axis) -> "_Cuts":
        first_cells, weights = (torch.from_numpy(array) for array in windows)
        size = round(_TILE_CELLS * enlarging.stride * resizing.target / resizing.source)
        size = min(max(size, 1), resizing.target)
        tiles = -(-resizing.target // size)
        place = torch.arange(tiles * size).clamp(max=resizing.target - 1).view(tiles, size)
        cells, weights = first_cells[place, None] + torch.arange(AXIS_CELLS), weights[place]

        used = weights != 0
        starts = torch.where(used, cells, enlarging.source).amin(dim=(1, 2))
        span = 1 + int((torch.where(used, cells, 0).amax(dim=(1, 2)) - starts).max())
        starts = starts.clamp(max=enlarging.source - span)
        # Cells that have no weight may lie outside; wherever they go, they add 0.
        places = (cells - starts[:, None, None]).clamp(0, span - 1)
        return cls(size, starts, span, torch.zeros(tiles, size, span).scatter_add_(2, places, weights).numpy())


@dataclass(frozen=True)
class Grid:
    """The output cut into T tiles, numbered row by row."""

    rows: _Cuts
    columns: _Cuts
    output_size: Tuple[int, int]

    @classmethod
    def of(cls, upsampling: Upsampling) -> "Grid":
        rows, columns = (_Cuts.of(*axis) for axis in zip(upsampling.windows, *upsampling.axes, strict=True))
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


def _contest(logits: Tensor, grid: Grid) -> Optional[_Contest]:
    """None where leaving channels out does not pay, or logits are not fit for it: NaN, infinite or huge."""
    logits = grid.without_padding(logits)
    magnitude = torch.maximum(logits.amax(dim=0).abs(), logits.amin(dim=0).abs()).numpy()
    if not (magnitude < label_draft.LARGEST_LOGIT).all():
        return None
    guard = np.maximum(magnitude * np.float32(label_draft.GUARD), np.float32(label_draft.SMALLEST_GUARD))
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


def _winners(logits: Tensor, grid: Grid, contest: _Contest) -> Tuple[Tensor, Tensor]:
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


def _tile_values(logits: Tensor, grid: Grid, tiles: Tensor, channels: Tensor) -> Tensor:
    """(K, a, b): one channel in each of K tiles. By NumPy, as PyTorch may be set to multiply more coarsely."""
    row, column = (place.numpy() for place in grid.place(tiles))
    across = grid.columns.weights[column].transpose(0, 2, 1)
    return torch.from_numpy(grid.rows.weights[row] @ grid.windows(logits, tiles, channels) @ across)


def _close_rivals(logits: Tensor, grid: Grid, contest: _Contest, pixels: Tensor) -> Tensor:
    """(K, 3) int64, channel, row and column: the channels that are too close to the best one in (N, 2) pixels."""
    tiles = grid.tiles_of(pixels)
    pixel, channel = contest.rivals[tiles].nonzero().t()
    row, column = (place.numpy() for place in grid.place(tiles[pixel]))
    y, x = pixels[pixel].numpy().T
    down = grid.rows.weights[row, y % grid.rows.size][:, None, :]
    across = grid.columns.weights[column, x % grid.columns.size][:, :, None]
    values = torch.full((len(pixels), len(logits)), -torch.inf)
    values[pixel, channel] = torch.from_numpy((down @ grid.windows(logits, tiles[pixel], channel) @ across)[:, 0, 0])
    pixel, channel = (values >= (values.amax(dim=1) - contest.guard[tiles])[:, None]).nonzero().t()
    return torch.cat([channel[:, None], pixels[pixel]], dim=1)
