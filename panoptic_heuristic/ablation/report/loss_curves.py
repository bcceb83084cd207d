"""Curves of several sweeps of one grid: PQ against each sweep's own best setting, along one threshold."""

from functools import partial
from typing import List, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from matplotlib.lines import Line2D

from panoptic_heuristic.ablation.report.curves import curve_names
from panoptic_heuristic.ablation.report.document import Block, Figure, PaperFigure, Picture, Text
from panoptic_heuristic.ablation.report.heatmaps import SHOWN_BELOW_BEST
from panoptic_heuristic.ablation.report.plots import (
    COLORS,
    PAPER_WIDTH,
    Form,
    legend_columns,
    paper_height,
    scale_x,
    style,
    to_file,
)
from panoptic_heuristic.ablation.report.slices import Axis
from panoptic_heuristic.ablation.report.sweep import ReportedSweep

_LINE_STYLES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def loss_curves(sweeps: Sequence[ReportedSweep]) -> List[Block]:
    """One figure with a column for each threshold that has several values."""
    names = curve_names(sweeps[0])
    if not names:
        return [Text("No threshold has several values in this grid, so there are no curves.")]
    caption = (
        "PQ against each sweep's own best setting, along one threshold while the others stay at that setting. "
        "Where the tops of the curves coincide, a threshold need not be tuned anew. Losses of more than "
        f"{SHOWN_BELOW_BEST:g} are cut off."
    )
    picture = Picture(
        "comparison_curves.png",
        draw_losses(sweeps, names),
        "Loss of PQ along each threshold, by sweep",
        paper=tuple(
            PaperFigure(f"comparison_curves_{name}", partial(draw_losses, sweeps, (name,))) for name in names
        ),
    )
    return [Figure((picture,), caption)]


def draw_losses(sweeps: Sequence[ReportedSweep], names: Sequence[str], form: Form = Form.PNG) -> bytes:
    """One column per threshold, one curve per sweep: PQ less that of the sweep's best setting.

    Args:
        sweeps: of one grid.
        names: the thresholds; a paper's column has room for one.
        form: of the file.
    """
    with style(form):
        handles = [
            Line2D([], [], color=color, linestyle=dashes, linewidth=2, label=sweep.name)
            for sweep, (color, dashes) in zip(sweeps, _looks(len(sweeps)), strict=True)
        ]
        width, height = min(4.2 * len(names), 12.0) if len(names) > 1 else 5.6, 3.3
        if form.is_for_paper:
            width, height = PAPER_WIDTH, paper_height(1.9, handles)
        plot = Plot(figsize=(width, height), layout="constrained")
        row = plot.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(row, names, strict=True):
            _draw_losses(axes, sweeps, name, width / len(names) - 0.4)
        row[0].set_ylabel("PQ against the own best (percent)")
        lowest, highest = row[0].get_ylim()
        row[0].set_ylim(max(lowest, -SHOWN_BELOW_BEST), highest)
        columns = min(legend_columns(handles, form), 6)
        plot.legend(handles=handles, loc="outside lower center", ncols=columns)
        return to_file(plot, form)


def _draw_losses(axes: Axes, sweeps: Sequence[ReportedSweep], name: str, inches: float) -> None:
    values: List[float] = []
    for sweep, (color, dashes) in zip(sweeps, _looks(len(sweeps)), strict=True):
        pq = sweep.columns["pq_all"]
        # The best among the families that have the threshold.
        families = [
            (family, place)
            for family in sweep.families
            for place in family.drawn
            if family.axes[place].name == name
        ]
        family, place = max(families, key=lambda one: np.nan_to_num(pq[one[0].best(pq)], nan=-1.0))
        axis, best = family.axes[place], family.best(pq)
        values += axis.values
        loss = pq[family.line(place, best)] - pq[sweep.best]
        axes.plot(axis.values, loss, color=color, linestyle=dashes, marker="o", markersize=3, linewidth=1.6)
    axes.grid(axis="y")
    axes.spines[["top", "right"]].set_visible(False)
    scale_x(axes, Axis(name, tuple(sorted(set(values)))), inches)


def _looks(number: int) -> list:
    """A colour and a line style for each sweep, so that curves which coincide are both seen."""
    return [(COLORS[place % len(COLORS)], _LINE_STYLES[place % len(_LINE_STYLES)]) for place in range(number)]
