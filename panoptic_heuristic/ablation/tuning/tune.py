"""Finds settings on some of the images and counts them on the others.

The images are cut into folds: each is held out once, tuned without, and counted with what the others
gave; the counts of all folds are added. What is kept in the end is tuned on all images, and the held-out
PQ is what to expect of it. With a given split there is one such pair.
"""

import statistics
from functools import partial
from typing import Callable, Generator, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff, is_exact_on_regions
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.calibrated import tune_calibrated
from panoptic_heuristic.ablation.tuning.classes import tune_classes
from panoptic_heuristic.ablation.tuning.counters import Counter, RegionCounter
from panoptic_heuristic.ablation.tuning.files import check_names
from panoptic_heuristic.ablation.tuning.images import load_images
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter
from panoptic_heuristic.ablation.tuning.result import Tuned, TuningResult
from panoptic_heuristic.ablation.tuning.rounds import ascent_rounds, grid_rounds
from panoptic_heuristic.ablation.tuning.search import Search, run_searches, steps_of
from panoptic_heuristic.ablation.tuning.settings import BASELINES, STAGES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import DEFAULT_FOLDS, Split, folds_of, given_split
from panoptic_heuristic.ablation.tuning.stuff import tune_stuff
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline

Progress = Callable[[Iterable, int], Iterable]


def tune(
    cache: Union[PathLike, RegionStore],
    pipeline: Pipeline = DEFAULT_PIPELINE,
    *,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    stages: Optional[Sequence[str]] = None,
    shrinkage: float = 1.0,
    folds: Optional[int] = None,
    tuning_images: Optional[Sequence[int]] = None,
    seed: int = 0,
    workers: int = 1,
    progress: Progress = lambda items, total: items,
) -> TuningResult:
    """Tunes a pipeline on cached predictions, and counts it on images that were held out.

    Args:
        cache: a folder of predictions, or an opened store.
        pipeline: the rules, of any kind, and the thresholds to come from. Rules that are exact on regions
            have all stages, and thousands of settings are tried; of others a few, each fused pixel by pixel.
        gt_json: a COCO panoptic JSON; None for the ground truth that was noted when the cache was made.
        gt_folder: the folder of its PNGs; None likewise.
        stages: some of ``global``, ``per-class`` and ``calibrated``; None for all that the pipeline has.
        shrinkage: a category has values of its own if they gain more than so many standard errors.
        folds: random parts, each of which is held out once; None for 5, or for a given split.
        tuning_images: ids of the images to tune on, all others are held out; None for folds.
        seed: of the folds and the intervals.
        workers: processes; the result does not depend on it.
        progress: wraps iterables, given their length; tqdm fits.

    Raises:
        InputError: the cache or its ground truth is missing or damaged, lacks what a rule needs, or has no
            segments; a value is out of its interval; or both ``folds`` and ``tuning_images`` are given.
    """
    store = open_store(cache, gt_json, gt_folder)
    manifest = store.cache.manifest
    pipeline.check_categories(manifest.categories)
    store.cache.check_needs(pipeline)
    settings = TuningSettings(
        pipeline,
        is_exact_on_regions(pipeline, manifest.floors.stuff_probability),
        manifest.floors.instances_score_thresh,
        statistics.median(_areas(manifest)),
        None if stages is None else tuple(stages),
        shrinkage,
        seed,
    )
    if settings.stages != STAGES[:1]:
        check_names(manifest.categories)
    if folds is not None and tuning_images is not None:
        raise InputError("folds part the images at random, tuning_images by a list; give one of them")
    if tuning_images is None:
        splits = folds_of(len(store.image_ids), DEFAULT_FOLDS if folds is None else folds, seed)
    else:
        splits = given_split(store.image_ids, tuning_images)
    if settings.on_regions:
        images = load_images(
            store,
            with_best_stuff=asks_best_stuff(pipeline),
            calibrated=STAGES[2] in settings.stages,
            workers=workers,
            progress=progress,
        )
        counter: Counter = RegionCounter(images, manifest.categories, workers)
    else:
        counter = PixelCounter(store, workers)
    return run_tuning(counter, manifest, settings, splits, progress=progress)


def run_tuning(
    counter: Counter,
    manifest: Manifest,
    settings: TuningSettings,
    splits: Sequence[Split],
    *,
    progress: Progress = lambda items, total: items,
) -> TuningResult:
    """Tunes on every split and counts its pipelines.

    Args:
        counter: of the images; on regions if ``settings.on_regions``.
        manifest: of their predictions.
        settings: what to tune.
        splits: of :func:`folds_of` or :func:`given_split`.
        progress: wraps the iterable of steps, given their number; tqdm fits.

    Raises:
        InputError: the images of a split, or all that is held out, have no ground-truth segment; or a rule
            needs what is not known of an image.
    """
    held_out = [place for split in splits for place in split.held_out]
    for whose, places in (*(("to tune on", split.tuning) for split in splits), ("held out", held_out)):
        if not counter.segments(places).any():
            raise InputError(f"the {len(places)} images {whose} have no ground-truth segment; give more images")
    searches = [_search(settings, [_areas(manifest)[place] for place in split.tuning]) for split in splits]
    tuning = [split.tuning for split in splits]
    results: List[TuningResult] = []

    def steps() -> Iterator[None]:
        yield from run_searches(searches, tuning, counter)
        _check(search.error for search in searches)
        tuned = [_with_global(settings, search.best) for search in searches]
        for stage in settings.stages[1:]:
            assert isinstance(counter, RegionCounter)
            tuned = yield from counter.mapped(
                partial(_tune_stage, counter, settings, stage), list(zip(splits, tuned, strict=True))
            )
        results.append((yield from _counted(counter, manifest, settings, splits, tuned)))

    rounds = steps_of(searches, tuning, counter)
    later = (len(settings.stages) - 1) * len(splits)
    for _ in progress(steps(), rounds + later + counter.steps([_all_of(split) for split in splits])):
        pass
    return results[0]


def _areas(manifest: Manifest) -> List[int]:
    return [image.height * image.width for image in manifest.images]


def _search(settings: TuningSettings, areas: Sequence[int]) -> Search:
    """The search for global thresholds, on images of some areas."""
    baselines, floor = settings.baselines, settings.score_floor
    if settings.on_regions:
        rounds = grid_rounds(baselines, score_floor=floor, image_area=float(np.median(areas)))
        return Search(baselines.scaled, rounds)
    return Search(baselines.default, ascent_rounds(baselines, score_floor=floor))


def _check(errors: Iterable[Optional[str]]) -> None:
    for error in errors:
        if error is not None:
            raise InputError(error)


def _with_global(settings: TuningSettings, best: Pipeline) -> Tuned:
    baselines = settings.baselines
    named = zip((*BASELINES, "global"), (baselines.default, baselines.scaled, best), strict=True)
    return Tuned(dict(named), {})


def _tune_stage(counter: RegionCounter, settings: TuningSettings, stage: str, job: Tuple[Split, Tuned]) -> Tuned:
    """Adds a stage to what the stages before have given on the images of one split, and sees no other."""
    split, before = job
    images, categories = counter.chosen(split.tuning), counter.categories
    pipelines, last = dict(before.pipelines), list(before.pipelines.values())[-1]
    asked = {"score_floor": settings.score_floor, "shrinkage": settings.shrinkage}
    if stage == "per-class":
        things = tune_classes(images, categories, last, **asked)
        pipelines["per_class"] = tune_stuff(images, categories, things, shrinkage=settings.shrinkage)
        return Tuned(pipelines, {})
    found = tune_calibrated(images, categories, last, **asked)
    pipelines["calibrated"] = found.by_rule
    pipelines["calibrated_factor"] = found.by_factor
    pipelines["calibrated_one_cut"] = found.by_one_cut
    return Tuned(
        pipelines,
        {
            "rounds": found.rounds,
            "factor": found.factor,
            "one_cut": found.one_cut,
            "expected_iou": {str(key): value for key, value in found.calibration.expected_iou.items()},
            "default_expected_iou": found.calibration.default_iou,
        },
    )


def _all_of(split: Split) -> List[int]:
    return sorted((*split.tuning, *split.held_out))


def _counted(
    counter: Counter, manifest: Manifest, settings: TuningSettings, splits: Sequence[Split], tuned: Sequence[Tuned]
) -> Generator[None, None, TuningResult]:
    """Counts each split's pipelines on its images."""
    requests = [
        (_all_of(split), list(one.pipelines.values())) for split, one in zip(splits, tuned, strict=True)
    ]
    each = yield from counter.each(requests)
    _check(counter.failed.values())
    by_place = [dict(zip(places, counts, strict=True)) for (places, _), counts in zip(requests, each, strict=True)]
    zero = SettingCounts.zeros(len(counter.categories), len(tuned[0].pipelines))
    return TuningResult(
        manifest=manifest,
        settings=settings,
        splits=tuple(splits),
        tuned=tuple(tuned),
        tuning=tuple(
            sum((of_place[place] for place in split.tuning), zero)
            for split, of_place in zip(splits, by_place, strict=True)
        ),
        held_out=tuple(
            of_place[place] for split, of_place in zip(splits, by_place, strict=True) for place in split.held_out
        ),
    )
