"""Caches and their ground truth on disk, of images that hold what is hard to get right."""

from pathlib import Path
from typing import Sequence

from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import write_panoptic_png
from panoptic_heuristic.formats.files import write_json
from tests.ablation.random_images import (
    BEST_STUFF_FLOOR,
    CATEGORIES,
    LABELS,
    RandomImage,
    random_image,
    with_best_stuff,
    with_measures,
)


def hard_images(number: int) -> Sequence[RandomImage]:
    """Images with instances and semantic labels, equal in every run."""
    images = []
    for seed in range(10 * number):
        image = with_best_stuff(with_measures(random_image(seed)))
        if image.predictions.semantics is not None and len(image.predictions.scores):
            images.append(image)
    return images[:number]


def random_store(
    folder: Path, images: Sequence[RandomImage], categories: Categories = CATEGORIES, name: str = "{}.png"
) -> RegionStore:
    """A cache of random images, and their ground truth; ``name`` is the form of the images' names."""
    sizes = {image.predictions.image_id: image.predictions.image_size for image in images}
    manifest = Manifest(
        dataset_name="random",
        categories=categories,
        label_to_category=LABELS,
        images=tuple(CachedImage(key, name.format(key), *size) for key, size in sizes.items()),
        floors=Floors(0.0, None, BEST_STUFF_FLOOR),
        has_logits=False,
        source={"made by": "tests"},
    )
    cache = PredictionCache.create(folder / "cache", manifest)
    annotations = []
    (folder / "panoptic").mkdir()
    for image in images:
        cache.write(image.predictions)
        image_id = image.predictions.image_id
        write_panoptic_png(folder / "panoptic" / f"{image_id}.png", image.gt_ids)
        segments = [{**one, "area": int((image.gt_ids == one["id"]).sum())} for one in image.gt_segments]
        annotations.append({"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": segments})
    write_json(
        folder / "panoptic.json",
        {
            "images": [
                {"id": key, "file_name": f"{key}.png", "height": size[0], "width": size[1]}
                for key, size in sizes.items()
            ],
            "annotations": annotations,
            "categories": categories.to_coco(),
        },
    )
    return open_store(cache.folder, folder / "panoptic.json", folder / "panoptic")
