"""The tables of a report as CSV files, one value per cell, as spreadsheets and pandas read them."""

import re
from typing import Dict, List, Sequence, Tuple

from panoptic_heuristic.ablation.report.document import Document, Heading, Table

_INTERVAL = re.compile(r"(.*?) ?\[(.+), (.+)\]")
_ARROW = " \N{RIGHTWARDS ARROW} "
_SIDES = (("default", 0), ("best", 2))
_PERCENT = " %"
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


def tables_of(document: Document) -> Dict[str, Table]:
    """The tables by the headings that they stand below, such as ``best_settings``; several of one are numbered."""
    found: Dict[str, List[Table]] = {}
    headings: List[Heading] = []
    for block in document.blocks:
        if isinstance(block, Heading):
            headings = [one for one in headings if one.level < block.level] + [block]
        elif isinstance(block, Table):
            found.setdefault("_".join(_name(one.text) for one in headings) or "opening", []).append(block)
    return {
        name if len(tables) == 1 else f"{name}_{number}": table
        for name, tables in found.items()
        for number, table in enumerate(tables, start=1)
    }


def csv_rows(table: Table) -> List[List[str]]:
    """The header, and the rows of a table.

    A number keeps the digits that it is shown with; a cell of several, such as a difference with its interval, becomes
    several columns. A row's mark has a column if any row has one.
    """
    columns = []
    for place, name in enumerate(table.header):
        cells = [row.cells[place] for row in table.rows]
        columns += [(name, cells)] if place < table.words else _split(name, cells)
    if any(row.mark for row in table.rows):
        columns.append(("mark", [row.mark for row in table.rows]))
    return [list(row) for row in zip(*([name, *cells] for name, cells in columns), strict=True)]


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()


def _split(name: str, cells: Sequence[str]) -> List[Tuple[str, List[str]]]:
    """One column of numbers as several of one number each."""
    if any(_ARROW in cell for cell in cells):
        parts = [cell.partition(_ARROW) for cell in cells]
        return [(f"{name} {which}", _plain([one[place] for one in parts])) for which, place in _SIDES]
    if any(_INTERVAL.fullmatch(cell) for cell in cells):
        matches = [_INTERVAL.fullmatch(cell) for cell in cells]
        triples = [match.groups() if match else (cell, "", "") for match, cell in zip(matches, cells, strict=True)]
        names = (name, f"{name} low", f"{name} high")
        columns = [(one, _plain([triple[place] for triple in triples])) for place, one in enumerate(names)]
        return columns if any(columns[0][1]) else columns[1:]
    if any(cell.endswith(_PERCENT) for cell in cells):
        return [(f"{name} (%)", _plain([cell.removesuffix(_PERCENT) for cell in cells]))]
    return [(name, _plain(cells))]


def _plain(cells: Sequence[str]) -> List[str]:
    """Numbers as programs read them; a dash, which stands for none, is an empty cell."""
    plain = [cell.replace("\N{MINUS SIGN}", "-") for cell in cells]
    plain = ["" if cell == "\N{EN DASH}" else cell for cell in plain]
    return [cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell for cell in plain]
