"""The outcome of comparing pipelines, as rows and as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from panoptic_heuristic.ablation.sweeping.tables import MEASURES
from panoptic_heuristic.ablation.tuning.thresholds import threshold_values
from panoptic_heuristic.formats.csv_files import readable_rows, write_csv
from panoptic_heuristic.formats.files import PathLike, written_whole
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import Summary

PUBLISHED, TUNED = "published", "tuned"
"""Kinds of thresholds: those a pipeline comes with, and those found on other images."""

TABLE, CHART = FILES = ("comparison.csv", "comparison.png")

_GROUPS = ("all", "things", "stuff")


@dataclass(frozen=True)
class Difference:
    """PQ less that of the reference on the same images, in percent.

    Attributes:
        pq: of all images.
        interval: 95 % of it; None where it is not known.
    """

    pq: float
    interval: Optional[Tuple[float, float]]


@dataclass(frozen=True)
class Row:
    """One pipeline with one kind of thresholds.

    Attributes:
        name: of the pipeline.
        thresholds: ``published`` or ``tuned``.
        pipelines: those that fused the one half and the other; equal if published.
        quality: on all images.
        gains: over the reference by the reference's kind of thresholds: over the published of all
            rows, over the tuned of tuned ones; the reference has none over itself.
        milliseconds: processor time of fusing one image, on one thread; the median over images.
    """

    name: str
    thresholds: str
    pipelines: Tuple[Pipeline, ...]
    quality: Summary
    gains: Mapping[str, Difference]
    milliseconds: float

    @property
    def measures(self) -> Dict[str, float]:
        """PQ, SQ and RQ in percent by group, by names such as ``pq_things``; NaN where nothing occurs."""
        values = {}
        for group in _GROUPS:
            quality = getattr(self.quality, group)
            for measure in MEASURES:
                values[f"{measure}_{group}"] = float("nan") if quality is None else 100 * getattr(quality, measure)
        return values


@dataclass(frozen=True)
class Comparison:
    """Pipelines side by side.

    Attributes:
        table: highest PQ first; equal ones in the order of the pipelines, published before tuned.
        failed: why a pipeline could not fuse, by name.
        raised: the published ``instances_score_thresh`` of those that had one below the scores in the cache, by name.
        reference: the name of the pipeline that gains are over.
        images: how many were counted.
        tuned_on: the thresholds of the one half and of the other were tuned on so many images.
    """

    table: Tuple[Row, ...]
    failed: Mapping[str, str]
    raised: Mapping[str, float]
    reference: str
    images: int
    tuned_on: Tuple[int, ...]

    def row(self, name: str, thresholds: str) -> Row:
        """The row of a pipeline that did not fail."""
        return next(row for row in self.table if (row.name, row.thresholds) == (name, thresholds))

    def rows(self) -> List[Dict[str, Any]]:
        """The table, for :class:`pandas.DataFrame` or a CSV.

        ``pq_over_published`` is PQ less that of the reference with published thresholds, ``pq_over_tuned``
        with tuned ones. Thresholds are there twice, ``_1`` and ``_2``: those the one half of the images was
        counted by and those of the other; None if the rules do not have them.
        """
        rows = []
        for rank, row in enumerate(self.table, start=1):
            values: Dict[str, Any] = {
                "rank": rank,
                "preset": row.name,
                "thresholds": row.thresholds,
                **row.measures,
                **_gains(row),
                "ms_per_image": row.milliseconds,
            }
            for half, pipeline in enumerate(row.pipelines, start=1):
                values.update({f"{name}_{half}": value for name, value in threshold_values(pipeline).items()})
            rows.append(values)
        return rows

    def write(self, folder: PathLike) -> List[Path]:
        """Writes the table and a bar chart.

        Args:
            folder: made if it is missing.

        Returns:
            The files.
        """
        # Matplotlib is slow to load, and only this needs it.
        from panoptic_heuristic.ablation.report.pipeline_chart import draw_pipelines

        written = [Path(folder) / name for name in FILES]
        rows = self.rows()
        write_csv(written[0], readable_rows([list(rows[0]), *(list(row.values()) for row in rows)]))
        with written_whole(written[1]) as temporary:
            temporary.write_bytes(draw_pipelines(self))
        return written


def _gains(row: Row) -> Dict[str, Optional[float]]:
    values: Dict[str, Optional[float]] = {}
    for kind in (PUBLISHED, TUNED):
        gain = row.gains.get(kind)
        low, high = (gain and gain.interval) or (None, None)
        name = f"pq_over_{kind}"
        values.update({name: None if gain is None else gain.pq, f"{name}_low": low, f"{name}_high": high})
    return values
