"""The greedy rule on regions, under many settings at once.

Shape legend: G regions, N instances, M <= N of them ranked, S settings.
"""

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.regions import Regions


@dataclass(frozen=True, eq=False)
class RegionClaims:
    """Who took which region.

    Attributes:
        ranked: (M,) int64, instances, best first.
        owner: (G, S) int16, the rank of the instance that took the region; M where none did.
        kept: (M, S) bool, the ranks that took a pixel.
    """

    ranked: np.ndarray
    owner: np.ndarray
    kept: np.ndarray

    def distinct(self) -> "tuple[RegionClaims, np.ndarray]":
        """Without settings that equal another, and for each setting the place of its equal."""
        # What was kept decides who owns what.
        packed = np.packbits(self.kept.T, axis=1)
        _, first, equal = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        return RegionClaims(self.ranked, self.owner[:, first], self.kept[:, first]), equal.reshape(-1)


def rank_by(keys: np.ndarray, candidates: Optional[np.ndarray] = None) -> np.ndarray:
    """Instances, highest key first; equal keys keep their order, as in :func:`panoptic_heuristic.fusion.fuse`.

    Args:
        keys: (N,) float64.
        candidates: (N,) bool; None for those whose key is finite.
    """
    candidates = np.isfinite(keys) if candidates is None else candidates
    places = np.flatnonzero(candidates)
    return places[np.argsort(-keys[places], kind="stable")]


def claim_regions(
    regions: Regions,
    ranked: Sequence[int],
    overlap_thresholds: np.ndarray,
    takes_part: Optional[np.ndarray] = None,
) -> RegionClaims:
    """What :class:`panoptic_heuristic.fusion.Greedy` does, region by region.

    Args:
        regions: of one image.
        ranked: instances, best first.
        overlap_thresholds: (S,), or (M, S) if they differ by instance.
        takes_part: (M, S) bool; None if all do.
    """
    ranked = np.asarray(ranked, dtype=np.int64)
    settings = overlap_thresholds.shape[-1]
    nobody = len(ranked)
    owner = np.full((len(regions.pixels), settings), nobody, dtype=np.int16)
    kept = np.zeros((nobody, settings), dtype=bool)
    per_rank = np.broadcast_to(overlap_thresholds, (nobody, settings))
    # Sums of pixels are whole numbers far below 2**53, so that products of floats are exact.
    pixels = regions.pixels.astype(np.float64)
    areas, members = regions.areas, regions.members
    for rank, instance in enumerate(ranked.tolist()):
        area, inside = areas[instance], members[instance]
        owners = owner[inside]
        free = owners == nobody
        free_area = pixels[inside] @ free.astype(np.float64)
        # An empty mask has no free pixel.
        keeps = (free_area > 0) & ~((area - free_area) / max(area, 1) > per_rank[rank])
        if takes_part is not None:
            keeps &= takes_part[rank]
        kept[rank] = keeps
        free &= keeps
        owner[inside] = np.where(free, np.int16(rank), owners)
    return RegionClaims(ranked, owner, kept)
