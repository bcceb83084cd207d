"""PQ counts from regions, under many settings at once: the same integers as scoring pixel by pixel.

Shape legend: S settings of who claims what, K score cutoffs, L stuff limits, M ranked instances,
T ground-truth segments, C categories. Scored are "candidates": instances, or stuff categories.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.build import GtSegments, Regions, sums
from panoptic_heuristic.ablation.regions.claims import RegionClaims
from panoptic_heuristic.formats.categories import Categories


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What candidates with known pixels are worth. All arrays have the shape (..., candidates).

    Attributes:
        area: int64, pixels; 0 if the candidate is not there.
        iou: int64, IoU with the segment it matches in units of 2**-40; 0 without a match.
        matched: bool, a true positive.
        false: bool, a false positive.
        gt: int64, the place of the matched segment from 1; 0 without a match.
    """

    area: np.ndarray
    iou: np.ndarray
    matched: np.ndarray
    false: np.ndarray
    gt: np.ndarray


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores candidates of one image; follows :func:`panoptic_heuristic.quality.compare`.

    Attributes:
        gt: the ground truth.
        gt_areas: (T + 2,), see :class:`panoptic_heuristic.ablation.regions.build.Regions`.
        all_crowds: of several crowds of a category all count, not the last one listed only.
    """

    gt: GtSegments
    gt_areas: np.ndarray
    all_crowds: bool = False

    @cached_property
    def _excusing(self) -> np.ndarray:
        """(T,) bool: the crowds on which predictions of their category are no false positives."""
        if self.all_crowds:
            return self.gt.iscrowd
        last = {int(self.gt.category_ids[k]): k for k in np.flatnonzero(self.gt.iscrowd)}
        excusing = np.zeros(len(self.gt.ids), dtype=bool)
        excusing[list(last.values())] = True
        return excusing

    def score(self, shared: np.ndarray, category_ids: np.ndarray) -> Outcomes:
        """Scores candidates by the pixels they share with the ground truth.

        Args:
            shared: (..., candidates, T + 2) int64, pixels per place of the ground truth.
            category_ids: (candidates,) dataset ids.
        """
        area, on_void = shared.sum(axis=-1), shared[..., 0]
        same = category_ids[:, None] == self.gt.category_ids
        candidates, gts = (same & ~self.gt.iscrowd).nonzero()
        iou = np.zeros(area.shape, dtype=np.int64)
        gt = np.zeros(area.shape, dtype=np.int64)
        intersection = shared[..., candidates, gts + 1]
        counted = (area - on_void)[..., candidates]
        union = self.gt_areas[gts + 1] + counted - intersection
        # At most one pair of a candidate exceeds one half.
        *where, pair = (2 * intersection > union).nonzero()
        at = (*where, candidates[pair])
        iou[at] = in_units(intersection[(*where, pair)], union[(*where, pair)])
        gt[at] = gts[pair] + 1
        matched = gt > 0
        excused = on_void
        if self._excusing.any():
            candidates, gts = (same & self._excusing).nonzero()
            excused = on_void.copy()
            for candidate, place in zip(candidates.tolist(), gts.tolist(), strict=True):
                excused[..., candidate] += shared[..., candidate, place + 1]
        false = (area > 0) & ~matched & (2 * excused <= area)
        return Outcomes(area, iou, matched, false, gt)


def in_units(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    """intersection / union in units of 2**-40, rounded half up, as :func:`panoptic_heuristic.quality.counts.in_units`.

    Twenty bits at a time, so that nothing exceeds 64 bits in images of up to 2**42 pixels.
    """
    high, rest = np.divmod(intersection << 20, union)
    low, rest = np.divmod(rest << 20, union)
    return (high << 20) + low + (2 * rest >= union)


def shared_by_instances(regions: Regions, claims: RegionClaims) -> np.ndarray:
    """(S, M, T + 2) int64: the pixels each ranked instance took, per place of the ground truth."""
    settings, ranks, places = claims.kept.shape[1], len(claims.ranked), len(regions.gt.ids) + 2
    keys = (np.arange(settings) * (ranks + 1) + claims.owner) * places + regions.gt_place[:, None]
    weights = np.broadcast_to(regions.pixels[:, None], keys.shape)
    table = sums(keys.reshape(-1), weights.reshape(-1), settings * (ranks + 1) * places)
    return table.reshape(settings, ranks + 1, places)[:, :ranks]


def stuff_of(regions: Regions, categories: Categories) -> Tuple[np.ndarray, np.ndarray]:
    """The stuff that the semantic labels of an image hold.

    Returns:
        (C,) dataset ids, and (G,) the place of each region's stuff category among them; C for none.
    """
    ids = np.array([-1, *categories], dtype=np.int64)
    is_stuff = np.array([False, *(not category.isthing for category in categories.values())])
    present = np.zeros(len(ids), dtype=bool)
    present[regions.semantic] = True
    chosen = np.flatnonzero(present & is_stuff)
    place_of = np.full(len(ids), len(chosen), dtype=np.int64)
    place_of[chosen] = np.arange(len(chosen))
    return ids[chosen], place_of[regions.semantic]


def best_stuff_of(regions: Regions, categories: Categories, stuff: np.ndarray) -> np.ndarray:
    """(G,) the place of each region's best stuff among some categories; their number for none of them.

    Args:
        regions: told apart by their best stuff.
        categories: the data set's.
        stuff: dataset ids, see :func:`stuff_of`.
    """
    place_of = np.full(len(categories) + 1, len(stuff), dtype=np.int64)
    place_of[[categories.place_of[category_id] + 1 for category_id in stuff.tolist()]] = np.arange(len(stuff))
    return place_of[regions.best_stuff]


def shared_by_stuff(
    regions: Regions,
    claims: RegionClaims,
    prefixes: np.ndarray,
    stuff: np.ndarray,
    stuff_place: np.ndarray,
    becomes: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The free pixels of stuff after the instances of the first ranks only.

    With one cutoff on what ranks the instances, those kept at a cutoff are the first of those kept
    without it, and keep the same pixels. So one pass answers every cutoff.

    Args:
        regions: of one image.
        claims: of all instances that any cutoff lets in.
        prefixes: (K,) the number of ranks each cutoff lets in.
        stuff, stuff_place: of :func:`stuff_of`, or :func:`best_stuff_of`.
        becomes: (M, S) the place of the stuff that gets all that an instance took, if it takes part;
            C for none; None if there are none.

    Returns:
        (S, K, C, T + 2) int64, pixels per place of the ground truth.
    """
    settings, count, places = claims.kept.shape[1], len(stuff), len(regions.gt.ids) + 2
    ascending, place_of = np.unique(prefixes, return_inverse=True)
    levels = len(ascending)
    # A region is free for as many of the ascending prefixes as end before its owner.
    free_for = np.searchsorted(ascending, np.arange(len(claims.ranked) + 1), side="right")
    chosen = np.flatnonzero(stuff_place < count)
    base = stuff_place[chosen] * places + regions.gt_place[chosen]
    level = free_for[claims.owner[chosen]] + np.arange(settings) * (levels + 1)
    keys = level * (count * places) + base[:, None]
    weights = np.broadcast_to(regions.pixels[chosen, None], keys.shape)
    table = sums(keys.reshape(-1), weights.reshape(-1), settings * (levels + 1) * count * places)
    table = table.reshape(settings, levels + 1, count, places)
    # Free for prefix j are the regions that are free for more than j of them.
    table = table[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    if becomes is not None:
        of_owner = np.append(becomes, np.full((1, settings), count), axis=0)
        place = np.take_along_axis(of_owner, claims.owner, axis=0)
        where, setting = (place < count).nonzero()
        level = free_for[claims.owner[where, setting]] + setting * (levels + 1)
        keys = (level * count + place[where, setting]) * places + regions.gt_place[where]
        moved = sums(keys, regions.pixels[where], settings * (levels + 1) * count * places)
        # With prefix j are the instances that are in the first of them or only later ones, up to it.
        table = table + moved.reshape(settings, levels + 1, count, places)[:, :-1].cumsum(axis=1)
    return table[:, place_of.reshape(-1)]
