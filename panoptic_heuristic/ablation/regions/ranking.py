"""The stages before the claim, on regions: which instances claim, in which order, and with which masks.

What two masks share, and what the semantic labels leave of one, are sums over regions: the same
integers as on pixels, and the same divisions of them.

Shape legend: G regions, N instances, M of them ranked, E entries: settings of who takes part.
"""

import dataclasses
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import NOTHING_SAID, Regions, packed_sets, rank_by
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Calibrated, Nms, OrderRule, Pipeline, Power, SemanticGate
from panoptic_heuristic.fusion.rules.suppress_nms import box_ious


@dataclass(frozen=True, eq=False)
class Ranking:
    """The instances that claim, in their order.

    Attributes:
        regions: with the masks that claim.
        ranked: (M,) int64, the instances that take part by any entry, best first.
        takes_part: (M, E) bool.
    """

    regions: Regions
    ranked: np.ndarray
    takes_part: np.ndarray


def rank_instances(
    regions: Regions, rules: Pipeline, instances_score_thresh: np.ndarray, key_cutoffs: np.ndarray
) -> Ranking:
    """Ranks the instances of an image as :func:`panoptic_heuristic.fusion.fuse` does.

    Args:
        regions: of the image. Not changed.
        rules: a pipeline that is exact on regions. Its thresholds do not matter.
        instances_score_thresh: (N, E), the score that each instance needs.
        key_cutoffs: (N, E), likewise of what orders the instances.

    Raises:
        InputError: what a rule needs is not known of the image.
    """
    scores = regions.scores[:, None]
    takes_part = np.isfinite(scores) & (scores >= instances_score_thresh)
    claiming = regions
    try:
        if isinstance(rules.suppress, Nms):
            takes_part = _without_overlapping(regions, takes_part, rules.suppress)
        elif isinstance(rules.suppress, SemanticGate):
            claiming, takes_part = _gated(regions, takes_part, rules.suppress)
        keys = _keys(regions, takes_part.any(axis=1), rules.order)
    except InputError as error:
        raise InputError(f"image {regions.image_id}: {error}") from error
    takes_part = takes_part & (keys[:, None] >= key_cutoffs)
    ranked = rank_by(keys, np.asarray(takes_part.any(axis=1)))
    return Ranking(claiming, ranked, takes_part[ranked])


def _without_overlapping(regions: Regions, takes_part: np.ndarray, rule: Nms) -> np.ndarray:
    """(N, E) bool: the instances that no better one suppresses, of those that take part."""
    ranked = rank_by(regions.scores, np.asarray(takes_part.any(axis=1)))
    exceeds = _ious(regions, ranked, rule.kind) > rule.iou_threshold
    stay = takes_part[ranked]
    for rank in range(1, len(ranked)):
        stay[rank] &= ~stay[:rank][exceeds[rank, :rank]].any(axis=0)
    survives = np.zeros_like(takes_part)
    survives[ranked] = stay
    return survives


def _ious(regions: Regions, ranked: np.ndarray, kind: str) -> np.ndarray:
    """(M, M) float64, the IoU of each two of some instances, by what :class:`Nms` calls their kind."""
    if kind == "box":
        if np.isnan(regions.boxes).any():
            raise InputError("nms of kind 'box' needs the boxes of the instance head, but they were not kept")
        return box_ious(regions.boxes[ranked])
    # Sums of pixels are whole numbers far below 2**53, so that products of floats are exact.
    covered = regions.covered[ranked].astype(np.float64)
    # Not a matrix product: its threads get in each other's way when processes share the cores.
    shared = np.einsum("ig,jg->ij", covered * regions.pixels, covered)
    areas = regions.areas[ranked].astype(np.float64)
    union = areas[:, None] + areas - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def _gated(regions: Regions, takes_part: np.ndarray, rule: SemanticGate) -> Tuple[Regions, np.ndarray]:
    """The regions with gated masks, and (N, E) bool: those of which enough is left, of those that take part."""
    candidates = takes_part.any(axis=1)
    if (regions.agreeing[candidates] == NOTHING_SAID).any():
        raise InputError("semantic_gate needs semantic labels, but there are none; use another suppress rule")
    cover = regions.cover.copy()
    for place in np.unique(regions.agreeing).tolist():
        cover[regions.semantic != place] &= ~packed_sets(regions.agreeing[None] == place)
    gated = dataclasses.replace(regions, cover=cover)
    areas = zip(regions.areas.tolist(), gated.areas.tolist(), strict=True)
    enough = np.array([not rule.drops(*before_and_after) for before_and_after in areas], dtype=bool)
    return gated, takes_part & enough[:, None]


def _keys(regions: Regions, candidates: np.ndarray, rule: OrderRule) -> np.ndarray:
    """(N,) float64, what orders the candidates, (N,) bool; minus infinity of the others."""
    keys = np.full(len(candidates), -np.inf)
    if isinstance(rule, Power):
        keys[candidates] = rule.keys(regions.scores[candidates], *_measures(regions, candidates, rule))
    elif isinstance(rule, Calibrated):
        features, category_ids = regions.calibration_features[candidates], regions.category_ids[candidates]
        keys[candidates] = rule.probability(features, category_ids)
    else:
        keys[candidates] = regions.scores[candidates]
    return keys


def _measures(regions: Regions, candidates: np.ndarray, rule: Power) -> list:
    """The measures of the candidates that have an exponent; None in place of the others."""
    measures = []
    for name, exponent in (
        ("mask_quality", rule.quality_exponent),
        ("semantic_agreement", rule.agreement_exponent),
    ):
        values = getattr(regions, name)
        if exponent and np.isnan(values).any():
            raise InputError(f"the order by power needs the {name} of each instance, but it was not kept")
        measures.append(values[candidates] if exponent else None)
    return measures
