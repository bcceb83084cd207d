"""Semantic ground truth from panoptic maps: what a Panoptic FPN semantic head is trained on."""

from typing import Any, Dict, Mapping, Sequence

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import MAX_ID

IGNORE_LABEL = 255
MAX_STUFF = 254


def semantic_label_of(categories: Categories) -> Dict[int, int]:
    """The semantic label of each category: 0 for every thing, i + 1 for ``categories.stuff[i]``.

    This is Detectron2's "separated" numbering (``stuff_dataset_id_to_contiguous_id``), in which
    all things share one label.

    Returns:
        dataset category id to label.

    Raises:
        InputError: there are more than 254 stuff categories, which 8-bit labels cannot number
            (0 is things, 255 is void).
    """
    if len(categories.stuff) > MAX_STUFF:
        raise InputError(
            f"expected at most {MAX_STUFF} stuff categories, the most that 8-bit semantic labels can number, "
            f"got {len(categories.stuff)}; merge some of them"
        )
    label_of = {category.id: 0 for category in categories.things}
    label_of.update({category.id: place + 1 for place, category in enumerate(categories.stuff)})
    return label_of


def semantic_labels(
    ids: np.ndarray, segments_info: Sequence[Mapping[str, Any]], categories: Categories
) -> np.ndarray:
    """Turns a panoptic map into semantic labels, as Detectron2's ``prepare_panoptic_fpn.py`` does.

    Args:
        ids: (H, W) integers, the segment ids; 0 is void.
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids). ``iscrowd`` changes
            nothing: a crowd of things is things.
        categories: the data set's categories.

    Returns:
        (H, W) uint8: 0 for any thing, i + 1 for ``categories.stuff[i]``, 255 for void and for
        ids that ``segments_info`` does not list.

    Raises:
        InputError: a segment has an unknown category, an id is not in [0, 2**24 - 1], or there are
            more than 254 stuff categories.
    """
    label_of = semantic_label_of(categories)
    ids = np.asarray(ids)
    largest = int(ids.max(initial=0))
    if largest > MAX_ID or ids.min(initial=0) < 0:
        raise InputError(f"segment ids must be in [0, {MAX_ID}], got {ids.min()} to {largest}")
    # One table over all ids: a comparison per segment reads the whole map dozens of times.
    label_of_id = np.full(largest + 1, IGNORE_LABEL, dtype=np.uint8)
    for segment in segments_info:
        if segment["category_id"] not in label_of:
            raise InputError(
                f"segment {segment['id']}: category {segment['category_id']!r} is not among the categories"
            )
        if segment["id"] <= largest:
            label_of_id[segment["id"]] = label_of[segment["category_id"]]
    return label_of_id[ids]
