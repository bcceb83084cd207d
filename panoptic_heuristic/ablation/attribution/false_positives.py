"""The causes of false predicted segments; they are those of :mod:`panoptic_heuristic.ablation.attribution.causes`."""

from fractions import Fraction
from typing import List, NamedTuple, Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.attribution.causes import FALSE_STUFF, FALSE_THING, Counterpart, SegmentError
from panoptic_heuristic.ablation.attribution.fused_regions import NOBODY, FusedRegions
from panoptic_heuristic.ablation.attribution.missed import main_taker, who_is
from panoptic_heuristic.ablation.attribution.overlaps import MATCH, POOR, Overlaps, best

SLIVER = 1000
"""A segment of less than one pixel in so many of the image's is a sliver."""


def find_false_positives(fused: FusedRegions) -> List[SegmentError]:
    """One error per false positive, in the order of the segments."""
    return [_error(fused, segment) for segment in np.flatnonzero(fused.outcomes.false).tolist()]


class _Decision(NamedTuple):
    """A cause, and the overlap that decided it.

    Attributes:
        cause, by: see :class:`SegmentError`.
        overlaps: with one row.
        place: of the ground-truth segment, or :data:`NOBODY`.
    """

    cause: str
    overlaps: Overlaps
    place: int
    by: Optional[Counterpart] = None


def _error(fused: FusedRegions, segment: int) -> SegmentError:
    instance, category_id = int(fused.segments.instances[segment]), int(fused.segments.category_ids[segment])
    decision = _decide(fused, segment, category_id, instance)
    found = decision.place != NOBODY
    return SegmentError(
        FALSE_THING if fused.categories[category_id].isthing else FALSE_STUFF,
        decision.cause,
        int(fused.segments.ids[segment]),
        category_id,
        area=int(fused.outcomes.area[segment]),
        intersection=int(decision.overlaps.intersection[0, decision.place]) if found else 0,
        union=int(decision.overlaps.union[0, decision.place]) if found else 0,
        instance_id=None if instance == NOBODY else instance,
        score=None if instance == NOBODY else float(fused.regions.scores[instance]),
        by=decision.by,
    )


def _decide(fused: FusedRegions, segment: int, category_id: int, instance: int) -> _Decision:
    gt = fused.regions.gt
    own = gt.category_ids == category_id
    place_of = fused.categories.place_of
    before = _row(fused.labels, place_of[category_id]) if instance == NOBODY else _row(fused.masks, instance)
    both = (before, _row(fused.kept, segment))

    overlaps, place = _first_above(both[:1], own, MATCH)
    if place != NOBODY:
        matched = int(fused.segment_of_gt[place])
        if matched != NOBODY:
            other = int(fused.segments.instances[matched])
            return _Decision("duplicate", overlaps, place, None if other == NOBODY else who_is(fused, other))
        return _Decision("starved", overlaps, place, _taker(fused, category_id, instance, place))
    overlaps, place = _first_above(both, ~own, MATCH)
    if place != NOBODY:
        by = Counterpart("gt", int(gt.ids[place]), int(gt.category_ids[place]))
        return _Decision("wrong_category", overlaps, place, by)
    overlaps, place = _first_above(both, own, POOR)
    if place != NOBODY:
        isthing = fused.categories[category_id].isthing
        return _Decision("poor_mask" if isthing else "poor_labels", overlaps, place)
    is_sliver = SLIVER * int(fused.outcomes.area[segment]) < fused.regions.area
    nearest = best(before.iou[0], own & (before.intersection[0] > 0))
    return _Decision("sliver" if is_sliver else "background", before, nearest)


def _row(overlaps: Overlaps, row: int) -> Overlaps:
    return Overlaps(overlaps.intersection[[row]], overlaps.union[[row]])


def _first_above(
    candidates: Sequence[Overlaps], allowed: np.ndarray, threshold: Fraction
) -> "tuple[Overlaps, int]":
    """The first of some overlaps that exceeds a threshold with an allowed segment, and the best such segment."""
    for overlaps in candidates:
        place = best(overlaps.iou[0], allowed & overlaps.exceeds(threshold)[0])
        if place != NOBODY:
            return overlaps, place
    return candidates[0], NOBODY


def _taker(fused: FusedRegions, category_id: int, instance: int, place: int) -> Optional[Counterpart]:
    """The instance that took most: of a mask, or of the labels on the segment they would have matched."""
    if instance != NOBODY:
        return main_taker(fused, fused.takers_before(instance))
    regions = fused.regions
    right = (regions.semantic == fused.categories.place_of[category_id]) & (regions.gt_place == place + 1)
    return main_taker(fused, fused.takers(np.flatnonzero(right)))
