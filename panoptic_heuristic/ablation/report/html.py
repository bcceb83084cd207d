"""A report as one HTML page that needs nothing else: no files, no network, no scripts."""

import base64
import html
import re
from typing import Dict, Iterator, List, Mapping
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
    Picture,
    Row,
    Table,
    Text,
)

# In pixels of the page.
_WIDE = 700

# On a phone the first of these that a table has stays in sight, beside the names of the rows, while the rest scrolls.
_KEY_COLUMNS = ("PQ", "PQ best")

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfb; --ink: #1f2328; --faint: #5d6670; --line: #dfe3e8; --panel: #f3f4f5;
  --accent: #0b62a4; --best: #c23000; --notice: #fff6e0; --notice-line: #d99a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #15181c; --ink: #e4e7eb; --faint: #9aa4ae; --line: #30363d; --panel: #1d2126;
    --accent: #6cb6ff; --best: #ff8a65; --notice: #2c2410; --notice-line: #b98600;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 48px 28px 96px; }
p, figcaption, .notice { max-width: 74ch; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -0.01em; margin: 0 0 0.6em; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.6em 0 0.6em; padding-top: 0.9em;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2em 0 0.4em; }
.summary { font-size: 1.15rem; line-height: 1.5; margin: 0 0 1.2em; }
nav { margin: 1.6em 0 0; font-size: 0.9rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3em 1.4em; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 1.6em 0; }
.fact { background: var(--panel); border-radius: 10px; padding: 14px 18px 16px; }
.fact dt { color: var(--faint); font-size: 0.85rem; }
.fact dd { margin: 0; }
.fact .value { font-size: 1.75rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.fact .note { color: var(--faint); font-size: 0.85rem; line-height: 1.4; overflow-wrap: anywhere; }
.notice { background: var(--notice); border-left: 4px solid var(--notice-line); padding: 10px 16px; margin: 1.2em 0; }
pre { background: var(--panel); border-radius: 8px; padding: 12px 16px; margin: 1em 0; overflow-x: auto;
  font: 0.85rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.table { overflow-x: auto; margin: 1.2em 0 1.6em; }
table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.4; }
.caption { color: var(--faint); font-size: 0.9rem; margin: 1.6em 0 0; }
.caption + .table { margin-top: 0.5em; }
th, td { padding: 5px 14px 5px 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); vertical-align: bottom; border-bottom-width: 2px; }
th.number, td.number { text-align: right; padding: 5px 0 5px 16px; }
td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.best td, tr.recommended td, tr.total td { font-weight: 650; }
tr.total:not(:first-child) td { padding-top: 1.2em; }
tr.best td:first-child, tr.default td:first-child, tr.recommended td:first-child { white-space: nowrap; }
tbody tr:hover { background: var(--panel); }
.mark { display: inline-block; font-size: 0.75rem; font-weight: 600; border: 1.5px solid; border-radius: 99px;
  padding: 0 8px; margin-left: 6px; line-height: 1.5; vertical-align: 1px; }
.mark.best, .mark.recommended { color: var(--best); }
.mark.default { color: var(--faint); border-style: dashed; }
figure { margin: 1.6em 0 2em; }
.pictures { display: grid; gap: 14px; }
@media (min-width: 900px) { .pictures.two { grid-template-columns: 1fr 1fr; align-items: start; } }
.picture { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 12px; overflow-x: auto; }
.picture img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.picture img.wide { min-width: 680px; }
figcaption { color: var(--faint); font-size: 0.9rem; margin-top: 0.7em; }
details { margin: 1em 0 1.6em; }
summary { cursor: pointer; color: var(--accent); }
@media (max-width: 600px) {
  main { padding: 24px 16px 64px; }
  table { border-collapse: separate; border-spacing: 0; }
  tr > :first-child, tr > .key { position: sticky; background: var(--paper); z-index: 1; }
  tr > :first-child { left: 0; min-width: 112px; max-width: 112px; overflow-wrap: break-word; }
  tr[class] td:first-child { white-space: normal; }
  tr > .key { left: 112px; right: 0; padding: 5px 10px; }
  .mark { margin-left: 0; }
}
@media print { main { max-width: none; padding: 0; } nav { display: none; } figure, tr { break-inside: avoid; } }
"""


def to_html(document: Document) -> str:
    """The text of an HTML file."""
    anchors = _anchors(document)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_escape(document.title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{_escape(document.title)}</h1>",
        f'<p class="summary">{_escape(document.summary)}</p>',
    ]
    first_heading = True
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 2 and first_heading:
            parts += _navigation(anchors)
            first_heading = False
        parts += _block(block, anchors)
    return "\n".join([*parts, "</main>", "</body>", "</html>", ""])


def _escape(text: str) -> str:
    """Text as HTML, with no line break before a percent sign."""
    return html.escape(text).replace(" %", "&nbsp;%")


def _anchors(document: Document) -> Mapping[str, str]:
    """An id for each section's name."""
    anchors: Dict[str, str] = {}
    for block in document.blocks:
        if isinstance(block, Heading) and block.level == 2 and block.text not in anchors:
            anchors[block.text] = f"s{len(anchors) + 1}-{re.sub(r'[^a-z0-9]+', '-', block.text.lower()).strip('-')}"
    return anchors


def _navigation(anchors: Mapping[str, str]) -> List[str]:
    if len(anchors) < 2:
        return []
    links = [f'<li><a href="#{anchor}">{_escape(text)}</a></li>' for text, anchor in anchors.items()]
    return ['<nav aria-label="Sections"><ul>', *links, "</ul></nav>"]


def _block(block: Block, anchors: Mapping[str, str]) -> Iterator[str]:
    if isinstance(block, Heading):
        anchor = f' id="{anchors[block.text]}"' if block.level == 2 else ""
        yield f"<h{block.level}{anchor}>{_escape(block.text)}</h{block.level}>"
    elif isinstance(block, Text):
        yield f"<p>{_escape(block.text)}</p>"
    elif isinstance(block, Link):
        yield f'<p><a href="{_escape(quote(block.path))}">{_escape(block.text)}</a></p>'
    elif isinstance(block, Notice):
        yield f'<p class="notice">{_escape(block.text)}</p>'
    elif isinstance(block, Code):
        lines = block.text.rstrip("\n")
        code = f"<pre>{html.escape(lines)}</pre>"
        folded = block.folded and f"<details><summary>{_escape(block.folded)}</summary>{code}</details>"
        yield folded or code
    elif isinstance(block, Facts):
        yield '<dl class="facts">'
        for fact in block.facts:
            note = f'<dd class="note">{_escape(fact.note)}</dd>' if fact.note else ""
            yield (
                f'<div class="fact"><dt>{_escape(fact.label)}</dt>'
                f'<dd class="value">{_escape(fact.value)}</dd>{note}</div>'
            )
        yield "</dl>"
    elif isinstance(block, Figure):
        yield from _figure(block)
    elif block.folded:
        yield f"<details><summary>{_escape(block.folded)}</summary>"
        yield from _table(block)
        yield "</details>"
    else:
        yield from _table(block)


def _figure(figure: Figure) -> Iterator[str]:
    yield "<figure>"
    yield f'<div class="pictures{" two" if figure.columns > 1 else ""}">'
    for picture in figure.pictures:
        # On a phone a wide picture scrolls, as nothing in it could be read otherwise.
        wide = ' class="wide"' if _width(picture) > _WIDE else ""
        data = base64.b64encode(picture.png).decode("ascii")
        yield (
            f'<div class="picture"><img src="data:image/png;base64,{data}" alt="{_escape(picture.alt)}"'
            f' width="{_width(picture)}"{wide}></div>'
        )
    yield "</div>"
    yield f"<figcaption>{_escape(figure.caption)}</figcaption>"
    yield "</figure>"


def _width(picture: Picture) -> int:
    """In pixels of the page; a PNG's own width stands in its bytes 16 to 19."""
    return int.from_bytes(picture.png[16:20], "big") // picture.density


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        # Above the table and not in it, since a <caption> is no wider than its table.
        yield f'<p class="caption">{_escape(table.caption)}</p>'
    yield '<div class="table"><table>'
    cells = "".join(
        f'<th scope="col"{_class(place, table)}>{_escape(name).replace("_", "_<wbr>")}</th>'
        for place, name in enumerate(table.header)
    )
    yield f"<thead><tr>{cells}</tr></thead>"
    yield "<tbody>"
    yield from (_row(row, table) for row in table.rows)
    yield "</tbody>"
    yield "</table></div>"


def _row(row: Row, table: Table) -> str:
    is_named = row.mark in ("best", "default", "recommended")
    mark = f' <span class="mark {row.mark}">{row.mark}</span>' if is_named else ""
    cells = "".join(
        f"<td{_class(place, table)}>{_escape(cell)}{mark if place == 0 else ''}</td>"
        for place, cell in enumerate(row.cells)
    )
    return f'<tr class="{_escape(row.mark)}">{cells}</tr>' if row.mark else f"<tr>{cells}</tr>"


def _class(place: int, table: Table) -> str:
    """The attribute of a cell of a column of numbers."""
    if place < table.words:
        return ""
    key = next((name for name in _KEY_COLUMNS if name in table.header), None)
    return f' class="number{" key" if table.header[place] == key else ""}"'
