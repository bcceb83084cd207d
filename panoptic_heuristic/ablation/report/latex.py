"""A table of a report as LaTeX that needs no package, to be read by ``\\input``."""

from typing import List, Sequence

from panoptic_heuristic.ablation.report.document import Row, Table

# A bracket or a star at the start of a row would be an argument of the line break before it.
_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "[": "{[}",
    "*": "{*}",
    '"': "{''}",
    "`": r"\`{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{EN DASH}": "--",
    # No ligature of two.
    "-": "{-}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
}


def to_latex(table: Table) -> str:
    """A ``tabular``, its caption as a comment above it: words at the left, numbers at the right."""
    number = len(table.header)
    lines = [f"% {line}" for line in table.caption.splitlines()]
    lines += [
        rf"\begin{{tabular}}{{{'l' * min(table.words, number)}{'r' * max(number - table.words, 0)}}}",
        r"\hline",
        _line([_escaped(name) for name in table.header]),
        r"\hline",
        *(_line(_cells(row)) for row in table.rows),
        r"\hline",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> List[str]:
    """A mark is told in words, a total in bold."""
    cells = [_escaped(cell) for cell in row.cells]
    if row.mark == "total":
        return [rf"\textbf{{{cell}}}" if cell else "" for cell in cells]
    return [f"{cells[0]} ({row.mark})".lstrip(), *cells[1:]] if row.mark else cells


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(one, one) for one in " ".join(text.split()))
