"""Regions as the arrays of a file.

Shape legend: as in :mod:`panoptic_heuristic.ablation.regions.regions`.
"""

from typing import Dict, Mapping

import numpy as np

from panoptic_heuristic.ablation.cache.image_arrays import check_pixels, image_of_arrays, image_to_arrays
from panoptic_heuristic.ablation.regions.regions import NO_CATEGORY, NO_LABEL, NOTHING_SAID, GtSegments, Regions
from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays, wrong_inside

_WHOLE, _FLOAT = "whole numbers", "floating-point numbers"


def regions_to_arrays(regions: Regions) -> Dict[str, np.ndarray]:
    """Arrays for :func:`panoptic_heuristic.formats.arrays.write_arrays`."""
    best_stuff = {} if regions.best_stuff is None else {"best_stuff": _unsigned(regions.best_stuff)}
    return {
        **image_to_arrays(regions.image_id, regions.image_size),
        "pixels": regions.pixels.astype(np.uint32),
        "places": np.stack([_unsigned(regions.semantic), regions.gt_place.astype(np.uint16)]),
        "cover": regions.cover,
        "gt": np.stack([regions.gt.ids, regions.gt.category_ids, regions.gt.iscrowd]).astype(np.int64),
        "category_ids": regions.category_ids,
        "agreeing": regions.agreeing,
        "boxes": regions.boxes,
        "measures": np.stack([regions.scores, regions.mask_quality, regions.semantic_agreement]),
        "first_labels": regions.first_labels,
        **best_stuff,
    }


def regions_of_arrays(
    arrays: Mapping[str, np.ndarray], categories: int, island_area_fraction: float, where: str
) -> Regions:
    """The inverse of :func:`regions_to_arrays`.

    Args:
        arrays: what was read.
        categories: how many the data set has.
        island_area_fraction: of the pipelines that the regions are for.
        where: the file, for the error.

    Raises:
        InputError: the arrays are of something else.
    """
    image_id, image_size = image_of_arrays(arrays, where)
    lengths = check_arrays(arrays, _forms(categories), where, C=categories)
    check_pixels(arrays["pixels"], "pixels", image_size, where)
    highest = [[categories], [lengths["T"] + 1]]
    if lengths["W"] != -(-lengths["N"] // 64) or (arrays["places"] > highest).any():
        raise wrong_inside(where, "its regions do not fit its instances and segments")
    semantic, gt_place = arrays["places"]
    ids, category_ids, iscrowd = arrays["gt"]
    scores, mask_quality, semantic_agreement = arrays["measures"]
    return Regions(
        image_id=image_id,
        image_size=image_size,
        pixels=arrays["pixels"].astype(np.int64),
        semantic=_signed(semantic),
        gt_place=gt_place.astype(np.int64),
        cover=arrays["cover"],
        gt=GtSegments(ids, category_ids, iscrowd.astype(bool)),
        scores=scores,
        category_ids=arrays["category_ids"],
        mask_quality=mask_quality,
        semantic_agreement=semantic_agreement,
        boxes=arrays["boxes"],
        agreeing=arrays["agreeing"],
        first_labels=arrays["first_labels"],
        best_stuff=_signed(arrays["best_stuff"]) if "best_stuff" in arrays else None,
        island_area_fraction=island_area_fraction,
    )


def _unsigned(places: np.ndarray) -> np.ndarray:
    """Places of categories in two bytes each, NO_CATEGORY as 0."""
    return (places - NO_CATEGORY).astype(np.uint16)


def _signed(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.int64) + NO_CATEGORY


def _forms(categories: int) -> Dict[str, ArrayForm]:
    return {
        "pixels": ArrayForm(_WHOLE, ("G",)),
        # Of categories, NO_CATEGORY as 0.
        "places": ArrayForm(_WHOLE, (2, "G"), 0),
        "cover": ArrayForm("words of 64 bits", ("G", "W")),
        "gt": ArrayForm(_WHOLE, (3, "T")),
        "category_ids": ArrayForm(_WHOLE, ("N",)),
        "agreeing": ArrayForm(_WHOLE, ("N",), NOTHING_SAID, categories - 1),
        "boxes": ArrayForm(_FLOAT, ("N", 4)),
        "measures": ArrayForm(_FLOAT, (3, "N")),
        "first_labels": ArrayForm(_WHOLE, ("C",), 0, NO_LABEL),
        "best_stuff": ArrayForm(_WHOLE, ("G",), 0, categories, optional=True),
    }
