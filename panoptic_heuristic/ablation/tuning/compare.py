"""Pipelines side by side: the same predictions, every rule, published and tuned thresholds.

Images are cut into two halves at random. A pipeline is tuned on images of one half and counted on the
other, both ways, so that tuned thresholds, too, are counted on all images, and on none that they
were chosen by. All are searched in the same few steps, so that none has an advantage but its rules. In the search,
rules that are exact on regions are counted there; in the end all are fused pixel by pixel, and timed.
"""

import itertools
import statistics
from collections.abc import Mapping
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.ablation.cache.folder import Manifest
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts, resample_settings
from panoptic_heuristic.ablation.tuning.comparison import PUBLISHED, TUNED, Comparison, Difference, Row
from panoptic_heuristic.ablation.tuning.groups import Groups, group_numbers, sums_of_groups
from panoptic_heuristic.ablation.tuning.image_counts import Outcome
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter
from panoptic_heuristic.ablation.tuning.pool import ImagePool
from panoptic_heuristic.ablation.tuning.rounds import ascent_rounds
from panoptic_heuristic.ablation.tuning.search import Search, run_searches, steps_of
from panoptic_heuristic.ablation.tuning.splits import Split, folds_of
from panoptic_heuristic.ablation.tuning.thresholds import Baselines, raised_to_floor
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type, whole_number
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.fusion.argument_types import check_pipeline
from panoptic_heuristic.quality import summarize

HALVES = 2

_Key = Tuple[str, str]
"""A pipeline's name and its kind of thresholds."""


def compare(
    cache: Union[PathLike, RegionStore],
    pipelines: Mapping[str, Pipeline],
    *,
    reference: Optional[str] = None,
    groups: Optional[Groups] = None,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    tuning_images: int = 100,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> Comparison:
    """Tunes and counts pipelines on cached predictions.

    Args:
        cache: a folder of predictions, or an opened store.
        pipelines: by name, with the thresholds they come with. Those that need what the cache lacks are left
            out and named; an ``instances_score_thresh`` below the lowest score in the cache is raised to it.
        reference: the name of the one that gains are over; None for the first.
        groups: which images must not be parted, as for :func:`.tune`; None for no groups.
        gt_json: a COCO panoptic JSON; None for the ground truth that was noted when the cache was made.
        gt_folder: the folder of its PNGs; None likewise.
        tuning_images: of each half at most so many are tuned on, at least 1.
        seed: of the halves, of the images that are tuned on, and of the intervals; at least 0.
        workers: processes; only times depend on it.
        progress: wraps the iterable of steps, given their number; tqdm fits.

    Raises:
        InputError: a number is out of its interval, there is one image or group only, groups are wrong, a file is
            missing or damaged, the ground truth has no segment, there is no pipeline or something else in the place
            of one, or the reference is unknown or cannot fuse.
    """
    tuning_images, seed = whole_number("tuning_images", tuning_images, 1), whole_number("seed", seed, 0)
    workers = whole_number("workers", workers, 1)
    _check_pipelines(pipelines, reference)
    store = open_store(cache, gt_json, gt_folder)
    reference = next(iter(pipelines)) if reference is None else reference
    usable, failed, raised = _usable(store, pipelines)
    _check_reference(reference, failed)
    pool = ImagePool((store,))
    numbers = None if groups is None else group_numbers(groups, pool)
    halves = halves_of(len(store.image_ids), tuning_images, seed, numbers)
    run = _Run(PixelCounter(pool, workers), store.cache.manifest, usable, halves)
    for _ in progress(run.steps(), run.total):
        pass
    failed.update(run.failed)
    _check_reference(reference, failed)
    tuned_on = tuple(len(half.tuning) for half in halves)
    return Comparison(run.rows(reference, seed, numbers), failed, raised, reference, len(store.image_ids), tuned_on)


def halves_of(
    images: int, tuning_images: int, seed: int, groups: Optional[Sequence[int]] = None
) -> Tuple[Split, ...]:
    """The images to tune on, of one half of all, and the other half to count on; and the reverse.

    Raises:
        InputError: there is one image or group only.
    """
    rng = np.random.default_rng([seed, 1])
    return tuple(
        Split(tuple(sorted(rng.permutation(half.tuning)[:tuning_images].tolist())), half.held_out)
        for half in folds_of(images, HALVES, seed, groups)[:HALVES]
    )


def _check_pipelines(pipelines: Mapping[str, Pipeline], reference: Optional[str]) -> None:
    check_type("pipelines", pipelines, Mapping, "{'rap': Pipeline.preset('rap')}")
    if not pipelines:
        raise InputError("there is no pipeline to compare; give one or several, by name")
    for name, pipeline in pipelines.items():
        check_pipeline(pipeline, f"pipelines[{name!r}]")
    if reference is not None and reference not in pipelines:
        raise InputError(f"the reference must be one of {', '.join(pipelines)}, got {reference!r}")


def _usable(
    store: RegionStore, pipelines: Mapping[str, Pipeline]
) -> Tuple[Dict[str, Pipeline], Dict[str, str], Dict[str, float]]:
    """The pipelines that a cache can be fused by, why the others cannot, and the thresholds that were raised."""
    floor = store.cache.manifest.floors.instances_score_thresh
    usable: Dict[str, Pipeline] = {}
    refused: Dict[str, str] = {}
    raised: Dict[str, float] = {}
    for name, pipeline in pipelines.items():
        try:
            pipeline.check_categories(store.cache.manifest.categories)
            store.cache.check_needs(pipeline)
        except InputError as error:
            refused[name] = str(error)
            continue
        usable[name] = raised_to_floor(pipeline, floor)
        if usable[name] != pipeline:
            raised[name] = pipeline.lowest_score_thresh
    return usable, refused, raised


def _check_reference(reference: str, failed: Mapping[str, str]) -> None:
    if reference in failed:
        raise InputError(f"{reference}, which the others are compared with, fails: {failed[reference]}")


class _Run:
    """Tunes each pipeline on both halves, then counts each image by its published and its tuned thresholds.

    Args:
        counter: of the images.
        manifest: of their predictions.
        pipelines: by name.
        halves: of :func:`halves_of`.
    """

    def __init__(
        self,
        counter: PixelCounter,
        manifest: Manifest,
        pipelines: Mapping[str, Pipeline],
        halves: Sequence[Split],
    ):
        image_area = statistics.median(image.height * image.width for image in manifest.images)
        floor = manifest.floors.instances_score_thresh
        self._counter, self._pipelines = counter, pipelines
        self._half_of = {place: half for half, split in enumerate(halves) for place in split.held_out}
        self._searches = {
            (name, half): Search(pipeline, ascent_rounds(Baselines.of(pipeline, image_area), score_floor=floor))
            for name, pipeline in pipelines.items()
            for half in range(HALVES)
        }
        self._tuned_on = [halves[half].tuning for _, half in self._searches]
        self._outcomes: Dict[_Key, List[Outcome]] = {}

    @property
    def total(self) -> int:
        """The number of times that :meth:`steps` yields, at most."""
        return steps_of(list(self._searches.values()), self._tuned_on, self._counter) + len(self._half_of)

    @property
    def failed(self) -> Dict[str, str]:
        """The reasons for which pipelines could not fuse, by name."""
        found = [(name, search.error) for (name, _), search in self._searches.items()]
        found += ((name, one.error) for (name, _), outcomes in self._outcomes.items() for one in outcomes)
        return {name: error for name, error in found[::-1] if error is not None}

    def steps(self) -> Iterator[None]:
        """Yields after each image."""
        yield from run_searches(list(self._searches.values()), self._tuned_on, self._counter)
        kept = [name for name in self._pipelines if name not in self.failed]
        self._outcomes = {key: [] for key in itertools.product(kept, (PUBLISHED, TUNED))}
        # Rows that are the same on an image are fused once.
        wanted = [tuple(dict.fromkeys(self._pipeline(key, half) for key in self._outcomes)) for half in range(HALVES)]
        jobs = [(place, wanted[half]) for place, half in sorted(self._half_of.items())]
        for (place, pipelines), found in zip(jobs, self._counter.outcomes(jobs), strict=True):
            of_pipeline = dict(zip(pipelines, found, strict=True))
            for key, outcomes in self._outcomes.items():
                outcomes.append(of_pipeline[self._pipeline(key, self._half_of[place])])
            yield

    def rows(self, reference: str, seed: int, groups: Optional[Sequence[int]] = None) -> Tuple[Row, ...]:
        """The table, see :class:`Comparison`.

        Args:
            reference: the name of the pipeline that gains are over.
            seed: of the intervals.
            groups: the number of each image's group; None if each image is one.

        Raises:
            InputError: the ground truth has no segment.
        """
        kept = {key: outcomes for key, outcomes in self._outcomes.items() if key[0] not in self.failed}
        categories, keys = self._counter.categories, list(kept)
        images = [
            self._counter.counts_of(place, found) for place, found in enumerate(zip(*kept.values(), strict=True))
        ]
        total = sum(images, SettingCounts.zeros(len(categories), len(keys)))
        quality = [summarize(total.of_setting(number, categories), categories) for number in range(len(keys))]
        if any(summary.all is None for summary in quality):
            raise InputError("the ground truth of these images has no segment, so there is nothing to compare")
        units = images if groups is None else sums_of_groups(images, groups)
        drawn = resample_settings(units, range(len(keys)), categories, pair=(0, 1), seed=seed)

        def difference(number: int, other: int) -> Difference:
            pq = 100 * (quality[number].all.pq - quality[other].all.pq)
            return Difference(pq, None if drawn is None else drawn.difference(number, other))

        rows = []
        for number, (name, thresholds) in enumerate(keys):
            kinds = (PUBLISHED,) if thresholds == PUBLISHED else (PUBLISHED, TUNED)
            others = {kind: keys.index((reference, kind)) for kind in kinds}
            gains = {kind: difference(number, other) for kind, other in others.items() if other != number}
            key = name, thresholds
            pipelines = tuple(self._pipeline(key, half) for half in range(HALVES))
            milliseconds = 1000 * statistics.median(one.seconds for one in kept[key])
            rows.append(Row(name, thresholds, pipelines, quality[number], gains, milliseconds))
        return tuple(sorted(rows, key=lambda row: -row.quality.all.pq))

    def _pipeline(self, key: _Key, half: int) -> Pipeline:
        name, kind = key
        return self._pipelines[name] if kind == PUBLISHED else self._searches[name, half].best
