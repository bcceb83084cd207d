"""Caches whose pipelines are compared, with all that rules may ask for: mask probabilities and logits, too."""

import dataclasses
import json
from pathlib import Path
from typing import Sequence

import numpy as np

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.predictions import ImagePredictions, SemanticRuns
from panoptic_heuristic.fusion import Greedy, InstanceSet, PerPixel, Pipeline, fuse
from panoptic_heuristic.fusion.instance_measures import mask_quality
from panoptic_heuristic.quality import count_image
from panoptic_heuristic.testing.scenes import Scene
from tests.ablation.small_caches import scene_predictions, write_cache

STRIDE, STUFF_FLOOR = 4, 0.25
IMAGES = 5
PRESETS = {
    "first": Pipeline(stuff_area_thresh=200),
    "second": Pipeline(PerPixel(), instances_score_thresh=0.3, stuff_area_thresh=0),
    "third": Pipeline(Greedy(0.4), instances_score_thresh=0.45, stuff_area_thresh=200),
}


def predictions_with_logits(image_id: int, scene: Scene) -> ImagePredictions:
    """As ``cache_predictions.py --store-logits`` keeps them; logits are highest where the label is."""
    instances = InstanceSet.from_rois(
        scene.probabilities, scene.boxes, scene.scores, scene.category_ids, scene.image_size
    )
    plain = scene_predictions(image_id, scene)
    channels = np.arange(len(scene.label_to_category))[:, None, None]
    noise = np.random.default_rng(image_id).normal(size=(len(channels), *scene.image_size))
    logits = (3.0 * (scene.semantic_labels == channels) + noise)[:, ::STRIDE, ::STRIDE]
    labels = scene.semantic_labels
    # Stuff by its own logit, where the label is that of things.
    enlarged = logits.repeat(STRIDE, axis=1).repeat(STRIDE, axis=2)[:, : labels.shape[0], : labels.shape[1]]
    best = np.where(labels == 0, enlarged[1:].argmax(axis=0) + 1, labels)
    return dataclasses.replace(
        plain,
        mask_quality=mask_quality(instances),
        semantics=SemanticRuns.of_maps(labels, best, np.ones(labels.shape, dtype=bool), logits),
        roi_probabilities=scene.probabilities,
    )


def write_cache_with_logits(folder: Path, scenes: Sequence[Scene], *, score_floor: float = 0.0) -> Path:
    """Writes a complete cache, whose best stuff is nowhere below its floor; see ``write_cache``."""
    write_cache(folder, scenes, score_floor=score_floor)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["floors"]["stuff_probability"] = STUFF_FLOOR
    path.write_text(json.dumps({**manifest, "has_logits": True}))
    cache = PredictionCache.open(folder)
    for image_id, scene in enumerate(scenes):
        cache.write(predictions_with_logits(image_id, scene))
    return folder


def counts_of(store, image_id, pipeline):
    """One image fused and scored by itself."""
    manifest = store.cache.manifest
    predictions = store.cache.read(image_id)
    semantics = manifest.semantics_of(predictions, pipeline)
    result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
    ids, segments = result.panoptic_seg, result.segments_info
    return count_image(*store.gt_of(image_id), ids, segments, manifest.categories)
