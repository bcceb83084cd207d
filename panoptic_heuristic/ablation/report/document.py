"""A report as values: what it says, whatever it is written as."""

from dataclasses import dataclass
from typing import Callable, Optional, Tuple, Union

from panoptic_heuristic.ablation.report.plots import Form


@dataclass(frozen=True)
class Heading:
    """A section's name; level 2 for a section, 3 for a part of one."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Link:
    """A paragraph that leads to another file.

    Attributes:
        text: what is there.
        path: of the file, relative to the report's folder, with slashes.
    """

    text: str
    path: str


@dataclass(frozen=True)
class Notice:
    """A paragraph that must not be missed."""

    text: str


@dataclass(frozen=True)
class Code:
    """Lines to copy.

    Attributes:
        text: the lines.
        folded: if given, there are many, and this stands in their place until they are asked for.
    """

    text: str
    folded: Optional[str] = None


@dataclass(frozen=True)
class Fact:
    """A number that the report is about.

    Attributes:
        label: what it is.
        value: the number.
        note: what it goes with; may be empty.
    """

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Numbers side by side."""

    facts: Tuple[Fact, ...]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: as many as the table has columns.
        mark: ``best``, ``default``, ``recommended``, ``total`` (of the rows below it) or nothing.
    """

    cells: Tuple[str, ...]
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: the names of the columns.
        rows: what stands under them.
        words: how many columns, from the left, hold words; the others hold numbers.
        caption: how to read it; may be empty.
        folded: if given, the table is long, and this stands in its place until it is asked for.
    """

    header: Tuple[str, ...]
    rows: Tuple[Row, ...]
    words: int = 1
    caption: str = ""
    folded: Optional[str] = None


@dataclass(frozen=True)
class PaperFigure:
    """A figure that a paper can show: as wide as a column, its text as large as a paper's.

    Attributes:
        name: of its files, without an ending.
        draw: gives the bytes of an SVG or a PDF.
    """

    name: str
    draw: Callable[[Form], bytes]


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: of its file.
        png: the file's bytes.
        alt: what it shows, for those who cannot see it.
        density: its pixels for each of a page's; two are sharp on fine screens.
        paper: the same for papers, in as many figures as it needs there; none of what is no drawing.
    """

    name: str
    png: bytes
    alt: str
    density: int = 2
    paper: Tuple[PaperFigure, ...] = ()


@dataclass(frozen=True)
class Figure:
    """Pictures side by side, with one caption that says how to read them.

    Attributes:
        pictures: at least one.
        caption: below them.
        columns: how many of them stand beside each other where there is room.
    """

    pictures: Tuple[Picture, ...]
    caption: str
    columns: int = 1


Block = Union[Heading, Text, Link, Notice, Code, Facts, Table, Figure]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: its name.
        summary: its result in a sentence or two.
        blocks: the rest, in order.
    """

    title: str
    summary: str
    blocks: Tuple[Block, ...]

    @property
    def pictures(self) -> Tuple[Picture, ...]:
        """All pictures, in order."""
        return tuple(picture for block in self.blocks if isinstance(block, Figure) for picture in block.pictures)
