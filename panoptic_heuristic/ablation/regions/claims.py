"""Claim rules on regions, under many settings at once.

Sums of pixels are whole numbers far below 2**53, so that products and sums of floats are exact, and
fractions of them are the same float64 as those of the rules.

Shape legend: G regions, N instances, M <= N of them ranked, S settings.
"""

import dataclasses
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np
from numpy.typing import ArrayLike

from panoptic_heuristic.ablation.regions.greedy import claim_greedily
from panoptic_heuristic.ablation.regions.regions import Regions, distinct_rows
from panoptic_heuristic.fusion import ClassAware, Greedy, PerPixel, Reclaim
from panoptic_heuristic.fusion.claim import ClaimRule


@dataclass(frozen=True, eq=False)
class RegionClaims:
    """The outcomes of a claim: an owner of each region.

    Attributes:
        ranked: (M,) int64, instances, best first.
        owner: (G, S) int16, the rank of the instance that took the region; M where none did.
        kept: (M, S) bool, the ranks that have a pixel.
        for_good: nobody loses what he took, so that what was kept decides who owns what.
    """

    ranked: np.ndarray
    owner: np.ndarray
    kept: np.ndarray
    for_good: bool = True

    def distinct(self) -> "Tuple[RegionClaims, np.ndarray]":
        """Without settings that equal another, and for each setting the place of its equal."""
        if self.for_good:
            first, equal = distinct_rows(np.packbits(self.kept.T, axis=1))
        else:
            first, equal = distinct_rows(self.owner.T)
        return dataclasses.replace(self, owner=self.owner[:, first], kept=self.kept[:, first]), equal

    def without(self, gone: np.ndarray) -> "RegionClaims":
        """The same without some ranks, (M, S) bool; their regions are free."""
        if not gone.any():
            return self
        padded = np.append(gone, np.zeros((1, gone.shape[1]), dtype=bool), axis=0)
        nobody = np.int16(len(self.ranked))
        owner = np.where(np.take_along_axis(padded, self.owner, axis=0), nobody, self.owner)
        return dataclasses.replace(self, owner=owner, kept=self.kept & ~gone, for_good=False)


def claims_on_regions(rule: ClaimRule) -> bool:
    """True if a claim rule sees nothing of pixels but their regions."""
    if type(rule) is Reclaim:
        return rule.on_top != "mean_probability"
    return type(rule) in (Greedy, PerPixel, ClassAware)


def claims_are_prefixes(rule: ClaimRule) -> bool:
    """True if the pixels that an instance gets are up to the better-ranked ones alone."""
    return type(rule) is not Reclaim


def claim_regions(
    rule: ClaimRule,
    regions: Regions,
    ranked: ArrayLike,
    overlap_thresholds: np.ndarray,
    takes_part: Optional[np.ndarray] = None,
) -> RegionClaims:
    """Claims region by region.

    Args:
        rule: one for which :func:`claims_on_regions` holds. Its own overlap threshold does not
            matter; :class:`panoptic_heuristic.fusion.PerPixel` is the greedy rule at 1.
        regions: of one image.
        ranked: (M,) integers, instances, best first.
        overlap_thresholds: (S,), or (M, S) if they differ by instance.
        takes_part: (M, S) bool; None if all do.
    """
    claims, equal = distinct_claims(rule, regions, ranked, overlap_thresholds, takes_part)
    return dataclasses.replace(claims, owner=claims.owner[:, equal], kept=claims.kept[:, equal])


def distinct_claims(
    rule: ClaimRule,
    regions: Regions,
    ranked: ArrayLike,
    overlap_thresholds: np.ndarray,
    takes_part: Optional[np.ndarray] = None,
) -> Tuple[RegionClaims, np.ndarray]:
    """The same without settings that equal another, and (S,) int64, for each setting the place of its equal."""
    order = np.asarray(ranked, dtype=np.int64)
    thresholds = np.broadcast_to(overlap_thresholds, (len(order), overlap_thresholds.shape[-1]))
    if type(rule) is ClassAware:
        return _class_aware(rule, regions, order, thresholds, takes_part).distinct()
    if type(rule) is Reclaim:
        return _reclaim(rule, regions, order, thresholds, takes_part).distinct()
    owner, kept, of_setting = claim_greedily(regions, order, thresholds, takes_part)
    return RegionClaims(order, owner, kept), of_setting


def _class_aware(
    rule: ClassAware,
    regions: Regions,
    ranked: np.ndarray,
    thresholds: np.ndarray,
    takes_part: Optional[np.ndarray],
) -> RegionClaims:
    nobody, settings = thresholds.shape
    owner = np.full((len(regions.pixels), settings), nobody, dtype=np.int16)
    taken = np.zeros((nobody, settings))
    pixels, category_ids = regions.pixels.astype(np.float64), regions.category_ids[ranked]
    for rank, instance in enumerate(ranked.tolist()):
        area, inside = regions.areas[instance], regions.members[instance]
        if not area:
            continue
        owners = owner[inside]
        shared = _shared(owners, pixels[inside], nobody)
        free_area, placed = shared[nobody], shared[:rank]
        own = placed[category_ids[:rank] == category_ids[rank]].sum(axis=0)
        of_both = np.minimum(placed / area, placed / np.maximum(taken[:rank], 1))
        duplicate = ((placed > 0) & (of_both >= rule.duplicate_threshold)).any(axis=0)
        keeps = ~(own / area > thresholds[rank]) & ~duplicate & ~(free_area / area <= rule.free_fraction)
        if takes_part is not None:
            keeps &= takes_part[rank]
        taken[rank] = free_area * keeps
        owner[inside] = np.where((owners == nobody) & keeps, np.int16(rank), owners)
    return RegionClaims(ranked, owner, taken > 0)


def _reclaim(
    rule: Reclaim,
    regions: Regions,
    ranked: np.ndarray,
    thresholds: np.ndarray,
    takes_part: Optional[np.ndarray],
) -> RegionClaims:
    nobody, settings = thresholds.shape
    owner = np.full((len(regions.pixels), settings), nobody, dtype=np.int16)
    taken = np.zeros((nobody, settings))
    pixels = regions.pixels.astype(np.float64)
    whole = np.maximum(regions.areas[ranked], 1).astype(np.float64)
    # By owner: what is free can be had.
    can_be_had = np.zeros((nobody + 1, settings), dtype=bool)
    can_be_had[nobody] = True
    for rank, instance in enumerate(ranked.tolist()):
        inside = regions.members[instance]
        if not len(inside):
            continue
        owners = owner[inside]
        shared = _shared(owners, pixels[inside], nobody)
        placed = shared[:rank]
        fraction = np.maximum(placed / whole[rank], placed / np.maximum(taken[:rank], 1))
        on_top = _on_top(rule, regions.category_ids[ranked[: rank + 1]], whole[: rank + 1])
        takes = (placed > 0) & (fraction >= rule.intersection_threshold) & on_top[:, None]
        area = shared[nobody] + (placed * takes).sum(axis=0)
        keeps = (area > 0) & ((whole[rank] - area) / whole[rank] <= thresholds[rank])
        if takes_part is not None:
            keeps &= takes_part[rank]
        can_be_had[:rank] = takes
        gets = np.take_along_axis(can_be_had, owners, axis=0) & keeps
        owner[inside] = np.where(gets, np.int16(rank), owners)
        taken[rank] = area * keeps
        lost = takes & keeps
        taken[:rank] -= placed * lost
        lacking = (whole[:rank, None] - taken[:rank]) / whole[:rank, None]
        gone = lost & ((taken[:rank] == 0) | ~(lacking <= thresholds[:rank]))
        taken[:rank][gone] = 0
        for other in np.flatnonzero(gone.any(axis=1)).tolist():
            inside = regions.members[ranked[other]]
            owners = owner[inside]
            owner[inside] = np.where((owners == other) & gone[other], np.int16(nobody), owners)
    return RegionClaims(ranked, owner, taken > 0, for_good=False)


def _on_top(rule: Reclaim, category_ids: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """(ranks - 1,) bool: whether the last rank lies on top of each of the others."""
    if rule.on_top == "area":
        return areas[-1] / areas[:-1] <= rule.area_ratio
    *others, own = category_ids.tolist()
    return np.array([(own, other) in rule.precedence for other in others], dtype=bool)


def _shared(owners: np.ndarray, pixels: np.ndarray, nobody: int) -> np.ndarray:
    """(M + 1, S) float64, the pixels of some regions by owner.

    Args:
        owners: (regions, S).
        pixels: (regions,) float64.
        nobody: M.
    """
    settings = owners.shape[1]
    keys = owners.astype(np.int64) * settings + np.arange(settings)
    weights = np.broadcast_to(pixels[:, None], keys.shape)
    return np.bincount(keys.reshape(-1), weights.reshape(-1), (nobody + 1) * settings).reshape(nobody + 1, settings)
