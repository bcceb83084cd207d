"""The images of a cache in memory, as regions."""

import functools
from typing import Callable, Iterable, List

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.formats.workers import ordered_map


def load_images(
    store: RegionStore,
    *,
    with_best_stuff: bool,
    calibrated: bool,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> List[Regions]:
    """All images of a cache, in the order of their ids; 5,000 like COCO's take one to two gigabytes.

    Args:
        store: predictions and ground truth.
        with_best_stuff: regions are told apart by their best stuff.
        calibrated: the features of instances will be needed.
        workers: processes.
        progress: wraps the iterable of images, given their number; tqdm fits.

    Raises:
        InputError: a file is missing, damaged, or of something else.
    """
    work = functools.partial(_load, store, with_best_stuff, calibrated)
    with ordered_map(work, store.image_ids, workers=workers) as images:
        return list(progress(images, len(store.image_ids)))


def _load(store: RegionStore, with_best_stuff: bool, calibrated: bool, image_id: int) -> Regions:
    regions = store.read(image_id, with_best_stuff=with_best_stuff)
    categories = store.cache.manifest.categories
    # Raise if a category is unknown.
    regions.instance_places(categories)
    regions.gt.per_category(categories)
    # Worked out now, so that processes that are forked later share it.
    _ = regions.areas
    if calibrated:
        _ = regions.calibration_features, regions.masks_on_gt
    return regions
