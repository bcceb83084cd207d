"""The ground truth of a seeded scene: what :mod:`panoptic_heuristic.testing.scenes` lets the heads see with errors.

As in a data set that people annotated, smaller objects lie in front, borders and a corner of the
stuff are sometimes left out, and now and then a segment is a crowd.
"""

from typing import Any, Dict, List, Tuple

import cv2
import numpy as np

from panoptic_heuristic.formats.coco_panoptic import MAX_ID, VOID_ID, segment_entries

_BORDERED, _PATCHED, _CROWDED = 0.3, 0.5, 0.2
"""Shares of the objects with a void border, and of the scenes with a void patch and with a crowd."""

_PATCH = 0.03
"""The void patch's share of the image."""


def ground_truth(
    rng: np.random.Generator,
    object_masks: np.ndarray,
    object_categories: np.ndarray,
    stuff_fields: np.ndarray,
    stuff_categories: np.ndarray,
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """Makes a panoptic map from objects, and stuff behind them.

    Args:
        rng: decides what is void, what is a crowd, and the ids.
        object_masks: (K, H, W) bool, whole objects, which may overlap.
        object_categories: (K,) dataset ids.
        stuff_fields: (S, H, W) float32; the largest one says which stuff is there. S may be 0.
        stuff_categories: (S,) dataset ids.

    Returns:
        The map, (H, W) int32 with 0 for void, and its segments as COCO panoptic annotations list
        them. An object that cannot be seen is no segment.
    """
    categories = np.concatenate([stuff_categories, object_categories])
    # As COCO's, ids are no small numbers and in no order.
    ids = 1 + rng.choice(MAX_ID, size=len(categories), replace=False)
    bordered = rng.random(len(object_masks)) < _BORDERED

    places = _stuff(rng, stuff_fields, object_masks.shape[1:])
    areas = object_masks.sum(axis=(1, 2))
    for index in np.argsort(-areas, kind="stable"):
        mask = object_masks[index]
        if bordered[index]:
            places[cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 0
        places[mask] = 1 + len(stuff_categories) + index

    seen = [place for place in np.unique(places).tolist() if place > len(stuff_categories)]
    crowds = {int(rng.choice(seen))} if seen and rng.random() < _CROWDED else set()
    entries = segment_entries(places, dict(enumerate(categories.tolist(), start=1)), crowds)
    segments = [{**entry, "id": int(ids[entry["id"] - 1])} for entry in entries]
    return np.concatenate([[VOID_ID], ids]).astype(np.int32)[places], segments


def _stuff(rng: np.random.Generator, fields: np.ndarray, image_size: Tuple[int, int]) -> np.ndarray:
    """(H, W) the field that wins, counted from 1; 0 on a patch of void, and everywhere if there is no field."""
    height, width = image_size
    places = 1 + fields.argmax(axis=0) if len(fields) else np.zeros(image_size, dtype=np.int64)
    if rng.random() < _PATCHED:
        smooth = cv2.resize(rng.normal(size=(4, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
        places[smooth > np.quantile(smooth, 1 - _PATCH)] = 0
    return places
