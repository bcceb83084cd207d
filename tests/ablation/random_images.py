"""Random images that hold what is hard to get right: edges of every threshold, and odd ground truth."""

import dataclasses
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline, fuse
from panoptic_heuristic.quality import PQCounts, count_image
from tests.ablation.grids import grid_of

# Ids mix things with stuff, have gaps and start at 0; the list is in no order.
CATEGORIES = Categories(
    Category(category_id, f"category {category_id}", isthing, (category_id, 1, 2))
    for category_id, isthing in ((9, False), (0, True), (31, True), (4, False), (5, True), (2, False))
)
# 0 is the collapsed label of things, two labels mean one stuff category, and one means a thing.
LABELS: Dict[int, Optional[int]] = {0: None, 1: 9, 2: 4, 3: 2, 4: 4, 7: 31}

BEST_STUFF_FLOOR = 0.25


class RandomImage(NamedTuple):
    """The outputs of the heads for an image, and its ground truth."""

    predictions: ImagePredictions
    gt_ids: np.ndarray
    gt_segments: List[Dict[str, Any]]


def predictions_of(
    image_id: int, masks: np.ndarray, scores: np.ndarray, category_ids: np.ndarray, labels: Optional[np.ndarray]
) -> ImagePredictions:
    """Predictions as they would be kept, from (N, H, W) bool masks and an (H, W) map of labels."""
    unknown = np.full(len(masks), np.nan)
    encoded = [rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in masks]
    size = masks.shape[1:] if labels is None else labels.shape
    runs = None
    if labels is not None:
        runs = SemanticRuns.of_maps(labels, np.full_like(labels, NO_STUFF), np.zeros(labels.shape, dtype=bool))
    return ImagePredictions(
        image_id=image_id,
        image_size=tuple(size),
        scores=np.asarray(scores, dtype=np.float64),
        category_ids=np.asarray(category_ids, dtype=np.int64),
        boxes=np.full((len(masks), 4), np.nan, dtype=np.float32),
        mask_quality=unknown,
        semantic_agreement=np.zeros(len(masks)),
        masks=encoded_masks(encoded),
        semantics=runs,
    )


def random_image(seed: int) -> RandomImage:
    """Equal seeds give equal images."""
    rng = np.random.default_rng([seed, 7])
    height, width = ((1, 1), (5, 8), (17, 12), (24, 32), (40, 30))[rng.integers(5)]
    count = int(rng.choice([0, 1, 3, 12, 40, 64, 65, 130]))
    masks = np.stack([_mask(rng, height, width) for _ in range(count)]) if count else np.zeros((0, height, width), bool)
    scores = np.round(rng.random(count), rng.choice([1, 6]))
    if count and rng.random() < 0.3:
        scores[rng.integers(count)] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 1.5])
    things = [category.id for category in CATEGORIES.things]
    labels = None if rng.random() < 0.1 else _patches(rng, height, width, list(LABELS))
    category_ids = rng.choice(things, size=count)
    gt_ids, gt_segments = _gt(rng, masks, category_ids, labels, (height, width))
    return RandomImage(predictions_of(seed, masks, scores, category_ids, labels), gt_ids, gt_segments)


def with_measures(image: RandomImage) -> RandomImage:
    """The image with boxes, qualities and agreements, many of them equal, and some scores below 0."""
    rng = np.random.default_rng([image.predictions.image_id, 9])
    count = len(image.predictions.scores)
    height, width = image.predictions.image_size
    corners = rng.integers(-2, 2 * max(height, width), size=(count, 4)) / 2
    scores = image.predictions.scores
    predictions = dataclasses.replace(
        image.predictions,
        scores=np.where(rng.random(count) < 0.1, np.round(rng.random(count) - 1, 1), scores),
        boxes=np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:]], axis=1).astype(np.float32),
        mask_quality=rng.random(count).round(rng.choice([1, 6])),
        semantic_agreement=rng.random(count).round(rng.choice([1, 6])),
    )
    return image._replace(predictions=predictions)


def with_best_stuff(image: RandomImage) -> RandomImage:
    """The image with a best stuff for most pixels, half of them above the floor, often as in the ground truth.

    Half of the images have few instances, so that much is left over.
    """
    predictions = image.predictions
    if predictions.semantics is None:
        return image
    rng = np.random.default_rng([predictions.image_id, 10])
    height, width = predictions.image_size
    stuff = CATEGORIES.labels_of_stuff(LABELS)
    labels = predictions.semantics.to_map(predictions.semantics.labels, predictions.image_size)
    # 0 and 7 mean no stuff, and 5 nothing.
    best = np.where(np.isin(labels, stuff), labels, _patches(rng, height, width, [*stuff, *stuff, NO_STUFF, 0, 5, 7]))
    above = _patches(rng, height, width, [0, 1]).astype(bool)
    gt_ids = image.gt_ids.copy()
    if rng.random() < 0.7:
        said = np.where(above & ~np.isin(labels, stuff), best, labels)
        segments = [segment for segment in image.gt_segments if not CATEGORIES[segment["category_id"]].isthing]
        for segment in rng.permutation(segments).tolist():
            meaning = [label for label in stuff if LABELS[label] == segment["category_id"]]
            gt_ids[np.isin(said, meaning)] = segment["id"]
    few = slice(3 if rng.random() < 0.5 else None)
    predictions = dataclasses.replace(
        predictions,
        semantics=SemanticRuns.of_maps(labels, best, above),
        **{
            name: getattr(predictions, name)[few]
            for name in ("scores", "category_ids", "boxes", "mask_quality", "semantic_agreement", "masks")
        },
    )
    return image._replace(predictions=predictions, gt_ids=gt_ids)


def deciding_fractions(image: RandomImage, rng: np.random.Generator, count: int) -> List[float]:
    """Fractions in [0, 1] that are there in the image: of masks in others, of masks outside others, of areas."""
    instances = image.predictions.to_instances()
    masks = np.zeros((len(instances), *image.gt_ids.shape), dtype=bool)
    for index, mask in enumerate(masks):
        crop = instances.crop(index)
        mask[crop.window] = crop.mask.numpy()
    areas = masks.sum(axis=(1, 2)).tolist()
    there = [index for index, area in enumerate(areas) if area]
    found = []
    for _ in range(count):
        if not there or rng.random() < 0.1:
            found.append(float(rng.choice([0.0, 0.5, 1.0, rng.random()])))
            continue
        one, other = rng.choice(there, size=2).tolist()
        shared = int((masks[one] & masks[other]).sum())
        smaller, larger = sorted((areas[one], areas[other]))
        found.append(rng.choice([shared / areas[one], (areas[one] - shared) / areas[one], smaller / larger]).item())
    return found


def random_grid(seed: int, image: RandomImage, settings: int) -> Grid:
    """A grid of about so many settings, some values exactly at what decides in the image."""
    rng = np.random.default_rng([seed, 8])
    scores = image.predictions.scores
    finite = scores[np.isfinite(scores)]
    thresholds = [0.0, 0.5, 0.3, *rng.choice(finite, size=min(3, len(finite)), replace=False)]
    overlaps = [0.0, 0.5, 1.0, 1 / 3, 0.25, round(float(rng.random()), 2)]
    area = image.gt_ids.size
    pixels = [0, 1, 4096, *rng.integers(1, max(area // 3, 2), size=4)]
    limits = [(float(value), 0.0) for value in dict.fromkeys(map(int, pixels))]
    limits += [(0.0, value) for value in (0.1, 0.25, float(rng.integers(1, area + 1)) / area)]
    claims = [Greedy(value) for value in dict.fromkeys(overlaps)] + [PerPixel()]
    limits, claims = list(dict.fromkeys(limits)), claims
    most = max(1, round(settings / (len(limits) * len(claims))))
    return grid_of(tuple(claims), tuple(dict.fromkeys(float(value) for value in thresholds))[:most], tuple(limits))


def random_pipelines(seed: int, image: RandomImage, number: int) -> List[Pipeline]:
    """Some of the settings of :func:`random_grid`, at most so many."""
    settings = random_grid(seed, image, 120).settings
    chosen = np.random.default_rng(seed).choice(len(settings), min(number, len(settings)), replace=False)
    return [settings[place] for place in chosen.tolist()]


def random_thresholds(image: RandomImage, rng: np.random.Generator, base: Pipeline) -> Pipeline:
    """A pipeline with other thresholds, many of them at what decides in the image; half of its kinds of thresholds
    have values of single categories, too.
    """
    scores = image.predictions.scores
    scores = scores[np.isfinite(scores)].tolist() + [0.3, 0.6]
    fractions, area = deciding_fractions(image, rng, 4), image.gt_ids.size

    def some(ids: List[int], values: List[float]) -> Dict[int, float]:
        chosen = [category_id for category_id in ids if rng.random() < 0.5] if rng.random() < 0.5 else []
        return {category_id: float(rng.choice(values)) for category_id in chosen}

    things, stuff = ([one.id for one in some_kind] for some_kind in (CATEGORIES.things, CATEGORIES.stuff))
    pixels = [0, 1, *rng.integers(1, max(area // 3, 2), size=4).tolist()]
    shares = [0.0, 0.1, int(rng.integers(1, area + 1)) / area]
    values = {
        "instances_score_thresh": float(rng.choice([0.0, *scores])),
        "instances_score_thresh_of": some(things, scores),
        "stuff_area_thresh": float(rng.choice(pixels)),
        "stuff_area_thresh_of": some(stuff, pixels),
        "stuff_area_fraction": float(rng.choice(shares)),
        "stuff_area_fraction_of": some(stuff, shares),
    }
    if base.value("claim.overlap_threshold") is not None:
        values["claim.overlap_threshold"] = float(rng.choice(fractions))
        values["claim.overlap_threshold_of"] = some(things, fractions)
    if base.value("order.default_cut") is not None:
        values["order.default_cut"] = float(rng.choice([0.0, 0.2, 0.5]))
        values["order.cut"] = some(things, [0.2, 0.4, 0.6])
    if base.value("order.key_cutoff") is not None:
        values["order.key_cutoff"] = float(rng.choice([0.0, 0.1, 0.3]))
    return base.replaced(values)


def counts_by_pixels(image: RandomImage, pipeline: Pipeline) -> PQCounts:
    """The counts of fusing and scoring an image pixel by pixel."""
    result = fuse(
        image.predictions.to_instances(),
        image.predictions.to_semantics(LABELS, best_stuff_floor=BEST_STUFF_FLOOR),
        CATEGORIES,
        pipeline,
    )
    return count_image(
        image.gt_ids, image.gt_segments, result.panoptic_seg, result.segments_info, CATEGORIES
    )


def _mask(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    kind = rng.random()
    if kind < 0.08:
        return mask
    if kind < 0.12:
        return ~mask
    y, x = rng.integers(height), rng.integers(width)
    mask[y : y + 1 + rng.integers(height), x : x + 1 + rng.integers(width)] = True
    return mask & (rng.random((height, width)) < rng.choice([0.8, 1.0, 1.0]))


def _patches(rng: np.random.Generator, height: int, width: int, values: List[int]) -> np.ndarray:
    """(H, W) int64 of a few rectangles over each other."""
    patches = np.full((height, width), rng.choice(values), dtype=np.int64)
    for _ in range(rng.integers(8)):
        y, x = rng.integers(height), rng.integers(width)
        patches[y : y + 1 + rng.integers(height), x : x + 1 + rng.integers(width)] = rng.choice(values)
    return patches


def _gt(rng, masks, category_ids, labels, size):
    """Ground truth that agrees with the predictions in part, so that there are matches."""
    height, width = size
    ids = _patches(rng, height, width, [0, 0, 101, 102, 103, 65536])
    if labels is not None and rng.random() < 0.7:
        chosen = rng.choice(list(LABELS))
        ids[labels == chosen] = 200
    segments = [(101, 0), (102, int(rng.choice([31, 9]))), (103, int(rng.choice(list(CATEGORIES)))), (65536, 4)]
    segments.append((200, int(rng.choice([9, 4, 2]))))
    for place in rng.permutation(len(masks))[:6].tolist():
        ids[masks[place] & (rng.random(size) < rng.choice([0.5, 0.7, 1.0]))] = 300 + place
        segments.append((300 + place, int(rng.choice([category_ids[place], 5]))))
    if rng.random() < 0.2:
        # An id that is not listed is neither void nor a segment.
        segments.pop(int(rng.integers(len(segments))))
    rng.shuffle(segments)
    listed = [
        {"id": segment_id, "category_id": category_id, "iscrowd": int(rng.random() < 0.15)}
        for segment_id, category_id in segments
    ]
    return ids.astype(np.int32), listed
