"""Counting pipelines on images: on regions where that is exact, see also :mod:`.pixel_counter`.

Counters answer requests: some images, by their place in the cache, and pipelines. Their methods are
generators that yield after each step of the work, and return an answer per request.
"""

import functools
from typing import Any, Callable, Dict, Generator, List, Protocol, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.counts import count_pipelines, segments_of, total_counts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import Pipeline

Request = Tuple[Sequence[int], Sequence[Pipeline]]
"""Images by their place among all, ascending, and pipelines to be counted on them."""

Totals = Generator[None, None, List[SettingCounts]]
Each = Generator[None, None, List[List[SettingCounts]]]


class Counter(Protocol):
    """Counts pipelines on images.

    Attributes:
        categories: the data set's.
        failed: why a pipeline could not be counted; its counts mean nothing.
    """

    categories: Categories
    failed: Dict[Pipeline, str]

    def segments(self, places: Sequence[int]) -> np.ndarray:
        """(C,) int64, ground-truth segments of some images, crowds left out."""
        ...

    def steps(self, images: Sequence[Sequence[int]]) -> int:
        """The number of times that the methods below yield, given the images of each request."""
        ...

    def totals(self, requests: Sequence[Request]) -> Totals:
        """The counts of each request's pipelines on its images together."""
        ...

    def each(self, requests: Sequence[Request]) -> Each:
        """The counts of each request's pipelines on each of its images."""
        ...


class RegionCounter:
    """Counts pipelines that are exact on regions, in memory; see :class:`Counter`.

    Args:
        images: all, in the order of their places.
        categories: the data set's.
        workers: processes, which share requests; counts do not depend on it.
    """

    def __init__(self, images: Sequence[Regions], categories: Categories, workers: int = 1):
        self.images, self.categories, self.workers = images, categories, workers
        self.failed: Dict[Pipeline, str] = {}

    def segments(self, places: Sequence[int]) -> np.ndarray:
        """See :class:`Counter`."""
        return segments_of(self.chosen(places), self.categories)

    def steps(self, images: Sequence[Sequence[int]]) -> int:
        """One for each request."""
        return len(images)

    def totals(self, requests: Sequence[Request]) -> Totals:
        """See :class:`Counter`."""
        return (yield from self.mapped(functools.partial(_total_on_regions, self), requests))

    def each(self, requests: Sequence[Request]) -> Each:
        """See :class:`Counter`."""
        return (yield from self.mapped(functools.partial(_each_on_regions, self), requests))

    def mapped(self, work: Callable[[Any], Any], jobs: Sequence[Any]) -> Generator[None, None, List[Any]]:
        """The results of some jobs, in order; yields after each."""
        results = []
        with ordered_map(work, jobs, workers=max(1, min(self.workers, len(jobs))), chunk=1) as found:
            for result in found:
                results.append(result)
                yield
        return results

    def chosen(self, places: Sequence[int]) -> List[Regions]:
        """The images at some places."""
        return [self.images[place] for place in places]


def _total_on_regions(counter: RegionCounter, request: Request) -> SettingCounts:
    places, pipelines = request
    return total_counts(counter.chosen(places), pipelines, counter.categories)


def _each_on_regions(counter: RegionCounter, request: Request) -> List[SettingCounts]:
    places, pipelines = request
    images = counter.chosen(places)
    rows = count_pipelines(images, pipelines, counter.categories)
    return [
        SettingCounts(*row, image.gt.per_category(counter.categories), 1)
        for row, image in zip(rows, images, strict=True)
    ]
