"""All settings of a grid on the regions of one image.

Shape legend: A claim settings, K cutoffs, L stuff limits, C categories, see
:class:`panoptic_heuristic.ablation.grid.Grid`.
"""

from typing import Iterable, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.grid import ClaimSetting, Grid
from panoptic_heuristic.ablation.region_claims import RegionClaims, claim_regions
from panoptic_heuristic.ablation.region_counts import Scorer, shared_by_instances, shared_by_stuff, stuff_of
from panoptic_heuristic.ablation.region_stages import ranked_instances
from panoptic_heuristic.ablation.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Greedy, PerPixel

# Where each cutoff needs a pass of its own, so many are made at once, for the sake of memory.
_MOST_PASSES = 256


def is_exact_on_regions(claim: ClaimSetting) -> bool:
    """Whether a claim rule sees nothing of pixels but their regions."""
    return type(claim.rule()) in (Greedy, PerPixel)


def add_regions(
    total: SettingCounts, regions: Regions, categories: Categories, grid: Grid, claims: Sequence[int]
) -> None:
    """Adds the counts of one image under every setting of a grid to a total.

    Args:
        total: (C, A * K * L) counts; ``segments`` and ``images`` are not touched.
        regions: of the image.
        categories: the data set's.
        grid: the settings; its order and what it suppresses are exact on regions.
        claims: the places of the rules to count, likewise.

    Raises:
        InputError: what the grid's rules need is not known of the image.
    """
    claiming, ranked = ranked_instances(regions, grid)
    scores = regions.scores[ranked]
    overlaps = np.array([_overlap_threshold(grid.claims[place]) for place in claims])
    cutoffs = np.array(grid.cutoffs)
    if (scores[1:] <= scores[:-1]).all():
        # What a cutoff lets in are the first ranks: one pass answers all.
        claimed, equal = claim_regions(claiming, ranked, overlaps).distinct()
        prefixes = np.array([np.count_nonzero(scores >= cutoff) for cutoff in grid.cutoffs])
        at = claims, range(len(cutoffs))
        _add_claims(total, claiming, categories, grid, at=at, claimed=claimed, equal=equal, prefixes=prefixes)
        return
    everyone = np.array([len(ranked)])
    at_once = max(1, _MOST_PASSES // len(overlaps))
    for first in range(0, len(cutoffs), at_once):
        places = range(first, min(first + at_once, len(cutoffs)))
        takes_part = np.tile(scores[:, None] >= cutoffs[places.start : places.stop], len(overlaps))
        claimed, equal = claim_regions(claiming, ranked, overlaps.repeat(len(places)), takes_part).distinct()
        at = claims, places
        _add_claims(total, claiming, categories, grid, at=at, claimed=claimed, equal=equal, prefixes=everyone)


def _add_claims(
    total: SettingCounts,
    regions: Regions,
    categories: Categories,
    grid: Grid,
    *,
    at: Tuple[Sequence[int], Sequence[int]],
    claimed: RegionClaims,
    equal: np.ndarray,
    prefixes: np.ndarray,
) -> None:
    """Adds the counts of some claim settings and cutoffs, under every stuff limit.

    Args:
        total: see :func:`add_regions`.
        regions: with the masks that claim.
        categories: the data set's.
        grid: the settings.
        at: the places of the claim settings and of the cutoffs; together they are P pairs.
        claimed: D outcomes, no two of them equal.
        equal: (S,) the outcome of each claim setting, or of each pair.
        prefixes: the number of ranks each cutoff lets in, or, for pairs, that of all ranks. With
            ``equal`` these are P pairs too.
    """
    scorer = Scorer(regions.truth, regions.truth_areas)
    place_of = {category_id: place for place, category_id in enumerate(categories)}
    arrays = [values.reshape(len(categories), *grid.shape) for values in (total.iou_sum, total.tp, total.fp)]
    pairs, shape = np.ix_(*at), (len(at[0]), len(at[1]), -1)
    category_ids = regions.category_ids[claimed.ranked]

    things = scorer.score(shared_by_instances(regions, claimed), category_ids)
    for category_id, ranks in _by_value(category_ids):
        up_to = np.searchsorted(ranks, prefixes)
        for into, values in zip(arrays, (things.iou, things.matched, things.false), strict=True):
            sums = np.zeros((len(values), len(ranks) + 1), dtype=np.int64)
            values[:, ranks].cumsum(axis=1, out=sums[:, 1:])
            # Stuff limits do not concern things.
            into[place_of[category_id]][pairs] += sums[equal][:, up_to].reshape(shape)

    stuff, stuff_place = stuff_of(regions, categories)
    outcomes = scorer.score(shared_by_stuff(regions, claimed, prefixes, stuff, stuff_place), stuff)
    limits = np.array([max(limit.pixels, limit.fraction * regions.area) for limit in grid.stuff_limits])
    for place, category_id in enumerate(stuff.tolist()):
        stays = outcomes.area[..., place, None] >= limits
        for into, values in zip(arrays, (outcomes.iou, outcomes.matched, outcomes.false), strict=True):
            into[place_of[category_id]][pairs] += (values[..., place, None] * stays)[equal].reshape(shape)


def _overlap_threshold(claim: ClaimSetting) -> float:
    # No claimed fraction exceeds 1: see PerPixel.
    return 1.0 if claim.overlap_threshold is None else claim.overlap_threshold


def _by_value(values: np.ndarray) -> Iterable[Tuple[int, np.ndarray]]:
    """Each distinct value, and its places in ascending order."""
    order = np.argsort(values, kind="stable")
    distinct, first = np.unique(values[order], return_index=True)
    return zip(distinct.tolist(), np.split(order, first)[1:], strict=True)
