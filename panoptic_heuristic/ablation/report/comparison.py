"""Several sweeps of one grid side by side: does the best setting of one hold for another?"""

from dataclasses import dataclass
from typing import List, Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.report.document import Block, Heading, Row, Table
from panoptic_heuristic.ablation.report.loss_curves import loss_curves
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.report.words import between, describe, measure, setting_columns, signed
from panoptic_heuristic.ablation.sweeping.columns import columns_of, row_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import Resampled


@dataclass(frozen=True, eq=False)
class Compared:
    """Sweeps of one grid.

    Attributes:
        sweeps: at least two.
        resampled: of each, with the best settings of all; None where there are too few images.
        for_all: the setting whose largest loss against a sweep's own best is least.
    """

    sweeps: Sequence[ReportedSweep]
    resampled: Sequence[Optional[Resampled]]
    for_all: int


def check_same_grid(sweeps: Sequence[ReportedSweep]) -> None:
    """Raises if sweeps are of different grids.

    Raises:
        InputError: names two sweeps and what differs.
    """
    first, *others = sweeps
    for other in others:
        if first.result.grid.settings != other.result.grid.settings:
            names = _differing(first.result.grid.settings, other.result.grid.settings)
            raise InputError(
                f"{first.result.folder} and {other.result.folder} are sweeps of different grids (their "
                f"{', '.join(names)} differ), so their settings cannot be compared; sweep both with one grid, or "
                "report them apart"
            )


def _differing(first: Sequence[Pipeline], other: Sequence[Pipeline]) -> List[str]:
    """The columns of two grids' settings that have other values."""
    columns = columns_of((*first, *other))
    rows = [[row_of(pipeline, columns) for pipeline in settings] for settings in (first, other)]
    values = [{name: {str(row[name]) for row in one} for name in columns} for one in rows]
    return [name for name in columns if values[0][name] != values[1][name]] or ["settings"]


def setting_for_all(sweeps: Sequence[ReportedSweep]) -> int:
    """The setting whose largest loss over the sweeps is least; the first of equal ones."""
    losses = [sweep.pq(sweep.best) - np.nan_to_num(sweep.columns["pq_all"], nan=-1.0) for sweep in sweeps]
    return int(np.max(losses, axis=0).argmin())


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's: Pearson's correlation of the ranks, equal values sharing their mean rank.

    Args:
        first, second: (S,) PQ of the same settings; those with a NaN in one of them are left out.

    Returns:
        -1 to 1; NaN if one of them has a single value.
    """
    known = ~np.isnan(first) & ~np.isnan(second)
    ranks = [_ranks(values[known]) for values in (first, second)]
    centred = [values - values.mean() for values in ranks]
    scale = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float((centred[0] * centred[1]).sum() / scale) if scale else float("nan")


def largest_loss(compared: Compared) -> float:
    """The most that the best setting of one sweep costs another, in PQ."""
    return max(
        other.pq(other.best) - other.pq(sweep.best) for sweep in compared.sweeps for other in compared.sweeps
    )


def comparison(compared: Compared, level: int) -> List[Block]:
    """The tables and the figure."""
    return [
        Heading("Does the best setting of one hold for another?", level),
        _best_table(compared),
        *_transfer_tables(compared),
        *_correlation(compared),
        *loss_curves(compared.sweeps),
    ]


def _best_table(compared: Compared) -> Table:
    sweeps = compared.sweeps
    names, rows = setting_columns(sweeps[0].result.grid, [*(sweep.best for sweep in sweeps), compared.for_all])
    # Words first, numbers after them.
    words = 1 + (names[0] == "claim")
    table_rows = []
    for sweep, resampled, values in zip(sweeps, compared.resampled, rows, strict=False):
        bounds = resampled.difference(sweep.best, sweep.default) if resampled is not None else None
        cells = [sweep.name, *values, measure(sweep.pq(sweep.best)), measure(sweep.pq(sweep.default))]
        table_rows.append(Row((*cells, signed(sweep.gain()), between(bounds))))
    table_rows.append(Row(("one for all", *rows[-1], "", "", "", "")))
    caption = "The best setting of each sweep, and the one whose largest loss on any sweep is smallest."
    return Table(
        ("best setting of", *names, "PQ", "PQ default", "gain", "95 % interval"),
        tuple(table_rows),
        words=words,
        caption=caption,
    )


def _transfer_tables(compared: Compared) -> List[Block]:
    sweeps = compared.sweeps
    tuned = [(f"best of {sweep.name}", lambda other, setting=sweep.best: setting) for sweep in sweeps]
    tuned.append(("one for all", lambda other: compared.for_all))
    tuned.append(("default", lambda other: other.default))
    quality, loss = [], []
    for name, setting_of in tuned:
        quality.append(Row((name, *(measure(other.pq(setting_of(other))) for other in sweeps))))
        cells = []
        for other, resampled in zip(sweeps, compared.resampled, strict=True):
            setting = setting_of(other)
            if setting == other.best:
                cells.append("0")
                continue
            bounds = None if resampled is None else resampled.difference(setting, other.best)
            cells.append(f"{signed(other.pq(setting) - other.pq(other.best))} {between(bounds)}".rstrip())
        loss.append(Row((name, *cells)))
    header = ("setting", *(f"on {sweep.name}" for sweep in sweeps))
    return [
        Table(header, tuple(quality), caption="PQ: rows say what the setting was tuned on, columns where it is used."),
        Table(
            header,
            tuple(loss),
            caption="PQ against the column's own best setting, with 95 % intervals: what is lost by not tuning there.",
        ),
    ]


def _correlation(compared: Compared) -> List[Block]:
    sweeps = compared.sweeps
    rows = tuple(
        Row((
            sweep.name,
            *(measure(rank_correlation(sweep.columns["pq_all"], other.columns["pq_all"]), 3) for other in sweeps),
        ))
        for sweep in sweeps
    )  # fmt: skip
    caption = (
        "Rank correlation (Spearman's) of the PQ of all settings: 1 if two sweeps put them in the same order, 0 if "
        "one order says nothing of the other. Bad settings count as much as good ones, so it may be high and the best "
        "settings differ all the same."
    )
    return [Table(("", *(sweep.name for sweep in sweeps)), rows, caption=caption)]


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[inverse]


def summary(compared: Compared) -> str:
    """The result in two sentences."""
    each = "; ".join(
        f"{sweep.name} PQ {measure(sweep.pq(sweep.best), 1)} (default {measure(sweep.pq(sweep.default), 1)})"
        for sweep in compared.sweeps
    )
    grid = compared.sweeps[0].result.grid
    return (
        f"Best of {len(grid):,} settings: {each}. The best setting of one sweep costs another at most "
        f"{measure(largest_loss(compared), 1)} PQ against its own best; {describe(grid.row(compared.for_all))} costs "
        f"none of them more than {measure(_loss_of(compared, compared.for_all), 1)}."
    )


def _loss_of(compared: Compared, setting: int) -> float:
    return max(sweep.pq(sweep.best) - sweep.pq(setting) for sweep in compared.sweeps)
