"""Tests as pictures: maps and masks drawn with one character per pixel.

The category ids mix things with stuff, have gaps and start at 0, and no label equals the id of
its category, so that code which takes one number for another cannot pass.
"""

from typing import Optional, Sequence

import numpy as np

from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Greedy, InstanceSet, Pipeline, SemanticMap, fuse

DOG, CAT, SKY, GRASS = 0, 7, 3, 12
CATEGORIES = Categories(
    [
        Category(GRASS, "grass", False, (0, 255, 0)),
        Category(CAT, "cat", True, (255, 0, 0)),
        Category(SKY, "sky", False, (0, 0, 255)),
        Category(DOG, "dog", True, (255, 255, 0)),
    ]
)
# 0 is the collapsed label of all things; grass comes before sky in CATEGORIES but not here.
LABELS = {0: None, 1: SKY, 2: GRASS}


def draw(picture: str) -> np.ndarray:
    """(H, W) integers: a row per line or word, "." is 0."""
    return np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in picture.split()])


def mask(picture: str) -> np.ndarray:
    """(H, W) bool: "#" is inside."""
    return np.array([[pixel == "#" for pixel in row] for row in picture.split()])


def row(*spans, width: int) -> np.ndarray:
    """(1, width) bool: one row of pixels, inside from first to last + 1 of each span."""
    line = np.zeros((1, width), dtype=bool)
    for start, stop in spans:
        line[0, start:stop] = True
    return line


def fused(
    masks: Sequence[np.ndarray],
    scores: Sequence[float],
    labels: Optional[np.ndarray] = None,
    *,
    category_ids: Optional[Sequence[int]] = None,
    label_to_category=None,
    claim=None,
    score: float = 0.5,
    stuff_area: float = 0,
    size=None,
    **others,
):
    """Fuses drawings. Instances are cats, there is no stuff and no stuff limit, unless told.

    ``others`` are those of :class:`Pipeline`.
    """
    shape = size or (masks[0].shape if len(masks) else labels.shape)
    bitmaps = np.array(masks, dtype=bool).reshape(-1, *shape)
    ids = [CAT] * len(bitmaps) if category_ids is None else category_ids
    instances = InstanceSet.from_bitmaps(bitmaps, scores, ids)
    semantics = None if labels is None else SemanticMap(labels, label_to_category or LABELS)
    pipeline = Pipeline(claim or Greedy(), instances_score_thresh=score, stuff_area_thresh=stuff_area, **others)
    return fuse(instances, semantics, CATEGORIES, pipeline)


def eighths(picture: str) -> np.ndarray:
    """(M, M) float32 mask probabilities: "3" is 3/8, and so on to "8"; those from "4" are the mask."""
    return draw(picture).astype(np.float32) / 8


def fused_soft(pictures: Sequence[str], scores: Sequence[float], labels=None, *, boxes=None, size=None, **others):
    """Fuses probabilities drawn in :func:`eighths`, each over its box, by default over the whole image.

    M must be a power of two, and a box of M x M whole pixels: then no pixel is interpolated.
    ``others`` are those of :func:`fused`, but for ``label_to_category``.
    """
    probabilities = np.array([eighths(picture) for picture in pictures])
    side = probabilities.shape[-1]
    category_ids = others.pop("category_ids", None) or [CAT] * len(probabilities)
    instances = InstanceSet.from_rois(
        probabilities, [(0, 0, side, side)] * len(probabilities) if boxes is None else boxes, scores, category_ids,
        size or (side, side),
    )  # fmt: skip
    semantics = None if labels is None else SemanticMap(labels, LABELS)
    pipeline = Pipeline(
        others.pop("claim"),
        instances_score_thresh=others.pop("score", 0.5),
        stuff_area_thresh=others.pop("stuff_area", 0),
        **others,
    )
    return fuse(instances, semantics, CATEGORIES, pipeline)


def assert_map(result, picture: str) -> None:
    """The map is as drawn, and ``segments_info`` says the same as the map."""
    np.testing.assert_array_equal(result.panoptic_seg, draw(picture))
    ids, areas = np.unique(result.panoptic_seg, return_counts=True)
    in_map = {i: area for i, area in zip(ids.tolist(), areas.tolist(), strict=True) if i}
    assert {segment["id"]: segment["area"] for segment in result.segments_info} == in_map
    assert [segment["id"] for segment in result.segments_info] == list(range(1, len(in_map) + 1))


def instances_in(result) -> list:
    """The places in the input of the instances in the map, in the order of their ids."""
    return [segment["instance_id"] for segment in result.segments_info if segment["isthing"]]


def stuff_in(result) -> list:
    """The stuff categories in the map, in the order of their ids."""
    return [segment["category_id"] for segment in result.segments_info if not segment["isthing"]]


def reasons(result) -> dict:
    """The reason of each candidate that is not in the map: by place in the input, or ("stuff", category)."""
    return {c.instance_id if c.isthing else ("stuff", c.category_id): c.reason for c in result.dropped}
