"""The CSV of a comparison, and its rows as numbers."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from panoptic_heuristic.ablation.sweep.tables import MEASURES
from panoptic_heuristic.ablation.tuning.preset_thresholds import threshold_values
from panoptic_heuristic.ablation.tuning.presets import PUBLISHED, TUNED, PresetComparison, Row
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv

GROUPS = ("all", "things", "stuff")


def quality_values(row: Row) -> Dict[str, float]:
    """PQ, SQ and RQ in percent by group, by names such as ``pq_things``; NaN where nothing occurs."""
    values = {}
    for group in GROUPS:
        quality = getattr(row.quality, group)
        for measure in MEASURES:
            values[f"{measure}_{group}"] = float("nan") if quality is None else 100 * getattr(quality, measure)
    return values


def write_comparison(path: Path, comparison: PresetComparison) -> None:
    """Writes one line per preset and kind of thresholds, highest PQ first.

    ``pq_over_published`` is PQ less that of the reference with published thresholds, ``pq_over_tuned``
    with tuned ones. Thresholds are there twice, ``_1`` and ``_2``: those the one half of the images was
    counted by and those of the other. Cells of what a preset's rules do not have are empty.
    """
    write_csv(path, readable_rows(_lines(comparison)))


def _lines(comparison: PresetComparison) -> Iterator[List[Any]]:
    for rank, row in enumerate(comparison.rows, start=1):
        values: Dict[str, Any] = {
            "rank": rank,
            "preset": row.preset,
            "thresholds": row.thresholds,
            **quality_values(row),
            **_gains(row),
            "ms_per_image": row.milliseconds,
        }
        for half, pipeline in enumerate(row.pipelines, start=1):
            values.update({f"{name}_{half}": value for name, value in threshold_values(pipeline).items()})
        if rank == 1:
            yield list(values)
        yield list(values.values())


def _gains(row: Row) -> Dict[str, Optional[float]]:
    values: Dict[str, Optional[float]] = {}
    for kind in (PUBLISHED, TUNED):
        gain = row.gains.get(kind)
        low, high = (gain and gain.interval) or (None, None)
        name = f"pq_over_{kind}"
        values.update({name: gain and gain.difference, f"{name}_low": low, f"{name}_high": high})
    return values
