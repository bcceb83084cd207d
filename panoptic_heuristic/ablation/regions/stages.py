"""The stages around the claim on regions: which instances claim, with which masks, and which are vetoed.

What two masks share, and what the semantic labels leave of one, are sums over regions: the same
integers as on pixels, and the same divisions of them.

Shape legend: G regions, N instances, M of them candidates, W words, S settings.
"""

import dataclasses
from typing import Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.build import Regions, packed_sets, sums
from panoptic_heuristic.ablation.regions.claims import RegionClaims, claims_on_regions, rank_by
from panoptic_heuristic.ablation.sweep.grid import Grid
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    BestStuff,
    ByScore,
    DroppedToVoid,
    LeftToVoid,
    Nms,
    NoRefinement,
    NoSuppression,
    NoVeto,
    Pipeline,
    Power,
    SemanticGate,
    SemanticVeto,
)
from panoptic_heuristic.fusion.rules.suppress_nms import box_ious, survivors


def is_exact_on_regions(pipeline: Pipeline, best_stuff_floor: Optional[float]) -> bool:
    """Whether the rules of a pipeline see nothing of pixels but their regions.

    Args:
        pipeline: the rules.
        best_stuff_floor: what the predictions' best stuff was compared with; None if it is not known.
    """
    stuff, leftover = pipeline.stuff, pipeline.leftover
    plain_stuff = type(stuff) is DroppedToVoid and stuff.probability_floor == 0
    return (
        type(pipeline.suppress) in (NoSuppression, Nms, SemanticGate)
        and type(pipeline.order) in (ByScore, Power)
        and claims_on_regions(pipeline.claim)
        and type(pipeline.border) is NoRefinement
        and plain_stuff
        and (type(leftover) is LeftToVoid or asks_best_stuff(pipeline) and leftover.floor == best_stuff_floor)
        # After a veto, what is left to stuff or void depends on which stuff stays.
        and (
            type(pipeline.veto) is NoVeto
            or type(pipeline.veto) is SemanticVeto
            and stuff.counted == "after"
            and type(leftover) is LeftToVoid
        )
    )


def asks_best_stuff(pipeline: Pipeline) -> bool:
    """Whether regions must be told apart by their best stuff."""
    return type(pipeline.leftover) is BestStuff


def ranked_instances(regions: Regions, grid: Grid) -> Tuple[Regions, np.ndarray]:
    """The instances that claim under some setting of a grid.

    Suppressing goes by score, or looks at one instance at a time; so it does to those above a cutoff
    what it would do to them alone, and one answer serves all cutoffs.

    Args:
        regions: of one image. Not changed.
        grid: its rules are exact on regions.

    Returns:
        The regions with the masks that claim, and (M,) int64, the instances that claim at the lowest
        cutoff, best first.

    Raises:
        InputError: what a rule needs is not known of the image.
    """
    candidates = np.flatnonzero(np.isfinite(regions.scores) & (regions.scores >= min(grid.cutoffs)))
    claiming = regions
    try:
        if isinstance(grid.base.suppress, Nms):
            candidates = _without_overlapping(regions, candidates, grid.base.suppress)
        elif isinstance(grid.base.suppress, SemanticGate):
            claiming, candidates = _gated(regions, candidates, grid.base.suppress)
        keys = regions.scores[candidates]
        if isinstance(grid.base.order, Power):
            keys = _keys(regions, candidates, grid.base.order)
            candidates, keys = candidates[keys >= grid.base.order.key_cutoff], keys[keys >= grid.base.order.key_cutoff]
    except InputError as error:
        raise InputError(f"image {regions.image_id}: {error}") from error
    return claiming, candidates[rank_by(keys)]


def _without_overlapping(regions: Regions, candidates: np.ndarray, rule: Nms) -> np.ndarray:
    """The candidates that no better one suppresses, ascending."""
    ranked = candidates[rank_by(regions.scores[candidates])]
    if rule.kind == "box":
        if np.isnan(regions.boxes).any():
            raise InputError("nms of kind 'box' needs the boxes of the instance head, but they were not kept")
        exceeds = box_ious(regions.boxes[ranked]) > rule.iou_threshold
    else:
        # Sums of pixels are whole numbers far below 2**53, so that products of floats are exact.
        covered = regions.covered[ranked].astype(np.float64)
        # Not a matrix product: its threads get in each other's way when processes share the cores.
        shared = np.einsum("ig,jg->ij", covered * regions.pixels, covered)
        areas = regions.areas[ranked].astype(np.float64)
        union = areas[:, None] + areas - shared
        exceeds = np.divide(shared, union, out=np.zeros_like(union), where=union > 0) > rule.iou_threshold
    return np.sort(ranked[survivors(len(ranked), lambda worse, better: bool(exceeds[worse, better]))])


def _gated(regions: Regions, candidates: np.ndarray, rule: SemanticGate) -> Tuple[Regions, np.ndarray]:
    """The regions with gated masks, and the candidates of which enough is left."""
    if (regions.agreeing[candidates] < 0).any():
        raise InputError("semantic_gate needs semantic labels, but there are none; use another suppress rule")
    cover = regions.cover.copy()
    for place in np.unique(regions.agreeing).tolist():
        cover[regions.semantic != place] &= ~packed_sets(regions.agreeing[None] == place)
    gated = dataclasses.replace(regions, cover=cover)
    kept = [not rule.drops(int(regions.areas[index]), int(gated.areas[index])) for index in candidates.tolist()]
    return gated, candidates[np.array(kept, dtype=bool)]


def _keys(regions: Regions, candidates: np.ndarray, rule: Power) -> np.ndarray:
    """(M,) float64, what orders the candidates."""
    measures = []
    for name, exponent in (
        ("mask_quality", rule.quality_exponent),
        ("semantic_agreement", rule.agreement_exponent),
    ):
        values = getattr(regions, name)
        if exponent and np.isnan(values).any():
            raise InputError(f"the order by power needs the {name} of each instance, but it was not kept")
        measures.append(values[candidates] if exponent else None)
    return rule.keys(regions.scores[candidates], *measures)


def vetoed_to(
    rule: SemanticVeto, regions: Regions, claims: RegionClaims, count: int, stuff_place: np.ndarray
) -> np.ndarray:
    """What the semantic labels make of each ranked instance; with one prefix of ranks or another it is the same.

    Args:
        rule: the veto.
        regions: of one image.
        claims: who took which.
        count: how many stuff categories the labels of the image hold, at least 1.
        stuff_place: (G,) the place of each region's one among them; ``count`` for none.

    Returns:
        (M, S) int64, the place of the stuff that an instance becomes; ``count`` for none.
    """
    ranks, settings = claims.kept.shape
    keys = (claims.owner.astype(np.int64) * settings + np.arange(settings)) * (count + 1) + stuff_place[:, None]
    weights = np.broadcast_to(regions.pixels[:, None], keys.shape)
    table = sums(keys.reshape(-1), weights.reshape(-1), (ranks + 1) * settings * (count + 1))
    table = table.reshape(ranks + 1, settings, count + 1)[:ranks]
    # Of equals the first by label.
    by_label = np.argsort(regions.first_labels[np.unique(regions.semantic[stuff_place < count])])
    ordered = table[..., by_label]
    most, area = ordered.max(axis=-1), table.sum(axis=-1)
    becomes = (most > 0) & (most / np.maximum(area, 1) >= rule.majority)
    return np.where(becomes, by_label[ordered.argmax(axis=-1)], count)
