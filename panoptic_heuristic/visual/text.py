"""Text on pictures, in whatever fonts it needs."""

import functools
from typing import List, Tuple

from PIL import ImageDraw

from panoptic_heuristic.errors import is_control
from panoptic_heuristic.visual.fonts import font, font_with, in_fonts

_OUTLINE = 2


def one_line(text: str) -> str:
    """A text from a user's file as pictures show it: line breaks and other control characters are spaces."""
    return " ".join("".join(" " if is_control(one) else one for one in text).split())


def is_drawable(text: str) -> bool:
    """False if a character of a text is in no font of the system."""
    return all(map(font_with, one_line(text)))


def text_width(text: str, size: int) -> float:
    """The width in pixels of a text without an outline."""
    return sum(font(size, path).getlength(piece) for piece, path in _pieces(text))


def wrapped(text: str, size: int, width: float) -> List[str]:
    """The lines of a text that is to be no wider than ``width`` pixels; words that are wider are cut."""
    lines = [""]
    for word in one_line(text).split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if text_width(joined, size) <= width:
            lines[-1] = joined
            continue
        if not lines[-1]:
            lines.pop()
        while (fitting := _fitting(word, size, width)) < len(word):
            lines.append(word[:fitting])
            word = word[fitting:]
        lines.append(word)
    return lines


def _fitting(word: str, size: int, width: float) -> int:
    """The number of first characters that fit, at least one. None is narrower than a pixel."""
    longest = min(len(word), int(width))
    return next((n for n in range(longest, 1, -1) if text_width(word[:n], size) <= width), 1)


def write(draw: ImageDraw.ImageDraw, x: float, middle: int, text: str, size: int, color: Tuple[int, int, int]) -> None:
    """Writes a text whose left end is at ``x`` and whose letters are about ``middle``, in pixels."""
    for piece, path in _pieces(text):
        one = font(size, path)
        draw.text((x, middle), piece, fill=color, font=one, anchor="lm")
        x += one.getlength(piece)


@functools.lru_cache(maxsize=10_000)
def text_size(text: str, size: int) -> Tuple[int, int]:
    """Width and height in pixels that a text with its outline takes."""
    left, top, right, bottom = _outlined_box(text, size)
    return round(right - left), round(bottom - top)


def write_outlined(draw: ImageDraw.ImageDraw, text: str, x: int, y: int, size: int) -> None:
    """Writes a text, white with a black outline, which stays legible on any background.

    Args:
        draw: of an RGB image.
        x, y: its left upper corner in pixels, outline included.
    """
    left, top, _, _ = _outlined_box(text, size)
    place = x - left
    for piece, path in _pieces(text):
        one = font(size, path)
        draw.text(
            (place, y - top),
            piece,
            fill=(255, 255, 255),
            font=one,
            anchor="ls",
            stroke_width=_OUTLINE,
            stroke_fill=(0, 0, 0),
        )
        place += one.getlength(piece)


def _pieces(text: str) -> List[Tuple[str, str]]:
    return in_fonts(one_line(text))


def _outlined_box(text: str, size: int) -> Tuple[float, float, float, float]:
    """Left, top, right and bottom of a text with its outline, from its place on the baseline."""
    boxes, place = [], 0.0
    for piece, path in _pieces(text):
        one = font(size, path)
        left, top, right, bottom = one.getbbox(piece, stroke_width=_OUTLINE, anchor="ls")
        boxes.append((place + left, top, place + right, bottom))
        place += one.getlength(piece)
    lefts, tops, rights, bottoms = zip(*boxes or [(0.0, 0.0, 0.0, 0.0)], strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
