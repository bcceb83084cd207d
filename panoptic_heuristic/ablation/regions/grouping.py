"""The pixels of an image, cut into pieces where anything changes that they are told apart by, and the pieces grouped.

Shape legend: P pieces, G groups, K keys, N masks, W = ceil(N / 64) words; pixels are in column order.
"""

import ctypes
from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from panoptic_heuristic import native
from panoptic_heuristic.ablation.regions.regions import sums

_WORD = 64

Key = Tuple[np.ndarray, np.ndarray]
"""A value of each pixel as runs: int64 values, and the pixels where they start, the first at 0 and ascending."""


@dataclass(frozen=True, eq=False)
class Grouping:
    """Pieces of an image and their groups, numbered as they come.

    Attributes:
        group: (P,) int64, the group of each piece.
        lengths: (P,) int64, pixels of each piece.
        keys: (K, G) int64, what the keys are in each group.
        cover: (G, W) uint64, bit i % 64 of word i // 64 set where mask i covers the group.
        pixels: (G,) int64.
    """

    group: np.ndarray
    lengths: np.ndarray
    keys: np.ndarray
    cover: np.ndarray
    pixels: np.ndarray


def group_pixels(keys: Sequence[Key], mask_runs: List[np.ndarray], pixels: int) -> Grouping:
    """Groups the pixels of an image by all keys and the set of masks that cover them.

    Args:
        keys: at least one.
        mask_runs: of each mask, the pixel after each of its runs, background first; they end at ``pixels``.
        pixels: how many the image has, at least 1.
    """
    kernel = native.function("ph_group_pixels", _KERNEL_TYPES)
    # The kernel numbers the borders of masks in 32 bits.
    if kernel is None or sum(map(len, mask_runs)) >= 2**31:
        return _grouped_by_numpy(keys, mask_runs, pixels)
    return _grouped_by_kernel(kernel, keys, mask_runs, pixels)


_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64
_KERNEL_TYPES = (
    *(_NUMBER, _NUMBER, _POINTER, _POINTER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER, _POINTER),
    *(_NUMBER, _POINTER, _NUMBER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER),
)


def _grouped_by_kernel(kernel, keys: Sequence[Key], mask_runs: List[np.ndarray], pixels: int) -> Grouping:
    values, starts = (np.concatenate(parts).astype(np.int64, copy=False) for parts in zip(*keys, strict=True))
    ends = np.concatenate([np.empty(0, np.int64), *mask_runs]).astype(np.int64, copy=False)
    key_stops = np.cumsum([len(one) for one, _ in keys], dtype=np.int64)
    run_stops = np.cumsum([len(one) for one in mask_runs], dtype=np.int64)
    most_pieces = min(len(starts) + len(ends), pixels)
    width = len(keys) + -(-len(mask_runs) // _WORD)
    slots = 1 << (2 * most_pieces).bit_length()
    group, lengths = np.empty((2, most_pieces), dtype=np.int64)
    words, group_sizes = np.empty((most_pieces, width), dtype=np.uint64), np.zeros(most_pieces, dtype=np.int64)
    groups = np.zeros(1, dtype=np.int64)
    scratch = np.zeros(pixels, np.int32), np.empty((len(ends), 2), np.int32), np.zeros(slots, np.int32)
    last_border, chain, table = (one.ctypes.data for one in scratch)
    state, next_run = np.zeros(width, dtype=np.uint64), np.empty(len(keys), dtype=np.int64)
    pieces = kernel(
        *(pixels, len(keys), key_stops.ctypes.data, starts.ctypes.data, values.ctypes.data),
        *(len(mask_runs), run_stops.ctypes.data, ends.ctypes.data, last_border, chain, slots - 1, table),
        *(width, state.ctypes.data, next_run.ctypes.data, group.ctypes.data, lengths.ctypes.data),
        *(words.ctypes.data, group_sizes.ctypes.data, groups.ctypes.data),
    )
    found = words[: groups[0]]
    return Grouping(
        group[:pieces].copy(),
        lengths[:pieces].copy(),
        found[:, : len(keys)].T.copy().view(np.int64),
        found[:, len(keys) :].copy(),
        group_sizes[: groups[0]].copy(),
    )


def _grouped_by_numpy(keys: Sequence[Key], mask_runs: List[np.ndarray], pixels: int) -> Grouping:
    starts, stops, owners = _spans(mask_runs)
    marks = np.zeros(pixels + 1, dtype=bool)
    for borders in (*(borders for _, borders in keys), starts, stops):
        marks[borders] = True
    marks[-1] = False  # The last pixel's end starts nothing.
    pieces = np.flatnonzero(marks)
    told_by = [_spread(values, borders, pieces) for values, borders in keys]
    covers = _covers(starts, stops, owners, pieces, len(mask_runs))
    group, first = _groups([*told_by, *covers.T])
    lengths = np.diff(pieces, append=pixels)
    told_apart = np.stack([values[first] for values in told_by])
    return Grouping(group, lengths, told_apart, covers[first], sums(group, lengths, len(first)))


def _spans(mask_runs: List[np.ndarray]) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First pixel, pixel after the last, and instance of all runs of all masks."""
    starts = np.concatenate([np.empty(0, np.int64), *(ends[:-1:2] for ends in mask_runs)])
    stops = np.concatenate([np.empty(0, np.int64), *(ends[1::2] for ends in mask_runs)])
    owners = np.repeat(np.arange(len(mask_runs)), [len(ends) // 2 for ends in mask_runs])
    return starts, stops, owners


def _spread(values: np.ndarray, starts: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """The values of runs, for each of the pieces that the runs are cut into."""
    return values.repeat(np.diff(np.searchsorted(pieces, starts), append=len(pieces)))


def _covers(
    starts: np.ndarray, stops: np.ndarray, owners: np.ndarray, pieces: np.ndarray, instances: int
) -> np.ndarray:
    """(pieces, W) uint64, the instances that cover each piece."""
    words = -(-instances // _WORD)
    # A bit is added where a run of its mask starts and taken away where it ends. Sums modulo 2**64
    # of these are sets, since no mask covers a pixel twice.
    changes = np.zeros((len(pieces) + 1) * words, dtype=np.uint64)
    word, bit = owners // _WORD, np.uint64(1) << (owners % _WORD).astype(np.uint64)
    np.add.at(changes, np.searchsorted(pieces, starts) * words + word, bit)
    np.subtract.at(changes, np.searchsorted(pieces, stops) * words + word, bit)
    return changes.reshape(len(pieces) + 1, words)[:-1].cumsum(axis=0, dtype=np.uint64)


def _groups(keys: List[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Groups rows by all their keys, compared whole: no hash that could take two sets for one.

    Returns:
        The group of each row, and of each group its first row, ascending.
    """
    order = np.lexsort(keys)
    changes = np.zeros(len(order), dtype=bool)
    changes[0] = True
    for key in keys:
        ordered = key[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    # The sort is stable, so that a group starts with its first row.
    first = order[changes]
    number = np.empty(len(first), dtype=np.int64)
    number[first.argsort()] = np.arange(len(first))
    group = np.empty(len(order), dtype=np.int64)
    group[order] = number[changes.cumsum() - 1]
    return group, np.sort(first)
