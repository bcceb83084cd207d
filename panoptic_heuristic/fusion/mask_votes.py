"""A vote over pixels among instances, by their mask probabilities.

Shape legend: N instances, an image of H x W pixels, RoI masks of M x M.
"""

import ctypes
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from panoptic_heuristic import native
from panoptic_heuristic.fusion.instances import InstanceSet
from panoptic_heuristic.fusion.paste import MASK_THRESHOLD
from panoptic_heuristic.fusion.quick import quick
from panoptic_heuristic.fusion.roi_masks import Rois
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
    rois = None if kernel is None or not len(ranked) else Rois.of(instances.probabilities, instances.boxes)
    if rois is None:
        return _vote_in_turn(instances, ranked, scores)
    return _vote_at_once(kernel, rois, instances.image_size, np.array(ranked, dtype=np.int64), scores)


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


def _vote_at_once(
    kernel: Callable[..., int],
    rois: Rois,
    image_size: Tuple[int, int],
    ranked: np.ndarray,
    scores: Optional[Sequence[float]],
) -> MaskVote:
    """The same by the kernel, and by PyTorch for the pixels that it lists."""
    height, width = image_size
    factors = np.ones(len(ranked)) if scores is None else np.array(scores, dtype=np.float64)
    # As shares of the largest: who wins does not depend on that, and margins do.
    shares = (factors / (np.abs(factors).max() or 1)).astype(np.float32)
    winner, (inside, is_open) = np.empty((height, width), dtype=np.int32), np.empty((2, height, width), dtype=bool)
    areas = np.empty(len(ranked), dtype=np.int64)
    room, listed = 0, 2**12
    while listed > room:
        room = listed
        pairs = np.empty((2, room), dtype=np.int32)
        listed = kernel(
            rois.probabilities.ctypes.data, rois.size, rois.boxes.ctypes.data, ranked.ctypes.data, shares.ctypes.data,
            len(ranked), height, width, rois.guard, winner.ctypes.data, inside.ctypes.data, is_open.ctypes.data,
            areas.ctypes.data, pairs[0].ctypes.data, pairs[1].ctypes.data, room,
        )  # fmt: skip
    if listed < 0:
        raise MemoryError("there is no memory for a vote of mask probabilities")
    places, pixels = pairs[:, :listed]
    values = rois.values_at(ranked[places], pixels % width, pixels // width)
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
