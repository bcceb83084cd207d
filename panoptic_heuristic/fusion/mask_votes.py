"""A vote over pixels among instances, by their mask probabilities.

Shape legend: N instances, an image of H x W pixels, RoI masks of M x M.
"""

import ctypes
from typing import Callable, List, NamedTuple, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD, places_in_box
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.soft_masks import soft_crop


class MaskVote(NamedTuple):
    """The outcome of a vote.

    Attributes:
        winner: (H, W) int32, the winner's place among those that voted, from 1; 0 for none.
        in_mask: (H, W) bool: the winner's probability is at least :data:`.MASK_THRESHOLD`.
        mask_areas: of each that voted the pixels where its probability is.
    """

    winner: Tensor
    in_mask: Tensor
    mask_areas: List[int]


def mask_vote(instances: InstanceSet, ranked: Sequence[int], scores: Optional[Sequence[float]]) -> MaskVote:
    """Gives each pixel to the largest mask probability, times a score if there are some, that is above 0.

    Of equal values, products in float64, the better-ranked wins. Values are those of
    :func:`panoptic_heuristic.fusion.paste.paste`. A compiled kernel decides where they are clear.

    Args:
        instances: with RoI mask probabilities.
        ranked: places in the input, best first.
        scores: of each of ``ranked``, finite; None to go by the probability alone.
    """
    kernel = native.function("ph_soft_vote", _KERNEL_ARGUMENTS)
    if kernel is None or not len(ranked) or not _are_plain(instances.probabilities, instances.boxes):
        return _vote_in_turn(instances, ranked, scores)
    return _vote_at_once(kernel, instances, np.array(ranked, dtype=np.int64), scores)


def _vote_in_turn(instances: InstanceSet, ranked: Sequence[int], scores: Optional[Sequence[float]]) -> MaskVote:
    """The same on any device, one instance after the other."""
    size, device = instances.image_size, instances.device
    best = torch.zeros(size, dtype=instances.probabilities.dtype if scores is None else torch.float64, device=device)
    winner = torch.zeros(size, dtype=torch.int32, device=device)
    in_mask = torch.zeros(size, dtype=torch.bool, device=device)
    mask_areas = []
    best_of, winner_of, in_mask_of = quick(best), quick(winner), quick(in_mask)
    for place, index in enumerate(ranked):
        soft = soft_crop(instances, index)
        window, mask = soft.window, soft.values >= MASK_THRESHOLD
        mask_areas.append(int(mask.count_nonzero()))
        values = quick(soft.values if scores is None else soft.values.double() * scores[place])
        most, who, inside = best_of[window], winner_of[window], in_mask_of[window]
        wins = values > most
        best_of[window] = values.clip(most)
        who += (place + 1 - who) * wins
        inside ^= (inside ^ quick(mask)) & wins
    return MaskVote(winner, in_mask, mask_areas)


_KERNEL_ARGUMENTS = (
    *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64),
    *(ctypes.c_int64, ctypes.c_int64, ctypes.c_float, *(6 * [ctypes.c_void_p]), ctypes.c_int64),
)

# How far two values must lie apart so that the reference's do, too, in units of M; and beyond which corner the size of
# a box may overflow. Both for the reasons that panoptic_heuristic.fusion.paste has.
_GUARD = 32 * 2.0**-24
_LARGEST_CORNER = 1e37


def _are_plain(probabilities: Tensor, boxes: Tensor) -> bool:
    """True if the kernel takes them: float32 on the CPU, all in [0, 1], and boxes that are not huge."""
    if probabilities.device.type != "cpu" or probabilities.dtype != torch.float32:
        return False
    low, high = probabilities.aminmax()
    return bool(low >= 0) and bool(high <= 1) and bool(boxes.abs().amax() < _LARGEST_CORNER)


def _vote_at_once(
    kernel: Callable[..., int], instances: InstanceSet, ranked: np.ndarray, scores: Optional[Sequence[float]]
) -> MaskVote:
    """The same by the kernel, and by PyTorch for the pixels that it lists."""
    (height, width), size = instances.image_size, instances.probabilities.shape[-1]
    masks = np.ascontiguousarray(instances.probabilities.detach().numpy())
    boxes = np.ascontiguousarray(instances.boxes.numpy())
    factors = np.ones(len(ranked)) if scores is None else np.array(scores, dtype=np.float64)
    # As shares of the largest: who wins does not depend on that, and margins do.
    shares = (factors / (np.abs(factors).max() or 1)).astype(np.float32)
    winner, (inside, is_open) = np.empty((height, width), dtype=np.int32), np.empty((2, height, width), dtype=bool)
    areas = np.empty(len(ranked), dtype=np.int64)
    guard, room, listed = _GUARD * size, 0, 2**12
    while listed > room:
        room = listed
        pairs = np.empty((2, room), dtype=np.int32)
        listed = kernel(
            masks.ctypes.data, size, boxes.ctypes.data, ranked.ctypes.data, shares.ctypes.data, len(ranked),
            height, width, guard, winner.ctypes.data, inside.ctypes.data, is_open.ctypes.data, areas.ctypes.data,
            pairs[0].ctypes.data, pairs[1].ctypes.data, room,
        )  # fmt: skip
    if listed < 0:
        raise MemoryError("there is no memory for a vote of mask probabilities")
    places, pixels = pairs[:, :listed]
    values = _values_at(masks, boxes, ranked[places], pixels, width)
    in_mask = values >= MASK_THRESHOLD
    areas += np.bincount(places, in_mask, minlength=len(areas)).astype(np.int64)
    # Of a pixel's pairs the largest value comes first, of equal ones the better rank.
    values = values * factors[places]
    first = np.lexsort((places, -values, pixels))
    first = first[np.flatnonzero(np.diff(pixels[first], prepend=-1))]
    who, where = winner.reshape(-1), inside.reshape(-1)
    first = first[is_open.reshape(-1)[pixels[first]]]
    who[pixels[first]] = np.where(values[first] > 0, places[first] + 1, 0)
    won = who[pixels] == places + 1
    where[pixels[won]] = in_mask[won]
    return MaskVote(torch.from_numpy(winner), torch.from_numpy(inside), areas.tolist())


def _values_at(masks: np.ndarray, boxes: np.ndarray, which: np.ndarray, pixels: np.ndarray, width: int) -> np.ndarray:
    """The probabilities of some masks at one pixel each, as :func:`panoptic_heuristic.fusion.paste.paste` has them.

    Args:
        masks: (N, M, M) float32.
        boxes: (N, 4) float32.
        which: (P,) the mask.
        pixels: (P,) the pixel, by its place in row order.
        width: W.

    Returns:
        (P,) float32.
    """
    # As many places for each mask as one of them needs, so that one call is enough.
    named, rows = np.unique(which, return_inverse=True)
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(len(named)))
    columns = np.empty_like(rows)
    columns[order] = np.arange(len(rows)) - starts[rows[order]]
    grid = np.zeros((len(named), 1, columns.max(initial=-1) + 1, 2), dtype=np.float32)
    for axis, at in enumerate((pixels % width, pixels // width)):
        low, high = boxes[which, axis], boxes[which, axis + 2]
        grid[rows, 0, columns, axis] = places_in_box(at.astype(np.float32), low, high)
    if not grid.size:
        return np.zeros(len(which), dtype=np.float32)
    sampled = F.grid_sample(torch.from_numpy(masks[named, None]), torch.from_numpy(grid), align_corners=False)
    return sampled.numpy()[rows, 0, 0, columns]
