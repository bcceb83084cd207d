"""Ascents over the thresholds of categories, and the counting that several of them share.

Shape legend: C categories in the order of the data set's list, S settings.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.plan import ImageCounts, SettingsPlan
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counts import count_pipelines
from panoptic_heuristic.ablation.tuning.images import Chosen
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline

Values = Tuple[float, float]
"""A score threshold and an overlap threshold. Without a test of the overlap the latter is 1, which none exceeds."""


@dataclass(frozen=True, eq=False)
class Start:
    """Where an ascent begins.

    Attributes:
        places: of the images to tune on, among all.
        pipeline: the values of all categories, and of single ones that have some already; exact on regions.
        groups: the number of each of these images' group; None if each image is one.
    """

    places: Sequence[int]
    pipeline: Pipeline
    groups: Optional[Sequence[int]] = None


@dataclass(frozen=True, eq=False)
class State:
    """A point of an ascent.

    Attributes:
        start: where it began.
        segments: (C,) int64, of its images.
        pipeline: where it is.
        table: the counts of its images, (images, 3, C, 1) int64.
    """

    start: Start
    segments: np.ndarray
    pipeline: Pipeline
    table: np.ndarray

    @cached_property
    def row_of(self) -> Dict[int, int]:
        """The row of each image in ``table``, by its place."""
        return {place: row for row, place in enumerate(self.start.places)}

    @cached_property
    def groups(self) -> Sequence[int]:
        """The number of the group of each image."""
        return range(len(self.start.places)) if self.start.groups is None else self.start.groups


@dataclass(frozen=True, eq=False)
class Tries:
    """The values of one category that an ascent tries next, and what they change.

    Attributes:
        current: the values it has.
        tried: S of them, the current ones among them.
        plan: of these.
        rows: of the images where they may change something.
        changes: what they add to the counts of each of these images.
    """

    current: Values
    tried: List[Values]
    plan: SettingsPlan
    rows: List[int]
    changes: List[ImageCounts]


def begin(
    images: Sequence[Regions], categories: Categories, starts: Sequence[Start]
) -> Tuple[List[State], np.ndarray]:
    """The first point of each ascent, and (images, C) float64, the highest finite score of each category."""
    places = sorted({place for start in starts for place in start.places})
    counts = count_pipelines(Chosen(images, places), [start.pipeline for start in starts], categories)
    counts_of = dict(zip(places, counts, strict=True))
    segments = np.zeros((len(images), len(categories)), dtype=np.int64)
    highest = np.full((len(images), len(categories)), -np.inf)
    for place in places:
        image = images[place]
        segments[place] = image.gt.per_category(categories)
        finite = np.isfinite(image.scores)
        np.maximum.at(highest[place], image.instance_places(categories)[finite], image.scores[finite])
    states = []
    for number, start in enumerate(starts):
        table = np.stack([counts_of[place][..., [number]] for place in start.places])
        states.append(State(start, segments[list(start.places)].sum(axis=0), start.pipeline, table))
    return states, highest


def count_tries(
    images: Sequence[Regions], states: Sequence[State], tries: Sequence[Tries], highest: np.ndarray
) -> None:
    """Counts what is tried on each image where it may let an instance in, for all ascents at once.

    Args:
        images: all, by place.
        states: of the ascents.
        tries: of each of them; their changes are entered.
        highest: (images,) the highest score of the category.
    """
    lowest = [min(one.tried)[0] for one in tries]
    plans: Dict[Tuple[int, ...], SettingsPlan] = {}
    for place, score in enumerate(highest.tolist()):
        asking = tuple(
            number for number, state in enumerate(states) if score >= lowest[number] and place in state.row_of
        )
        if not asking:
            continue
        if asking not in plans:
            plans[asking] = SettingsPlan.beside([tries[number].plan for number in asking])
        counts, first = plans[asking].count(images[place]), 0
        for number in asking:
            one, row = tries[number], states[number].row_of[place]
            after = counts.values[:, :, first : first + len(one.tried)]
            one.rows.append(row)
            one.changes.append(_changed(counts.places, after - states[number].table[row][:, counts.places]))
            first += len(one.tried)


def _changed(places: np.ndarray, added: np.ndarray) -> ImageCounts:
    """Without the categories to which nothing is added, which are most of an image's."""
    rows = added.any(axis=(0, 2))
    return ImageCounts(places[rows], added[:, rows])
