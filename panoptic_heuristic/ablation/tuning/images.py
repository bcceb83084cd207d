"""The images of caches in memory, as regions."""

import functools
from typing import Callable, Iterable, List, Sequence

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.workers import ordered_map


def load_images(
    stores: Sequence[RegionStore],
    island_area_fraction: float,
    *,
    with_best_stuff: bool,
    calibrated: bool,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> List[Regions]:
    """All images of some caches, in the order of their ids in each; 5,000 like COCO's take one to two gigabytes.

    Args:
        stores: predictions and ground truth.
        island_area_fraction: of the pipelines that will be counted.
        with_best_stuff: regions are told apart by their best stuff.
        calibrated: the features of instances will be needed.
        workers: processes.
        progress: wraps the iterable of each cache's images, given their number; tqdm fits.

    Raises:
        InputError: a file is missing, damaged, or of something else.
    """
    found: List[Regions] = []
    for store in stores:
        work = functools.partial(_load, store, with_best_stuff, calibrated, island_area_fraction)
        with ordered_map(work, store.image_ids, workers=workers) as images:
            found += progress(images, len(store.image_ids))
    return found


def _load(
    store: RegionStore, with_best_stuff: bool, calibrated: bool, island_area_fraction: float, image_id: ImageId
) -> Regions:
    regions = store.read(image_id, with_best_stuff=with_best_stuff, island_area_fraction=island_area_fraction)
    categories = store.cache.manifest.categories
    # Raise if a category is unknown.
    regions.instance_places(categories)
    regions.gt.per_category(categories)
    # Worked out now, so that processes that are forked later share it.
    _ = regions.areas
    if calibrated:
        _ = regions.calibration_features, regions.masks_on_gt
    return regions
