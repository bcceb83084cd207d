"""A finished sweep."""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

import numpy as np

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweeping.buckets import bucket_path, read_bucket
from panoptic_heuristic.ablation.sweeping.job import BUCKETS
from panoptic_heuristic.ablation.sweeping.run import merge_sweeps, missing_buckets
from panoptic_heuristic.ablation.sweeping.sweep_json import FILE, read_sweep_json
from panoptic_heuristic.ablation.sweeping.tables import class_rows, setting_rows, write_sweep_tables
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike


class SweepResult:
    """A finished sweep on disk.

    Attributes:
        folder: where it is.
        manifest: what ``sweep.json`` says.
        grid: the settings.
        categories: the data set's.
    """

    def __init__(self, folder: PathLike, temporary: Optional["tempfile.TemporaryDirectory[str]"] = None):
        """
        Args:
            folder: where the sweep is.
            temporary: the same folder, if it is to go when nothing refers to this result any more.

        Raises:
            InputError: the folder holds none, or a bucket of it is missing or damaged.
        """
        self.folder = Path(folder)
        self._temporary = temporary
        swept = read_sweep_json(self.folder)
        self.manifest, self.grid, self.categories = swept.values, swept.grid, swept.categories
        missing = missing_buckets(self.folder)
        if missing:
            raise InputError(
                f"{self.folder} lacks {len(missing)} of {BUCKETS} buckets, such as {missing[0]:02d}; "
                "run the sweep again to finish it, or merge its shards"
            )

    def total(self) -> SettingCounts:
        """The counts of all images, not to be changed: they are read once.

        Raises:
            InputError: the file of a bucket is damaged.
        """
        return self._total

    @cached_property
    def _total(self) -> SettingCounts:
        total = SettingCounts.zeros(len(self.categories), len(self.grid))
        for bucket in range(BUCKETS):
            total.add_arrays(self._read(bucket))
        return total

    def of_settings(self, settings: Sequence[int]) -> List[SettingCounts]:
        """The counts of some settings only, bucket by bucket, for resampling.

        Raises:
            InputError: the file of a bucket is damaged.
        """
        parts = [SettingCounts.zeros(len(self.categories), len(settings)) for _ in range(BUCKETS)]
        for bucket, part in enumerate(parts):
            part.add_arrays(self._read(bucket), settings)
        return parts

    def _read(self, bucket: int) -> Dict[str, np.ndarray]:
        path = bucket_path(self.folder, bucket)
        return read_bucket(path, categories=len(self.categories), settings=len(self.grid))

    def rows(self) -> List[Dict[str, Any]]:
        """The rows of ``settings.csv``: a setting each, best first, with PQ, SQ and RQ in percent; NaN where nothing
        occurs.
        """
        return _as_dicts(setting_rows(self.grid, self.total(), self.categories))

    def class_rows(self) -> List[Dict[str, Any]]:
        """The rows of ``classes.csv``: a setting and a category each, which refer to :meth:`rows` by ``setting``."""
        return _as_dicts(class_rows(self.total(), self.categories))

    def write(self, folder: PathLike) -> List[Path]:
        """Writes the counts and tables, as the command does.

        Args:
            folder: made if it is missing; may be the sweep's own.

        Returns:
            The files, and the folder of the buckets.

        Raises:
            InputError: the folder holds a sweep of something else, or cannot be written to.
        """
        folder = Path(folder)
        if folder.resolve() != self.folder.resolve():
            merge_sweeps([self.folder], folder)
        tables = write_sweep_tables(folder, self.grid, self.total(), self.categories)
        return [folder / FILE, folder / "buckets", *tables]


def _as_dicts(rows: Iterable[List[Any]]) -> List[Dict[str, Any]]:
    header, *values = rows
    return [dict(zip(header, row, strict=True)) for row in values]
