"""Images as tuning holds them: drawn in a line of letters, random, or of seeded scenes."""

import dataclasses
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest
from panoptic_heuristic.ablation.cache.predictions import ImagePredictions
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counters import RegionCounter
from panoptic_heuristic.ablation.tuning.counts import pq_of, total_counts
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.rounds import grid_rounds
from panoptic_heuristic.ablation.tuning.run import run_tuning
from panoptic_heuristic.ablation.tuning.search import Search, run_searches
from panoptic_heuristic.ablation.tuning.settings import TUNED_PIPELINES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import Split
from panoptic_heuristic.ablation.tuning.thresholds import Baselines
from panoptic_heuristic.fusion import PerPixel, Pipeline, fuse, semantic_agreement
from panoptic_heuristic.quality import add_counts, count_image, summarize
from panoptic_heuristic.testing.scenes import Scene
from tests.ablation.random_images import CATEGORIES, LABELS, RandomImage, predictions_of
from tests.ablation.small_caches import scene_predictions

ALL = ("default", "scaled", *TUNED_PIPELINES)
"""Where the search starts from the default."""

WITH_START = ("default", "start", *ALL[1:])
"""Where it does not."""

# Scaled to the images its limit is two hundredths of them.
START = Pipeline(stuff_area_thresh=0.02 * 640 * 480)

PLACES = list(CATEGORIES)
"""Dataset ids in the order of the counts: 9, 4 and 2 are stuff, 0, 31 and 5 things."""

# Of a drawn ground truth: each letter is a segment of this category, a dot is void.
CATEGORY_OF_LETTER = {"a": 0, "b": 0, "c": 31, "d": 31, "s": 9, "t": 4}
_LABEL_OF_LETTER = {"s": 1, "t": 2, ".": 0}


@dataclasses.dataclass(frozen=True)
class LastComes:
    """The rule per pixel, the other way around."""

    def claim(self, heads, order):
        return PerPixel().claim(heads, dataclasses.replace(order, ranked=order.ranked[::-1]))


class TuningSet(NamedTuple):
    """Images with what the pixel path needs of them."""

    images: List[Regions]
    predictions: List[ImagePredictions]
    scenes: List[Scene]


def drawn_image(
    gt: str,
    instances: Sequence[Tuple[str, float, int]],
    semantic: Optional[str] = None,
    image_id: int = 0,
) -> Regions:
    """An image of one row of pixels.

    Args:
        gt: a letter per pixel, see :data:`CATEGORY_OF_LETTER`.
        instances: mask (``#`` per pixel), score and category of each.
        semantic: the stuff seen, ``s``, ``t`` or a dot per pixel; None: nowhere any.
        image_id: its id.
    """
    masks = np.array([[[pixel == "#" for pixel in mask]] for mask, _, _ in instances], dtype=bool)
    labels = np.array([[_LABEL_OF_LETTER[pixel] for pixel in semantic or "." * len(gt)]])
    predictions = predictions_of(
        image_id,
        masks.reshape(-1, 1, len(gt)),
        np.array([score for _, score, _ in instances]),
        np.array([category_id for _, _, category_id in instances], dtype=np.int64),
        labels,
    )
    letters = sorted(set(gt) - {"."})
    ids = np.array([[1 + letters.index(pixel) if pixel != "." else 0 for pixel in gt]], dtype=np.int32)
    segments = [
        {"id": place, "category_id": CATEGORY_OF_LETTER[letter], "iscrowd": 0}
        for place, letter in enumerate(letters, start=1)
    ]
    return build_regions(predictions, LABELS, CATEGORIES, ids, segments)


def of_random(image: RandomImage, seed: int) -> Tuple[Regions, ImagePredictions]:
    """A random image whose instances agree with the semantic labels to random degrees."""
    agreement = np.random.default_rng(seed).random(len(image.predictions.scores))
    predictions = dataclasses.replace(image.predictions, semantic_agreement=agreement)
    regions = build_regions(predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
    return regions, predictions


def of_scenes(scenes: Sequence[Scene]) -> TuningSet:
    """Scenes with what really agrees with the semantic labels."""
    images, kept = [], []
    for image_id, scene in enumerate(scenes):
        agreement = semantic_agreement(scene.instances(), scene.semantics(), scene.categories)
        predictions = dataclasses.replace(scene_predictions(image_id, scene), semantic_agreement=agreement)
        labels = dict(enumerate(scene.label_to_category))
        regions = build_regions(predictions, labels, scene.categories, scene.gt_ids, scene.gt_segments)
        images.append(regions)
        kept.append(predictions)
    return TuningSet(images, kept, list(scenes))


def pixel_counts(predictions, labels, categories, gt_ids, gt_segments, pipeline: Pipeline):
    """(3, C) iou_sum, TP and FP and (C,) segments from fusing and scoring pixel by pixel."""
    result = fuse(predictions.to_instances(), predictions.to_semantics(labels), categories, pipeline)
    found = count_image(gt_ids, gt_segments, result.panoptic_seg, result.segments_info, categories)
    counts, segments = np.zeros((3, len(categories)), dtype=np.int64), np.zeros(len(categories), dtype=np.int64)
    for category_id, value in found.items():
        place = list(categories).index(category_id)
        counts[:, place] = value.iou_sum, value.tp, value.fp
        segments[place] = value.tp + value.fn
    return counts, segments


def manifest_of(images: Sequence[Regions], categories, name: str = "drawn") -> Manifest:
    """The manifest that a cache of some images would have."""
    cached = tuple(CachedImage(image.image_id, f"{image.image_id}.jpg", *image.image_size) for image in images)
    return Manifest(name, categories, {}, cached, Floors(0.05, 100, None), False, {"made": "up"})


def tuned(
    images: Sequence[Regions], categories, settings: TuningSettings, splits: Sequence[Split], *, workers=1, **more
) -> TuningResult:
    """The outcome of tuning on regions."""
    counter = RegionCounter(images, categories, workers)
    return run_tuning(counter, [manifest_of(images, categories)], settings, splits, **more)


def global_best(images: Sequence[Regions], categories, baselines: Baselines, score_floor: float) -> Pipeline:
    """The best global thresholds of a grid on some images."""
    area = float(np.median([image.area for image in images]))
    search = Search(baselines.scaled, grid_rounds(baselines, score_floor=score_floor, image_area=area))
    for _ in run_searches([search], [range(len(images))], RegionCounter(images, categories)):
        pass
    return search.best


def baselines_of(pixels: float, fraction: float, score: float = 0.5, **rules) -> Baselines:
    """Baselines with any two limits of stuff."""
    base = Pipeline(instances_score_thresh=score, stuff_area_thresh=pixels, **rules)
    return Baselines(base, dataclasses.replace(base, stuff_area_thresh=0, stuff_area_fraction=fraction))


def total_pq(images: Sequence[Regions], pipeline: Pipeline, categories) -> float:
    """PQ of all categories, 0 to 1."""
    return float(pq_of(total_counts(images, [pipeline], categories), categories)[0])


def pq_of_images(result):
    """The counts of each held-out image, as numbers that can be compared."""
    return [(one.iou_sum.tolist(), one.tp.tolist(), one.fp.tolist(), one.segments.tolist()) for one in result.held_out]


def fused_pq(store, pipeline, image_ids, photos=None):
    """PQ of all categories in percent, by fusing and scoring each image; photos are arrays by id."""
    manifest, counts = store.cache.manifest, []
    for image_id in image_ids:
        predictions = store.cache.read(image_id)
        semantics = manifest.semantics_of(predictions, pipeline)
        photo = None if photos is None else photos[image_id]
        result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline, photo)
        counts.append(
            count_image(*store.gt_of(image_id), result.panoptic_seg, result.segments_info, manifest.categories)
        )
    return 100 * summarize(add_counts(counts), manifest.categories).all.pq
