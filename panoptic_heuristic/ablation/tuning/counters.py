"""Counting pipelines on images: on regions where that is exact, see also :mod:`.pixel_counter`.

Counters answer requests: some images, by their place in the cache, and pipelines. Their methods are
generators that yield after each step of the work, and return an answer per request.
"""

import functools
from typing import (
    Any,
    Callable,
    Collection,
    ContextManager,
    Dict,
    Generator,
    Iterator,
    List,
    Optional,
    Protocol,
    Sequence,
    Tuple,
)

import numpy as np

from panoptic_heuristic.ablation.regions.plan import ImageCounts, SettingsPlan
from panoptic_heuristic.ablation.regions.regions import GtSegments, Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.counts import pq_of, segments_of
from panoptic_heuristic.ablation.tuning.images import Chosen
from panoptic_heuristic.ablation.tuning.shares import Share, Together, shares_of
from panoptic_heuristic.errors import InputError
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


def pq_of_each(
    pipelines: Sequence[Pipeline], images: Sequence[Sequence[int]], counter: Counter
) -> Generator[None, None, List[float]]:
    """PQ of each pipeline on its images, 0 to 1; yields after each step of the counter."""
    totals = yield from counter.totals([(places, [one]) for places, one in zip(images, pipelines, strict=True)])
    return [float(pq_of(total, counter.categories)[0]) for total in totals]


def raise_failed(counter: Counter) -> None:
    """Raises if a pipeline could not be counted.

    Raises:
        InputError: why not.
    """
    for error in counter.failed.values():
        raise InputError(error)


class RegionCounter:
    """Counts pipelines that are exact on regions; see :class:`Counter`.

    Each image is counted once, under the pipelines of all requests that ask for it, however many these are.

    Args:
        images: all, in the order of their places, for one value of ``island_area_fraction``.
        categories: the data set's.
        workers: processes, which share images; counts do not depend on it.
        load: gives the images for another value; None if only pipelines of the one value will be counted.
    """

    def __init__(
        self,
        images: Sequence[Regions],
        categories: Categories,
        workers: int = 1,
        load: Optional[Callable[[float], Sequence[Regions]]] = None,
    ):
        self.categories, self.workers, self.load = categories, workers, load
        self.failed: Dict[Pipeline, str] = {}
        self._first = images[0].island_area_fraction if images else 0.0
        self._images = {self._first: images}

    def segments(self, places: Sequence[int]) -> np.ndarray:
        """See :class:`Counter`."""
        return segments_of(self.chosen(places, self._first), self.categories)

    def steps(self, images: Sequence[Sequence[int]]) -> int:
        """One for each share of the images."""
        return len(shares_of(images))

    def totals(self, requests: Sequence[Request]) -> Totals:
        """See :class:`Counter`."""
        totals = [SettingCounts.zeros(len(self.categories), len(pipelines)) for _, pipelines in requests]

        def take(share: Share, together: Together, counts: SettingCounts) -> None:
            for number in share.requests:
                totals[number] += together.of_request(number, counts)

        yield from self._counted(_total_on_regions, requests, take)
        return totals

    def each(self, requests: Sequence[Request]) -> Each:
        """See :class:`Counter`."""
        found: List[Dict[int, SettingCounts]] = [{} for _ in requests]

        def take(share: Share, together: Together, each: List[SettingCounts]) -> None:
            for number in share.requests:
                for place, counts in zip(share.places, each, strict=True):
                    found[number][place] = together.of_request(number, counts)

        yield from self._counted(_each_on_regions, requests, take)
        return [[of_place[place] for place in places] for of_place, (places, _) in zip(found, requests, strict=True)]

    def _counted(
        self,
        work: Callable[..., Any],
        requests: Sequence[Request],
        take: Callable[[Share, Together, Any], None],
    ) -> Generator[None, None, None]:
        """Hands on what the work gave for each share of the images, and for which pipelines, as soon as it is there.

        The counts of thousands of pipelines take megabytes, which no list of all shares should keep.
        """
        self._load_for(requests)
        shares = shares_of([places for places, _ in requests])
        together = {
            asking: Together.of({number: requests[number][1] for number in asking})
            for asking in dict.fromkeys(share.requests for share in shares)
        }
        plans = {asking: SettingsPlan.of(one.pipelines, self.categories) for asking, one in together.items()}
        jobs = [(share.places, plans[share.requests]) for share in shares]
        with self._map(functools.partial(work, self), jobs) as found:
            for share, one in zip(shares, found, strict=True):
                take(share, together[share.requests], one)
                yield

    def mapped(self, work: Callable[[Any], Any], jobs: Sequence[Any]) -> Generator[None, None, List[Any]]:
        """The results of some jobs, in order; yields after each."""
        results = []
        with self._map(work, jobs) as found:
            for result in found:
                results.append(result)
                yield
        return results

    def _map(self, work: Callable[[Any], Any], jobs: Sequence[Any]) -> ContextManager[Iterator[Any]]:
        return ordered_map(work, jobs, workers=max(1, min(self.workers, len(jobs))), chunk=1)

    def images(self, island_area_fraction: float) -> Sequence[Regions]:
        """All images by their places, for a value that pipelines were counted with before."""
        return self._images[island_area_fraction]

    def chosen(self, places: Sequence[int], island_area_fraction: float) -> Sequence[Regions]:
        """The images at some places, likewise."""
        return Chosen(self._images[island_area_fraction], places)

    def keep(self, island_area_fractions: Collection[float]) -> None:
        """Lets go of images for other values than these and the first; they are loaded again if they are needed."""
        kept = {self._first, *island_area_fractions}
        self._images = {fraction: images for fraction, images in self._images.items() if fraction in kept}

    def _load_for(self, requests: Sequence[Request]) -> None:
        # Here, so that processes that are forked later share them.
        for fraction in {one.island_area_fraction for _, pipelines in requests for one in pipelines}:
            if fraction not in self._images:
                self._images[fraction] = self.load(fraction)


_Job = Tuple[Sequence[int], SettingsPlan]


def _total_on_regions(counter: RegionCounter, job: _Job) -> SettingCounts:
    total = SettingCounts.zeros(len(counter.categories), job[1].size)
    for counts, gt in _count_on_regions(counter, job):
        total.add_image(counts)
        total.add_gt(gt, counter.categories)
    return total


def _each_on_regions(counter: RegionCounter, job: _Job) -> List[SettingCounts]:
    each = []
    for counts, gt in _count_on_regions(counter, job):
        of_image = SettingCounts.zeros(len(counter.categories), job[1].size)
        of_image.add_image(counts)
        of_image.add_gt(gt, counter.categories)
        each.append(of_image)
    return each


def _count_on_regions(counter: RegionCounter, job: _Job) -> Iterator[Tuple[ImageCounts, GtSegments]]:
    """Counts one image after the other, under each pipeline on the regions of its own islands."""
    places, plan = job
    for regions in zip(*(counter.chosen(places, one) for one in plan.island_area_fractions), strict=True):
        yield plan.count(*regions), regions[0].gt
