"""One pipeline on the regions of one image, in detail.

Shape legend: G regions, M ranked instances, Q stuff categories that the labels of the image hold.
"""

from typing import Optional

import numpy as np

from panoptic_heuristic.ablation.regions.after_claim import Candidates, settle
from panoptic_heuristic.ablation.regions.claims import RegionClaims, claim_regions
from panoptic_heuristic.ablation.regions.families import families_of
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline

NOBODY = -1
"""In place of an instance."""


def settle_pipeline(
    regions: Regions, categories: Categories, pipeline: Pipeline, ranked: Optional[np.ndarray] = None
) -> Candidates:
    """The map of an image if stuff had no limit.

    Args:
        regions: of the image.
        categories: the data set's.
        pipeline: exact on regions.
        ranked: (M,) the instances that take part, best first; None for those that the pipeline lets in.

    Returns:
        Of one outcome of the claim and one prefix, which is the whole ranking.
    """
    (family,) = families_of([pipeline], categories)
    places = regions.instance_places(categories)
    ranking = family.rank(regions, places)
    ranked = ranking.ranked if ranked is None else ranked
    thresholds = family.overlap_thresholds[:, places[ranked]].T
    claims = claim_regions(family.rules.claim, ranking.regions, ranked, thresholds)
    return settle(regions, categories, pipeline, claims, np.array([len(ranked)]))


def settle_owned(
    regions: Regions, categories: Categories, pipeline: Pipeline, ranked: np.ndarray, owner: np.ndarray
) -> Candidates:
    """The same, once it is known what instances claimed.

    Args:
        regions: of the image.
        categories: the data set's.
        pipeline: exact on regions.
        ranked: (M,) the instances that take part, best first.
        owner: (G,) the instance that claimed each region, or :data:`NOBODY`.
    """
    rank_of = np.full(len(regions.scores) + 1, len(ranked), dtype=np.int16)
    rank_of[ranked] = np.arange(len(ranked))
    # The last one is that of NOBODY.
    rank = rank_of[owner]
    kept = np.isin(np.arange(len(ranked)), rank)
    claims = RegionClaims(ranked, rank[:, None], kept[:, None])
    return settle(regions, categories, pipeline, claims, np.array([len(ranked)]))


def stuff_stays(candidates: Candidates, regions: Regions, categories: Categories, pipeline: Pipeline) -> np.ndarray:
    """(Q,) bool: the stuff of :func:`settle_pipeline` that is in the map."""
    (family,) = families_of([pipeline], categories)
    limits = family.stuff_limits(regions.area)[0, candidates.stuff]
    return (candidates.counted[0, 0] >= limits) & (candidates.stuff_outcomes.area[0, 0] > 0)
