"""Pixels of the fused map that have a wrong category: near borders of things and stuff, and elsewhere."""

import numpy as np

from panoptic_heuristic.ablation.attribution.category_maps import CategoryMaps

ZONES = ("elsewhere", "band")
"""The rows of the counts: away from borders between things and stuff of the ground truth, and near them."""

KINDS = ("right", "void", "thing_as_stuff", "stuff_as_thing", "other_category")
"""The columns: the category of the ground truth; no segment; one of the other kind; another one of the same kind."""


def count_pixel_errors(maps: CategoryMaps) -> np.ndarray:
    """(2, 5) int64 pixels by zone and kind, of listed segments that are no crowds.

    Only the category counts: a pixel of one thing that another thing of its category has is right.
    """
    gt, predicted, zone = (values[maps.counted] for values in (maps.gt, maps.predicted, maps.band))
    gt_is_thing, predicted_is_thing = maps.is_thing[gt], maps.is_thing[predicted]
    # The last that applies counts.
    kind = np.full(gt.shape, KINDS.index("other_category"))
    kind[gt_is_thing & ~predicted_is_thing] = KINDS.index("thing_as_stuff")
    kind[~gt_is_thing & predicted_is_thing] = KINDS.index("stuff_as_thing")
    kind[predicted == 0] = KINDS.index("void")
    kind[predicted == gt] = KINDS.index("right")
    counts = np.bincount(zone * len(KINDS) + kind, minlength=len(ZONES) * len(KINDS))
    return counts.reshape(len(ZONES), len(KINDS))
