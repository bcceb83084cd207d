"""The pixels of an image, grouped by all that fusing and scoring can tell of them.

Pixels with the same semantic category, ground-truth segment and set of covering instances fare alike
under every setting, so they are counted once and then stand for each other: some thousand regions
instead of some hundred thousand pixels. Masks, labels and ground truth are taken as runs in column
order and merged; no map of all pixels per instance is ever made.

Shape legend: G regions, N instances, T ground-truth segments, W = ceil(N / 64) words.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.ablation.cache.predictions import ImagePredictions
from panoptic_heuristic.ablation.regions.grouping import group_pixels
from panoptic_heuristic.ablation.regions.regions import (
    NO_CATEGORY,
    NO_LABEL,
    NOTHING_SAID,
    GtSegments,
    Regions,
)
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import places_of


@dataclass(frozen=True, eq=False)
class RegionRuns:
    """The region of each pixel, as R runs in column order.

    Attributes:
        regions: (R,) int64, the number of a region.
        lengths: (R,) int64, pixels of each run.
        image_size: (H, W) in pixels.
    """

    regions: np.ndarray
    lengths: np.ndarray
    image_size: Tuple[int, int]

    def to_map(self) -> np.ndarray:
        """(H, W) int32."""
        height, width = self.image_size
        return cv2.transpose(self.regions.astype(np.int32).repeat(self.lengths).reshape(width, height))


def build_regions(
    predictions: ImagePredictions,
    label_to_category: Mapping[int, Optional[int]],
    categories: Categories,
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    **options: Any,
) -> Regions:
    """Groups the pixels of one image; arguments and errors are those of :func:`build_mapped_regions`."""
    return build_mapped_regions(predictions, label_to_category, categories, gt_ids, gt_segments, **options)[0]


def build_mapped_regions(
    predictions: ImagePredictions,
    label_to_category: Mapping[int, Optional[int]],
    categories: Categories,
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    *,
    with_best_stuff: bool = False,
    fused_ids: Optional[np.ndarray] = None,
    island_area_fraction: float = 0.0,
) -> Tuple[Regions, RegionRuns]:
    """Groups the pixels of one image, and says which pixel is where.

    Args:
        predictions: of the image.
        label_to_category: what its semantic labels mean.
        categories: the data set's.
        gt_ids: (H, W) integers, 0 is void.
        gt_segments: dicts with ``id``, ``category_id`` and perhaps ``iscrowd``.
        with_best_stuff: tell pixels apart by their best stuff, too. There are more regions then.
        fused_ids: (H, W) integers, a fused map to tell pixels apart by, too; or None.
        island_area_fraction: of :class:`panoptic_heuristic.fusion.Pipeline`; labels are those without islands.

    Raises:
        InputError: the ground truth is of another size, or a mask cannot be read.
    """
    height, width = predictions.image_size
    if gt_ids.shape != (height, width):
        raise InputError(
            f"image {predictions.image_id}: the predictions are {height}x{width} pixels, "
            f"the ground truth {gt_ids.shape[0]}x{gt_ids.shape[1]}"
        )
    if predictions.semantics is not None:
        semantics = predictions.semantics.without_islands(island_area_fraction, predictions.image_size)
        predictions = dataclasses.replace(predictions, semantics=semantics)
    gt = GtSegments.of_segments(gt_segments)
    gt_starts, ids = _runs(gt_ids)
    place_of_label = _places_of_labels(label_to_category, categories)
    semantic_starts, semantic, best_stuff = _semantic_runs(predictions, place_of_label, categories)
    runs = {"gt_place": (places_of(ids, gt.ids.tolist()), gt_starts), "semantic": (semantic, semantic_starts)}
    if with_best_stuff:
        runs["best_stuff"] = best_stuff, semantic_starts
    if fused_ids is not None:
        fused_starts, fused = _runs(fused_ids)
        runs["segment_ids"] = fused.astype(np.int64), fused_starts
    grouping = group_pixels(list(runs.values()), predictions.mask_runs, height * width)
    regions = Regions(
        image_id=predictions.image_id,
        image_size=(height, width),
        pixels=grouping.pixels,
        cover=grouping.cover,
        gt=gt,
        scores=predictions.scores,
        category_ids=predictions.category_ids,
        mask_quality=predictions.mask_quality,
        semantic_agreement=predictions.semantic_agreement,
        boxes=predictions.boxes,
        agreeing=_agreeing(predictions, label_to_category, categories),
        first_labels=_first_labels(predictions, place_of_label, categories),
        **dict(zip(runs, grouping.keys, strict=True)),
        island_area_fraction=island_area_fraction,
    )
    return regions, RegionRuns(grouping.group, grouping.lengths, (height, width))


def _runs(values: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The starts of the runs of an (H, W) map in column order, and their values."""
    columns = cv2.transpose(values.astype(np.int32, copy=False)).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(columns[1:] != columns[:-1]) + 1])
    return starts, columns[starts]


def _semantic_runs(
    predictions: ImagePredictions, place_of_label: np.ndarray, categories: Categories
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The starts of the semantic runs, and of each the places of its category and of its best stuff."""
    runs = predictions.semantics
    if runs is None:
        return np.zeros(1, np.int64), *np.full((2, 1), NO_CATEGORY)
    # The last one is that of NO_CATEGORY.
    is_stuff = np.append(categories.is_stuff, False)
    semantic, best_stuff = place_of_label[runs.labels], place_of_label[runs.best_stuff]
    asked = runs.above_floor & ~is_stuff[semantic] & is_stuff[best_stuff]
    return runs.lengths.cumsum() - runs.lengths, semantic, np.where(asked, best_stuff, NO_CATEGORY)


def _places_of_labels(label_to_category: Mapping[int, Optional[int]], categories: Categories) -> np.ndarray:
    """The place of the category of each label."""
    places = np.full(NO_LABEL, NO_CATEGORY, dtype=np.int64)
    for label, category_id in label_to_category.items():
        if category_id is not None:
            places[label] = categories.place_of[category_id]
    return places


def _first_labels(predictions: ImagePredictions, place_of_label: np.ndarray, categories: Categories) -> np.ndarray:
    """See :attr:`Regions.first_labels`."""
    first = np.full(len(categories) + 1, NO_LABEL, dtype=np.int64)
    if predictions.semantics is not None:
        labels = np.flatnonzero(np.bincount(predictions.semantics.labels))
        np.minimum.at(first, place_of_label[labels], labels)
    return first[:NO_CATEGORY]


def _agreeing(
    predictions: ImagePredictions, label_to_category: Mapping[int, Optional[int]], categories: Categories
) -> np.ndarray:
    """See :attr:`Regions.agreeing`."""
    if predictions.semantics is None:
        return np.full(len(predictions.scores), NOTHING_SAID, dtype=np.int64)
    meant = set(label_to_category.values())
    place_of = {category_id: place for place, category_id in enumerate(categories) if category_id in meant}
    return np.array([place_of.get(one, NO_CATEGORY) for one in predictions.category_ids.tolist()], dtype=np.int64)
