"""Counting any pipelines on images: on regions where that is exact, the others pixel by pixel."""

import functools
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.regions import GtSegments
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.counters import Each, Request, Totals
from panoptic_heuristic.ablation.tuning.image_counts import Outcome, count_by_pixels, fuse_and_count
from panoptic_heuristic.ablation.tuning.known_counts import KnownCounts
from panoptic_heuristic.ablation.tuning.pool import ImagePool, Place, is_exact
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Pipeline

Job = Tuple[int, Sequence[Pipeline]]
"""The place of an image, and pipelines."""


class PixelCounter:
    """Counts any pipelines, image by image; see :class:`.Counter`.

    Those that are exact on regions are counted there, which gives the same counts in a tenth of the time. Others are
    fused, unless one that fuses the image alike was counted before; what fails says so each time.

    Args:
        pool: the images.
        workers: processes, which share images; only times depend on it.
    """

    def __init__(self, pool: ImagePool, workers: int = 1):
        self.workers, self.categories = workers, pool.categories
        self.failed: Dict[Pipeline, str] = {}
        self._places = pool.places
        self._known: Dict[int, KnownCounts] = {}
        self._gt = [
            GtSegments.of_segments(segments[image_id])
            for store in pool.stores
            for segments in [{image.image_id: image.segments_info for image in store.gt.images}]
            for image_id in store.image_ids
        ]

    def segments(self, places: Sequence[int]) -> np.ndarray:
        """See :class:`.Counter`."""
        none = np.zeros(len(self.categories), dtype=np.int64)
        return sum((self._gt[place].per_category(self.categories) for place in places), none)

    def steps(self, images: Sequence[Sequence[int]]) -> int:
        """One for each image, however many requests it is in."""
        return len(set().union(*images))

    def totals(self, requests: Sequence[Request]) -> Totals:
        """See :class:`.Counter`."""
        totals = [SettingCounts.zeros(len(self.categories), len(pipelines)) for _, pipelines in requests]
        for found in self._of_images(requests):
            for number, counts in found.items():
                totals[number] = totals[number] + counts
            yield
        return totals

    def each(self, requests: Sequence[Request]) -> Each:
        """See :class:`.Counter`."""
        each: List[List[SettingCounts]] = [[] for _ in requests]
        for found in self._of_images(requests):
            for number, counts in found.items():
                each[number].append(counts)
            yield
        return each

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[List[Outcome]]:
        """Fuses and counts images.

        Args:
            jobs: the place of an image, and pipelines.

        Yields:
            For each job the outcome of each pipeline.
        """
        work = functools.partial(_fuse_and_count_at, self._places)
        with ordered_map(work, jobs, workers=max(1, min(self.workers, len(jobs))), chunk=1) as results:
            yield from results

    def counts_of(self, place: int, outcomes: Sequence[Outcome]) -> SettingCounts:
        """The counts of an image by some pipelines, given what became of it."""
        counts = SettingCounts.zeros(len(self.categories), len(outcomes))
        counts.add_gt(self._gt[place], self.categories)
        for number, outcome in enumerate(outcomes):
            counts.add_to_setting(number, outcome.counts, self.categories)
        return counts

    def _of_images(self, requests: Sequence[Request]) -> Iterator[Dict[int, SettingCounts]]:
        """Image by image, in the order of places: the counts of each request that asks for it, by its number."""
        asking: Dict[int, List[int]] = {}
        for number, (places, _) in enumerate(requests):
            for place in places:
                asking.setdefault(place, []).append(number)
        # Images that the same requests ask for share a plan.
        wanted_by = functools.cache(functools.partial(self._wanted, requests))
        jobs = [(place, wanted_by(tuple(asking[place]), self._places[place].store)) for place in sorted(asking)]
        for (place, wanted), (counts, failed) in zip(jobs, self._counted(jobs), strict=True):
            for pipeline, error in failed.items():
                self.failed.setdefault(pipeline, error)
            counts.add_gt(self._gt[place], self.categories)
            yield {number: counts.of_settings(wanted.columns[number]) for number in asking[place]}

    def _wanted(self, requests: Sequence[Request], numbers: Tuple[int, ...], store: RegionStore) -> "_Wanted":
        """What some requests want of an image of a store; what several of them ask for is counted once."""
        column: Dict[Pipeline, int] = {}
        for number in numbers:
            for pipeline in requests[number][1]:
                column.setdefault(pipeline, len(column))
        columns = {number: [column[one] for one in requests[number][1]] for number in numbers}
        exact = [at for pipeline, at in column.items() if is_exact(pipeline, [store.cache.manifest])]
        pipelines = tuple(column)
        try:
            plan = SettingsPlan.of([pipelines[at] for at in exact], self.categories) if exact else None
        except InputError:
            # One by one they say which of them is wrong.
            plan = None
        return _Wanted(pipelines, columns, exact, plan)

    def _counted(
        self, jobs: Sequence[Tuple[int, "_Wanted"]]
    ) -> Iterator[Tuple[SettingCounts, Dict[Pipeline, str]]]:
        """The counts of each job's pipelines without the ground truth, and why some failed."""
        work = functools.partial(_count_at, self._places)
        asked = ((number, wanted, self._known.get(number)) for number, wanted in jobs)
        with ordered_map(work, asked, workers=max(1, min(self.workers, len(jobs))), chunk=1) as results:
            for (number, _), (counts, failed, known) in zip(jobs, results, strict=True):
                if known is not None and (number in self._known or len(self._known) < _MOST_KNOWN):
                    self._known[number] = known
                yield counts, failed


@dataclass(frozen=True)
class _Wanted:
    """What is to be counted on an image.

    Attributes:
        pipelines: each once.
        columns: for each request, by its number, the places of its pipelines among these.
        exact: the places of those that are exact on regions.
        plan: of these; None if there are none.
    """

    pipelines: Tuple[Pipeline, ...]
    columns: Dict[int, List[int]]
    exact: List[int]
    plan: Optional[SettingsPlan]


# Images of which counts are remembered, so that memory does not grow with all there are.
_MOST_KNOWN = 256


def _count_at(
    places: Sequence[Place], job: Tuple[int, _Wanted, Optional[KnownCounts]]
) -> Tuple[SettingCounts, Dict[Pipeline, str], Optional[KnownCounts]]:
    """The counts of pipelines on an image, the reasons of those that failed, and what is known of the image then."""
    number, wanted, known = job
    place, pipelines = places[number], wanted.pipelines
    categories = place.store.cache.manifest.categories
    counts, others = SettingCounts.zeros(len(categories), len(pipelines)), set(range(len(pipelines)))
    if wanted.plan is not None:
        try:
            counts.add_image(wanted.plan.count(*wanted.plan.read(place.store, place.image_id)), wanted.exact)
            others.difference_update(wanted.exact)
        except InputError:
            # One by one they say which of them needs what.
            pass
    failed: Dict[Pipeline, str] = {}
    if others:
        found, known = count_by_pixels(place, [pipelines[column] for column in sorted(others)], known)
        for column, outcome in zip(sorted(others), found, strict=True):
            if isinstance(outcome, str):
                failed[pipelines[column]] = outcome
            else:
                counts.add_to_setting(column, outcome, categories)
    return counts, failed, known


def _fuse_and_count_at(places: Sequence[Place], job: Job) -> List[Outcome]:
    number, pipelines = job
    return fuse_and_count(places[number], pipelines)
