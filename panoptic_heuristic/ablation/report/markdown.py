"""A report as Markdown, with its pictures as files beside it."""

import html
import re
from typing import Iterator, List
from urllib.parse import quote

from panoptic_heuristic.ablation.report.document import (
    Block,
    Code,
    Document,
    Facts,
    Figure,
    Heading,
    Link,
    Notice,
    Row,
    Table,
    Text,
)

# What Markdown would take for its own: not the underscore inside a word, nor a bracket that opens no link.
_SPECIAL = re.compile(r"[\\`*|~]|(?<!\w)_|_(?!\w)|(?<=\])[(\[:]")
# What makes a list or a heading of a paragraph.
_SPECIAL_START = re.compile(r"^(?:[#+=-]|\d+(?=[.)]))")


def to_markdown(document: Document) -> str:
    """The text of a Markdown file."""
    lines = [f"# {_escaped(document.title)}", "", f"**{_escaped(document.summary)}**", ""]
    for block in document.blocks:
        lines += [*_block(block), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{'#' * block.level} {_escaped(block.text)}"
    elif isinstance(block, Text):
        yield _paragraph(block.text)
    elif isinstance(block, Link):
        yield f"[{_escaped(block.text)}]({quote(block.path)})"
    elif isinstance(block, Notice):
        yield f"> {_paragraph(block.text)}"
    elif isinstance(block, Code):
        # A fence that is longer than any in the text.
        fence = "`" * max([3, *(1 + len(ticks) for ticks in re.findall("`+", block.text))])
        yield from (fence, *block.text.rstrip("\n").splitlines(), fence)
    elif isinstance(block, Facts):
        for fact in block.facts:
            note = f" ({_escaped(fact.note)})" if fact.note else ""
            yield f"- {_escaped(fact.label)}: **{_escaped(fact.value)}**{note}"
    elif isinstance(block, Figure):
        for picture in block.pictures:
            # Here every bracket is one of a link.
            alt = re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", _escaped(picture.alt))
            yield f"![{alt}]({picture.name})"
        yield ""
        yield f"*{_escaped(block.caption)}*"
    else:
        yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield from (f"*{_escaped(table.caption)}*", "")
    yield _row(table.header)
    yield _row(["---" if place < table.words else "---:" for place in range(len(table.header))], escape=False)
    for row in table.rows:
        yield _row(_marked(row), escape=False)


def _marked(row: Row) -> List[str]:
    """A mark is told in words, a total in bold."""
    cells = [_escaped(cell) for cell in row.cells]
    if row.mark == "total":
        return [f"**{cell}**" if cell else "" for cell in cells]
    return [f"{cells[0]} ({row.mark})".lstrip(), *cells[1:]] if row.mark else cells


def _row(cells, escape: bool = True) -> str:
    return f"| {' | '.join(_escaped(cell) if escape else cell for cell in cells)} |"


def _escaped(text: str) -> str:
    # Entities, as in the HTML: not every reader of Markdown knows a backslash before an angle bracket.
    return _SPECIAL.sub(r"\\\g<0>", html.escape(" ".join(text.split()), quote=False))


def _paragraph(text: str) -> str:
    return _SPECIAL_START.sub(_without_meaning, _escaped(text))


def _without_meaning(start: "re.Match[str]") -> str:
    """Of a number the point after it is what counts, and no backslash may stand before a digit."""
    return f"{start[0]}\\" if start[0].isdigit() else f"\\{start[0]}"
