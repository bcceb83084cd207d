"""A bar for each pipeline with published and with tuned thresholds."""

from typing import List, Optional, Tuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from panoptic_heuristic.ablation.report.plots import COLORS, FAINT, INK, style, to_file
from panoptic_heuristic.ablation.report.words import measure, plural
from panoptic_heuristic.ablation.tuning.comparison import PUBLISHED, TUNED, Comparison, Row

_COLOR_OF = {TUNED: COLORS[4], PUBLISHED: "#c3c9d0"}
_PLACE_OF = {TUNED: -0.2, PUBLISHED: 0.2}
_HEIGHT = 0.36


def draw_pipelines(comparison: Comparison) -> bytes:
    """The chart as a PNG, the pipeline with the highest bar on top.

    A whisker is the 95 % interval of the difference to the reference, around the reference's PQ.
    """
    names = list(dict.fromkeys(row.name for row in comparison.table))
    reference = _pq(comparison.row(comparison.reference, PUBLISHED))
    with style():
        figure = Figure(figsize=(8.2, 1.5 + 0.42 * len(names)), layout="constrained")
        axes = figure.subplots()
        for row in comparison.table:
            _draw(axes, row, names.index(row.name) + _PLACE_OF[row.thresholds], reference)
        axes.axvline(reference, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_xlim(0, 1.09 * max(_end(row, reference) for row in comparison.table) or 1)
        axes.set_xlabel(f"PQ (percent) on {plural(comparison.images, 'image')}")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(handles=_legend(comparison.reference), loc="outside upper left", ncols=2)
        return to_file(figure)


def _draw(axes: Axes, row: Row, y: float, reference: float) -> None:
    axes.barh(y, _pq(row), height=_HEIGHT, color=_COLOR_OF[row.thresholds], zorder=2)
    if _interval(row) is not None:
        low, high = (reference + bound for bound in _interval(row))
        axes.plot([low, high], [y, y], color=INK, linewidth=1, zorder=3, marker="|", markersize=5)
    label = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "size": 7.5}
    # The line of the reference ends beside a number.
    label["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.annotate(measure(_pq(row), 1), (_end(row, reference), y), **label)


def _end(row: Row, reference: float) -> float:
    """The PQ at which a bar and its whisker end."""
    interval = _interval(row)
    return _pq(row) if interval is None else max(_pq(row), reference + interval[1])


def _interval(row: Row) -> Optional[Tuple[float, float]]:
    return row.gains[PUBLISHED].interval if PUBLISHED in row.gains else None


def _pq(row: Row) -> float:
    return 100 * row.quality.all.pq


def _legend(reference: str) -> List:
    whisker = "95 % interval of the difference to that"
    return [
        Patch(color=_COLOR_OF[TUNED], label="tuned thresholds, on other images"),
        Patch(color=_COLOR_OF[PUBLISHED], label="published thresholds"),
        Line2D([], [], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), label=f"{reference}, published thresholds"),
        Line2D([], [], color=INK, linewidth=1, marker="|", markersize=5, label=whisker),
    ]
