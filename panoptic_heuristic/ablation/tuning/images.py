"""The images of a cache as the tuner holds them: regions in memory, with what every setting needs of them.

Shape legend: N instances, G regions, T ground-truth segments, C categories in the order of the data
set's list.
"""

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Callable, Iterable, List

import numpy as np

from panoptic_heuristic.ablation.attribution.fused_regions import mask_pixels
from panoptic_heuristic.ablation.regions.build import Regions
from panoptic_heuristic.ablation.regions.claims import rank_by
from panoptic_heuristic.ablation.regions.counts import Scorer, stuff_of
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import calibration_features


@dataclass(frozen=True, eq=False)
class TuningImage:
    """One image.

    Attributes:
        regions: of the image.
        scorer: of its ground truth.
        places: (N,) int64, the place of each instance's category in the data set's list.
        segments: (C,) int64, ground-truth segments, crowds left out.
        stuff, stuff_place: see :func:`panoptic_heuristic.ablation.regions.counts.stuff_of`.
    """

    regions: Regions
    scorer: Scorer
    places: np.ndarray
    segments: np.ndarray
    stuff: np.ndarray
    stuff_place: np.ndarray

    @classmethod
    def of_regions(cls, regions: Regions, categories: Categories) -> "TuningImage":
        """Adds what is worked out once.

        Raises:
            InputError: an instance or a segment has a category that is not the data set's.
        """
        gt, where = regions.gt, f"of image {regions.image_id}"
        segments = _places(gt.category_ids, categories, f"a segment {where}")[~gt.iscrowd]
        return cls(
            regions,
            Scorer(gt, regions.gt_areas),
            _places(regions.category_ids, categories, f"an instance {where}"),
            np.bincount(segments, minlength=len(categories)),
            *stuff_of(regions, categories),
        )

    @cached_property
    def stuff_places(self) -> np.ndarray:
        """The place of each category of ``stuff`` in the data set's list."""
        # Semantic places count from 1 in that list's order, which is that of `stuff`.
        return np.unique(self.regions.semantic[self.stuff_place < len(self.stuff)]) - 1

    @cached_property
    def features(self) -> np.ndarray:
        """(N, 4) float64, see :func:`panoptic_heuristic.fusion.calibration_features`; NaN without a finite score.

        Raises:
            InputError: the semantic agreement of an instance is not known.
        """
        regions = self.regions
        if np.isnan(regions.semantic_agreement).any():
            raise InputError(
                f"the cache does not know how far the semantic labels of image {regions.image_id} agree with its "
                "instances, which the stage calibrated needs; leave that stage out, or make the cache anew"
            )
        finite = np.isfinite(regions.scores)
        features = np.full((len(finite), 4), np.nan)
        features[finite] = calibration_features(
            regions.scores[finite],
            regions.semantic_agreement[finite],
            regions.areas[finite],
            covered_by_better(regions)[finite],
        )
        return features

    @cached_property
    def shared_whole(self) -> np.ndarray:
        """(N, T + 2) int64: the pixels of each whole mask per place of the ground truth."""
        return mask_pixels(self.regions)


def covered_by_better(regions: Regions) -> np.ndarray:
    """(N,) float64 in [0, 1]: what :func:`panoptic_heuristic.fusion.covered_by_better` gives, from regions."""
    fractions = np.zeros(len(regions.scores))
    covered = np.zeros(len(regions.pixels), dtype=bool)
    for index in rank_by(regions.scores).tolist():
        inside = regions.members[index]
        under = regions.pixels[inside][covered[inside]].sum()
        fractions[index] = under / regions.areas[index] if len(inside) else 0.0
        covered[inside] = True
    return fractions


def load_images(
    store: RegionStore,
    *,
    calibrated: bool,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> List[TuningImage]:
    """All images of a cache, in the order of their ids; 5,000 like COCO's take one to two gigabytes.

    Args:
        store: predictions and ground truth.
        calibrated: whether the features of instances will be needed.
        workers: processes.
        progress: wraps the iterable of images, given their number; tqdm fits.

    Raises:
        InputError: a file is missing, damaged, or of something else.
    """
    work = functools.partial(_load, store, calibrated)
    with ordered_map(work, store.image_ids, workers=workers) as images:
        return list(progress(images, len(store.image_ids)))


def _load(store: RegionStore, calibrated: bool, image_id: int) -> TuningImage:
    regions = store.read(image_id)
    image = TuningImage.of_regions(regions, store.cache.manifest.categories)
    # Worked out now, so that processes that are forked later share it.
    _ = regions.areas, image.stuff_places
    if calibrated:
        _ = image.features, image.shared_whole
    # Three quarters of the memory: `members` are views of an array twice their size, and say what `covered` says.
    regions.__dict__["members"] = [inside.copy() for inside in regions.members]
    regions.__dict__.pop("covered", None)
    return image


def _places(category_ids: np.ndarray, categories: Categories, whose: str) -> np.ndarray:
    for category_id in category_ids.tolist():
        if category_id not in categories:
            raise InputError(f"{whose} has category {category_id}, which is not among the categories")
    return np.array([categories.place_of[category_id] for category_id in category_ids.tolist()], dtype=np.int64)


def segments_of(images: Iterable[TuningImage], categories: Categories) -> np.ndarray:
    """(C,) int64, ground-truth segments of some images."""
    return sum((image.segments for image in images), np.zeros(len(categories), dtype=np.int64))
