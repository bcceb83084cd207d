"""The effects of the best setting on classes and images, against the default."""

from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.report.changes import Change
from panoptic_heuristic.ablation.report.document import Block, Figure, Heading, Picture, Row, Table, Text
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.report.words import between, count, measure, plural, signed, signed_count
from panoptic_heuristic.ablation.sweeping.tables import MEASURES
from panoptic_heuristic.quality import Resampled

_MOVERS = 8
_LONG_TABLE = 30
_CHANGES_LISTED = 12


def classes(sweep: ReportedSweep, resampled: Optional[Resampled], level: int) -> List[Block]:
    """PQ, SQ and RQ of each class under the default and the best setting."""
    rows = _class_rows(sweep, resampled)
    header = ("class", "kind", "segments", "PQ default", "PQ best", "difference", "95 % interval")
    full_header = (*header, "SQ", "RQ", "TP", "FP", "FN")
    blocks: List[Block] = [Heading("Classes", level)]
    if sweep.best == sweep.default:
        blocks.append(Text("The default is the best setting, so no class differs."))
    else:
        gained = sum(gain > 0 for gain, _ in rows)
        lost = sum(gain < 0 for gain, _ in rows)
        blocks.append(
            Text(
                f"Of {plural(len(rows), 'class')} the best setting improves {count(gained)} and worsens {count(lost)}. "
                "An interval that reaches 0 may be chance. classes.csv has the same table."
            )
        )
    table_rows = tuple(Row(cells) for _, cells in rows)
    if len(rows) > _LONG_TABLE:
        chosen = table_rows[:_MOVERS] + table_rows[-_MOVERS:]
        shown = tuple(Row(row.cells[: len(header)]) for row in chosen)
        ends = f"The {_MOVERS} classes at either end, largest gain first."
        blocks.append(Table(header, shown, words=2, caption=ends))
    caption = "Largest gain first. Arrows lead from the default to the best setting."
    folded = f"All {count(len(rows))} classes" if len(rows) > _LONG_TABLE else None
    blocks.append(Table(full_header, table_rows, words=2, caption=caption, folded=folded))
    return blocks


def changes(found: Sequence[Change], pictures: Sequence[Picture], level: int) -> List[Block]:
    """The images that the best setting changes most against the default.

    Args:
        found: all images, most changed first.
        pictures: of the first of them.
        level: of the heading.
    """
    fewer, more = (sum(sign * change.errors > 0 for change in found) for sign in (-1, 1))
    rows = tuple(
        Row(
            (
                str(change.image_id),
                change.file_name,
                *(count(value) for value in (change.default.errors, change.best.errors)),
                signed_count(change.errors),
                *(measure(value, 1) for value in (change.default.pq, change.best.pq)),
                signed(change.pq, 1),
            )
        )
        for change in found[:_CHANGES_LISTED]
    )
    header = ("image", "file", "errors default", "errors best", "change", "PQ default", "PQ best", "PQ change")
    figures = [
        Figure((picture,), f"{_position(place)}: {_change_caption(change)}")
        for place, (picture, change) in enumerate(zip(pictures, found, strict=False))
    ]
    return [
        Heading("Images that change most", level),
        Text(
            f"Errors are missed segments and false positives. Of {plural(len(found), 'image')} {count(fewer)} have "
            f"fewer of them under the best setting than under the default, {count(more)} have more, and "
            f"{count(len(found) - fewer - more)} as many. PQ is that of the image alone; it weighs "
            "classes, not segments, alike, so over all images it may rise while errors do, too."
        ),
        Table(header, rows, words=2),
        *figures,
    ]


def _class_rows(sweep: ReportedSweep, resampled: Optional[Resampled]) -> List[Tuple[float, Tuple[str, ...]]]:
    """The gain and the cells of each class that occurs, largest gain first."""
    quality, counts = sweep.counts.quality(), sweep.counts
    pair = (sweep.default, sweep.best)
    rows = []
    for place, category in enumerate(sweep.result.categories.values()):
        percents = {name: [100 * float(getattr(quality, name)[place, number]) for number in pair] for name in MEASURES}
        if np.isnan(percents["pq"]).all():
            continue
        default, best = percents["pq"]
        differs = resampled is not None and best != default
        bounds = resampled.category_difference(sweep.best, sweep.default, place) if differs else None
        tp, fp = ([int(values[place, number]) for number in pair] for values in (counts.tp, counts.fp))
        segments = int(counts.segments[place])
        cells = [category.name, category.kind, count(segments)]
        cells += [measure(default), measure(best), signed(best - default), between(bounds)]
        cells += [_from_to(lambda value: measure(value, 1), percents[name]) for name in ("sq", "rq")]
        cells += [_from_to(count, values) for values in (tp, fp, [segments - matched for matched in tp])]
        rows.append((best - default, tuple(cells)))
    return sorted(rows, key=lambda row: -np.nan_to_num(row[0]))


def _from_to(spell: Callable[[Any], str], values: Sequence[Any]) -> str:
    return " \N{RIGHTWARDS ARROW} ".join(map(spell, values))


def _position(place: int) -> str:
    return "Most changed" if place == 0 else f"Change no. {place + 1}"


def _change_caption(change: Change) -> str:
    return (
        f"image {change.image_id} ({change.file_name}), {plural(change.default.errors, 'error')} under the default "
        f"({change.default.missed} missed, {change.default.false} false) and {count(change.best.errors)} under the "
        f"best setting ({change.best.missed} missed, {change.best.false} false); PQ {measure(change.default.pq, 1)} "
        f"and {measure(change.best.pq, 1)}."
    )
