"""CSV files that people and spreadsheets read."""

import csv
import io
from typing import Any, Iterable, Iterator, List

from panoptic_heuristic.formats.files import PathLike, write_text

# OWASP's list, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: PathLike, rows: Iterable[Iterable[Any]]) -> None:
    """Writes a CSV file whole or not at all; equal rows give equal bytes on every system.

    A text that a spreadsheet would take for a formula, such as a class that is called ``=1+1``, has an apostrophe
    before it, by which spreadsheets know a text.

    Raises:
        NotWrittenError: the system refuses.
    """
    write_text(path, "".join(map(_line, rows)))


def _line(row: Iterable[Any]) -> str:
    # The writer quotes a carriage return in a cell only where it is one of the terminator, too.
    end, line = "\r\n", io.StringIO(newline="")
    csv.writer(line, lineterminator=end).writerow(map(_no_formula, row))
    return line.getvalue()[: -len(end)] + "\n"


def _no_formula(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def readable_rows(rows: Iterable[Iterable[Any]]) -> Iterator[List[Any]]:
    """The rows with floats to ten digits, and empty cells in place of None and NaN."""
    return ([_readable(value) for value in row] for row in rows)


def _readable(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else value
