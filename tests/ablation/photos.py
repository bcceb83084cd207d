"""Photos of seeded scenes, or noise in their place, as files beside their caches."""

from pathlib import Path
from typing import Dict, Iterable, Sequence

import numpy as np
from PIL import Image

from panoptic_heuristic.ablation.cache.folder import CachedImage
from panoptic_heuristic.testing.scenes import Scene


def clear_photo(scene: Scene) -> np.ndarray:
    """(H, W, 3) uint8 RGB whose edges are the borders of the ground truth: there stuff should go."""
    grey = np.zeros(scene.image_size, dtype=np.uint8)
    for segment in scene.gt_segments:
        grey[scene.gt_ids == segment["id"]] = 20 + segment["category_id"] * 37 % 230
    return np.stack([grey] * 3, axis=-1)


def grey_photo(scene: Scene) -> np.ndarray:
    """One without an edge, by which borders are but smoothed: of these scenes' small stuff much is lost."""
    return np.full((*scene.image_size, 3), 128, dtype=np.uint8)


def write_photos(folder: Path, photos: Sequence[np.ndarray], first: int = 0) -> Dict[int, np.ndarray]:
    """Writes photos under the names that caches of scenes have, without loss; gives them by id."""
    folder.mkdir(exist_ok=True)
    by_id = dict(enumerate(photos, start=first))
    for image_id, photo in by_id.items():
        Image.fromarray(photo).save(folder / f"{image_id}.jpg", format="PNG")
    return by_id


def write_noise(folder: Path, images: Iterable[CachedImage]) -> None:
    """Writes noise under the names of images and in their sizes, for what only shows photos."""
    folder.mkdir()
    for image in images:
        noise = np.random.default_rng(image.image_id).integers(0, 255, (image.height, image.width, 3))
        Image.fromarray(noise.astype(np.uint8)).save(folder / image.file_name)
