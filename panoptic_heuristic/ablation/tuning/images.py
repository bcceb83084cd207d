"""The images of caches as regions: as many in memory as it has room for, the others read again when needed."""

import functools
import weakref
from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.workers import ordered_map

MOST_BYTES = 2**27
"""Of the regions that a tuning holds: some 380 images of 640x480 with 100 detections."""


class Memory:
    """The room that several sets of images share, such as those for several sizes of islands.

    Images that are there stay until those of another set need their room. One that finds none is read each time it is
    needed: of images that are gone through in turn, letting the oldest go would leave none of use.

    Args:
        most_bytes: that all may take.
    """

    def __init__(self, most_bytes: int = MOST_BYTES):
        self._most_bytes = most_bytes
        self._bytes_of: "weakref.WeakKeyDictionary[StoredImages, int]" = weakref.WeakKeyDictionary()

    def take(self, images: "StoredImages", size: int) -> bool:
        """Takes room for another image of a set, which others may have to make; False if there is not enough."""
        for other in [one for one in self._bytes_of if one is not images]:
            if self.used + size <= self._most_bytes:
                break
            other.let_go()
            del self._bytes_of[other]
        if self.used + size > self._most_bytes:
            return False
        self._bytes_of[images] = self._bytes_of.get(images, 0) + size
        return True

    @property
    def used(self) -> int:
        """Bytes."""
        return sum(self._bytes_of.values())


class StoredImages(Sequence[Regions]):
    """All images of some caches, in the order of their ids in each. Get one from :func:`load_images`.

    Args:
        read: reads one.
        images: the cache and the id of each.
        memory: to hold them in.
    """

    def __init__(
        self,
        read: Callable[[RegionStore, ImageId], Regions],
        images: Sequence[Tuple[RegionStore, ImageId]],
        memory: Memory,
    ):
        self._read, self._images, self._memory = read, images, memory
        self._held: Dict[int, Regions] = {}
        # Dear to work out, and small.
        self._features: Dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, place):
        if isinstance(place, slice):
            return Chosen(self, range(len(self))[place])
        regions = self._held.get(place)
        if regions is None:
            regions = self._read(*self._images[place])
            self.hold(place, regions)
        return regions

    def hold(self, place: int, regions: Regions) -> None:
        """Holds an image if there is room, but for what is worked out anew each time."""
        if place in self._features:
            vars(regions)["calibration_features"] = self._features[place]
        elif "calibration_features" in vars(regions):
            self._features[place] = regions.calibration_features
        if self._memory.take(self, _bytes_of(regions)):
            self._held[place] = regions

    def let_go(self) -> None:
        """Lets go of all images."""
        self._held = {}


class Chosen(Sequence[Regions]):
    """Some images of others.

    Args:
        images: all.
        places: of those that are chosen.
    """

    def __init__(self, images: Sequence[Regions], places: Sequence[int]):
        self._images, self._places = images, places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number):
        if isinstance(number, slice):
            return Chosen(self._images, self._places[number])
        return self._images[self._places[number]]


def load_images(
    stores: Sequence[RegionStore],
    island_area_fraction: float,
    *,
    with_best_stuff: bool,
    calibrated: bool,
    memory: Optional[Memory] = None,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> StoredImages:
    """All images of some caches, in the order of their ids in each; each is read once now, so that errors are early.

    Args:
        stores: predictions and ground truth.
        island_area_fraction: of the pipelines that will be counted.
        with_best_stuff: regions are told apart by their best stuff.
        calibrated: the features of instances will be needed.
        memory: to hold them in; None for one of their own.
        workers: processes.
        progress: wraps the iterable of each cache's images, given their number; tqdm fits.

    Raises:
        InputError: a file is missing, damaged, or of something else.
    """
    images = [(store, image_id) for store in stores for image_id in store.image_ids]
    read = functools.partial(_read, with_best_stuff, island_area_fraction)
    found = StoredImages(read, images, Memory() if memory is None else memory)
    place = 0
    for store in stores:
        work = functools.partial(_load, read, calibrated, store)
        with ordered_map(work, store.image_ids, workers=workers) as results:
            for regions in progress(results, len(store.image_ids)):
                found.hold(place, regions)
                place += 1
    return found


def _load(
    read: Callable[[RegionStore, ImageId], Regions], calibrated: bool, store: RegionStore, image_id: ImageId
) -> Regions:
    """An image, with what is worth working out once: now, so that processes that are forked later share it."""
    regions = read(store, image_id)
    categories = store.cache.manifest.categories
    # Raise if a category is unknown.
    regions.instance_places(categories)
    regions.gt.per_category(categories)
    if calibrated:
        _ = regions.calibration_features, regions.masks_on_gt
    return regions


def _read(with_best_stuff: bool, island_area_fraction: float, store: RegionStore, image_id: ImageId) -> Regions:
    regions = store.read(image_id, with_best_stuff=with_best_stuff, island_area_fraction=island_area_fraction)
    _ = regions.areas
    return regions


def _bytes_of(regions: Regions) -> int:
    """Of an image in memory, its members worked out."""
    arrays = (regions.member_regions, *vars(regions).values())
    return sum(one.nbytes for one in {id(one): one for one in arrays if isinstance(one, np.ndarray)}.values())
