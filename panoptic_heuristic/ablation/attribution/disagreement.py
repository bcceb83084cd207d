"""The pixels where the two heads disagree: the instances that were kept, and the semantic labels."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.category_maps import CategoryMaps
from panoptic_heuristic.ablation.attribution.pixel_errors import ZONES
from panoptic_heuristic.formats.categories import Categories

KINDS = ("instance_on_stuff", "no_instance", "other_thing")
"""An instance where the labels say stuff; no instance where they say no stuff; where they name another thing."""

RIGHT = ("instances", "semantics", "neither", "unknown")
"""Who says what the ground truth says; it says nothing on void, on crowds and on ids that are not listed."""

CELLS = (12, 16)
"""Rows and columns of the map of an average image."""


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Pixels of one image or of many.

    Attributes:
        images: how many images have semantic labels.
        counts: (2, 3, 4) int64: zone (see :data:`ZONES`), kind, and who is right.
        zones: (2,) int64, all pixels by zone.
        pairs: (thing, stuff) dataset ids -> pixels, of ``instance_on_stuff``.
        cells: (2, rows, columns) int64: of each part of the image the pixels where the heads disagree, and all.
    """

    images: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros((len(ZONES), len(KINDS), len(RIGHT)), dtype=np.int64))
    zones: np.ndarray = field(default_factory=lambda: np.zeros(len(ZONES), dtype=np.int64))
    pairs: Counter[Tuple[int, int]] = field(default_factory=Counter)
    cells: np.ndarray = field(default_factory=lambda: np.zeros((2, *CELLS), dtype=np.int64))

    def __add__(self, other: "Disagreement") -> "Disagreement":
        return Disagreement(
            self.images + other.images,
            self.counts + other.counts,
            self.zones + other.zones,
            self.pairs + other.pairs,
            self.cells + other.cells,
        )


def count_disagreement(maps: CategoryMaps, categories: Categories) -> Disagreement:
    """Counts one image; nothing if it has no semantic labels."""
    if maps.semantic is None:
        return Disagreement()
    is_thing, semantic = maps.is_thing, maps.semantic
    instance, says_stuff = is_thing[maps.predicted], (semantic > 0) & ~is_thing[semantic]
    named = is_thing[semantic]
    kind = np.full(semantic.shape, -1)
    kind[instance & says_stuff] = KINDS.index("instance_on_stuff")
    kind[~instance & ~says_stuff] = KINDS.index("no_instance")
    kind[instance & named & (semantic != maps.predicted)] = KINDS.index("other_thing")
    differs = kind >= 0

    gt, ours, theirs = (values[differs] for values in (maps.gt, maps.predicted, semantic))
    ours_is_right = np.where(is_thing[ours], ours == gt, ~is_thing[gt])
    theirs_is_right = np.where(theirs == 0, is_thing[gt], theirs == gt)
    right = np.full(gt.shape, RIGHT.index("neither"))
    right[theirs_is_right] = RIGHT.index("semantics")
    right[ours_is_right] = RIGHT.index("instances")
    right[~maps.counted[differs]] = RIGHT.index("unknown")
    keys = (maps.band[differs] * len(KINDS) + kind[differs]) * len(RIGHT) + right
    counts = np.bincount(keys, minlength=len(ZONES) * len(KINDS) * len(RIGHT))
    return Disagreement(
        images=1,
        counts=counts.reshape(len(ZONES), len(KINDS), len(RIGHT)),
        zones=np.bincount(maps.band.reshape(-1), minlength=len(ZONES)),
        pairs=_pairs(maps, kind == KINDS.index("instance_on_stuff"), list(categories)),
        cells=np.stack([_by_cell(differs), _by_cell(np.ones_like(differs))]),
    )


def _pairs(maps: CategoryMaps, where: np.ndarray, ids: list) -> Counter[Tuple[int, int]]:
    places = len(ids) + 1
    keys, pixels = np.unique(maps.predicted[where] * places + maps.semantic[where], return_counts=True)
    return Counter(
        {
            (ids[key // places - 1], ids[key % places - 1]): count
            for key, count in zip(keys.tolist(), pixels.tolist(), strict=True)
        }
    )


def _by_cell(chosen: np.ndarray) -> np.ndarray:
    """(rows, columns) int64, the chosen pixels of each part of the image."""
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(chosen.shape, CELLS, strict=True))
    cell = rows[:, None] * CELLS[1] + columns
    return np.bincount(cell[chosen], minlength=CELLS[0] * CELLS[1]).reshape(CELLS)
