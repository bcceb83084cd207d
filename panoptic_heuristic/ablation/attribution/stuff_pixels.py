"""Pixels of ground-truth stuff: those with the right label, and those of them that things took."""

import numpy as np

from panoptic_heuristic.ablation.attribution.fused_regions import NOBODY, FusedRegions
from panoptic_heuristic.ablation.regions.regions import NO_CATEGORY, places_of_categories

STUFF_PIXELS = ("gt", "right_labels", "lost_to_false_things", "lost_to_other_things")
"""Pixels of ground-truth stuff; of them those with the right label; of these those that things took, false or not."""


def count_stuff_pixels(fused: FusedRegions) -> np.ndarray:
    """(C, 4) int64 pixels of each category, see :data:`STUFF_PIXELS`; zeros for things."""
    regions, categories = fused.regions, fused.categories
    of_gt = np.full(len(regions.gt.ids) + 2, NO_CATEGORY)
    of_gt[1:-1] = places_of_categories(regions.gt.category_ids, categories, "a ground-truth segment")
    of_gt[1:-1][regions.gt.iscrowd] = NO_CATEGORY
    category = of_gt[regions.gt_place]
    # The last one is that of NO_CATEGORY.
    is_stuff = np.array([*(not one.isthing for one in categories.values()), False])
    stuff = is_stuff[category]
    right = stuff & (regions.semantic == category)
    taken, false = right & (fused.owner != NOBODY), np.append(fused.false_instances, False)[fused.owner]
    columns = (stuff, right, taken & false, taken & ~false)
    counts = [np.bincount(category[one], regions.pixels[one], len(categories)) for one in columns]
    return np.stack(counts, axis=1).astype(np.int64)
