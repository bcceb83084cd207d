"""All settings of a grid on the regions of one image.

Shape legend: A claim settings, K cutoffs, L stuff limits, C categories, see
:class:`panoptic_heuristic.ablation.sweep.grid.Grid`.
"""

from typing import Dict, Iterable, List, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.build import Regions, sums
from panoptic_heuristic.ablation.regions.claims import (
    RegionClaims,
    claim_regions,
    claims_are_prefixes,
    overlap_threshold_of,
)
from panoptic_heuristic.ablation.regions.counts import (
    Scorer,
    best_stuff_of,
    shared_by_instances,
    shared_by_stuff,
    stuff_of,
)
from panoptic_heuristic.ablation.regions.stages import asks_best_stuff, ranked_instances, vetoed_to
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweep.grid import Grid
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Greedy, PerPixel, SemanticVeto

# Where each cutoff needs a pass of its own, so many are made at once, for the sake of memory.
_MOST_PASSES = 256


def add_regions(
    total: SettingCounts, regions: Regions, categories: Categories, grid: Grid, claims: Sequence[int]
) -> None:
    """Adds the counts of one image under every setting of a grid to a total.

    Args:
        total: (C, A * K * L) counts; ``segments`` and ``images`` are not touched.
        regions: of the image.
        categories: the data set's.
        grid: the settings.
        claims: the places of the claim settings to count, whose pipelines are exact on regions.

    Raises:
        InputError: what the grid's rules need is not known of the image.
    """
    claiming, ranked = ranked_instances(regions, grid)
    scores, cutoffs = regions.scores[ranked], np.array(grid.cutoffs)
    falling = bool((scores[1:] <= scores[:-1]).all())
    for places in _by_rule(grid, claims):
        rules = [grid.pipelines[place].claim for place in places]
        overlaps = np.array([overlap_threshold_of(rule) for rule in rules])
        if falling and claims_are_prefixes(rules[0]):
            # What a cutoff lets in are the first ranks: one pass answers all.
            claimed, equal = claim_regions(rules[0], claiming, ranked, overlaps).distinct()
            prefixes = np.array([np.count_nonzero(scores >= cutoff) for cutoff in grid.cutoffs])
            at = places, range(len(cutoffs))
            _add_claims(total, claiming, categories, grid, at=at, claimed=claimed, equal=equal, prefixes=prefixes)
            continue
        everyone = np.array([len(ranked)])
        at_once = max(1, _MOST_PASSES // len(overlaps))
        for first in range(0, len(cutoffs), at_once):
            chosen = range(first, min(first + at_once, len(cutoffs)))
            takes_part = np.tile(scores[:, None] >= cutoffs[chosen.start : chosen.stop], len(overlaps))
            claimed = claim_regions(rules[0], claiming, ranked, overlaps.repeat(len(chosen)), takes_part)
            claimed, equal = claimed.distinct()
            at = places, chosen
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
    scorer = Scorer(regions.gt, regions.gt_areas)
    arrays = [values.reshape(len(categories), *grid.shape) for values in (total.iou_sum, total.tp, total.fp)]
    pairs, shape = np.ix_(*at), (len(at[0]), len(at[1]), -1)
    category_ids = regions.category_ids[claimed.ranked]

    stuff, stuff_place = stuff_of(regions, categories)
    shared, becomes = shared_by_instances(regions, claimed), None
    if isinstance(grid.base.veto, SemanticVeto) and len(stuff):
        becomes = vetoed_to(grid.base.veto, regions, claimed, len(stuff), stuff_place)
        shared[(becomes < len(stuff)).T] = 0
    if grid.base.thing_area_thresh > 0:
        areas = shared.sum(axis=-1)
        small = (areas > 0) & (areas < grid.base.thing_area_thresh)
        claimed = claimed.without(small.T)
        shared[small] = 0
    things = scorer.score(shared, category_ids)
    for category_id, ranks in _by_value(category_ids):
        row = categories.place_of[category_id]
        up_to = np.searchsorted(ranks, prefixes)
        for into, values in zip(arrays, (things.iou, things.matched, things.false), strict=True):
            up_to_rank = np.zeros((len(values), len(ranks) + 1), dtype=np.int64)
            values[:, ranks].cumsum(axis=1, out=up_to_rank[:, 1:])
            # Stuff limits do not concern things.
            into[row][pairs] += up_to_rank[equal][:, up_to].reshape(shape)

    shared = shared_by_stuff(regions, claimed, prefixes, stuff, stuff_place, becomes)
    outcomes = scorer.score(shared, stuff)
    counted = outcomes.area
    if asks_best_stuff(grid.base):
        # Pixels that are left over join what is there, and do not count for its limit.
        places = best_stuff_of(regions, categories, stuff)
        joining = shared_by_stuff(regions, claimed, prefixes, stuff, places) * (counted > 0)[..., None]
        outcomes = scorer.score(shared + joining, stuff)
    if grid.base.stuff.counted == "before":
        counted = np.broadcast_to(sums(stuff_place, regions.pixels, len(stuff) + 1)[:-1], counted.shape)
    limits = np.array([max(limit.pixels, limit.fraction * regions.area) for limit in grid.stuff_limits])
    for place, category_id in enumerate(stuff.tolist()):
        row = categories.place_of[category_id]
        stays = counted[..., place, None] >= limits
        for into, values in zip(arrays, (outcomes.iou, outcomes.matched, outcomes.false), strict=True):
            into[row][pairs] += (values[..., place, None] * stays)[equal].reshape(shape)


def _by_rule(grid: Grid, claims: Iterable[int]) -> Iterable[List[int]]:
    """The places of claim settings that one pass answers."""
    groups: Dict[type, List[int]] = {}
    for place in claims:
        rule = type(grid.pipelines[place].claim)
        groups.setdefault(Greedy if rule is PerPixel else rule, []).append(place)
    return groups.values()


def _by_value(values: np.ndarray) -> Iterable[Tuple[int, np.ndarray]]:
    """Each distinct value, and its places in ascending order."""
    order = np.argsort(values, kind="stable")
    distinct, first = np.unique(values[order], return_index=True)
    return zip(distinct.tolist(), np.split(order, first)[1:], strict=True)
