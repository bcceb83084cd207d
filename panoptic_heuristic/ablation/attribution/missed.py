"""The causes of missed ground-truth segments, by :mod:`panoptic_heuristic.ablation.attribution.causes`."""

from typing import List, Optional

import numpy as np

from panoptic_heuristic.ablation.attribution.causes import MISSED_STUFF, MISSED_THING, Counterpart, SegmentError
from panoptic_heuristic.ablation.attribution.fused_regions import NOBODY, FusedRegions
from panoptic_heuristic.ablation.attribution.overlaps import MATCH, POOR, Overlaps, best
from panoptic_heuristic.ablation.regions.regions import sums

_BELOW_A_CUTOFF = ("score", "not_finite", "key", "probability")
"""Reasons of :class:`panoptic_heuristic.fusion.DroppedCandidate` for a threshold on what ranks instances."""


def find_missed(fused: FusedRegions) -> List[SegmentError]:
    """One error per missed segment, in the order of the ground truth's list."""
    gt, is_thing = fused.regions.gt, {key: one.isthing for key, one in fused.categories.items()}
    missed = np.flatnonzero((fused.segment_of_gt == NOBODY) & ~gt.iscrowd)
    find = {True: _missed_thing, False: _missed_stuff}
    return [find[is_thing[int(gt.category_ids[place])]](fused, place) for place in missed.tolist()]


def _missed_thing(fused: FusedRegions, place: int) -> SegmentError:
    regions, masks = fused.regions, fused.masks
    own = regions.category_ids == regions.gt.category_ids[place]
    found = masks.exceeds(MATCH)[:, place]
    instance = _best_scored(regions.scores, found & own)
    if instance != NOBODY:
        cause, by = _fate(fused, instance)
        return _thing(fused, place, cause, instance, by)
    instance = _best_scored(regions.scores, found)
    if instance != NOBODY:
        return _thing(fused, place, "wrong_category", instance, who_is(fused, instance))
    instance = best(masks.iou[:, place], own & (masks.intersection[:, place] > 0))
    if instance != NOBODY and masks.exceeds(POOR)[instance, place]:
        return _thing(fused, place, "poor_mask", instance, None)
    return _thing(fused, place, "not_detected", instance, None)


def _fate(fused: FusedRegions, instance: int) -> "tuple[str, Optional[Counterpart]]":
    """The fate of an instance that would have matched, and who is to blame."""
    reason, segment = fused.reasons.get((True, instance)), int(fused.segment_of_instance[instance])
    if reason in _BELOW_A_CUTOFF:
        return "score", None
    takers = fused.takers_before(instance)
    if segment == NOBODY:
        return reason if reason in ("overlap", "covered") else "otherwise", main_taker(fused, takers)
    other = int(fused.outcomes.gt[segment]) - 1
    if other != NOBODY:
        gt = fused.regions.gt
        return "used", Counterpart("gt", int(gt.ids[other]), int(gt.category_ids[other]))
    return "starved", main_taker(fused, takers)


def _thing(fused: FusedRegions, place: int, cause: str, instance: int, by: Optional[Counterpart]) -> SegmentError:
    masks = fused.masks
    found = instance != NOBODY
    return SegmentError(
        MISSED_THING,
        cause,
        *_segment(fused, place),
        intersection=int(masks.intersection[instance, place]) if found else 0,
        union=int(masks.union[instance, place]) if found else int(fused.regions.gt_areas[place + 1]),
        instance_id=instance if found else None,
        score=float(fused.regions.scores[instance]) if found else None,
        by=by,
    )


def _missed_stuff(fused: FusedRegions, place: int) -> SegmentError:
    regions, labels = fused.regions, fused.labels
    category_id = int(regions.gt.category_ids[place])
    label = fused.categories.place_of[category_id]
    if labels.exceeds(MATCH)[label, place]:
        cause, by = _loss(fused, place, category_id)
    else:
        cause = "poor_labels" if labels.exceeds(POOR)[label, place] else "wrong_labels"
        by = _said_instead(fused, place, label)
    return SegmentError(
        MISSED_STUFF,
        cause,
        *_segment(fused, place),
        intersection=int(labels.intersection[label, place]),
        union=int(labels.union[label, place]),
        by=by,
    )


def _loss(fused: FusedRegions, place: int, category_id: int) -> "tuple[str, Optional[Counterpart]]":
    """The cause that took right labels from a segment, and who had most of them."""
    regions = fused.regions
    of_label = regions.semantic == fused.categories.place_of[category_id]
    takers = fused.takers(np.flatnonzero(of_label & (regions.gt_place == place + 1)))
    by = main_taker(fused, takers)
    reason = fused.reasons.get((False, category_id))
    if reason == "stuff_area":
        return "stuff_area", by
    left = of_label & (fused.owner == NOBODY)
    kept = sums(regions.gt_place[left], regions.pixels[left], len(regions.gt.ids) + 2)
    if reason not in (None, "covered") or Overlaps.of_shared(kept[None], regions).exceeds(MATCH)[0, place]:
        return "otherwise", by
    by_false = takers[fused.false_instances[fused.ranked]].sum()
    return "false_things" if 2 * by_false > takers.sum() else "right_things", by


def _said_instead(fused: FusedRegions, place: int, label: int) -> Optional[Counterpart]:
    """The category that the semantic head says of most pixels of a segment, if it is another."""
    pixels = fused.label_pixels[:, place + 1].copy()
    pixels[label] = 0
    *of_categories, of_none = pixels.tolist()
    most = int(np.argmax(of_categories))
    if of_categories[most] <= of_none:
        return None
    category_id = list(fused.categories)[most]
    return Counterpart("label", category_id, category_id)


def _segment(fused: FusedRegions, place: int) -> "tuple[int, int, int]":
    gt = fused.regions.gt
    return int(gt.ids[place]), int(gt.category_ids[place]), int(fused.regions.gt_areas[place + 1])


def main_taker(fused: FusedRegions, takers: np.ndarray) -> Optional[Counterpart]:
    """The instance that took most pixels, the best of equal ones; None if none took any."""
    return who_is(fused, int(fused.ranked[takers.argmax()])) if takers.any() else None


def who_is(fused: FusedRegions, instance: int) -> Counterpart:
    """An instance, as one an error is due to."""
    return Counterpart("instance", instance, int(fused.regions.category_ids[instance]))


def _best_scored(scores: np.ndarray, allowed: np.ndarray) -> int:
    """The allowed instance of the highest finite score, the first of equal ones; others only if all are not finite."""
    return best(np.where(np.isfinite(scores), scores, -np.inf), allowed)
