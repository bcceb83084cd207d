"""The greedy claim on regions, under many settings at once.

Settings part only where an instance stays for some and goes for others; until then one outcome answers them. Sums of
pixels are whole numbers far below 2**53, so that they are exact as floats, too.

Shape legend: G regions, M ranked instances, S settings, D <= S outcomes.
"""

import ctypes
from typing import NamedTuple, Optional

import numpy as np

from panoptic_heuristic import native
from panoptic_heuristic.ablation.regions.regions import Regions


class GreedyOutcomes(NamedTuple):
    """The outcomes of the greedy claim.

    Attributes:
        owner: (G, D) int16, the rank of the instance that took the region; M where none did.
        kept: (M, D) bool, the ranks that have a pixel.
        of_setting: (S,) int64, the outcome of each setting.
    """

    owner: np.ndarray
    kept: np.ndarray
    of_setting: np.ndarray


def claim_greedily(
    regions: Regions, ranked: np.ndarray, thresholds: np.ndarray, takes_part: Optional[np.ndarray]
) -> GreedyOutcomes:
    """Claims region by region, as :class:`panoptic_heuristic.fusion.Greedy` does pixel by pixel.

    Args:
        regions: of one image.
        ranked: (M,) int64, instances, best first.
        thresholds: (M, S) float64.
        takes_part: (M, S) bool; None if all do.
    """
    kernel = native.function("ph_greedy_claims", _KERNEL_TYPES)
    if kernel is None or not thresholds.shape[1]:
        return _claimed_by_numpy(regions, ranked, thresholds, takes_part)
    return _claimed_by_kernel(kernel, regions, ranked, thresholds, takes_part)


_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_KERNEL_TYPES = (
    *(_NUMBER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _NUMBER, _POINTER, _NUMBER, _NUMBER),
    *(_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER),
)


def _claimed_by_kernel(
    kernel, regions: Regions, ranked: np.ndarray, thresholds: np.ndarray, takes_part: Optional[np.ndarray]
) -> GreedyOutcomes:
    ranks, settings = thresholds.shape
    count = len(regions.pixels)
    pixels, thresholds = regions.pixels.astype(np.float64), thresholds.astype(np.float64, copy=False)
    members, stops = regions.member_regions, regions.member_stops
    ranked = np.ascontiguousarray(ranked, dtype=np.int64)
    asked = None if takes_part is None else np.ascontiguousarray(takes_part, dtype=bool)
    lost, numbers, stays = np.empty(settings), np.empty((3, settings), np.int64), np.empty(settings, bool)
    # As many outcomes as settings at most; memory that nothing is written to costs nothing.
    owner, kept = np.empty((settings, count), np.int16), np.empty((settings, ranks), bool)
    of_setting = np.empty(settings, np.int64)
    outcomes = kernel(
        *(count, pixels.ctypes.data, members.ctypes.data, stops.ctypes.data, ranks, ranked.ctypes.data, settings),
        *(thresholds.ctypes.data, *(step // thresholds.itemsize for step in thresholds.strides)),
        *(None if asked is None else asked.ctypes.data, lost.ctypes.data, numbers.ctypes.data, stays.ctypes.data),
        *(owner.ctypes.data, kept.ctypes.data, of_setting.ctypes.data),
    )
    return GreedyOutcomes(owner[:outcomes].copy().T, kept[:outcomes].copy().T, of_setting)


def _claimed_by_numpy(
    regions: Regions, ranked: np.ndarray, thresholds: np.ndarray, takes_part: Optional[np.ndarray]
) -> GreedyOutcomes:
    nobody, settings = thresholds.shape
    owner = np.full((len(regions.pixels), 1), nobody, dtype=np.int16)
    kept = np.zeros((nobody, 1), dtype=bool)
    column = np.zeros(settings, dtype=np.int64)
    sizes = np.array([settings])
    pixels = regions.pixels.astype(np.float64)
    areas, members = regions.areas, regions.members
    for rank, instance in enumerate(ranked.tolist()):
        area, inside = areas[instance], members[instance]
        owners = owner[inside]
        free = owners == nobody
        free_area = pixels[inside] @ free.astype(np.float64)
        # An empty mask has no free pixel.
        lost = np.where(free_area > 0, (area - free_area) / max(area, 1), np.inf)
        keeps = lost[column] <= thresholds[rank]
        if takes_part is not None:
            keeps &= takes_part[rank]
        keeping = np.bincount(column, keeps, len(sizes))
        keeps_all = keeping == sizes
        parts = np.flatnonzero(~keeps_all & (keeping > 0))
        if len(parts):
            # Those that keep it get columns of their own.
            new = np.full(len(sizes), -1)
            new[parts] = len(sizes) + np.arange(len(parts))
            column = np.where(keeps & (new[column] >= 0), new[column], column)
            sizes = np.bincount(column, minlength=len(sizes) + len(parts))
            owner = np.concatenate([owner, owner[:, parts]], axis=1)
            kept = np.concatenate([kept, kept[:, parts]], axis=1)
            owners, free = owner[inside], np.concatenate([free, free[:, parts]], axis=1)
            keeps_all = np.append(keeps_all, np.ones(len(parts), dtype=bool))
        kept[rank] = keeps_all
        free &= keeps_all
        owner[inside] = np.where(free, np.int16(rank), owners)
    return GreedyOutcomes(owner, kept, column)
