"""Seeded scenes on disk: a prediction cache and its ground truth, as the commands take them."""

from pathlib import Path
from typing import Sequence, Tuple

import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.ablation.cache import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.predictions import NO_STUFF, ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.scenes import Scene, make_scene, write_ground_truth


def small_scenes(number: int, *, image_size: Tuple[int, int] = (48, 65), instances: int = 20) -> Sequence[Scene]:
    """Scenes of few pixels and categories, equal in every run."""
    return [
        make_scene(seed, image_size=image_size, instances=instances, things=5, stuff=6) for seed in range(number)
    ]


def scene_predictions(image_id: int, scene: Scene) -> ImagePredictions:
    """What the heads said, as it is kept; nothing is known of what needs logits."""
    labels, unknown = scene.semantic_labels, np.full(len(scene.scores), np.nan)
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
        semantics=SemanticRuns.of_maps(labels, np.where(labels == 0, NO_STUFF, labels), labels > 0),
    )


def write_cache(folder: Path, scenes: Sequence[Scene], *, score_floor: float = 0.0) -> Path:
    """Writes a complete cache; image k is the k-th scene.

    Args:
        folder: made if it is missing.
        scenes: at least one, all with the same categories.
        score_floor: what the manifest says was left out; the scenes' own scores are at least 0.05.

    Returns:
        The folder.
    """
    images = tuple(CachedImage(k, f"{k}.jpg", *scene.image_size) for k, scene in enumerate(scenes))
    manifest = Manifest(
        dataset_name="small",
        categories=scenes[0].categories,
        label_to_category=dict(enumerate(scenes[0].label_to_category)),
        images=images,
        floors=Floors(score_floor, None, None),
        has_logits=False,
        source={"made by": "tests"},
    )
    cache = PredictionCache.create(folder, manifest)
    for image_id, scene in enumerate(scenes):
        cache.write(scene_predictions(image_id, scene))
    return folder


def write_truth(folder: Path, scenes: Sequence[Scene]) -> Tuple[Path, Path]:
    """Writes the scenes' ground truth; image k is the k-th scene.

    Returns:
        The COCO panoptic JSON and the folder of its PNGs.
    """
    write_ground_truth(folder, scenes)
    return folder / "panoptic.json", folder / "panoptic"
