"""The suppress and the order stage on regions: the instances that claim, best first, and with which masks.

What two masks share, and what the semantic labels leave of one, are sums over regions: the same
integers as on pixels, and the same divisions of them.

Shape legend: G regions, N instances, M of them candidates, W words.
"""

import dataclasses
from typing import Tuple

import numpy as np

from panoptic_heuristic.ablation.grid import Grid
from panoptic_heuristic.ablation.region_claims import rank_by
from panoptic_heuristic.ablation.regions import Regions, packed_sets
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ByScore, Nms, NoSuppression, Power, SemanticGate
from panoptic_heuristic.fusion.nms import box_ious, survivors


def stages_are_exact_on_regions(grid: Grid) -> bool:
    """Whether the rules that all settings of a grid share see nothing of pixels but their regions."""
    return type(grid.suppress) in (NoSuppression, Nms, SemanticGate) and type(grid.order) in (ByScore, Power)


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
        if isinstance(grid.suppress, Nms):
            candidates = _without_overlapping(regions, candidates, grid.suppress)
        elif isinstance(grid.suppress, SemanticGate):
            claiming, candidates = _gated(regions, candidates, grid.suppress)
        keys = regions.scores[candidates]
        if isinstance(grid.order, Power):
            keys = _keys(regions, candidates, grid.order)
            candidates, keys = candidates[keys >= grid.order.key_cutoff], keys[keys >= grid.order.key_cutoff]
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
