"""Scatter: PQ of things against PQ of stuff, of every setting."""

from typing import Dict, List

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from panoptic_heuristic.ablation.report.plots import (
    COLORS,
    FAINT,
    INK,
    PAPER_WIDTH,
    Form,
    best_marker,
    default_marker,
    legend_columns,
    legend_entries,
    paper_height,
    style,
    to_file,
)
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.fusion.stages import rule_name

_MARGIN, _LEAST_SIDE = 0.12, 0.3
_PAPER_PANEL = 2.3


def pareto_front(things: np.ndarray, stuff: np.ndarray) -> np.ndarray:
    """The settings that no other beats in one without being beaten in the other, by ascending PQ of things.

    Args:
        things, stuff: (S,) PQ; settings with a NaN are on no front.
    """
    known = np.flatnonzero(~np.isnan(things) & ~np.isnan(stuff))
    order = known[np.lexsort((-stuff[known], -things[known]))]
    highest = np.maximum.accumulate(stuff[order])
    # Of settings equal in both the first stands for all.
    front = np.concatenate([[True], stuff[order][1:] > highest[:-1]]) if len(order) else np.zeros(0, dtype=bool)
    return order[front][::-1]


def draw_scatter(sweep: ReportedSweep, form: Form = Form.PNG) -> bytes:
    """All settings on the left, or in a paper above, and what lies around the Pareto front beside them."""
    things, stuff = sweep.columns["pq_things"], sweep.columns["pq_stuff"]
    front = pareto_front(things, stuff)
    near = np.unique([*front, sweep.best, sweep.default])
    with style(form):
        handles = _rule_handles(sweep)
        handles.append(Line2D([], [], color=INK, linewidth=1.2, label="Pareto front"))
        handles += legend_entries()
        size, shape = (9.6, 4.3), (1, 2)
        if form.is_for_paper:
            size, shape = (PAPER_WIDTH, paper_height(2 * _PAPER_PANEL, handles)), (2, 1)
        figure = Figure(figsize=size, layout="constrained")
        left, right = figure.subplots(*shape)
        for axes in (left, right):
            _draw_points(axes, sweep, front, form)
        (x0, x1), (y0, y1) = (_limits(values[near]) for values in (things, stuff))
        right.set_xlim(x0, x1)
        right.set_ylim(y0, y1)
        left.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=FAINT, linewidth=1, zorder=1))
        left.set_title("all settings", loc="left")
        right.set_title("what is in the rectangle", loc="left")
        figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns(handles, form))
        return to_file(figure, form)


def _draw_points(axes: Axes, sweep: ReportedSweep, front: np.ndarray, form: Form) -> None:
    things, stuff = sweep.columns["pq_things"], sweep.columns["pq_stuff"]
    for color, settings in zip(COLORS, _settings_by_rule(sweep).values(), strict=False):
        dots = axes.scatter(things[settings], stuff[settings], s=11, color=color, alpha=0.35, linewidth=0, zorder=2)
        dots.set_rasterized(form.is_for_paper)
    axes.plot(things[front], stuff[front], color=INK, linewidth=1.2, marker="o", markersize=2.6, zorder=3)
    for setting, marker in ((sweep.default, default_marker()), (sweep.best, best_marker())):
        axes.plot([things[setting]], [stuff[setting]], **marker)
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("PQ of things (percent)")
    axes.set_ylabel("PQ of stuff (percent)")


def _settings_by_rule(sweep: ReportedSweep) -> Dict[str, List[int]]:
    settings_of: Dict[str, List[int]] = {}
    for number, pipeline in enumerate(sweep.result.grid.settings):
        settings_of.setdefault(rule_name("claim", pipeline.claim), []).append(number)
    return settings_of


def _rule_handles(sweep: ReportedSweep) -> list:
    rules = list(_settings_by_rule(sweep))
    names = rules if len(rules) > 1 else ["a setting"]
    return [
        Line2D([], [], marker="o", markersize=4.5, color=color, alpha=0.6, linestyle="none", label=name)
        for color, name in zip(COLORS, names, strict=False)
    ]


def _limits(values: np.ndarray) -> tuple:
    low, high = float(values.min()), float(values.max())
    margin = max(_MARGIN * (high - low), (_LEAST_SIDE - (high - low)) / 2, 0.02)
    return low - margin, high + margin
