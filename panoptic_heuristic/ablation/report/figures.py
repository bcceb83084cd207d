"""The figures about one sweep, with their captions."""

from functools import partial
from typing import List, Optional

import numpy as np

from panoptic_heuristic.ablation.report.curves import curve_names, draw_curves, family_name
from panoptic_heuristic.ablation.report.document import Block, Figure, Heading, PaperFigure, Picture, Text
from panoptic_heuristic.ablation.report.heatmaps import SHOWN_BELOW_BEST, draw_heat_maps
from panoptic_heuristic.ablation.report.plots import Form
from panoptic_heuristic.ablation.report.scatter import draw_scatter, pareto_front
from panoptic_heuristic.ablation.report.slices import FRACTION, PIXELS
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.report.words import count, threshold
from panoptic_heuristic.quality import Resampled


def heat_maps(sweep: ReportedSweep, prefix: str, level: int) -> List[Block]:
    """A figure for each family of settings that has two thresholds to draw."""
    blocks: List[Block] = []
    pq = sweep.columns["pq_all"]
    for place, family in enumerate(sweep.families, start=1):
        default = sweep.default if (family.numbers == sweep.default).any() else None
        best = "best" if (family.numbers == sweep.best).any() else "best of these"
        maps = draw_heat_maps(family, pq, default, best)
        if not maps:
            continue
        name = family_name(family, sweep.families)
        start = f"{prefix}_heat{place if len(sweep.families) > 1 else ''}"
        pictures = tuple(
            Picture(
                f"{start}_{one.x}_{one.y}.png",
                one.draw(Form.PNG),
                f"Heat map of PQ over {one.x} and {one.y}{f' ({name})' if name else ''}",
                paper=(PaperFigure(f"{start}_{one.x}_{one.y}", one.draw),),
            )
            for one in maps
        )
        caption = f"{name}, otherwise as above." if blocks else _heat_caption(sweep, name)
        blocks.append(Figure(pictures, caption, columns=2))
    if not blocks:
        return [Heading("Two thresholds", level), Text("No two thresholds have several values in this grid.")]
    left_out = _left_out(sweep)
    return [Heading("Two thresholds", level), *([Text(left_out)] if left_out else []), *blocks]


def curves(sweep: ReportedSweep, resampled: Optional[Resampled], prefix: str, level: int) -> List[Block]:
    """One figure with a column for each threshold that has several values."""
    names = curve_names(sweep)
    if not names:
        return [Heading("One threshold", level), Text("No threshold has several values in this grid.")]
    several = len(sweep.families) > 1
    caption = [
        "PQ along one threshold while the others stay at the best setting"
        + (" of the curve's own rule and kind of stuff limit." if several else "."),
        "Each row has one scale. The diamond is the default; it lies off the curve where its other thresholds differ.",
    ]
    if resampled is not None:
        caption.append(
            "The band is the 95 % interval of the difference to the best setting: where it lies below the height of "
            "the star, the loss is more than chance."
        )
    if {PIXELS, FRACTION} & set(names):
        caption.append("Stuff limits have a square-root scale.")
    picture = Picture(
        f"{prefix}_curves.png",
        draw_curves(sweep, resampled, names),
        f"Curves of PQ along {' and '.join(names)}",
        paper=tuple(
            PaperFigure(f"{prefix}_curves_{name}", partial(draw_curves, sweep, resampled, (name,))) for name in names
        ),
    )
    return [Heading("One threshold", level), Figure((picture,), " ".join(caption))]


def things_against_stuff(sweep: ReportedSweep, prefix: str, level: int) -> List[Block]:
    """The scatter of all settings."""
    heading = Heading("Things against stuff", level)
    for group, is_missing in (("things", "There are no things"), ("stuff", "There is no stuff")):
        if not sweep.occurs(group):
            return [heading, Text(f"{is_missing} in these images, so there is nothing to draw.")]
    front = pareto_front(sweep.columns["pq_things"], sweep.columns["pq_stuff"])
    caption = "Each dot is a setting. " + (
        "One is the best in things and in stuff alike."
        if len(front) == 1
        else f"The Pareto front joins the {count(len(front))} that no other setting beats in things without losing in "
        "stuff: the shorter it is, the less one has to choose between the two."
    )
    name = f"{prefix}_things_stuff"
    picture = Picture(
        f"{name}.png",
        draw_scatter(sweep),
        "PQ of things against PQ of stuff",
        paper=(PaperFigure(name, partial(draw_scatter, sweep)),),
    )
    return [heading, Figure((picture,), caption)]


def _heat_caption(sweep: ReportedSweep, name: str) -> str:
    pq = sweep.columns["pq_all"]
    parts = [
        f"{name}: PQ" if name else "PQ",
        "over each pair of thresholds, one cell per value of the grid; the third has its value in the best setting.",
        "The dashed cell has the default's two values; where the default's third value is not the map's, the default's "
        "own PQ is another.",
    ]
    if np.nanmin(pq) < pq[sweep.best] - SHOWN_BELOW_BEST:
        parts.append(f"All that is more than {SHOWN_BELOW_BEST:g} below the best has the darkest colour.")
    return " ".join(parts)


def _left_out(sweep: ReportedSweep) -> str:
    """A sentence on the thresholds that have one value only."""
    single = {
        axis.name: axis.values[0]
        for family in sweep.families
        for place, axis in enumerate(family.axes)
        if place not in family.drawn and axis.values[0] is not None
    }
    drawn = set(curve_names(sweep))
    told = [f"{name} ({threshold(value)})" for name, value in single.items() if name not in drawn]
    if not told:
        return ""
    return f"Left out, for the grid has one value of it: {', '.join(told)}."
