"""Tables of plain text, for terminals."""

from typing import Any, Sequence

from tabulate import tabulate

from panoptic_heuristic.errors import printable


def text_table(rows: Sequence[Sequence[Any]], headers: Sequence[str], align: str) -> str:
    """A table whose cells may hold whatever names a user's files have.

    Args:
        rows: cells; texts are shown as :func:`panoptic_heuristic.errors.printable` has them.
        headers: of the columns.
        align: "l" or "r" per column.
    """
    cells = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    sides = [{"l": "left", "r": "right"}[one] for one in align]
    return tabulate(cells, [printable(one) for one in headers], colalign=sides, disable_numparse=True)
