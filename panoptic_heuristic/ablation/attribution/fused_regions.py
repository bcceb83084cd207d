"""One image fused by one setting, region by region, with all that is needed to trace its errors.

Shape legend: G regions, N instances, T ground-truth segments, P segments of the fused map, C categories.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.attribution.overlaps import Overlaps
from panoptic_heuristic.ablation.regions.build import Regions, sums
from panoptic_heuristic.ablation.regions.claims import claim_regions, rank_by
from panoptic_heuristic.ablation.regions.counts import Outcomes, Scorer
from panoptic_heuristic.ablation.sweep.grid import Setting
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Greedy
from panoptic_heuristic.quality import CategoryCounts, PQCounts

NOBODY = -1


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a fused map: things by rank, then stuff in the order of the categories' list.

    Attributes:
        category_ids: (P,) int64 dataset ids.
        instances: (P,) int64, a thing's place in the input; :data:`NOBODY` of stuff.
        shared: (P, T + 2) int64, the pixels each has, per place of the ground truth.
    """

    category_ids: np.ndarray
    instances: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True, eq=False)
class FusedRegions:
    """A fused image.

    Attributes:
        regions: of the image.
        categories: the data set's.
        setting: what fused it.
        ranked: instances whose score passes the cutoff, best first.
        owner: (G,) int64, the instance that has the region, or :data:`NOBODY`.
        segments: of the map.
        outcomes: (P,) what each is worth.
    """

    regions: Regions
    categories: Categories
    setting: Setting
    ranked: np.ndarray
    owner: np.ndarray
    segments: Segments
    outcomes: Outcomes

    @cached_property
    def masks(self) -> Overlaps:
        """Of the N instances before fusing."""
        return Overlaps.of_shared(mask_pixels(self.regions), self.regions)

    @cached_property
    def labels(self) -> Overlaps:
        """Of the semantic head before fusing: row 0 is what means no category, k the k-th category."""
        return Overlaps.of_shared(self.label_pixels, self.regions)

    @cached_property
    def label_pixels(self) -> np.ndarray:
        """(C + 1, T + 2) int64, rows as in :attr:`labels`."""
        everywhere = np.ones(len(self.owner), dtype=bool)
        return _pixels_by(self.regions, self.regions.semantic, everywhere, len(self.categories) + 1)

    @cached_property
    def kept(self) -> Overlaps:
        """Of the P segments."""
        return Overlaps.of_shared(self.segments.shared, self.regions)

    @cached_property
    def segment_of_instance(self) -> np.ndarray:
        """(N,) int64, the place of each instance's segment, or :data:`NOBODY`."""
        return _inverse(self.segments.instances, len(self.regions.scores))

    @cached_property
    def segment_of_gt(self) -> np.ndarray:
        """(T,) int64, the place of the segment that matches each of the ground truth, or :data:`NOBODY`."""
        return _inverse(self.outcomes.gt - 1, len(self.regions.gt.ids))

    @cached_property
    def false_instances(self) -> np.ndarray:
        """(N,) bool, the instances whose segment is a false positive."""
        instances = self.segments.instances[self.outcomes.false]
        return np.isin(np.arange(len(self.regions.scores)), instances)

    @cached_property
    def label_of(self) -> dict:
        """Dataset category id -> its row in :attr:`labels`."""
        return {category_id: place for place, category_id in enumerate(self.categories, start=1)}

    def takers(self, regions: np.ndarray) -> np.ndarray:
        """(M,) int64, the pixels of some regions that each ranked instance has, by rank."""
        taken = sums(self.owner[regions] + 1, self.regions.pixels[regions], len(self.regions.scores) + 1)
        return taken[1:][self.ranked]

    def takers_before(self, instance: int) -> np.ndarray:
        """(M,) int64, the pixels of a ranked instance's mask that better ones took, by rank."""
        taken = self.takers(self.regions.members[instance])
        taken[np.argmax(self.ranked == instance) :] = 0
        return taken

    def counts(self) -> PQCounts:
        """What quality counts of the fused map."""
        return counts_of(self.segments.category_ids, self.outcomes, self.regions)


def fuse_regions(
    regions: Regions,
    categories: Categories,
    setting: Setting,
    *,
    ranked: Optional[Sequence[int]] = None,
    overlap_threshold: Optional[float] = None,
) -> FusedRegions:
    """Fuses an image.

    Args:
        regions: of the image.
        categories: the data set's.
        setting: with a rule that sees nothing but regions.
        ranked: the instances that take part, best first; None for those of the setting.
        overlap_threshold: in place of the setting's.
    """
    if ranked is None:
        ranked = rank_by(regions.scores)
        ranked = ranked[regions.scores[ranked] >= setting.instances_score_thresh]
    if overlap_threshold is None:
        overlap_threshold = overlap_threshold_of(setting)
    ranked = np.asarray(ranked, dtype=np.int64)
    claims = claim_regions(Greedy(), regions, ranked, np.array([overlap_threshold]))
    owner = np.append(ranked, NOBODY)[claims.owner[:, 0]]
    return with_stuff(regions, categories, setting, ranked, owner)


def with_stuff(
    regions: Regions, categories: Categories, setting: Setting, ranked: np.ndarray, owner: np.ndarray
) -> FusedRegions:
    """The fused image, once it is known what things have.

    Args:
        regions: of the image; stuff takes what things leave free of its labels.
        categories: the data set's.
        setting: its stuff limit counts.
        ranked: the instances that took part, best first.
        owner: see :class:`FusedRegions`.
    """
    things = ranked[np.isin(ranked, owner)]
    taken = _pixels_by(regions, owner, owner != NOBODY, len(regions.scores))[things]
    free = _pixels_by(regions, regions.semantic, owner == NOBODY, len(categories) + 1)[1:]
    is_stuff = np.array([not category.isthing for category in categories.values()])
    area = free.sum(axis=1)
    limit = max(setting.stuff_limit.pixels, setting.stuff_limit.fraction * regions.area)
    stuff = np.flatnonzero(is_stuff & (area > 0) & (area >= limit))
    ids = np.array(list(categories), dtype=np.int64)
    segments = Segments(
        np.concatenate([regions.category_ids[things], ids[stuff]]),
        np.concatenate([things, np.full(len(stuff), NOBODY)]),
        np.concatenate([taken, free[stuff]]),
    )
    outcomes = score(segments.shared, segments.category_ids, regions)
    return FusedRegions(regions, categories, setting, ranked, owner, segments, outcomes)


def overlap_threshold_of(setting: Setting) -> float:
    """The largest claimed fraction an instance may have; 1 for a rule that rejects none."""
    threshold = setting.claim.overlap_threshold
    return 1.0 if threshold is None else threshold


def score(shared: np.ndarray, category_ids: np.ndarray, regions: Regions) -> Outcomes:
    """What segments are worth, given their pixels per place of the ground truth and their categories."""
    return Scorer(regions.gt, regions.gt_areas).score(shared, category_ids)


def counts_of(category_ids: np.ndarray, outcomes: Outcomes, regions: Regions) -> PQCounts:
    """The counts of an image, given the categories of its segments and what they are worth."""
    gt = regions.gt
    found = np.zeros(len(gt.ids), dtype=bool)
    found[outcomes.gt[outcomes.matched] - 1] = True
    missed = gt.category_ids[~found & ~gt.iscrowd]
    counts: PQCounts = {}
    for category_id in np.unique(np.concatenate([category_ids, missed])).tolist():
        own = category_ids == category_id
        value = CategoryCounts(
            iou_sum=int(outcomes.iou[own].sum()),
            tp=int(outcomes.matched[own].sum()),
            fp=int(outcomes.false[own].sum()),
            fn=int((missed == category_id).sum()),
        )
        if value.tp or value.fp or value.fn:
            counts[category_id] = value
    return counts


def mask_pixels(regions: Regions) -> np.ndarray:
    """(N, T + 2) int64, the pixels of each instance's mask, per place of the ground truth."""
    places = len(regions.gt.ids) + 2
    rows = [sums(regions.gt_place[inside], regions.pixels[inside], places) for inside in regions.members]
    return np.array(rows, dtype=np.int64).reshape(-1, places)


def _pixels_by(regions: Regions, values: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """(count, T + 2) int64, pixels of the chosen regions by their value and their place of the ground truth."""
    places = len(regions.gt.ids) + 2
    keys = values[chosen] * places + regions.gt_place[chosen]
    return sums(keys, regions.pixels[chosen], count * places).reshape(count, places)


def _inverse(values: np.ndarray, length: int) -> np.ndarray:
    """Where each number below ``length`` stands among values; negative values are left out."""
    places = np.full(length, NOBODY, dtype=np.int64)
    chosen = np.flatnonzero(values >= 0)
    places[values[chosen]] = chosen
    return places
