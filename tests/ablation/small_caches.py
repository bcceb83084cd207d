"""Seeded scenes on disk: a prediction cache and its ground truth, as the commands take them."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.testing.scenes import Scene, make_scene, write_ground_truth


def small_scenes(number: int, *, image_size: Tuple[int, int] = (48, 65), instances: int = 20) -> Sequence[Scene]:
    """Scenes of few pixels and categories, equal in every run."""
    return [make_scene(seed, image_size=image_size, instances=instances, things=5, stuff=6) for seed in range(number)]


def scene_predictions(
    image_id: int, scene: Scene, *, best_stuff: bool = False, logits: bool = False
) -> ImagePredictions:
    """The outputs of the heads, as they are kept; logits, and all that needs some, are seeded noise if asked for."""
    labels, unknown = scene.semantic_labels, np.full(len(scene.scores), np.nan)
    best, above, kept = np.where(labels == 0, NO_STUFF, labels), labels > 0, None
    channels = len(scene.label_to_category)
    rng = np.random.default_rng([image_id, 12])
    if best_stuff:
        coarse = rng.integers(1, channels, size=[-(-side // 8) for side in labels.shape]).repeat(8, 0).repeat(8, 1)
        best = np.where(labels == 0, coarse[: labels.shape[0], : labels.shape[1]], labels)
        above = best % 2 == 0
    if logits:
        coarse = labels[::4, ::4]
        kept = 2 * (np.arange(channels)[:, None, None] == coarse) + rng.normal(size=(channels, *coarse.shape))
    masks = rle_codec.encode(np.asfortranarray(scene.masks.transpose(1, 2, 0).astype(np.uint8)))
    return ImagePredictions(
        image_id=image_id,
        image_size=tuple(scene.image_size),
        scores=scene.scores.astype(np.float64),
        category_ids=scene.category_ids,
        boxes=scene.boxes,
        mask_quality=unknown,
        semantic_agreement=np.zeros(len(scene.scores)),
        masks=encoded_masks(masks),
        semantics=SemanticRuns.of_maps(labels, best, above, kept),
        roi_probabilities=scene.probabilities.astype(np.float32) if logits else None,
    )


def write_cache(
    folder: Path,
    scenes: Sequence[Scene],
    *,
    score_floor: float = 0.0,
    stuff_probability: Optional[float] = None,
    logits: bool = False,
) -> Path:
    """Writes a complete cache; image k is the k-th scene.

    Args:
        folder: made if it is missing.
        scenes: at least one, all with the same categories.
        score_floor: what the manifest says was left out; the scenes' own scores are at least 0.05.
        stuff_probability: the floor of the best stuff; None if that is not known.
        logits: keep logits and RoI probabilities.

    Returns:
        The folder.
    """
    images = tuple(CachedImage(k, f"{k}.jpg", *scene.image_size) for k, scene in enumerate(scenes))
    manifest = Manifest(
        dataset_name="small",
        categories=scenes[0].categories,
        label_to_category=dict(enumerate(scenes[0].label_to_category)),
        images=images,
        floors=Floors(score_floor, None, stuff_probability),
        has_logits=logits,
        source={"made by": "tests"},
    )
    cache = PredictionCache.create(folder, manifest)
    for image_id, scene in enumerate(scenes):
        cache.write(scene_predictions(image_id, scene, best_stuff=stuff_probability is not None, logits=logits))
    return folder


def write_gt(folder: Path, scenes: Sequence[Scene]) -> Tuple[Path, Path]:
    """Writes the scenes' ground truth; image k is the k-th scene.

    Returns:
        The COCO panoptic JSON and the folder of its PNGs.
    """
    write_ground_truth(folder, scenes)
    return folder / "panoptic.json", folder / "panoptic"


def named_store(
    folder: Path,
    names: Sequence[str],
    *,
    scenes: Sequence[Scene],
    columns: Optional[Sequence[Mapping[str, Any]]] = None,
    first_id: int = 0,
    ids: Optional[Sequence[ImageId]] = None,
    score_floor: float = 0.0,
) -> RegionStore:
    """A cache of scenes whose images have given names and ids, and further columns in the ground truth's JSON."""
    ids = ids or range(first_id, first_id + len(names))
    cache = PredictionCache.open(write_cache(folder / "cache", scenes, score_floor=score_floor))
    json_path, pngs = write_gt(folder / "gt", scenes)
    manifest_path = cache.folder / "manifest.json"
    manifest, gt = (json.loads(path.read_text()) for path in (manifest_path, json_path))
    for place, (name, image_id) in enumerate(zip(names, ids, strict=True)):
        manifest["images"][place][:2] = [image_id, name]
        gt["images"][place].update({"id": image_id, "file_name": name, **(columns[place] if columns else {})})
        gt["annotations"][place]["image_id"] = image_id
    predictions = [cache.read(place) for place in range(len(names))]
    for path, content in ((manifest_path, manifest), (json_path, gt)):
        path.write_text(json.dumps(content))
    for image_id, one in zip(ids, predictions, strict=True):
        cache.write(dataclasses.replace(one, image_id=image_id))
    return open_store(cache.folder, json_path, pngs)
