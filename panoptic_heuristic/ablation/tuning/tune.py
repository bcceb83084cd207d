"""Finds settings on some of the images and counts them on the others.

The images are cut into folds: each is held out once, tuned without, and counted with what the others
gave; the counts of all folds are added. What is kept in the end is tuned on all images, and the held-out
PQ is what to expect of it. With a given split there is one such pair.
"""

import os
import statistics
from functools import partial
from pathlib import Path
from typing import List, Optional, Sequence, Tuple, Union

from panoptic_heuristic.ablation.cache.own_settings import default_of
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.tuning.calibrated import DEFAULT_FORM
from panoptic_heuristic.ablation.tuning.counters import Counter, RegionCounter
from panoptic_heuristic.ablation.tuning.files import check_names
from panoptic_heuristic.ablation.tuning.groups import Groups, group_numbers
from panoptic_heuristic.ablation.tuning.images import Memory, load_images
from panoptic_heuristic.ablation.tuning.photos import check_photos
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter
from panoptic_heuristic.ablation.tuning.pool import ImagePool, areas_of, check_distinct, is_exact
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.run import Progress, run_tuning
from panoptic_heuristic.ablation.tuning.settings import STAGES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import (
    DEFAULT_FOLDS,
    Split,
    check_whole,
    folds_of,
    given_split,
    split_at,
)
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import listed, whole_number
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, NoRefinement, Pipeline
from panoptic_heuristic.fusion.argument_types import check_pipeline

Cache = Union[PathLike, RegionStore]
"""A folder of predictions, or an opened store."""


def tune(
    cache: Union[Cache, Sequence[Cache]],
    pipeline: Pipeline = DEFAULT_PIPELINE,
    *,
    report_cache: Optional[Cache] = None,
    groups: Optional[Groups] = None,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    image_root: Optional[Union[PathLike, Sequence[PathLike]]] = None,
    stages: Optional[Sequence[str]] = None,
    calibration: str = DEFAULT_FORM,
    shrinkage: float = 1.0,
    folds: Optional[int] = None,
    tuning_images: Optional[Sequence[ImageId]] = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = lambda items, total: items,
) -> TuningResult:
    """Tunes a pipeline on cached predictions, and counts it on images that were held out.

    Args:
        cache: a folder of predictions, or an opened store; or several, of one model and data set, whose images are
            told apart by their ids.
        pipeline: the rules, of any kind, and the thresholds to start from. Rules that are exact on regions
            have all stages, and thousands of settings are tried; of others a few, each fused pixel by pixel.
        report_cache: predictions of other images, all of which are held out; None to hold out some of ``cache``.
        groups: which images must not be parted, as frames of a video: ``column:NAME``, ``name:PATTERN`` or
            ``blocks:N``, see :mod:`panoptic_heuristic.ablation.tuning.groups`; or a label for each image, ascending
            by id, cache by cache, those of ``report_cache`` last. Intervals take a group as one. None for no groups.
        gt_json: a COCO panoptic JSON of all images; None for the ground truth that was noted when a cache was made.
        gt_folder: the folder of its PNGs; None likewise.
        image_root: the folder of the images, or one for each cache, that of ``report_cache`` last. With it the border
            rule ``guided_filter`` is tried for rules that have none, and rules may look at images; None for neither.
        stages: some of ``global``, ``per-class`` and ``calibrated``; None for all that the pipeline has.
        calibration: ``shared``, a probability whose slopes all categories share; or ``per-class``, slopes of each
            category, which fit the tuning images more closely.
        shrinkage: a category has values of its own if they gain more than so many standard errors.
        folds: random parts, each of which is held out once; None for 5, or for a given split.
        tuning_images: ids of the images to tune on, all others are held out; None for folds.
        seed: of the folds and the intervals.
        workers: processes; the result does not depend on it.
        progress: wraps iterables, given their length; tqdm fits.

    Raises:
        InputError: a cache or its ground truth is missing or damaged, lacks what a rule needs, or has no
            segments; caches do not fit each other; groups are wrong or fewer than the folds; a value is out of its
            interval; or two of ``folds``, ``tuning_images`` and ``report_cache`` are given.
    """
    if sum(one is not None for one in (folds, tuning_images, report_cache)) > 1:
        raise InputError(
            "folds part the images at random, tuning_images by a list, and a report cache has others; give one of them"
        )
    check_pipeline(pipeline)
    workers = whole_number("workers", workers, 1)
    tuning_stores = [open_store(one, gt_json, gt_folder) for one in _listed(cache)]
    report_stores = [] if report_cache is None else [open_store(report_cache, gt_json, gt_folder)]
    stores = (*tuning_stores, *report_stores)
    pool = ImagePool(stores, None if image_root is None else _image_roots(image_root, len(stores)))
    check_distinct(tuning_stores, report_stores)
    pipeline.check_categories(pool.categories)
    pool.check_needs(pipeline)
    own = ImagePool(tuple(tuning_stores))
    settings = TuningSettings(
        pipeline,
        default_of(tuning_stores[0].cache, has_images=image_root is not None),
        is_exact(pipeline, pool.manifests),
        pool.score_floor,
        statistics.median(areas_of(own.images)),
        None if stages is None else listed("stages", stages, "['global']"),
        calibration,
        shrinkage,
        seed,
        tries_border=image_root is not None and type(pipeline.border) is NoRefinement,
    )
    if settings.stages != STAGES[:1]:
        check_names(pool.categories)
    numbers = None if groups is None else group_numbers(groups, pool)
    if report_stores:
        splits: Tuple[Split, ...] = (split_at(len(own.images), len(pool.images)),)
    elif tuning_images is not None:
        tuned_on = listed("tuning_images", tuning_images, "[1, 2, 3]")
        splits = given_split([image.image_id for image in pool.images], tuned_on)
    else:
        splits = folds_of(len(pool.images), DEFAULT_FOLDS if folds is None else folds, seed, numbers)
    if numbers is not None:
        check_whole(splits[0], numbers, [f"image {image.image_id} ({image.file_name})" for image in pool.images])
    check_photos(pool, workers=workers, progress=progress)
    pixels = None
    if settings.on_regions:
        load = partial(
            load_images,
            pool.stores,
            with_best_stuff=asks_best_stuff(pipeline) or asks_best_stuff(settings.untuned["default"]),
            calibrated=STAGES[2] in settings.stages,
            memory=Memory(),
            workers=workers,
        )
        images = load(pipeline.island_area_fraction, progress=progress)
        counter: Counter = RegionCounter(images, pool.categories, workers, load)
        if settings.tries_border or not is_exact(settings.untuned["default"], pool.manifests):
            pixels = PixelCounter(pool, workers)
    else:
        counter = PixelCounter(pool, workers)
    return run_tuning(
        counter,
        pool.manifests,
        settings,
        splits,
        groups=numbers,
        pixels=pixels,
        progress=progress,
    )


def _listed(cache: Union[Cache, Sequence[Cache]]) -> List[Cache]:
    if isinstance(cache, (str, os.PathLike, RegionStore)):
        return [cache]
    if not cache:
        raise InputError("there is no cache to tune on; give one or several")
    return list(listed("cache", cache, "['cache_a', 'cache_b']"))


def _image_roots(image_root: Union[PathLike, Sequence[PathLike]], caches: int) -> Tuple[Path, ...]:
    """The folder of each cache's images."""
    roots = [image_root] if isinstance(image_root, (str, os.PathLike)) else list(image_root)
    if len(roots) not in (1, caches):
        raise InputError(
            f"image_root must be one folder, or one for each of the {caches} caches, that of report_cache last; "
            f"got {len(roots)}"
        )
    return tuple(map(Path, roots * caches if len(roots) == 1 else roots))
