"""Lines and planes through a grid of settings: what curves and heat maps are drawn of.

A grid may mix rules, of which some have no overlap threshold, and stuff limits in pixels and in
fractions, which have no common scale. So it is cut into families, in each of which every threshold is
a number.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.sweeping.columns import flat_values, row_of
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.fusion import Pipeline

SCORE, OVERLAP, PIXELS, FRACTION = (
    "instances_score_thresh",
    "overlap_threshold",
    "stuff_area_thresh",
    "stuff_area_fraction",
)

UNITS = {SCORE: "", OVERLAP: "", PIXELS: "pixels", FRACTION: "of the image"}
"""Of each threshold's values."""


@dataclass(frozen=True)
class Axis:
    """A threshold and its values in a family, ascending.

    Attributes:
        name: the Python argument.
        values: at least one; None alone if the rule has no such threshold.
    """

    name: str
    values: Tuple[Optional[float], ...]


@dataclass(frozen=True, eq=False)
class Family:
    """Settings of the same rules and one kind of stuff limit: all combinations of three thresholds.

    Attributes:
        rule: the claim rule's name, and the values of other stages in which families differ.
        axes: score, overlap and stuff limit.
        numbers: (score, overlap, stuff limit) of ints: the number of each setting in the grid.
    """

    rule: str
    axes: Tuple[Axis, Axis, Axis]
    numbers: np.ndarray

    @property
    def drawn(self) -> Tuple[int, ...]:
        """The places of the axes with more than one value."""
        return tuple(place for place, axis in enumerate(self.axes) if len(axis.values) > 1)

    def place_of(self, number: int) -> Tuple[int, int, int]:
        """The place of a setting of the family on the axes."""
        return tuple(int(place) for place in np.argwhere(self.numbers == number)[0])

    def best(self, pq: np.ndarray) -> int:
        """The setting of the highest PQ, given that of the whole grid; the first of equal ones."""
        numbers = np.sort(self.numbers, axis=None)
        return int(numbers[np.nan_to_num(pq[numbers], nan=-1.0).argmax()])

    def line(self, axis: int, through: int) -> np.ndarray:
        """(values,) settings that differ from the setting ``through`` in one threshold only."""
        place = list(self.place_of(through))
        place[axis] = slice(None)
        return self.numbers[tuple(place)]

    def plane(self, x: int, y: int, through: int) -> np.ndarray:
        """(values of y, values of x) settings that differ from ``through`` in two thresholds only; x < y."""
        place = list(self.place_of(through))
        place[x] = place[y] = slice(None)
        return self.numbers[tuple(place)].T


def families_of(grid: Grid) -> Tuple[Family, ...]:
    """Cuts a grid into families, in the grid's order.

    Limits in pixels and fractions at once are in none, and neither are settings of which some
    combination of thresholds is missing.
    """
    told = [path for column, path in grid.columns.items() if column not in (*UNITS, "claim")]
    numbers_of: Dict[str, List[int]] = {}
    for number, pipeline in enumerate(grid.settings):
        numbers_of.setdefault(_rule(pipeline, told), []).append(number)
    families = []
    for rule, numbers in numbers_of.items():
        places = {number: _thresholds(grid.settings[number]) for number in numbers}
        for kind in _kinds_of_limits(list(places.values())):
            family = _family(rule, kind, places)
            if family is not None:
                families.append(family)
    return tuple(families)


def _rule(pipeline: Pipeline, told: Sequence[str]) -> str:
    """The claim rule of a setting, and all else that is no threshold and not shared by all settings."""
    values = flat_values(pipeline)
    return ", ".join([values["claim"], *(f"{path} {values[path]}" for path in told if path in values)])


def _thresholds(pipeline: Pipeline) -> Dict[str, Optional[float]]:
    return {name: row for name, row in row_of(pipeline).items() if name in UNITS}


def _family(rule: str, kind: str, places: Dict[int, Dict[str, Optional[float]]]) -> Optional[Family]:
    """The settings without a limit of the other kind; None if they are not all combinations."""
    other = {PIXELS: FRACTION, FRACTION: PIXELS}[kind]
    own = {number: values for number, values in places.items() if not values[other]}
    values_of = {name: {values[name] for values in own.values()} for name in (SCORE, OVERLAP, kind)}
    axes = tuple(Axis(name, tuple(sorted(values))) for name, values in values_of.items())
    numbers = np.full([len(axis.values) for axis in axes], -1)
    for number, values in own.items():
        numbers[tuple(axis.values.index(values[axis.name]) for axis in axes)] = number
    return None if (numbers < 0).any() else Family(rule, axes, numbers)


def _kinds_of_limits(thresholds: Sequence[Dict[str, Optional[float]]]) -> List[str]:
    """The kinds of limits that are there. No limit at all is of both kinds, but makes none alone."""
    pixels = {values[PIXELS] for values in thresholds if not values[FRACTION]}
    fractions = {values[FRACTION] for values in thresholds if not values[PIXELS]}
    kinds = [kind for kind, values in ((PIXELS, pixels), (FRACTION, fractions)) if any(values)]
    return kinds or ([PIXELS] if pixels else [])
