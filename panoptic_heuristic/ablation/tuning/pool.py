"""The images of one or several caches in one list, in which each goes by its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.cache.folder import CachedImage, Manifest
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage
from panoptic_heuristic.formats.image_ids import ImageId, check_no_twins, id_order
from panoptic_heuristic.fusion import Pipeline


class Place(NamedTuple):
    """Where all that is known of an image lies.

    Attributes:
        store: predictions and ground truth.
        image_id: its id there.
        image_root: the folder of the images, for the rules that look at them; or None.
    """

    store: RegionStore
    image_id: ImageId
    image_root: Optional[Path] = None


@dataclass(frozen=True)
class ImagePool:
    """The images of some caches, one cache after the other, ascending by id in each.

    Attributes:
        stores: at least one.
        image_roots: the folder of each one's images; None without images.

    Raises:
        InputError: the caches have different categories.
    """

    stores: Tuple[RegionStore, ...]
    image_roots: Optional[Tuple[Path, ...]] = None

    def __post_init__(self):
        for other in self.stores[1:]:
            _check_same_categories(self.stores[0], other)

    @property
    def manifests(self) -> Tuple[Manifest, ...]:
        """The manifest of each cache."""
        return tuple(store.cache.manifest for store in self.stores)

    @property
    def categories(self) -> Categories:
        """The data set's."""
        return self.manifests[0].categories

    @property
    def score_floor(self) -> float:
        """The lowest score that instances of all caches may have."""
        return max(manifest.floors.instances_score_thresh for manifest in self.manifests)

    @property
    def places(self) -> List[Place]:
        """Where each image lies."""
        roots = [None] * len(self.stores) if self.image_roots is None else self.image_roots
        return [
            Place(store, image_id, root)
            for store, root in zip(self.stores, roots, strict=True)
            for image_id in store.image_ids
        ]

    @property
    def images(self) -> List[CachedImage]:
        """Name and size of each image."""
        return images_of(self.manifests)

    def check_needs(self, pipeline: Pipeline) -> None:
        """Raises if a pipeline needs what a cache has not kept.

        Raises:
            InputError: names the rule, what it needs, and what would keep that.
        """
        for store in self.stores:
            store.cache.check_needs(pipeline, has_images=self.image_roots is not None)


def images_of(manifests: Sequence[Manifest]) -> List[CachedImage]:
    """The images of some caches, one cache after the other."""
    return [image for manifest in manifests for image in manifest.images]


def is_exact(pipeline: Pipeline, manifests: Sequence[Manifest]) -> bool:
    """True if the regions of all caches say all that a pipeline looks at."""
    return all(is_exact_on_regions(pipeline, manifest.floors.stuff_probability) for manifest in manifests)


def areas_of(images: Sequence[CachedImage]) -> List[int]:
    """The pixels of some images."""
    return [image.height * image.width for image in images]


def check_distinct(tuning: Sequence[RegionStore], report: Sequence[RegionStore]) -> None:
    """Raises if an image is there twice.

    Images to tune on are told apart by their ids, across caches. Those of a cache to report on may have ids of
    others; an image is the same if all that the ground truth says of it is.

    Raises:
        InputError: names the image and the caches.
    """
    for place, store in enumerate(tuning):
        for other in tuning[:place]:
            if both := sorted(set(store.image_ids) & set(other.image_ids), key=id_order):
                raise InputError(
                    f"image {both[0]}, one of {len(both)}, is in {other.cache.folder} and in {store.cache.folder}; ids "
                    "tell the images to tune on apart: give caches of different ids"
                )
            check_no_twins(store.image_ids, other.image_ids, str(store.cache.folder), str(other.cache.folder))
    for store in report:
        for other in tuning:
            known = _annotated(other)
            if both := [image_id for image_id, one in _annotated(store).items() if known.get(image_id) == one]:
                raise InputError(
                    f"image {both[0]}, one of {len(both)}, is to be tuned on, in {other.cache.folder}, and reported "
                    f"on, in {store.cache.folder}; report on images that are not tuned on"
                )


def _annotated(store: RegionStore) -> Dict[ImageId, PanopticImage]:
    """The images of a cache as the ground truth has them, by id."""
    cached = set(store.image_ids)
    return {image.image_id: image for image in store.gt.images if image.image_id in cached}


def _check_same_categories(first: RegionStore, second: RegionStore) -> None:
    ours, theirs = (
        [(one.id, one.name, one.kind) for one in store.cache.manifest.categories.values()] for store in (first, second)
    )
    if ours == theirs:
        return
    place = next((k for k, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    place = min(len(ours), len(theirs)) if place is None else place
    told = ["{0} {1!r}, {2}".format(*one[place]) if place < len(one) else "none" for one in (ours, theirs)]
    raise InputError(
        f"{first.cache.folder} and {second.cache.folder} have different categories: number {place + 1} is "
        f"{told[0]} in the one and {told[1]} in the other; give caches of one data set"
    )
