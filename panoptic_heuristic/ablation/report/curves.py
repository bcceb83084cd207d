"""Curves: PQ along one threshold, the others held at their best values."""

from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from panoptic_heuristic.ablation.report.plots import (
    COLORS,
    FAINT,
    PAPER_WIDTH,
    Form,
    best_marker,
    default_marker,
    legend_columns,
    legend_entries,
    paper_height,
    scale_x,
    style,
    to_file,
)
from panoptic_heuristic.ablation.report.slices import Axis, Family
from panoptic_heuristic.ablation.report.sweep import GROUPS, ReportedSweep
from panoptic_heuristic.quality import Resampled

_TITLES = {"all": "PQ, all", "things": "PQ, things", "stuff": "PQ, stuff"}
_WIDTHS = {1: 5.6, 2: 9.0, 3: 11.1, 4: 12.0}
_ROW, _PAPER_ROW = 2.05, 1.25


def curve_names(sweep: ReportedSweep) -> Tuple[str, ...]:
    """The thresholds that curves can be drawn of: those with more than one value."""
    return tuple(dict.fromkeys(family.axes[place].name for family in sweep.families for place in family.drawn))


def family_name(family: Family, families: Sequence[Family]) -> str:
    """The part of its name that tells a family from the others: its rule, its kind of stuff limit, or both."""
    parts = [family.rule] if len({one.rule for one in families}) > 1 else []
    if len({one.axes[2].name for one in families}) > 1:
        parts.append(family.axes[2].name)
    return ", ".join(parts)


def draw_curves(
    sweep: ReportedSweep, resampled: Optional[Resampled], names: Sequence[str], form: Form = Form.PNG
) -> bytes:
    """One row per group of categories that occurs, one column per threshold, one curve per family.

    The band around a curve is the 95 % interval of the difference to the family's best setting, around
    the curve's own value.

    Args:
        sweep: the sweep.
        resampled: its settings; None to draw no bands.
        names: the thresholds, of :func:`curve_names`; a paper's column has room for one.
        form: of the file.
    """
    groups = [group for group in GROUPS if sweep.occurs(group)]
    with style(form):
        handles = _family_handles(sweep.families) + list(legend_entries())
        width, height = _WIDTHS[len(names)], len(groups) * _ROW + 0.75
        if form.is_for_paper:
            width, height = PAPER_WIDTH, paper_height(len(groups) * _PAPER_ROW, handles)
        figure = Figure(figsize=(width, height), layout="constrained")
        grid = figure.subplots(len(groups), len(names), squeeze=False, sharey="row", sharex="col")
        for column, name in enumerate(names):
            for row, group in enumerate(groups):
                axes = grid[row, column]
                axes.grid(axis="y")
                axes.spines[["top", "right"]].set_visible(False)
                _draw_threshold(axes, sweep, group, name, resampled, width / len(names) - 0.4)
                if column == 0:
                    axes.set_ylabel(f"{_TITLES[group]} (percent)")
                if row < len(groups) - 1:
                    axes.set_xlabel("")
        figure.legend(handles=handles, loc="outside lower center", ncols=legend_columns(handles, form))
        return to_file(figure, form)


def _draw_threshold(
    axes: Axes, sweep: ReportedSweep, group: str, name: str, resampled: Optional[Resampled], inches: float
) -> None:
    pq, of_group = sweep.columns["pq_all"], sweep.columns[f"pq_{group}"]
    values: List[float] = []
    for (color, dashes), family in zip(_looks(sweep.families), sweep.families, strict=True):
        place = next((place for place in family.drawn if family.axes[place].name == name), None)
        if place is None:
            continue
        axis, best = family.axes[place], family.best(pq)
        line = family.line(place, best)
        values += axis.values
        look = {"color": color, "linestyle": dashes, "linewidth": 1.6, "marker": "o", "markersize": 3.2}
        axes.plot(axis.values, of_group[line], zorder=3, **look)
        if resampled is not None:
            low, high = _band(resampled, line.tolist(), best, group, of_group)
            axes.fill_between(axis.values, low, high, color=color, alpha=0.18, linewidth=0, zorder=2)
        _mark(axes, sweep, family, place, of_group)
    scale_x(axes, Axis(name, tuple(sorted(set(values)))), inches)


def _mark(axes: Axes, sweep: ReportedSweep, family: Family, place: int, of_group: np.ndarray) -> None:
    if (family.numbers == sweep.default).any():
        x = family.axes[place].values[family.place_of(sweep.default)[place]]
        axes.axvline(x, color=FAINT, linewidth=0.9, linestyle=(0, (3, 3)), zorder=1)
        axes.plot([x], [of_group[sweep.default]], **default_marker())
    if (family.numbers == sweep.best).any():
        x = family.axes[place].values[family.place_of(sweep.best)[place]]
        axes.plot([x], [of_group[sweep.best]], **best_marker())


def _band(
    resampled: Resampled, line: Sequence[int], best: int, group: str, of_group: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    bounds = [resampled.difference(number, best, group) or (np.nan, np.nan) for number in line]
    low, high = of_group[best] + np.array(bounds).T
    return low, high


def _looks(families: Sequence[Family]) -> List[Tuple[str, Any]]:
    """A colour per rule, and a line style per kind of stuff limit: the curves of two kinds often coincide."""
    rules = list(dict.fromkeys(family.rule for family in families))
    kinds = list(dict.fromkeys(family.axes[2].name for family in families))
    styles = ("-", (0, (4, 2)))
    return [
        (COLORS[rules.index(family.rule) % len(COLORS)], styles[kinds.index(family.axes[2].name)])
        for family in families
    ]


def _family_handles(families: Sequence[Family]) -> List[Line2D]:
    if len(families) < 2:
        return []
    return [
        Line2D([], [], color=color, linestyle=dashes, linewidth=2, label=family_name(family, families))
        for family, (color, dashes) in zip(families, _looks(families), strict=True)
    ]
