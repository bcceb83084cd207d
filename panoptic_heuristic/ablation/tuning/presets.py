"""Presets side by side: the same predictions, every rule, published and tuned thresholds.

Images are cut into two halves at random. A preset is tuned on images of one half and counted on the
other, both ways, so that tuned thresholds, too, are counted on all images, and on none that they
were chosen by.
"""

import functools
import itertools
import statistics
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.tuning.parts import Part, fold_parts
from panoptic_heuristic.ablation.tuning.preset_measure import Measured, measure_image
from panoptic_heuristic.ablation.tuning.preset_tuning import Tuning
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import CountTables, Interval, PQCounts, Summary, add_counts, resample, summarize

HALVES = 2
PUBLISHED, TUNED = "published", "tuned"
"""Kinds of thresholds."""

_Key = Tuple[str, str]
"""A preset's name and its kind of thresholds."""


@dataclass(frozen=True)
class ComparisonJob:
    """What to compare.

    Attributes:
        store: predictions and ground truth.
        presets: pipelines with published thresholds by name; no cutoff is below the cache's floor.
        reference: the name of the one that gains are over.
        tuning_images: of each half at most so many are tuned on, at least 1.
        seed: of the halves, of which images are tuned on, and of the intervals.

    Raises:
        InputError: a number is out of its interval.
    """

    store: RegionStore
    presets: Mapping[str, Pipeline]
    reference: str
    tuning_images: int = 100
    seed: int = 0

    def __post_init__(self):
        for name, least in (("tuning_images", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @property
    def categories(self) -> Categories:
        """The data set's."""
        return self.store.cache.manifest.categories

    def halves(self) -> Tuple[Part, ...]:
        """The images to tune on, of one half of all, and the other half to count on; and the reverse.

        Raises:
            InputError: there is one image only.
        """
        rng = np.random.default_rng([self.seed, 1])
        parts = fold_parts(len(self.store.image_ids), HALVES, self.seed)[:HALVES]
        return tuple(
            Part(tuple(sorted(rng.permutation(part.tuning)[: self.tuning_images].tolist())), part.held_out)
            for part in parts
        )


@dataclass(frozen=True)
class Gain:
    """PQ less that of the reference on the same images, in percent.

    Attributes:
        difference: of all images.
        interval: 95 % of it; None where it is not known.
    """

    difference: float
    interval: Optional[Interval]


@dataclass(frozen=True)
class Row:
    """One preset with one kind of thresholds.

    Attributes:
        preset: its name.
        thresholds: ``published`` or ``tuned``.
        pipelines: what fused the one half and what fused the other; equal if published.
        quality: on all images.
        gains: over the reference by the reference's kind of thresholds: over the published of all
            rows, over the tuned of tuned ones; the reference has none over itself.
        milliseconds: processor time of fusing one image, on one thread; the median over images.
    """

    preset: str
    thresholds: str
    pipelines: Tuple[Pipeline, ...]
    quality: Summary
    gains: Mapping[str, Gain]
    milliseconds: float


@dataclass(frozen=True)
class PresetComparison:
    """What was found.

    Attributes:
        rows: highest PQ first; equal ones in the order of the presets, published before tuned.
        failed: why a preset could not fuse, by name.
        reference: the name of the preset that gains are over.
        images: how many were counted.
        tuned_on: the thresholds of the one half and of the other were tuned on so many images.
    """

    rows: Tuple[Row, ...]
    failed: Mapping[str, str]
    reference: str
    images: int
    tuned_on: Tuple[int, ...]

    def row(self, preset: str, thresholds: str) -> Row:
        """The row of a preset that did not fail."""
        return next(row for row in self.rows if (row.preset, row.thresholds) == (preset, thresholds))


def compare_presets(
    job: ComparisonJob,
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> PresetComparison:
    """Tunes and counts every preset.

    Args:
        job: what to compare.
        workers: processes; only times depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Raises:
        InputError: there is one image only, a file is missing or damaged, the ground truth has no
            segment, or the reference cannot fuse.
    """
    manifest, image_ids, halves = job.store.cache.manifest, job.store.image_ids, job.halves()
    tuning = Tuning(
        job.presets,
        [[image_ids[place] for place in half.tuning] for half in halves],
        job.categories,
        score_floor=manifest.floors.instances_score_thresh,
        image_area=statistics.median(image.height * image.width for image in manifest.images),
    )
    counting = _Counting(job, halves, tuning)
    measure = functools.partial(_measure, job.store, workers)
    steps = itertools.chain(tuning.run(measure), counting.run(measure))
    for _ in progress(steps, tuning.total + len(image_ids)):
        pass
    return PresetComparison(
        counting.rows(),
        {**tuning.failed, **counting.failed},
        job.reference,
        len(image_ids),
        tuple(len(half.tuning) for half in halves),
    )


def _measure(
    store: RegionStore, workers: int, jobs: Sequence[Tuple[int, Sequence[Pipeline]]]
) -> Iterator[List[Measured]]:
    work = functools.partial(measure_image, store)
    with ordered_map(work, jobs, workers=workers if len(jobs) > 1 else min(workers, 1), chunk=1) as measured:
        yield from measured


class _Counting:
    """Counts each image by the published thresholds, and by those tuned on the other half."""

    def __init__(self, job: ComparisonJob, halves: Sequence[Part], tuning: Tuning):
        self._job, self._tuning = job, tuning
        self._half_of = {place: half for half, part in enumerate(halves) for place in part.held_out}
        self._measured: Dict[_Key, List[Measured]] = {}

    @property
    def failed(self) -> Dict[str, str]:
        """Why a preset could not fuse, by name."""
        errors = ((name, one.error) for (name, _), measured in self._measured.items() for one in measured)
        return {name: error for name, error in errors if error is not None}

    def run(self, measure: Callable) -> Iterator[None]:
        """Measures; yields after each image."""
        job = self._job
        kept = [name for name in job.presets if name not in self._tuning.failed]
        self._measured = {key: [] for key in itertools.product(kept, (PUBLISHED, TUNED))}
        # What is the same in two rows is fused once.
        wanted = [tuple(dict.fromkeys(self._pipeline(key, half) for key in self._measured)) for half in range(HALVES)]
        jobs = [(image_id, wanted[self._half_of[place]]) for place, image_id in enumerate(job.store.image_ids)]
        for place, measured in enumerate(measure(jobs)):
            half = self._half_of[place]
            of_pipeline = dict(zip(wanted[half], measured, strict=True))
            for key, of_images in self._measured.items():
                of_images.append(of_pipeline[self._pipeline(key, half)])
            yield

    def rows(self) -> Tuple[Row, ...]:
        """The table, see :class:`PresetComparison`."""
        job, failed = self._job, {**self._tuning.failed, **self.failed}
        if job.reference in failed:
            raise InputError(f"{job.reference}, which the others are compared with, fails: {failed[job.reference]}")
        kept = {key: measured for key, measured in self._measured.items() if key[0] not in failed}
        counts = {key: [one.counts for one in measured] for key, measured in kept.items()}
        quality = {key: summarize(add_counts(of_images), job.categories) for key, of_images in counts.items()}
        if any(summary.all is None for summary in quality.values()):
            raise InputError("the ground truth of these images has no segment, so there is nothing to compare")

        def gains(key: _Key) -> Dict[str, Gain]:
            kinds = (PUBLISHED,) if key[1] == PUBLISHED else (PUBLISHED, TUNED)
            others = {kind: (job.reference, kind) for kind in kinds if (job.reference, kind) != key}
            return {
                kind: Gain(
                    100 * (quality[key].all.pq - quality[other].all.pq), _interval(counts[other], counts[key], job)
                )
                for kind, other in others.items()
            }

        rows = [
            Row(
                *key,
                tuple(self._pipeline(key, half) for half in range(HALVES)),
                summary,
                gains(key),
                1000 * statistics.median(one.seconds for one in kept[key]),
            )
            for key, summary in quality.items()
        ]
        return tuple(sorted(rows, key=lambda row: -row.quality.all.pq))

    def _pipeline(self, key: _Key, half: int) -> Pipeline:
        name, kind = key
        return self._job.presets[name] if kind == PUBLISHED else self._tuning.best(name, half)


def _interval(before: Sequence[PQCounts], after: Sequence[PQCounts], job: ComparisonJob) -> Optional[Interval]:
    """95 % interval of the difference of PQ in percent, both counted on the same draws of images."""
    tables = CountTables.of_counts(list(zip(before, after, strict=True)), job.categories)
    return resample(tables, job.categories, settings=(0, 1), scale=100, seed=job.seed).difference(1, 0)
