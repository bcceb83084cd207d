"""One image fused by one pipeline, region by region, with all that is needed to trace its errors.

Shape legend: G regions, N instances, M of them ranked, T ground-truth segments, P segments of the fused map,
C categories.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Callable, Mapping, Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.overlaps import Overlaps
from panoptic_heuristic.ablation.regions.claims import claims_are_prefixes, claims_on_regions
from panoptic_heuristic.ablation.regions.regions import Regions, sums
from panoptic_heuristic.ablation.regions.scoring import Outcomes
from panoptic_heuristic.ablation.regions.single import NOBODY
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import CategoryCounts, PQCounts

Recount = Callable[[Pipeline, np.ndarray, np.ndarray], PQCounts]
"""Counts an image by a pipeline whose claim is told who takes part.

It gets the pipeline, whose order and score thresholds do not matter, the (M,) instances that claim, best first, and
the (M,) numbers that rank them.
"""


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of a fused map.

    Attributes:
        ids: (P,) int64, in the map.
        category_ids: (P,) int64 dataset ids.
        instances: (P,) int64, a thing's place in the input; :data:`NOBODY` of stuff, and of things made of labels.
        shared: (P, T + 2) int64, the pixels each has, per place of the ground truth.
    """

    ids: np.ndarray
    category_ids: np.ndarray
    instances: np.ndarray
    shared: np.ndarray


@dataclass(frozen=True, eq=False)
class FusedRegions:
    """A fused image.

    Attributes:
        regions: of the image.
        categories: the data set's.
        pipeline: what fused it.
        ranked: (M,) int64, the instances that took part, best first.
        owner: (G,) int64, the instance that has the region, or :data:`NOBODY`.
        segments: of the map.
        outcomes: (P,) what each is worth.
        reasons: who is not in the map, and why: True with the place of an instance, False with the id of a stuff
            category.
        recount: counts the image with other instances claiming.
        claimed: like ``owner``, but before a veto; None if it is known of pixels only.
    """

    regions: Regions
    categories: Categories
    pipeline: Pipeline
    ranked: np.ndarray
    owner: np.ndarray
    segments: Segments
    outcomes: Outcomes
    reasons: Mapping[Tuple[bool, Optional[int]], str]
    recount: Recount
    claimed: Optional[np.ndarray] = None

    @cached_property
    def masks(self) -> Overlaps:
        """Of the N instances before fusing."""
        return Overlaps.of_shared(self.regions.masks_on_gt, self.regions)

    @cached_property
    def labels(self) -> Overlaps:
        """Of the semantic head before fusing: a row per category by its place, and last what means none."""
        return Overlaps.of_shared(self.label_pixels, self.regions)

    @cached_property
    def label_pixels(self) -> np.ndarray:
        """(C + 1, T + 2) int64, rows as in :attr:`labels`."""
        regions, rows, places = self.regions, len(self.categories) + 1, len(self.regions.gt.ids) + 2
        # The remainder of NO_CATEGORY is the last row.
        keys = regions.semantic % rows * places + regions.gt_place
        return sums(keys, regions.pixels, rows * places).reshape(rows, places)

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

    def takers(self, regions: np.ndarray) -> np.ndarray:
        """(M,) int64, the pixels of some regions that each ranked instance has, by rank."""
        taken = sums(self.owner[regions] + 1, self.regions.pixels[regions], len(self.regions.scores) + 1)
        return taken[1:][self.ranked]

    def takers_before(self, instance: int) -> np.ndarray:
        """(M,) int64, the pixels of an instance's mask that better ones took, by rank.

        For a claim rule by which worse ones may take pixels, too, and for an instance that was not ranked, those that
        any other one took.
        """
        taken = self.takers(self.regions.members[instance])
        rank = np.flatnonzero(self.ranked == instance)
        claim = self.pipeline.claim
        if len(rank) and claims_on_regions(claim) and claims_are_prefixes(claim):
            taken[rank[0] :] = 0
        taken[rank] = 0
        return taken

    def counts(self) -> PQCounts:
        """The counts of the fused map."""
        return counts_of(self.segments.category_ids, self.outcomes, self.regions)


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


def _inverse(values: np.ndarray, length: int) -> np.ndarray:
    """The place of each number below ``length`` among values; negative values are left out."""
    places = np.full(length, NOBODY, dtype=np.int64)
    chosen = np.flatnonzero(values >= 0)
    places[values[chosen]] = chosen
    return places
