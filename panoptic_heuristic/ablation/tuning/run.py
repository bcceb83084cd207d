"""Tunes on every split of the images and counts its pipelines."""

import itertools
from dataclasses import replace
from functools import partial
from typing import Callable, Dict, Generator, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.ablation.tuning.ascents import Start
from panoptic_heuristic.ablation.tuning.borders import chosen_border, try_borders, with_border
from panoptic_heuristic.ablation.tuning.calibrated import FORMS, tune_calibrated
from panoptic_heuristic.ablation.tuning.classes import tune_classes
from panoptic_heuristic.ablation.tuning.counters import Counter, RegionCounter
from panoptic_heuristic.ablation.tuning.groups import chosen_groups
from panoptic_heuristic.ablation.tuning.images import Chosen
from panoptic_heuristic.ablation.tuning.islands import ISLAND_AREA_FRACTIONS, tune_islands
from panoptic_heuristic.ablation.tuning.pool import areas_of, images_of, is_exact
from panoptic_heuristic.ablation.tuning.reliability import Bin, count_reliability
from panoptic_heuristic.ablation.tuning.result import Tuned, TuningResult
from panoptic_heuristic.ablation.tuning.rounds import ascent_rounds, grid_rounds
from panoptic_heuristic.ablation.tuning.search import Search, run_searches, steps_of
from panoptic_heuristic.ablation.tuning.settings import STAGES, TuningSettings
from panoptic_heuristic.ablation.tuning.split_counts import all_of, count_splits
from panoptic_heuristic.ablation.tuning.splits import Split
from panoptic_heuristic.ablation.tuning.stuff import tune_stuff
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline

Progress = Callable[[Iterable, int], Iterable]


def run_tuning(
    counter: Counter,
    manifests: Sequence[Manifest],
    settings: TuningSettings,
    splits: Sequence[Split],
    *,
    groups: Optional[Sequence[int]] = None,
    pixels: Optional[Counter] = None,
    progress: Progress = lambda items, total: items,
) -> TuningResult:
    """Tunes on every split and counts its pipelines.

    Args:
        counter: of the images; on regions if ``settings.on_regions``.
        manifests: of their predictions, in this order.
        settings: what to tune.
        splits: of :func:`folds_of`, :func:`given_split` or :func:`split_at`.
        groups: the number of each image's group; None if each image is one.
        pixels: counts pipelines that are not exact on regions, if ``counter`` cannot.
        progress: wraps the iterable of steps, given their number; tqdm fits.

    Raises:
        InputError: the images of a split, or all that is held out, have no ground-truth segment; or a rule
            needs what is not known of an image.
    """
    held_out = [place for split in splits for place in split.held_out]
    for whose, places in (*(("to tune on", split.tuning) for split in splits), ("held out", held_out)):
        if not counter.segments(places).any():
            raise InputError(f"the {len(places)} images {whose} have no ground-truth segment; give more images")
    areas = areas_of(images_of(manifests))
    searches = _searches(settings, [float(np.median([areas[place] for place in split.tuning])) for split in splits])
    tuning = [split.tuning for split in splits]
    results: List[TuningResult] = []
    with_photos = counter if pixels is None else pixels
    of_islands = counter if isinstance(counter, RegionCounter) and counter.load is not None else None

    def counter_of(pipeline: Pipeline) -> Counter:
        return counter if pixels is None or is_exact(pipeline, manifests) else pixels

    def steps() -> Iterator[None]:
        yield from run_searches(searches, tuning, counter)
        _check(search.error for search in searches)
        best = [search.best for search in searches]
        if of_islands is not None:
            best = yield from tune_islands(best, tuning, of_islands)
        borders: List[Dict[str, float]] = [{} for _ in splits]
        if settings.tries_border:
            borders = yield from try_borders(best, tuning, counter, with_photos)
        tuned = [_with_global(settings, one) for one in best]
        for stage in settings.stages[1:]:
            assert isinstance(counter, RegionCounter)
            if stage == STAGES[1]:
                tuned = yield from _tune_classes(counter, settings, groups, splits, tuned)
            else:
                work = partial(_tune_calibrated, counter, settings, groups)
                tuned = yield from counter.mapped(work, list(zip(splits, tuned, strict=True)))
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
        tuned = [_with_border(one, pq) for one, pq in zip(tuned, borders, strict=True)]
        tuning_counts, held_out_counts = yield from count_splits(counter_of, splits, tuned, counter.categories)
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
        tried = {settings.pipeline.island_area_fraction, *ISLAND_AREA_FRACTIONS}
        rounds += len(tried) * counter.steps(tuning)
    if settings.tries_border:
        rounds += counter.steps(tuning) + with_photos.steps(tuning)
    later = (len(settings.stages) - 1) * len(splits)
    if STAGES[2] in settings.stages:
        later += sum(bool(split.held_out) for split in splits)
    counted = [all_of(split) for split in splits]
    last = counter.steps(counted) + (0 if pixels is None else pixels.steps(counted))
    for _ in progress(steps(), rounds + later + last):
        pass
    return results[0]


def _searches(settings: TuningSettings, image_areas: Sequence[float]) -> List[Search]:
    """Searches for global thresholds, given the median pixels of the images of each."""
    # A first round is thousands of pipelines, which are made once.
    first = {area: _search(settings, area) for area in dict.fromkeys(image_areas)}
    return [first[area].copy() for area in image_areas]


def _search(settings: TuningSettings, image_area: float) -> Search:
    """The search for global thresholds on images of so many pixels."""
    baselines, floor = settings.baselines, settings.score_floor
    if settings.on_regions:
        return Search(baselines.scaled, grid_rounds(baselines, score_floor=floor, image_area=image_area))
    return Search(baselines.start, ascent_rounds(baselines, score_floor=floor))


def _check(errors: Iterable[Optional[str]]) -> None:
    for error in errors:
        if error is not None:
            raise InputError(error)


def _with_global(settings: TuningSettings, best: Pipeline) -> Tuned:
    return Tuned({**settings.untuned, "global": best}, {})


def _with_border(tuned: Tuned, pq: Mapping[str, float]) -> Tuned:
    return replace(tuned, pipelines=with_border(tuned.pipelines, chosen_border(pq)), borders=pq) if pq else tuned


_Job = Tuple[Split, Tuned]
"""A split, and what the stages before have given on its tuning images. The next one sees no others."""


def _tune_classes(
    counter: RegionCounter,
    settings: TuningSettings,
    groups: Optional[Sequence[int]],
    splits: Sequence[Split],
    tuned: Sequence[Tuned],
) -> Generator[None, None, List[Tuned]]:
    """Adds values of single categories; splits of the same islands share regions. Yields once for each split."""
    alike: Dict[float, List[int]] = {}
    for number, one in enumerate(tuned):
        alike.setdefault(_last(one).island_area_fraction, []).append(number)
    parts = [some for numbers in alike.values() for some in _dealt(numbers, counter.workers)]
    jobs = [[(splits[number], tuned[number]) for number in part] for part in parts]
    found = yield from counter.mapped(partial(_tune_classes_of, counter, settings, groups), jobs)
    yield from [None] * (len(splits) - len(jobs))
    of_split = dict(zip(itertools.chain(*parts), itertools.chain(*found), strict=True))
    return [of_split[number] for number in range(len(splits))]


def _dealt(numbers: Sequence[int], workers: int) -> List[Sequence[int]]:
    """Some numbers, dealt out to workers; none gets nothing."""
    return [numbers[first::workers] for first in range(min(workers, len(numbers)))]


def _last(tuned: Tuned) -> Pipeline:
    return list(tuned.pipelines.values())[-1]


def _tune_classes_of(
    counter: RegionCounter, settings: TuningSettings, groups: Optional[Sequence[int]], jobs: Sequence[_Job]
) -> List[Tuned]:
    categories, shrinkage = counter.categories, settings.shrinkage
    images = counter.images(_last(jobs[0][1]).island_area_fraction)
    starts = [Start(split.tuning, _last(before), chosen_groups(groups, split.tuning)) for split, before in jobs]
    things = tune_classes(images, categories, starts, score_floor=settings.score_floor, shrinkage=shrinkage)
    found = []
    for start, (_, before), pipeline in zip(starts, jobs, things, strict=True):
        own = Chosen(images, start.places)
        both = tune_stuff(own, categories, pipeline, shrinkage=shrinkage, groups=start.groups)
        found.append(Tuned({**before.pipelines, "per_class": both}, {}))
    return found


def _tune_calibrated(
    counter: RegionCounter, settings: TuningSettings, groups: Optional[Sequence[int]], job: _Job
) -> Tuned:
    """Adds a calibrated probability."""
    split, before = job
    base = _last(before) if FORMS[settings.calibration].goes_on else before.pipelines["global"]
    found = tune_calibrated(
        counter.chosen(split.tuning, base.island_area_fraction),
        counter.categories,
        base,
        form=settings.calibration,
        score_floor=settings.score_floor,
        shrinkage=settings.shrinkage,
        groups=chosen_groups(groups, split.tuning),
    )
    return Tuned(
        {
            **before.pipelines,
            "calibrated": found.pipeline,
            "calibrated_by_rule": found.by_rule,
            "calibrated_one_cut": found.by_one_cut,
        },
        {
            "rounds": found.rounds,
            "one_cut": found.one_cut,
            "expected_iou": {str(key): value for key, value in found.calibration.expected_iou.items()},
            "default_expected_iou": found.calibration.default_iou,
            "examples": {str(key): list(value) for key, value in found.examples.items()},
        },
    )
