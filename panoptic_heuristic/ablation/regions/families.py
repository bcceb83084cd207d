"""Pipelines that differ in thresholds only, so that one pass of the claim answers many of them.

Shape legend: S pipelines, C categories in the order of the data set's list, E entries: values of who takes part.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Hashable, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.ranking import Ranking, rank_instances
from panoptic_heuristic.ablation.regions.regions import Regions, distinct_rows
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Calibrated, Greedy, PerPixel, Pipeline, Power

_Of = Tuple[float, Mapping[int, float]]
"""A value of all categories, and those of single ones."""

_TABLES = ("instances_score_thresh", "key_cutoffs", "overlap_thresholds", "stuff_areas", "stuff_fractions")


@dataclass(frozen=True, eq=False)
class Family:
    """Pipelines of the same rules, with their thresholds by category.

    Each threshold has a row per value that occurs, and each pipeline says which row is its own.

    Attributes:
        rules: one of the pipelines; its thresholds do not matter.
        numbers: (S,) int64, the places of the pipelines among all.
        instances_score_thresh: (E, C) float64, the score that an instance needs.
        key_cutoffs: (E, C), likewise of what orders instances.
        overlap_thresholds: (O, C), the fraction of an instance that may be claimed already.
        stuff_areas: (L, C), the pixels that stuff needs.
        stuff_fractions: (L, C), likewise as fractions of the image.
        entry: (S,) int64, each pipeline's row of the first two.
        overlap: (S,) likewise of ``overlap_thresholds``.
        limit: (S,) likewise of the last two.
    """

    rules: Pipeline
    numbers: np.ndarray
    instances_score_thresh: np.ndarray
    key_cutoffs: np.ndarray
    overlap_thresholds: np.ndarray
    stuff_areas: np.ndarray
    stuff_fractions: np.ndarray
    entry: np.ndarray
    overlap: np.ndarray
    limit: np.ndarray

    @classmethod
    def of(cls, pipelines: Sequence[Pipeline], numbers: Sequence[int], categories: Categories) -> "Family":
        """Of pipelines with the same rules.

        Args:
            pipelines: S of them.
            numbers: their places among all.
            categories: the data set's.
        """
        entry, entries = _distinct([(_instances_score_thresh(one), _key_cutoff(one)) for one in pipelines])
        overlap, overlaps = _distinct([(_overlap_threshold(one),) for one in pipelines])
        limit, limits = _distinct([_stuff_limit(one) for one in pipelines])
        by_category = [
            _by_category(column, categories)
            for rows in (entries, overlaps, limits)
            for column in zip(*rows, strict=True)
        ]
        return cls(pipelines[0], np.array(numbers), *by_category, entry, overlap, limit)

    def varied(self, place: int, scores: Sequence[float], overlap_thresholds: Sequence[float]) -> "Family":
        """The first pipeline with other thresholds of one category, without making a pipeline of each.

        Args:
            place: of the category in the data set's list.
            scores: (S,) the score that its instances need.
            overlap_thresholds: (S,) the fraction of them that may be claimed already.
        """
        entries, entry = np.unique(scores, return_inverse=True)
        overlaps, overlap = np.unique(overlap_thresholds, return_inverse=True)
        instances_score_thresh = self.instances_score_thresh[self.entry[:1].repeat(len(entries))]
        overlap_table = self.overlap_thresholds[self.overlap[:1].repeat(len(overlaps))]
        instances_score_thresh[:, place], overlap_table[:, place] = entries, overlaps
        return dataclasses.replace(
            self,
            numbers=np.arange(len(scores)),
            instances_score_thresh=instances_score_thresh,
            key_cutoffs=self.key_cutoffs[self.entry[:1].repeat(len(entries))],
            overlap_thresholds=overlap_table,
            entry=entry,
            overlap=overlap,
            limit=self.limit[:1].repeat(len(scores)),
        )

    @classmethod
    def beside(cls, families: "Sequence[Family]") -> "Family":
        """The pipelines of families of the same rules, one family's after the other's; numbers ascend."""
        if len(families) == 1:
            return families[0]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(one, name) for one in families])

        def rows(name: str, table: str) -> np.ndarray:
            starts = np.cumsum([0, *(len(getattr(one, table)) for one in families[:-1])])
            return np.concatenate([getattr(one, name) + start for one, start in zip(families, starts, strict=True)])

        return dataclasses.replace(
            families[0],
            **{name: joined(name) for name in ("numbers", *_TABLES)},
            entry=rows("entry", "instances_score_thresh"),
            overlap=rows("overlap", "overlap_thresholds"),
            limit=rows("limit", "stuff_areas"),
        )

    def rank(self, regions: Regions, places: np.ndarray) -> Ranking:
        """Ranks the instances of an image, with E entries.

        Args:
            regions: of the image.
            places: (N,) the place of each instance's category.
        """
        by_instance = (values[:, places].T for values in (self.instances_score_thresh, self.key_cutoffs))
        return rank_instances(regions, self.rules, *by_instance)

    def overlaps(self, places: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """The overlap thresholds of the ranked instances of an image, those that are equal for all of them once.

        Args:
            places: (M,) the place of each instance's category.

        Returns:
            (M, P) and (S,) int64, which of the P each pipeline has.
        """
        table = self.overlap_thresholds
        # Most pipelines have one value, and no image changes which are equal.
        if self._overlaps_are_global:
            return np.broadcast_to(table[:, 0], (len(places), len(table))), self.overlap
        first, place_of = distinct_rows(table[:, np.unique(places)])
        return table[first][:, places].T, place_of[self.overlap]

    @cached_property
    def _overlaps_are_global(self) -> bool:
        return bool((self.overlap_thresholds == self.overlap_thresholds[:, :1]).all())

    def stuff_limits(self, image_area: int) -> np.ndarray:
        """(L, C) float64, the pixels that stuff needs in an image of so many, as ``Pipeline.is_too_small`` has it."""
        return np.maximum(self.stuff_areas, self.stuff_fractions * image_area)


def families_of(pipelines: Sequence[Pipeline], categories: Categories) -> Tuple[Family, ...]:
    """Sorts pipelines by their rules.

    Args:
        pipelines: exact on regions.
        categories: the data set's.
    """
    numbers_of: Dict[Hashable, List[int]] = {}
    for number, pipeline in enumerate(pipelines):
        numbers_of.setdefault(_rules(pipeline), []).append(number)
    return tuple(
        Family.of([pipelines[number] for number in numbers], numbers, categories) for numbers in numbers_of.values()
    )


def families_beside(parts: Sequence[Sequence[Family]], sizes: Sequence[int]) -> Tuple[Family, ...]:
    """The families of several plans, those of the same rules as one.

    Args:
        parts: the families of each plan.
        sizes: the number of each plan's pipelines.
    """
    alike: Dict[Hashable, List[Family]] = {}
    first = 0
    for families, size in zip(parts, sizes, strict=True):
        for family in families:
            moved = dataclasses.replace(family, numbers=family.numbers + first)
            alike.setdefault(_rules(family.rules), []).append(moved)
        first += size
    return tuple(Family.beside(families) for families in alike.values())


def _rules(pipeline: Pipeline) -> Hashable:
    """All of a pipeline but its thresholds."""
    claim, order = pipeline.claim, pipeline.order
    # Without its overlap test the greedy rule is the rule per pixel.
    claim = Greedy() if isinstance(claim, PerPixel) else claim
    claim = dataclasses.replace(claim, overlap_threshold=0.0, overlap_threshold_of={})
    if isinstance(order, Power):
        order = dataclasses.replace(order, key_cutoff=0.0)
    elif isinstance(order, Calibrated):
        order = dataclasses.replace(order, cut={}, default_cut=0.0)
    others = {**pipeline.rules, "claim": claim, "order": order}
    return (*others.values(), pipeline.thing_area_thresh, pipeline.island_area_fraction)


def _instances_score_thresh(pipeline: Pipeline) -> _Of:
    return pipeline.instances_score_thresh, pipeline.instances_score_thresh_of


def _key_cutoff(pipeline: Pipeline) -> _Of:
    order = pipeline.order
    if isinstance(order, Calibrated):
        return order.default_cut, order.cut
    return order.key_cutoff if isinstance(order, Power) else -np.inf, {}


def _overlap_threshold(pipeline: Pipeline) -> _Of:
    claim = pipeline.claim
    # No claimed fraction exceeds 1.
    return (1.0, {}) if isinstance(claim, PerPixel) else (claim.overlap_threshold, claim.overlap_threshold_of)


def _stuff_limit(pipeline: Pipeline) -> Tuple[_Of, _Of]:
    return (
        (pipeline.stuff_area_thresh, pipeline.stuff_area_thresh_of),
        (pipeline.stuff_area_fraction, pipeline.stuff_area_fraction_of),
    )


def _by_category(values: Sequence[_Of], categories: Categories) -> np.ndarray:
    """(values, C) float64."""
    table = np.array([otherwise for otherwise, _ in values], dtype=np.float64)[:, None].repeat(len(categories), axis=1)
    for row, (_, of) in zip(table, values, strict=True):
        for category_id, value in of.items():
            row[categories.place_of[category_id]] = value
    return table


def _distinct(values: Sequence[Tuple[_Of, ...]]) -> Tuple[np.ndarray, List[Tuple[_Of, ...]]]:
    """The place of each value among the distinct ones, int64, and these."""
    place_of: Dict[Any, int] = {}
    distinct: List[Tuple[_Of, ...]] = []
    places = []
    for value in values:
        key = tuple((otherwise, tuple(sorted(of.items()))) for otherwise, of in value)
        if key not in place_of:
            place_of[key] = len(distinct)
            distinct.append(value)
        places.append(place_of[key])
    return np.array(places), distinct
