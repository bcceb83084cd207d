"""The stages after the claim, on regions: the pixels that each candidate has in the map, and their worth.

Shape legend: G regions, M ranked instances, D outcomes of a claim, K prefixes of the ranking, C categories,
Q of them stuff that the labels of the image hold, T ground-truth segments.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from panoptic_heuristic.ablation.regions.claims import RegionClaims
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff
from panoptic_heuristic.ablation.regions.regions import Regions, sums
from panoptic_heuristic.ablation.regions.scoring import Outcomes, score
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline, SemanticVeto


@dataclass(frozen=True, eq=False)
class Candidates:
    """The map of an image if stuff had no limit.

    Things are known by rank: after a prefix only, the first ranks have the same pixels, and the others none.

    Attributes:
        claims: who owns which region, once instances that are vetoed or too small have gone.
        thing_pixels: (D, M, T + 2) int64, the pixels of each ranked instance, per place of the ground truth.
        things: (D, M) their worth.
        stuff: (Q,) int64, places of categories in the data set's list, ascending.
        stuff_pixels: (D, K, Q, T + 2) int64.
        stuff_outcomes: (D, K, Q) their worth.
        counted: (D, K, Q) int64, the pixels that are compared with the limit of stuff.
    """

    claims: RegionClaims
    thing_pixels: np.ndarray
    things: Outcomes
    stuff: np.ndarray
    stuff_pixels: np.ndarray
    stuff_outcomes: Outcomes
    counted: np.ndarray


def settle(
    regions: Regions, categories: Categories, rules: Pipeline, claims: RegionClaims, prefixes: np.ndarray
) -> Candidates:
    """Takes an image from the claim to the segments it may have.

    With one threshold on what ranks the instances, those kept at a threshold are the first of those kept
    without it, and, but for rules where a later one takes pixels back, have the same pixels. So one claim
    answers every such threshold.

    Args:
        regions: of the image.
        categories: the data set's.
        rules: a pipeline that is exact on regions. Its limits of stuff do not matter.
        claims: D outcomes of the claim of all instances that any prefix lets in.
        prefixes: (K,) the number of ranks that take part.
    """
    stuff = _stuff_of(regions, categories)
    index_of_label = _index_among(stuff, regions.semantic, categories)
    thing_pixels, becomes = _pixels_of_things(regions, claims), None
    if isinstance(rules.veto, SemanticVeto) and len(stuff):
        becomes = vetoed_to(rules.veto, regions, claims, stuff, index_of_label)
        thing_pixels[(becomes < len(stuff)).T] = 0
    if rules.thing_area_thresh > 0:
        areas = thing_pixels.sum(axis=-1)
        small = (areas > 0) & (areas < rules.thing_area_thresh)
        claims = claims.without(small.T)
        thing_pixels[small] = 0
    stuff_pixels = _pixels_of_stuff(regions, claims, prefixes, len(stuff), index_of_label, becomes)
    counted = free = stuff_pixels.sum(axis=-1)
    if asks_best_stuff(rules):
        # Pixels that are left over join what is there, and do not count for its limit.
        index_of_best = _index_among(stuff, regions.best_stuff, categories)
        joining = _pixels_of_stuff(regions, claims, prefixes, len(stuff), index_of_best)
        stuff_pixels = stuff_pixels + joining * (free > 0)[..., None]
    if rules.stuff.counted == "before":
        counted = np.broadcast_to(sums(index_of_label, regions.pixels, len(stuff) + 1)[:-1], free.shape)
    return Candidates(
        claims,
        thing_pixels,
        score(thing_pixels, regions.category_ids[claims.ranked], regions),
        stuff,
        stuff_pixels,
        score(stuff_pixels, categories.ids[stuff], regions),
        counted,
    )


def vetoed_to(
    rule: SemanticVeto, regions: Regions, claims: RegionClaims, stuff: np.ndarray, index_of_label: np.ndarray
) -> np.ndarray:
    """The stuff that the semantic labels make of each ranked instance; after any prefix it is the same.

    Args:
        rule: the veto.
        regions: of one image.
        claims: who took which.
        stuff: (Q,) places of the stuff that the labels hold, at least one.
        index_of_label: (G,) the index in ``stuff`` of what each region's label means; Q for none.

    Returns:
        (M, D) int64, the index in ``stuff`` of what an instance becomes; Q for none.
    """
    (ranks, settings), count = claims.kept.shape, len(stuff)
    keys = (claims.owner.astype(np.int64) * settings + np.arange(settings)) * (count + 1) + index_of_label[:, None]
    weights = np.broadcast_to(regions.pixels[:, None], keys.shape)
    table = sums(keys.reshape(-1), weights.reshape(-1), (ranks + 1) * settings * (count + 1))
    table = table.reshape(ranks + 1, settings, count + 1)[:ranks]
    # Of equals the first by label.
    by_label = np.argsort(regions.first_labels[stuff])
    ordered = table[..., by_label]
    most, area = ordered.max(axis=-1), table.sum(axis=-1)
    becomes = (most > 0) & (most / np.maximum(area, 1) >= rule.majority)
    return np.where(becomes, by_label[ordered.argmax(axis=-1)], count)


def _stuff_of(regions: Regions, categories: Categories) -> np.ndarray:
    """(Q,) int64, the places of the stuff that the semantic labels of an image hold, ascending."""
    # The last one is that of NO_CATEGORY.
    present = np.zeros(len(categories) + 1, dtype=bool)
    present[regions.semantic] = True
    return np.flatnonzero(present[:-1] & categories.is_stuff)


def _index_among(stuff: np.ndarray, places: np.ndarray, categories: Categories) -> np.ndarray:
    """The index of each place in ``stuff``, (Q,); Q if it is not there."""
    index_of = np.full(len(categories) + 1, len(stuff), dtype=np.int64)
    index_of[stuff] = np.arange(len(stuff))
    return index_of[places]


def _pixels_of_things(regions: Regions, claims: RegionClaims) -> np.ndarray:
    """(D, M, T + 2) int64: the pixels each ranked instance took, per place of the ground truth."""
    settings, ranks, places = claims.kept.shape[1], len(claims.ranked), len(regions.gt.ids) + 2
    keys = (np.arange(settings) * (ranks + 1) + claims.owner) * places + regions.gt_place[:, None]
    weights = np.broadcast_to(regions.pixels[:, None], keys.shape)
    table = sums(keys.reshape(-1), weights.reshape(-1), settings * (ranks + 1) * places)
    return table.reshape(settings, ranks + 1, places)[:, :ranks]


def _pixels_of_stuff(
    regions: Regions,
    claims: RegionClaims,
    prefixes: np.ndarray,
    count: int,
    index: np.ndarray,
    becomes: Optional[np.ndarray] = None,
) -> np.ndarray:
    """The free pixels of stuff after the instances of the first ranks only.

    Args:
        regions: of one image.
        claims: of all instances that any prefix lets in.
        prefixes: (K,) the number of ranks that take part.
        count: Q.
        index: (G,) the stuff that gets each region if it is free, below Q; Q for none.
        becomes: (M, D) the stuff that gets all that an instance took, if it takes part; Q for none;
            None if there are none.

    Returns:
        (D, K, Q, T + 2) int64, pixels per place of the ground truth.
    """
    settings, places = claims.kept.shape[1], len(regions.gt.ids) + 2
    ascending, place_of = np.unique(prefixes, return_inverse=True)
    levels = len(ascending)
    # A region is free for as many of the ascending prefixes as end before its owner.
    free_for = np.searchsorted(ascending, np.arange(len(claims.ranked) + 1), side="right")
    chosen = np.flatnonzero(index < count)
    base = index[chosen] * places + regions.gt_place[chosen]
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
