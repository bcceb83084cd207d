"""Sheets: pictures in rows with captions, titles and a legend."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
from PIL import Image, ImageDraw

from panoptic_heuristic.formats.files import PathLike, written_whole
from panoptic_heuristic.visual.text import font

_GAP = 10
_TITLE, _CAPTION, _LEGEND = 18, 15, 14
_SWATCH = (30, 18)
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

    Args:
        rows: at least one; each with as many pictures as there are titles.
        titles: one per column.
        legends: each begins on a line of its own, below the pictures.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    cell = max(picture.shape[1] for row in rows for picture in row.pictures)
    width = _GAP + len(titles) * (cell + _GAP)
    blocks = []
    for number, row in enumerate(rows):
        blocks.append(_line(row.caption, width))
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
        x = _GAP + column * (cell + _GAP) + cell // 2
        draw.text((x, image.height // 2), title, fill=_INK, font=font(_TITLE), anchor="mm")
    return np.array(image)


def _line(text: str, width: int) -> np.ndarray:
    image, draw = _paper(width, _CAPTION + 2 * _GAP)
    draw.text((_GAP, image.height // 2), text, fill=_INK, font=font(_CAPTION), anchor="lm")
    return np.array(image)


def _pictures(pictures: Sequence[np.ndarray], cell: int, width: int) -> np.ndarray:
    height = max(picture.shape[0] for picture in pictures)
    block = np.full((height + _GAP, width, 3), _PAPER, dtype=np.uint8)
    for column, picture in enumerate(pictures):
        x = _GAP + column * (cell + _GAP) + (cell - picture.shape[1]) // 2
        block[: picture.shape[0], x : x + picture.shape[1]] = picture
    return block


def _legend(swatches: Sequence[Swatch], width: int) -> np.ndarray:
    entries = [(one, _SWATCH[0] + 6 + round(font(_LEGEND).getlength(one.text)) + 22) for one in swatches]
    lines: List[List[Tuple[Swatch, int]]] = [[]]
    for entry in entries:
        if lines[-1] and sum(taken for _, taken in lines[-1]) + entry[1] > width - _GAP:
            lines.append([])
        lines[-1].append(entry)
    line_height = _SWATCH[1] + _GAP
    image, draw = _paper(width, len(lines) * line_height + _GAP)
    for number, line in enumerate(lines):
        x, y = _GAP, number * line_height + _GAP
        for one, taken in line:
            image.paste(Image.fromarray(one.picture), (x, y))
            draw.rectangle((x, y, x + _SWATCH[0] - 1, y + _SWATCH[1] - 1), outline=_INK)
            draw.text((x + _SWATCH[0] + 6, y + _SWATCH[1] // 2), one.text, fill=_INK, font=font(_LEGEND), anchor="lm")
            x += taken
    return np.array(image)


def _paper(width: int, height: int) -> Tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), _PAPER)
    return image, ImageDraw.Draw(image)
