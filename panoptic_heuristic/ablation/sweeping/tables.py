"""The CSV files of a finished sweep."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv
from panoptic_heuristic.quality import groups_of

MEASURES = ("pq", "sq", "rq")


def quality_columns(counts: SettingCounts, categories: Categories) -> Dict[str, np.ndarray]:
    """(S,) percent of each measure and group, by names such as ``pq_things``; NaN where nothing occurs."""
    quality = counts.quality()
    return {
        f"{measure}_{group}": 100 * quality.mean(measure, chosen)
        for group, chosen in groups_of(categories).items()
        for measure in MEASURES
    }


def ranking(pq: np.ndarray) -> np.ndarray:
    """(S,) settings, highest PQ first, equal ones in their order; those without a PQ come last."""
    return np.argsort(-np.nan_to_num(pq, nan=-1.0), kind="stable")


def write_sweep_tables(folder: Path, grid: Grid, counts: SettingCounts, categories: Categories) -> List[Path]:
    """Writes ``settings.csv``, best setting first, and ``classes.csv``, which refers to it by ``setting``."""
    written = [folder / "settings.csv", folder / "classes.csv"]
    write_csv(written[0], readable_rows(setting_rows(grid, counts, categories)))
    write_csv(written[1], readable_rows(class_rows(counts, categories)))
    return written


def setting_rows(grid: Grid, counts: SettingCounts, categories: Categories) -> Iterator[List[Any]]:
    """The header, and a row per setting, best first: its values, and PQ, SQ and RQ in percent."""
    columns = quality_columns(counts, categories)
    yield ["setting", *grid.columns, *columns]
    for number in ranking(columns["pq_all"]).tolist():
        values = (column[number] for column in columns.values())
        yield [number, *grid.row(number).values(), *map(float, values)]


def class_rows(counts: SettingCounts, categories: Categories) -> Iterator[List[Any]]:
    """The header, and a row per setting and category that occurs: PQ, SQ and RQ in percent, and the counts."""
    quality = counts.quality()
    yield ["setting", "category_id", "name", "isthing", *MEASURES, "tp", "fp", "fn"]
    for number in range(counts.tp.shape[1]):
        for place, category in enumerate(categories.values()):
            if np.isnan(quality.pq[place, number]):
                continue
            values = (100 * float(getattr(quality, measure)[place, number]) for measure in MEASURES)
            tp, fp = int(counts.tp[place, number]), int(counts.fp[place, number])
            fn = int(counts.segments[place]) - tp
            yield [number, category.id, category.name, int(category.isthing), *values, tp, fp, fn]
