"""Lines and planes through a grid of settings: what curves and heat maps are drawn of.

A grid may mix rules, of which some have no overlap threshold, and stuff limits in pixels and in
fractions, which have no common scale. So it is cut into families, in each of which every threshold is
a number.
"""

from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from panoptic_heuristic.ablation.sweep.grid import Grid, StuffLimit

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
    """Settings of one rule and one kind of stuff limit: all combinations of three thresholds.

    Attributes:
        rule: the claim rule's name.
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
        """Where on the axes a setting of the family lies."""
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
    """Cuts a grid into families, in the grid's order. Limits in pixels and fractions at once are in none."""
    families = []
    for rule in dict.fromkeys(claim.name for claim in grid.claims):
        claims = {claim.overlap_threshold: place for place, claim in enumerate(grid.claims) if claim.name == rule}
        for kind, limits in _limits_by_kind(grid.stuff_limits).items():
            cutoffs = {value: place for place, value in enumerate(grid.cutoffs)}
            axes, places = zip(*map(_ascending, (SCORE, OVERLAP, kind), (cutoffs, claims, limits)), strict=True)
            _, cutoff_count, limit_count = grid.shape
            cutoff, claim, limit = np.ix_(*places)
            families.append(Family(rule, axes, (claim * cutoff_count + cutoff) * limit_count + limit))
    return tuple(families)


def _ascending(name: str, place_of: Dict[Optional[float], int]) -> Tuple[Axis, List[int]]:
    values = sorted(place_of)
    return Axis(name, tuple(values)), [place_of[value] for value in values]


def _limits_by_kind(limits: Tuple[StuffLimit, ...]) -> Dict[str, Dict[float, int]]:
    """Of each kind the places of its values. No limit at all is of both kinds, but makes none alone."""
    pixels = {limit.pixels: place for place, limit in enumerate(limits) if not limit.fraction}
    fractions = {limit.fraction: place for place, limit in enumerate(limits) if not limit.pixels}
    kinds = {kind: values for kind, values in ((PIXELS, pixels), (FRACTION, fractions)) if any(values)}
    return kinds or ({PIXELS: pixels} if pixels else {})
