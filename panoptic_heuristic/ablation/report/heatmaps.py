"""Heat maps: PQ over two thresholds, the third held at its best value."""

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Callable, List, Optional, Tuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from panoptic_heuristic.ablation.report.plots import (
    BEST,
    FAINT,
    PAPER_WIDTH,
    Form,
    axis_label,
    style,
    to_file,
)
from panoptic_heuristic.ablation.report.slices import Family
from panoptic_heuristic.ablation.report.words import threshold

SHOWN_BELOW_BEST = 10.0
"""In PQ: what is worse than that has one colour, or bad corners would leave few colours for the rest."""
_LEAST_SPAN = 0.5
"""In PQ: less than that is not spread over all colours."""

_WIDTH, _CELL_HEIGHT = 5.6, 0.29
_MOST_CELLS_WITH_TEXT, _MOST_TICKS = 13, 13
# Of what stands beside each other in a paper's column.
_PAPER_MOST = 8


@dataclass(frozen=True)
class HeatMap:
    """A heat map.

    Attributes:
        x, y: names of the thresholds.
        draw: gives the figure's file in a form.
    """

    x: str
    y: str
    draw: Callable[[Form], bytes]


def color_range(family: Family, pq: np.ndarray) -> Tuple[float, float]:
    """The PQ of the darkest and of the lightest colour, the same in all heat maps of a family."""
    best = pq[family.best(pq)]
    lowest = np.nanmin(pq[family.numbers])
    return min(max(lowest, best - SHOWN_BELOW_BEST), best - _LEAST_SPAN), best


def draw_heat_maps(family: Family, pq: np.ndarray, default: Optional[int], best_label: str) -> List[HeatMap]:
    """The maps of a family, one for each pair of its thresholds that have more than one value.

    Args:
        family: which settings.
        pq: (S,) of all settings of the grid, in percent; NaN where it is not known.
        default: the setting to mark beside the best; None if the family does not hold it.
        best_label: what the family's best setting is called.
    """
    return [
        HeatMap(family.axes[x].name, family.axes[y].name, partial(_draw, family, x, y, pq, default, best_label))
        for x, y in combinations(family.drawn, 2)
    ]


def _draw(
    family: Family, x: int, y: int, pq: np.ndarray, default: Optional[int], best_label: str, form: Form
) -> bytes:
    best = family.best(pq)
    values = pq[family.plane(x, y, best)]
    rows, columns = values.shape
    third = family.axes[3 - x - y]
    at_best = family.place_of(best)
    with style(form):
        height = min(max(rows * _CELL_HEIGHT, 0.9), 4.2)
        figure = Figure(figsize=_size(height, form), layout="constrained")
        axes = figure.subplots()
        lowest, highest = color_range(family, pq)
        norm, colors = Normalize(lowest, highest), matplotlib.colormaps["viridis"].with_extremes(bad="#d0d0d0")
        image = axes.imshow(values, norm=norm, cmap=colors, origin="lower", aspect="auto", interpolation="nearest")
        if rows <= _MOST_CELLS_WITH_TEXT and columns <= (_PAPER_MOST if form.is_for_paper else _MOST_CELLS_WITH_TEXT):
            _write_values(axes, values, norm)
        _set_ticks(axes, family, x, y, form)
        held = third.values[at_best[3 - x - y]]
        if held is not None:
            # In a paper below the name, which leaves no room beside it.
            axes.annotate(
                f"with {third.name} {threshold(held)}", (1, 0), (0, -28 if form.is_for_paper else -19),
                xycoords="axes fraction", textcoords="offset points", ha="right", va="top", color=FAINT, fontsize=7.5,
            )  # fmt: skip
        below = np.nanmin(values) < lowest
        bar = figure.colorbar(image, ax=axes, extend="min" if below else "neither", pad=0.02, aspect=28)
        bar.set_label("PQ (percent)")
        bar.outline.set_linewidth(0.6)
        handles = []
        if default is not None:
            at_default = family.place_of(default)
            _outline(axes, at_default[x], at_default[y], dashed=True)
            handles.append(Patch(facecolor="#b8c4cc", edgecolor="black", linestyle=(0, (2, 1.4)), linewidth=1.6,
                                 label="default"))  # fmt: skip
        _outline(axes, at_best[x], at_best[y], dashed=False)
        handles.insert(0, Patch(facecolor="#fde725", edgecolor=BEST, linewidth=2.2, label=best_label))
        look = {"handles": handles, "ncols": 2, "handlelength": 1.5, "handletextpad": 0.5, "columnspacing": 1.2}
        if form.is_for_paper:
            figure.legend(loc="outside lower center", **look)
        else:
            axes.legend(loc="lower right", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.1, **look)
        return to_file(figure, form)


def _size(height: float, form: Form) -> Tuple[float, float]:
    """Of the figure, given how high its cells are on a page."""
    return (PAPER_WIDTH, 0.75 * height + 1.1) if form.is_for_paper else (_WIDTH, height + 0.85)


def _write_values(axes: Axes, values: np.ndarray, norm: Normalize) -> None:
    for row, column in np.ndindex(values.shape):
        value = values[row, column]
        if not np.isnan(value):
            # The lighter half of the colours takes dark text.
            color = "black" if norm(value) > 0.55 else "white"
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7.2, color=color)


def _set_ticks(axes: Axes, family: Family, x: int, y: int, form: Form) -> None:
    across = _PAPER_MOST if form.is_for_paper else _MOST_TICKS
    for place, set_ticks, most in ((x, axes.set_xticks, across), (y, axes.set_yticks, _MOST_TICKS)):
        axis = family.axes[place]
        labels = [threshold(value) for value in axis.values]
        least = -(-len(labels) // most)
        # Of the steps that leave room, the one with the shortest labels: 0.1, 0.2 rather than 0.125, 0.175.
        step = min(range(least, 2 * least), key=lambda step: sum(map(len, labels[::step])) / len(labels[::step]))
        set_ticks(list(range(0, len(labels), step)), labels[::step])
    axes.set_xlabel(axis_label(family.axes[x]), loc="left")
    # Lying, since the map may be lower than the name is long.
    axes.set_title(axis_label(family.axes[y]), loc="left", fontsize=8.5, fontweight="normal")
    axes.tick_params(length=2.5)
    axes.spines[:].set_visible(False)


def _outline(axes: Axes, column: int, row: int, *, dashed: bool) -> None:
    corner = (column - 0.5, row - 0.5)
    if dashed:
        # White below black dashes is seen on every colour.
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=2.6, zorder=3, clip_on=False))
        axes.add_patch(
            Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=1.6, linestyle=(0, (2, 1.4)), zorder=4,
                      clip_on=False)
        )  # fmt: skip
    else:
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="white", linewidth=3.6, zorder=5, clip_on=False))
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=BEST, linewidth=2.2, zorder=6, clip_on=False))
