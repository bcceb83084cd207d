"""CSV files that people and spreadsheets read."""

import csv
from typing import Any, Iterable, Iterator, List

from panoptic_heuristic.formats.files import PathLike, written_whole


def write_csv(path: PathLike, rows: Iterable[Iterable[Any]]) -> None:
    """Writes a CSV file whole or not at all; equal rows give equal bytes on every system."""
    with written_whole(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def readable_rows(rows: Iterable[Iterable[Any]]) -> Iterator[List[Any]]:
    """The rows with floats to ten digits, and empty cells in place of None and NaN."""
    return ([_readable(value) for value in row] for row in rows)


def _readable(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else value
