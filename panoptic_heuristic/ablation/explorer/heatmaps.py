"""The heat maps of a sweep: PQ over two thresholds, with the best of all other values in each cell."""

from itertools import combinations
from typing import Any, Dict, List, Tuple

import numpy as np

from panoptic_heuristic.ablation.explorer.rules import Abilities
from panoptic_heuristic.ablation.sweeping.columns import flat_values
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.tables import quality_columns, ranking

# A page has the maps of each two of so many thresholds.
_MOST_PATHS = 4
_FIRST = ("instances_score_thresh", "claim.overlap_threshold", "stuff_area_thresh", "stuff_area_fraction")


def heat_maps(sweep: SweepResult, abilities: Abilities) -> Dict[str, Any]:
    """JSON values: ``images`` and ``left_out``, how many were counted and how many settings the page cannot fuse by;
    ``settings``, those that a map shows; and ``maps``, each with the paths ``x`` and ``y``, their values ``xs`` and
    ``ys``, and the ``cells``: column, row, PQ in percent, and the place in ``settings``.
    """
    counts = sweep.total()
    pq = quality_columns(counts, sweep.categories)["pq_all"]
    best_first = [number for number in ranking(pq).tolist() if not np.isnan(pq[number])]
    able = [number for number in best_first if abilities.why_not(sweep.grid.settings[number]) is None]
    flat = {number: flat_values(sweep.grid.settings[number]) for number in able}
    paths = _varying(list(flat.values()))
    place_of: Dict[int, int] = {}
    maps = []
    for x, y in combinations(paths[:_MOST_PATHS], 2):
        best_of: Dict[Tuple[float, float], int] = {}
        for number in able:
            if x in flat[number] and y in flat[number]:
                best_of.setdefault((flat[number][x], flat[number][y]), number)
        xs, ys = (sorted({cell[axis] for cell in best_of}) for axis in (0, 1))
        cells = [
            [xs.index(cell[0]), ys.index(cell[1]), float(pq[number]), place_of.setdefault(number, len(place_of))]
            for cell, number in sorted(best_of.items())
        ]
        maps.append({"x": x, "y": y, "xs": xs, "ys": ys, "cells": cells})
    settings = [abilities.flat(sweep.grid.settings[number]) for number in place_of]
    return {"images": counts.images, "left_out": len(best_first) - len(able), "settings": settings, "maps": maps}


def _varying(flat: List[Dict[str, Any]]) -> List[str]:
    """The paths that have several numbers, Detectron2's thresholds first."""
    values: Dict[str, set] = {}
    for one in flat:
        for path, value in one.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                values.setdefault(path, set()).add(value)
    varying = [path for path, found in values.items() if len(found) > 1]
    return sorted(varying, key=lambda path: _FIRST.index(path) if path in _FIRST else len(_FIRST))
