"""The CSV files of a report."""

import math
from pathlib import Path
from typing import Any, Iterator, List, Sequence

from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.sweeping.tables import MEASURES
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv


def write_settings(path: Path, sweeps: Sequence[ReportedSweep]) -> None:
    """Writes all settings of each sweep, best first, with PQ, SQ and RQ in percent."""
    thresholds = list(sweeps[0].result.grid.columns)
    header = ["sweep", "rank", "setting", *thresholds, *sweeps[0].columns]
    rows = (row for sweep in sweeps for row in _settings(sweep))
    write_csv(path, [header, *readable_rows(rows)])


def write_classes(path: Path, sweeps: Sequence[ReportedSweep]) -> None:
    """Writes the classes of each sweep under the default and the best setting; those that never occur are left out."""
    header = ["sweep", "category_id", "name", "isthing"]
    header += [f"{measure}_{which}" for measure in MEASURES for which in ("default", "best", "difference")]
    header += [f"{count}_{which}" for count in ("tp", "fp", "fn") for which in ("default", "best")]
    rows = (row for sweep in sweeps for row in _classes(sweep))
    write_csv(path, [header, *readable_rows(rows)])


def _settings(sweep: ReportedSweep) -> Iterator[List[Any]]:
    grid = sweep.result.grid
    for rank, number in enumerate(sweep.order.tolist(), start=1):
        qualities = [float(column[number]) for column in sweep.columns.values()]
        yield [sweep.name, rank, number, *grid.row(number).values(), *qualities]


def _classes(sweep: ReportedSweep) -> Iterator[List[Any]]:
    quality, counts = sweep.counts.quality(), sweep.counts
    pair = (sweep.default, sweep.best)
    for place, category in enumerate(sweep.result.categories.values()):
        row: List[Any] = [sweep.name, category.id, category.name, int(category.isthing)]
        for measure in MEASURES:
            default, best = (100 * float(getattr(quality, measure)[place, number]) for number in pair)
            row += [default, best, best - default]
        if math.isnan(row[4]) and math.isnan(row[5]):
            continue
        tp, fp = ([int(values[place, number]) for number in pair] for values in (counts.tp, counts.fp))
        yield [*row, *tp, *fp, *(int(counts.segments[place]) - matched for matched in tp)]
