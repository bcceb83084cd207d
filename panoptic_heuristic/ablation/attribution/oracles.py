"""PQ if one thing were perfect, and all else as it is.

Each oracle knows the ground truth and changes one thing alone; the pipeline does the rest. "IoU" is
that of masks before fusing with ground-truth segments, as PQ has it; crowds are none. Only the
instances that are in the cache can be used. An oracle may cost PQ: a segment of its right category
that is a false positive there, say, or a better order in which another instance is rejected. A rule
that rejects instances for more than overlap, such as class_aware for duplicates, does so here, too. The
last two change who has which pixels, and are for pipelines that are exact on regions.
"""

import dataclasses
from typing import Callable, Dict

import numpy as np

from panoptic_heuristic.ablation.attribution.fused_regions import NOBODY, FusedRegions, counts_of
from panoptic_heuristic.ablation.attribution.fusing import count_owned
from panoptic_heuristic.ablation.attribution.overlaps import MATCH, best
from panoptic_heuristic.ablation.regions.regions import NO_CATEGORY, places_of_categories, rank_by
from panoptic_heuristic.ablation.regions.scoring import score
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.fusion.claim import OverlapThresholds
from panoptic_heuristic.quality import PQCounts


def perfect_acceptance(fused: FusedRegions) -> PQCounts:
    """Exactly the right instances take part, whatever their score, and none is rejected for overlap.

    In order of IoU, the highest first, an instance is right if it exceeds one half with a segment of its category
    that has none yet: so each segment gets its best one. Equal ones go by score, then by place. They
    claim their pixels in the order of their scores. An instance whose score is not finite is never right.
    """
    regions, masks = fused.regions, fused.masks
    by_score = rank_by(regions.scores)
    found = (masks.exceeds(MATCH) & _own(fused))[by_score]
    iou = masks.iou[by_score]
    places = [best(iou[:, place], found[:, place]) for place in range(found.shape[1])]
    # An instance exceeds one half with one segment at most.
    right = by_score[sorted(place for place in places if place != NOBODY)]
    return fused.recount(_rejecting_none(fused.pipeline), right, regions.scores[right])


def perfect_order(fused: FusedRegions) -> PQCounts:
    """Instances that pass the score threshold claim in order of their IoU with the nearest segment of their category.

    Equal ones keep their order. The overlap threshold stays.
    """
    iou = np.where(_own(fused), fused.masks.iou, 0.0)[fused.ranked].max(axis=1, initial=0.0)
    order = np.argsort(-iou, kind="stable")
    return fused.recount(fused.pipeline, fused.ranked[order], iou[order])


def perfect_category(fused: FusedRegions) -> PQCounts:
    """An instance gets the category of the ground-truth thing with which its IoU exceeds one half, if there is one.

    Who claims what does not change, not even by a rule that asks for the category.
    """
    gt, segments = fused.regions.gt, fused.segments
    is_thing = _is_thing(fused, gt.category_ids)
    found = fused.masks.exceeds(MATCH) & is_thing
    category_ids = segments.category_ids.copy()
    for segment in np.flatnonzero(segments.instances != NOBODY).tolist():
        places = np.flatnonzero(found[segments.instances[segment]])
        if len(places):
            category_ids[segment] = gt.category_ids[places[0]]
    return counts_of(category_ids, score(segments.shared, category_ids, fused.regions), fused.regions)


def perfect_masks(fused: FusedRegions) -> PQCounts:
    """Every thing of the map that matches has exactly the pixels of its ground-truth segment.

    Whoever else had them yields. What it had besides is free: no instance takes it, stuff takes
    that of its labels, and vetoes and limits are asked anew.
    """
    # Of each instance the place it matches, from 1; 0 of those that match none, and of nobody.
    gt_of = np.append(fused.outcomes.gt, 0)[np.append(fused.segment_of_instance, NOBODY)]
    claimed = np.where(gt_of[fused.claimed] > 0, NOBODY, fused.claimed)
    for instance in np.flatnonzero(gt_of).tolist():
        claimed[fused.regions.gt_place == gt_of[instance]] = instance
    return count_owned(fused.regions, fused.categories, fused.pipeline, fused.ranked, claimed)


def perfect_semantics(fused: FusedRegions) -> PQCounts:
    """The semantic label of every pixel is that of the ground truth: its stuff category, crowds too.

    Things, void and pixels that belong to no listed segment have a label that means no stuff, and no second best one.
    Who claims what does not change, not even by a rule that asks for labels; vetoes do. No label of them is an island.
    """
    regions = fused.regions
    gt_ids = regions.gt.category_ids
    places = places_of_categories(gt_ids, fused.categories, "a ground-truth segment")
    of_place = np.full(len(gt_ids) + 2, NO_CATEGORY)
    of_place[1:-1] = np.where(_is_thing(fused, gt_ids), NO_CATEGORY, places)
    no_second = None if regions.best_stuff is None else np.full_like(regions.best_stuff, NO_CATEGORY)
    perfect = dataclasses.replace(regions, semantic=of_place[regions.gt_place], best_stuff=no_second)
    return count_owned(perfect, fused.categories, fused.pipeline, fused.ranked, fused.claimed)


ORACLES: Dict[str, Callable[[FusedRegions], PQCounts]] = {
    "acceptance": perfect_acceptance,
    "order": perfect_order,
    "category": perfect_category,
    "masks": perfect_masks,
    "semantics": perfect_semantics,
}
"""By name; a function gives the counts of a fused image."""

AS_IT_IS = "none"
"""In place of an oracle: the counts of the pipeline itself."""

_OF_PIXELS = ("masks", "semantics")
"""Those that change who has which pixels: they need to know who claimed them."""

TITLES = {
    "acceptance": "exactly the right instances accepted",
    "order": "instances in order of their IoU",
    "category": "right categories of instances",
    "masks": "perfect masks of matched things",
    "semantics": "perfect semantic labels",
}
"""For people."""


def count_oracles(fused: FusedRegions) -> Dict[str, PQCounts]:
    """The counts of all oracles that an image can be asked, by name."""
    return {
        name: oracle(fused) for name, oracle in ORACLES.items() if name not in _OF_PIXELS or fused.claimed is not None
    }


def _rejecting_none(pipeline: Pipeline) -> Pipeline:
    """The same without an overlap test; a rule of one's own that does not derive from the rules' base keeps its own."""
    if not isinstance(pipeline.claim, OverlapThresholds):
        return pipeline
    return pipeline.replaced({"claim.overlap_threshold": 1.0, "claim.overlap_threshold_of": {}})


def _own(fused: FusedRegions) -> np.ndarray:
    """(N, T) bool: an instance and a ground-truth segment of one category."""
    return fused.regions.category_ids[:, None] == fused.regions.gt.category_ids


def _is_thing(fused: FusedRegions, category_ids: np.ndarray) -> np.ndarray:
    return np.array([fused.categories[key].isthing for key in category_ids.tolist()], dtype=bool)

