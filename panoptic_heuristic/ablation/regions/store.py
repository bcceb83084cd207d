"""Regions of a cache's images, kept on disk beside the predictions.

A file of regions says which predictions and which ground truth it was made from. When either has
changed, it is made anew; predictions are never touched.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.ground_truth import find_gt
from panoptic_heuristic.ablation.regions.arrays import regions_of_arrays, regions_to_arrays
from panoptic_heuristic.ablation.regions.build import build_mapped_regions, build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays
from panoptic_heuristic.formats.arrays import read_arrays, read_checksum, write_arrays
from panoptic_heuristic.formats.coco_panoptic import (
    PanopticImage,
    PanopticJson,
    decode_panoptic_png,
    read_panoptic_json,
)
from panoptic_heuristic.formats.files import NotWrittenError, PathLike, inside, read_bytes
from panoptic_heuristic.formats.image_ids import ImageId, id_file_stem, id_order, twin_note

# Changes when the same predictions and ground truth would give other regions; their order does not matter.
_VERSION = "4"
# Likewise of label maps without islands.
_ISLANDS_VERSION = "1"


class RegionStore:
    """The regions of the images that a cache and a ground truth share, which must be all of the cache's.

    Attributes:
        cache: the predictions.
        gt: the ground truth's JSON.
        panoptic_root: the folder of its PNGs.
        image_ids: the cache's images, in the order of :func:`~panoptic_heuristic.formats.image_ids.id_order`.
    """

    def __init__(self, cache: PredictionCache, gt: PanopticJson, panoptic_root: PathLike):
        """
        Raises:
            InputError: the ground truth lacks an image of the cache, has another size of one, or other categories.
        """
        self.cache, self.gt, self.panoptic_root = cache, gt, Path(panoptic_root)
        _check_categories(cache, gt)
        self._image_of = _annotated(cache, gt)
        self.image_ids: Tuple[ImageId, ...] = tuple(sorted(self._image_of, key=id_order))

    def fingerprint(self, image_id: ImageId) -> str:
        """SHA-256, in hex, of all that the regions of an image depend on.

        Raises:
            InputError: a file is missing or damaged.
        """
        return self._fingerprint(image_id, self._png(image_id))

    def read(
        self,
        image_id: ImageId,
        *,
        with_best_stuff: bool = False,
        island_area_fraction: float = 0.0,
        fingerprint: Optional[str] = None,
    ) -> Regions:
        """The regions of an image, made if they are not there, damaged, or of something else.

        They are kept beside the predictions, unless nothing can be written there.

        Args:
            image_id: the image.
            with_best_stuff: whether they are told apart by their best stuff; the two kinds are kept
                beside each other.
            island_area_fraction: of the pipelines that they are for; the regions of each value are kept, too.
            fingerprint: that of :meth:`fingerprint`, if it is known already; spares reading the PNG of regions that
                are there.

        Raises:
            InputError: the predictions or the ground truth are missing or damaged.
        """
        path = self._path_of(image_id, with_best_stuff, island_area_fraction)
        png = None if fingerprint else self._png(image_id)
        made_from = fingerprint or self._fingerprint(image_id, png)
        if island_area_fraction > 0:
            made_from += f" without islands {_ISLANDS_VERSION} below {island_area_fraction!r}"
        # Those that are not there, damaged or not to be read are made anew.
        with contextlib.suppress(InputError):
            arrays = read_arrays(path)
            if _made_from(arrays, str(path)) == made_from.encode("ascii"):
                return regions_of_arrays(arrays, len(self.gt.categories), island_area_fraction, str(path))
        regions = build_regions(
            *self._sources(image_id, self._png(image_id) if png is None else png),
            with_best_stuff=with_best_stuff,
            island_area_fraction=island_area_fraction,
        )
        # A cache that may be read only, or a full disk, costs time and no more.
        with contextlib.suppress(NotWrittenError):
            origin = np.frombuffer(made_from.encode("ascii"), np.uint8)
            write_arrays(path, {**regions_to_arrays(regions), "made_from": origin})
        return regions

    def read_fused(self, image_id: ImageId, fused_ids: np.ndarray, island_area_fraction: float = 0.0) -> Regions:
        """The regions of an image told apart by a fused map, too; they are not kept.

        Args:
            image_id: the image.
            fused_ids: (H, W) integers, the map.
            island_area_fraction: of the pipeline that fused.

        Raises:
            InputError: the predictions or the ground truth are missing or damaged.
        """
        sources = self._sources(image_id, self._png(image_id))
        return build_regions(*sources, fused_ids=fused_ids, island_area_fraction=island_area_fraction)

    def read_mapped(
        self, image_id: ImageId, *, with_best_stuff: bool = False, island_area_fraction: float = 0.0
    ) -> Tuple[Regions, np.ndarray]:
        """The regions of an image, and (H, W) int32, the region of each pixel; they are not kept.

        Arguments and errors are those of :meth:`read`.
        """
        regions, runs = build_mapped_regions(
            *self._sources(image_id, self._png(image_id)),
            with_best_stuff=with_best_stuff,
            island_area_fraction=island_area_fraction,
        )
        return regions, runs.to_map()

    def gt_of(self, image_id: ImageId) -> Tuple[np.ndarray, Tuple[Mapping[str, Any], ...]]:
        """The ground truth of an image: (H, W) int32 ids, and its segments."""
        return self._gt(image_id, self._png(image_id))

    def _gt(self, image_id: ImageId, png: bytes) -> Tuple[np.ndarray, Tuple[Mapping[str, Any], ...]]:
        image = self._image_of[image_id]
        ids = decode_panoptic_png(png, self._png_path(image_id), height=image.height, width=image.width)
        return ids, image.segments_info

    def _fingerprint(self, image_id: ImageId, png: bytes) -> str:
        made_from = hashlib.sha256(_VERSION.encode("ascii"))
        made_from.update(read_checksum(self.cache.path_of(image_id)).encode("ascii"))
        made_from.update(self._meaning)
        made_from.update(png)
        made_from.update(json.dumps(_plain(self._image_of[image_id]), sort_keys=True).encode("ascii"))
        return made_from.hexdigest()

    @property
    def _meaning(self) -> bytes:
        manifest = self.cache.manifest
        return json.dumps([list(manifest.categories), sorted(manifest.label_to_category.items())]).encode("ascii")

    def _sources(self, image_id: ImageId, png: bytes) -> Tuple[Any, ...]:
        """The arguments of :func:`build_regions` for an image and the PNG of its ground truth."""
        manifest = self.cache.manifest
        predictions = self.cache.read(image_id)
        return (predictions, manifest.label_to_category, manifest.categories, *self._gt(image_id, png))

    def _png(self, image_id: ImageId) -> bytes:
        return read_bytes(self._png_path(image_id))

    def _png_path(self, image_id: ImageId) -> Path:
        return inside(self.panoptic_root, self._image_of[image_id].png_name)

    def _path_of(self, image_id: ImageId, with_best_stuff: bool, island_area_fraction: float) -> Path:
        kind = "regions_with_best_stuff" if with_best_stuff else "regions"
        if island_area_fraction > 0:
            kind += f"_without_islands_{island_area_fraction!r}"
        return self.cache.folder / kind / f"{id_file_stem(image_id)}.arrays"


def open_store(
    cache: Union[PathLike, RegionStore],
    panoptic_json: Optional[PathLike] = None,
    panoptic_root: Optional[PathLike] = None,
) -> RegionStore:
    """Opens a cache and the ground truth of its images.

    Args:
        cache: a folder of predictions, or a store, which is open already.
        panoptic_json: a COCO panoptic JSON; None for the one that was noted when the cache was made.
        panoptic_root: the folder of its PNGs; None likewise.

    Raises:
        InputError: ``cache`` is no path and no store, there is no cache or no ground truth, or they do not fit.
    """
    if isinstance(cache, RegionStore):
        return cache
    if not isinstance(cache, (str, os.PathLike)):
        raise InputError(f"cache must be a folder or a RegionStore, got {type(cache).__name__}")
    predictions = PredictionCache.open(cache)
    if (panoptic_json is None) != (panoptic_root is None):
        raise InputError("--gt-json and --gt-folder belong together: give both or none")
    if panoptic_json is None:
        panoptic_json, panoptic_root = find_gt(predictions.folder)
    return RegionStore(predictions, read_panoptic_json(panoptic_json), panoptic_root)


def _check_categories(cache: PredictionCache, gt: PanopticJson) -> None:
    ours, theirs = (
        {category.id: (category.name, category.isthing) for category in categories.values()}
        for categories in (cache.manifest.categories, gt.categories)
    )
    if ours != theirs:
        differing = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
        here, there = (found.get(differing[0], "not there") for found in (ours, theirs))
        raise InputError(
            f"{cache.folder} is a cache of another data set than {gt.path}: category {differing[0]} is {here} "
            f"in the cache and {there} in the JSON"
        )


def _annotated(cache: PredictionCache, gt: PanopticJson) -> Dict[ImageId, PanopticImage]:
    known = {image.image_id: image for image in gt.images}
    found: Dict[ImageId, PanopticImage] = {}
    missing: List[ImageId] = []
    for cached in cache.manifest.images:
        image = known.get(cached.image_id)
        if image is None or image.png_name is None:
            missing.append(cached.image_id)
        elif (image.height, image.width) != (cached.height, cached.width):
            raise InputError(
                f"image {cached.image_id} is {cached.width}x{cached.height} pixels in {cache.folder} and "
                f"{image.width}x{image.height} in {gt.path}: the cache is of another data set"
            )
        else:
            found[cached.image_id] = image
    if missing:
        raise InputError(
            f"{gt.path} has no annotation of {len(missing)} of the {len(cache.manifest.images)} images in "
            f"{cache.folder}, such as {missing[0]}: the cache is of another data set{twin_note(missing[0], known)}"
        )
    if not found:
        raise InputError(f"{cache.folder} is a cache of no image")
    return found


def _made_from(arrays: Mapping[str, np.ndarray], where: str) -> bytes:
    check_arrays(arrays, {"made_from": ArrayForm("bytes", ("L",))}, where)
    return arrays["made_from"].tobytes()


def _plain(image: PanopticImage) -> List[Any]:
    return [[segment["id"], segment["category_id"], segment.get("iscrowd", 0)] for segment in image.segments_info]
