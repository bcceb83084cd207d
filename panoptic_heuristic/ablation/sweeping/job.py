"""A grid to be swept over a cache, and the parts that its images are dealt out to."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.image_ids import ImageId

BUCKETS = 100
FORMAT = 4


@dataclass(frozen=True)
class SweepJob:
    """A grid to be swept over a cache.

    Attributes:
        store: predictions and ground truth.
        grid: the settings.
        folder: where the counts go.

    Raises:
        InputError: the grid asks for instances, or has a rule that needs something, that the cache lacks.
    """

    store: RegionStore
    grid: Grid
    folder: Path

    def __post_init__(self):
        floor = self.store.cache.manifest.floors.instances_score_thresh
        lowest = min(pipeline.lowest_score_thresh for pipeline in self.grid.settings)
        if lowest < floor:
            raise InputError(
                f"the grid asks for instances_score_thresh {lowest:g}, but {self.store.cache.folder} holds no instance "
                f"with a score below {floor:g}; leave out the lower ones, or make another cache"
            )
        # Of settings with the same needs one is enough.
        for pipeline in {pipeline.needs: pipeline for pipeline in self.grid.settings}.values():
            try:
                self.store.cache.check_needs(pipeline)
            except InputError as error:
                raise InputError(f"the grid's {error}") from error

    @cached_property
    def by_regions(self) -> np.ndarray:
        """The numbers of the settings that are exact on regions."""
        floor = self.store.cache.manifest.floors.stuff_probability
        exact = [is_exact_on_regions(pipeline, floor) for pipeline in self.grid.settings]
        return np.flatnonzero(exact)

    @cached_property
    def by_pixels(self) -> np.ndarray:
        """The numbers of the other settings."""
        return np.setdiff1d(np.arange(len(self.grid)), self.by_regions)

    @cached_property
    def plan(self) -> SettingsPlan:
        """Of the settings that are exact on regions."""
        return SettingsPlan.of([self.grid.settings[number] for number in self.by_regions], self.categories)

    @property
    def categories(self) -> Categories:
        """Those of the cache, whose order the counts have."""
        return self.store.cache.manifest.categories

    def images_of(self, bucket: int) -> Tuple[ImageId, ...]:
        """The images of a bucket, by their place in the ordered list of all."""
        return self.store.image_ids[bucket::BUCKETS]

    @cached_property
    def fingerprints(self) -> Mapping[ImageId, str]:
        """The fingerprint of each image; worked out once, and handed on to the worker processes."""
        return {image_id: self.store.fingerprint(image_id) for image_id in self.store.image_ids}

    def manifest(self) -> Dict[str, Any]:
        """The content of ``sweep.json``, as JSON values."""
        cache = self.store.cache.manifest
        gt = hashlib.sha256()
        for image_id in self.store.image_ids:
            gt.update(self.fingerprints[image_id].encode("ascii"))
        return {
            "format": FORMAT,
            "buckets": BUCKETS,
            "grid": self.grid.to_json(),
            "dataset_name": cache.dataset_name,
            "categories": cache.categories.to_coco(),
            "images": len(self.store.image_ids),
            "floors": vars(cache.floors).copy(),
            "predictions": dict(cache.source),
            "fingerprint": gt.hexdigest(),
        }
