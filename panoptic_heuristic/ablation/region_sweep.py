"""All settings of a grid on the regions of one image.

Shape legend: A claim settings, K cutoffs, L stuff limits, C categories, see
:class:`panoptic_heuristic.ablation.grid.Grid`.
"""

from typing import Iterable, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.grid import ClaimSetting, Grid
from panoptic_heuristic.ablation.region_claims import claim_regions, rank_by
from panoptic_heuristic.ablation.region_counts import Scorer, shared_by_instances, shared_by_stuff, stuff_of
from panoptic_heuristic.ablation.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Greedy, PerPixel


def is_exact_on_regions(claim: ClaimSetting) -> bool:
    """Whether a rule sees nothing of pixels but their regions."""
    return type(claim.rule()) in (Greedy, PerPixel)


def add_regions(
    total: SettingCounts, regions: Regions, categories: Categories, grid: Grid, claims: Sequence[int]
) -> None:
    """Adds the counts of one image under every setting of a grid to a total.

    Args:
        total: (C, A * K * L) counts; ``segments`` and ``images`` are not touched.
        regions: of the image.
        categories: the data set's.
        grid: the settings.
        claims: the places of the rules to count, all exact on regions.
    """
    overlaps = np.array([_overlap_threshold(grid.claims[place]) for place in claims])
    ranked = rank_by(regions.scores)
    scores = regions.scores[ranked]
    ranked = ranked[scores >= min(grid.cutoffs)]
    # Scores fall with the rank.
    prefixes = np.array([np.count_nonzero(scores >= cutoff) for cutoff in grid.cutoffs])
    claimed, equal = claim_regions(regions, ranked, overlaps).distinct()
    scorer = Scorer(regions.truth, regions.truth_areas)
    place_of = {category_id: place for place, category_id in enumerate(categories)}
    arrays = [values.reshape(len(categories), *grid.shape) for values in (total.iou_sum, total.tp, total.fp)]

    things = scorer.score(shared_by_instances(regions, claimed), regions.category_ids[ranked])
    for category_id, ranks in _by_value(regions.category_ids[ranked]):
        # (A, K, 1): stuff limits do not concern things.
        up_to = np.searchsorted(ranks, prefixes)
        for into, values in zip(arrays, (things.iou, things.matched, things.false), strict=True):
            sums = np.zeros((len(values), len(ranks) + 1), dtype=np.int64)
            values[:, ranks].cumsum(axis=1, out=sums[:, 1:])
            into[place_of[category_id], claims] += sums[equal][:, up_to, None]

    stuff, stuff_place = stuff_of(regions, categories)
    outcomes = scorer.score(shared_by_stuff(regions, claimed, prefixes, stuff, stuff_place), stuff)
    limits = np.array([max(limit.pixels, limit.fraction * regions.area) for limit in grid.stuff_limits])
    for place, category_id in enumerate(stuff.tolist()):
        stays = outcomes.area[..., place, None] >= limits
        for into, values in zip(arrays, (outcomes.iou, outcomes.matched, outcomes.false), strict=True):
            into[place_of[category_id], claims] += (values[..., place, None] * stays)[equal]


def _overlap_threshold(claim: ClaimSetting) -> float:
    # No claimed fraction exceeds 1: see PerPixel.
    return 1.0 if claim.overlap_threshold is None else claim.overlap_threshold


def _by_value(values: np.ndarray) -> Iterable[Tuple[int, np.ndarray]]:
    """Each distinct value, and its places in ascending order."""
    order = np.argsort(values, kind="stable")
    distinct, first = np.unique(values[order], return_index=True)
    return zip(distinct.tolist(), np.split(order, first)[1:], strict=True)
