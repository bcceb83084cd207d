"""Finds settings on some of the images and counts them on the others.

The images are cut into folds: each is held out once, tuned without, and counted with what the others
gave; the counts of all folds are added. What is kept in the end is tuned on all images, and the held-out
PQ is what to expect of it. With a given split there is one such pair.
"""

import os
import statistics
from functools import partial
from typing import Callable, Generator, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.ablation.cache.folder import CachedImage, Manifest
from panoptic_heuristic.ablation.cache.own_settings import default_of
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff, is_exact_on_regions
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibrated import DEFAULT_FORM, FORMS, tune_calibrated
from panoptic_heuristic.ablation.tuning.classes import tune_classes
from panoptic_heuristic.ablation.tuning.counters import Counter, RegionCounter
from panoptic_heuristic.ablation.tuning.files import check_names
from panoptic_heuristic.ablation.tuning.groups import Groups, chosen_groups, group_numbers
from panoptic_heuristic.ablation.tuning.images import load_images
from panoptic_heuristic.ablation.tuning.islands import ISLAND_AREA_FRACTIONS, tune_islands
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter
from panoptic_heuristic.ablation.tuning.pool import ImagePool, check_distinct, images_of
from panoptic_heuristic.ablation.tuning.reliability import Bin, count_reliability
from panoptic_heuristic.ablation.tuning.result import Tuned, TuningResult
from panoptic_heuristic.ablation.tuning.rounds import ascent_rounds, grid_rounds
from panoptic_heuristic.ablation.tuning.search import Search, run_searches, steps_of
from panoptic_heuristic.ablation.tuning.settings import STAGES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import (
    DEFAULT_FOLDS,
    Split,
    check_whole,
    folds_of,
    given_split,
    split_at,
)
from panoptic_heuristic.ablation.tuning.stuff import tune_stuff
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.fusion.argument_types import check_pipeline

Cache = Union[PathLike, RegionStore]
"""A folder of predictions, or an opened store."""

Progress = Callable[[Iterable, int], Iterable]


def tune(
    cache: Union[Cache, Sequence[Cache]],
    pipeline: Pipeline = DEFAULT_PIPELINE,
    *,
    report_cache: Optional[Cache] = None,
    groups: Optional[Groups] = None,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    stages: Optional[Sequence[str]] = None,
    calibration: str = DEFAULT_FORM,
    shrinkage: float = 1.0,
    folds: Optional[int] = None,
    tuning_images: Optional[Sequence[int]] = None,
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
    tuning_stores = [open_store(one, gt_json, gt_folder) for one in _listed(cache)]
    report_stores = [] if report_cache is None else [open_store(report_cache, gt_json, gt_folder)]
    pool = ImagePool((*tuning_stores, *report_stores))
    check_distinct(tuning_stores, report_stores)
    pipeline.check_categories(pool.categories)
    pool.check_needs(pipeline)
    own = ImagePool(tuple(tuning_stores))
    settings = TuningSettings(
        pipeline,
        default_of(tuning_stores[0].cache),
        _is_exact(pipeline, pool),
        pool.score_floor,
        statistics.median(_areas(own.images)),
        None if stages is None else tuple(stages),
        calibration,
        shrinkage,
        seed,
    )
    if settings.stages != STAGES[:1]:
        check_names(pool.categories)
    numbers = None if groups is None else group_numbers(groups, pool)
    if report_stores:
        splits: Tuple[Split, ...] = (split_at(len(own.images), len(pool.images)),)
    elif tuning_images is not None:
        splits = given_split([image.image_id for image in pool.images], tuning_images)
    else:
        splits = folds_of(len(pool.images), DEFAULT_FOLDS if folds is None else folds, seed, numbers)
    if numbers is not None:
        check_whole(splits[0], numbers, [f"image {image.image_id} ({image.file_name})" for image in pool.images])
    of_default = None
    if settings.on_regions:
        load = partial(
            load_images,
            pool.stores,
            with_best_stuff=asks_best_stuff(pipeline) or asks_best_stuff(settings.untuned["default"]),
            calibrated=STAGES[2] in settings.stages,
            workers=workers,
        )
        images = load(pipeline.island_area_fraction, progress=progress)
        counter: Counter = RegionCounter(images, pool.categories, workers, load)
        if not _is_exact(settings.untuned["default"], pool):
            of_default = PixelCounter(pool, workers)
    else:
        counter = PixelCounter(pool, workers)
    return run_tuning(
        counter,
        pool.manifests,
        settings,
        splits,
        groups=numbers,
        of_default=of_default,
        progress=progress,
    )


def _listed(cache: Union[Cache, Sequence[Cache]]) -> List[Cache]:
    if isinstance(cache, (str, os.PathLike, RegionStore)):
        return [cache]
    if not cache:
        raise InputError("there is no cache to tune on; give one or several")
    return list(cache)


def _is_exact(pipeline: Pipeline, pool: ImagePool) -> bool:
    """True if the regions of all caches say all that a pipeline looks at."""
    return all(is_exact_on_regions(pipeline, manifest.floors.stuff_probability) for manifest in pool.manifests)


def run_tuning(
    counter: Counter,
    manifests: Sequence[Manifest],
    settings: TuningSettings,
    splits: Sequence[Split],
    *,
    groups: Optional[Sequence[int]] = None,
    of_default: Optional[Counter] = None,
    progress: Progress = lambda items, total: items,
) -> TuningResult:
    """Tunes on every split and counts its pipelines.

    Args:
        counter: of the images; on regions if ``settings.on_regions``.
        manifests: of their predictions, in this order.
        settings: what to tune.
        splits: of :func:`folds_of`, :func:`given_split` or :func:`split_at`.
        groups: the number of each image's group; None if each image is one.
        of_default: counts the default, if ``counter`` cannot.
        progress: wraps the iterable of steps, given their number; tqdm fits.

    Raises:
        InputError: the images of a split, or all that is held out, have no ground-truth segment; or a rule
            needs what is not known of an image.
    """
    held_out = [place for split in splits for place in split.held_out]
    for whose, places in (*(("to tune on", split.tuning) for split in splits), ("held out", held_out)):
        if not counter.segments(places).any():
            raise InputError(f"the {len(places)} images {whose} have no ground-truth segment; give more images")
    areas = _areas(images_of(manifests))
    searches = [_search(settings, [areas[place] for place in split.tuning]) for split in splits]
    tuning = [split.tuning for split in splits]
    results: List[TuningResult] = []
    of_islands = counter if isinstance(counter, RegionCounter) and counter.load is not None else None

    def steps() -> Iterator[None]:
        yield from run_searches(searches, tuning, counter)
        _check(search.error for search in searches)
        best = [search.best for search in searches]
        if of_islands is not None:
            best = yield from tune_islands(best, tuning, of_islands)
        tuned = [_with_global(settings, one) for one in best]
        for stage in settings.stages[1:]:
            assert isinstance(counter, RegionCounter)
            tuned = yield from counter.mapped(
                partial(_tune_stage, counter, settings, stage, groups), list(zip(splits, tuned, strict=True))
            )
        reliability: Tuple[Bin, ...] = ()
        if STAGES[2] in settings.stages:
            assert isinstance(counter, RegionCounter)
            reliability = yield from count_reliability(
                counter,
                [
                    (split.held_out, one.pipelines["calibrated"])
                    for split, one in zip(splits, tuned, strict=True)
                    if split.held_out
                ],
            )
        tuning_counts, held_out_counts = yield from _counted(counter, of_default, splits, tuned)
        results.append(
            TuningResult(
                manifests=tuple(manifests),
                settings=settings,
                splits=tuple(splits),
                tuned=tuple(tuned),
                tuning=tuning_counts,
                held_out=held_out_counts,
                groups=None if groups is None else tuple(groups),
                reliability=reliability,
            )
        )

    rounds = steps_of(searches, tuning, counter)
    if of_islands is not None:
        rounds += (1 + len(ISLAND_AREA_FRACTIONS)) * counter.steps(tuning)
    later = (len(settings.stages) - 1) * len(splits)
    if STAGES[2] in settings.stages:
        later += sum(bool(split.held_out) for split in splits)
    counted = [_all_of(split) for split in splits]
    last = counter.steps(counted) + (0 if of_default is None else of_default.steps(counted))
    for _ in progress(steps(), rounds + later + last):
        pass
    return results[0]


def _areas(images: Sequence[CachedImage]) -> List[int]:
    return [image.height * image.width for image in images]


def _search(settings: TuningSettings, areas: Sequence[int]) -> Search:
    """The search for global thresholds, on images of some areas."""
    baselines, floor = settings.baselines, settings.score_floor
    if settings.on_regions:
        rounds = grid_rounds(baselines, score_floor=floor, image_area=float(np.median(areas)))
        return Search(baselines.scaled, rounds)
    return Search(baselines.start, ascent_rounds(baselines, score_floor=floor))


def _check(errors: Iterable[Optional[str]]) -> None:
    for error in errors:
        if error is not None:
            raise InputError(error)


def _with_global(settings: TuningSettings, best: Pipeline) -> Tuned:
    return Tuned({**settings.untuned, "global": best}, {})


def _tune_stage(
    counter: RegionCounter,
    settings: TuningSettings,
    stage: str,
    groups: Optional[Sequence[int]],
    job: Tuple[Split, Tuned],
) -> Tuned:
    """Adds a stage to what the stages before have given on the images of one split, and sees no other."""
    split, before = job
    pipelines, last = dict(before.pipelines), list(before.pipelines.values())[-1]
    images, categories = counter.chosen(split.tuning, last.island_area_fraction), counter.categories
    floor, shrinkage, numbers = settings.score_floor, settings.shrinkage, chosen_groups(groups, split.tuning)
    if stage == "per-class":
        things = tune_classes(images, categories, last, score_floor=floor, shrinkage=shrinkage, groups=numbers)
        pipelines["per_class"] = tune_stuff(images, categories, things, shrinkage=shrinkage, groups=numbers)
        return Tuned(pipelines, {})
    base = last if FORMS[settings.calibration].goes_on else pipelines["global"]
    found = tune_calibrated(
        images, categories, base, form=settings.calibration, score_floor=floor, shrinkage=shrinkage, groups=numbers
    )
    pipelines["calibrated"] = found.pipeline
    pipelines["calibrated_by_rule"] = found.by_rule
    pipelines["calibrated_one_cut"] = found.by_one_cut
    return Tuned(
        pipelines,
        {
            "rounds": found.rounds,
            "one_cut": found.one_cut,
            "expected_iou": {str(key): value for key, value in found.calibration.expected_iou.items()},
            "default_expected_iou": found.calibration.default_iou,
            "examples": {str(key): list(value) for key, value in found.examples.items()},
        },
    )


def _all_of(split: Split) -> List[int]:
    return sorted((*split.tuning, *split.held_out))


def _counted(
    counter: Counter, of_default: Optional[Counter], splits: Sequence[Split], tuned: Sequence[Tuned]
) -> Generator[None, None, Tuple[Tuple[SettingCounts, ...], Tuple[SettingCounts, ...]]]:
    """Counts each split's pipelines on its images.

    Returns:
        The counts of each split's own tuning images, and those of each held-out image.
    """
    all_pipelines = [list(one.pipelines.values()) for one in tuned]
    places = [_all_of(split) for split in splits]
    if of_default is None:
        each = yield from _each(counter, places, all_pipelines)
    else:
        # The default comes first.
        defaults = yield from _each(of_default, places, [pipelines[:1] for pipelines in all_pipelines])
        others = yield from _each(counter, places, [pipelines[1:] for pipelines in all_pipelines])
        each = [
            [one.beside(other) for one, other in zip(*counts, strict=True)]
            for counts in zip(defaults, others, strict=True)
        ]
    by_place = [dict(zip(of_split, counts, strict=True)) for of_split, counts in zip(places, each, strict=True)]
    zero = SettingCounts.zeros(len(counter.categories), len(all_pipelines[0]))
    return (
        tuple(
            sum((of_place[place] for place in split.tuning), zero)
            for split, of_place in zip(splits, by_place, strict=True)
        ),
        tuple(of_place[place] for split, of_place in zip(splits, by_place, strict=True) for place in split.held_out),
    )


def _each(
    counter: Counter, places: Sequence[List[int]], pipelines: Sequence[List[Pipeline]]
) -> Generator[None, None, List[List[SettingCounts]]]:
    """The counts of each image by some pipelines, for each split.

    Raises:
        InputError: a rule needs what is not known of an image.
    """
    found = yield from counter.each(list(zip(places, pipelines, strict=True)))
    _check(counter.failed.values())
    return found
