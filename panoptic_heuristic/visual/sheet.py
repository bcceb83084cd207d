"""Sheets: pictures in rows with captions, titles and a legend."""

import math
from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from panoptic_heuristic.formats.files import PathLike, written_whole
from panoptic_heuristic.visual.text import text_width, wrapped, write

_GAP = 10
_TITLE, _CAPTION, _LEGEND = 18, 15, 14
_LEADING = 6
_SWATCH = (30, 18)
_TEXT_FROM_SWATCH = _SWATCH[0] + 6
_BETWEEN_ENTRIES = 22
# A photo of a few columns would leave a caption a letter per line.
_LEAST_WIDTH = 320
_INK = (20, 20, 20)
_PAPER = (255, 255, 255)


@dataclass(frozen=True)
class Row:
    """Pictures side by side.

    Attributes:
        caption: stands above them.
        pictures: (H, W, 3) uint8 RGB each, all of one size.
    """

    caption: str
    pictures: Tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Swatch:
    """An entry of the legend.

    Attributes:
        picture: (18, 30, 3) uint8 RGB, as :func:`swatch` makes one of a colour.
        text: its meaning.
    """

    picture: np.ndarray
    text: str


def swatch(color: Sequence[int], text: str) -> Swatch:
    """A legend entry of one colour."""
    return Swatch(np.full((_SWATCH[1], _SWATCH[0], 3), color, dtype=np.uint8), text)


def make_sheet(rows: Sequence[Row], titles: Sequence[str], legends: Sequence[Sequence[Swatch]]) -> np.ndarray:
    """Puts rows of pictures under each other.

    The sheet is as wide as its texts need: columns as wide as their titles at least, and captions and legends in as
    many lines as it takes.

    Args:
        rows: at least one; each with as many pictures as there are titles.
        titles: one per column.
        legends: each begins on a line of its own, below the pictures.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    widest = max(picture.shape[1] for row in rows for picture in row.pictures)
    cell = max(widest, *(math.ceil(text_width(title, _TITLE)) for title in titles))
    width = max(_GAP + len(titles) * (cell + _GAP), _LEAST_WIDTH)
    blocks = []
    for number, row in enumerate(rows):
        blocks.append(_caption(row.caption, width))
        if number == 0:
            blocks.append(_titles(titles, cell, width))
        blocks.append(_pictures(row.pictures, cell, width))
    blocks += [_legend(legend, width) for legend in legends if legend]
    return np.concatenate(blocks)


def save_picture(path: PathLike, picture: np.ndarray) -> None:
    """Writes an (H, W, 3) uint8 RGB picture as a PNG, whole or not at all; missing folders are made."""
    with written_whole(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", compress_level=6)


def _titles(titles: Sequence[str], cell: int, width: int) -> np.ndarray:
    image, draw = _paper(width, _TITLE + _GAP)
    for column, title in enumerate(titles):
        middle = _GAP + column * (cell + _GAP) + cell / 2
        write(draw, middle - text_width(title, _TITLE) / 2, image.height // 2, title, _TITLE, _INK)
    return np.array(image)


def _caption(text: str, width: int) -> np.ndarray:
    lines = wrapped(text, _CAPTION, width - 2 * _GAP)
    image, draw = _paper(width, len(lines) * (_CAPTION + _LEADING) - _LEADING + 2 * _GAP)
    for number, line in enumerate(lines):
        write(draw, _GAP, (_CAPTION + 2 * _GAP) // 2 + number * (_CAPTION + _LEADING), line, _CAPTION, _INK)
    return np.array(image)


def _pictures(pictures: Sequence[np.ndarray], cell: int, width: int) -> np.ndarray:
    height = max(picture.shape[0] for picture in pictures)
    block = np.full((height + _GAP, width, 3), _PAPER, dtype=np.uint8)
    for column, picture in enumerate(pictures):
        x = _GAP + column * (cell + _GAP) + (cell - picture.shape[1]) // 2
        block[: picture.shape[0], x : x + picture.shape[1]] = picture
    return block


def _legend(swatches: Sequence[Swatch], width: int) -> np.ndarray:
    lines: List[List[Swatch]] = [[]]
    for one in swatches:
        if lines[-1] and sum(map(_entry_width, lines[-1])) + _entry_width(one) > width - _GAP:
            lines.append([])
        lines[-1].append(one)
    return np.concatenate([*(_legend_line(line, width) for line in lines), np.array(_paper(width, _GAP)[0])])


def _legend_line(swatches: Sequence[Swatch], width: int) -> np.ndarray:
    """Swatches with their texts; one that is alone, since it is wider than the sheet, has several lines of text."""
    room = width - 2 * _GAP - _TEXT_FROM_SWATCH
    texts = [wrapped(one.text, _LEGEND, room) if len(swatches) == 1 else [one.text] for one in swatches]
    below = (max(map(len, texts)) - 1) * (_LEGEND + _LEADING)
    image, draw = _paper(width, _SWATCH[1] + _GAP + below)
    x = y = _GAP
    for one, lines in zip(swatches, texts, strict=True):
        image.paste(Image.fromarray(one.picture), (x, y))
        draw.rectangle((x, y, x + _SWATCH[0] - 1, y + _SWATCH[1] - 1), outline=_INK)
        for number, line in enumerate(lines):
            middle = y + _SWATCH[1] // 2 + number * (_LEGEND + _LEADING)
            write(draw, x + _TEXT_FROM_SWATCH, middle, line, _LEGEND, _INK)
        x += _entry_width(one)
    return np.array(image)


def _entry_width(one: Swatch) -> int:
    return _TEXT_FROM_SWATCH + round(text_width(one.text, _LEGEND)) + _BETWEEN_ENTRIES


def _paper(width: int, height: int) -> Tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), _PAPER)
    return image, ImageDraw.Draw(image)
