"""Fonts of all pictures: one that is the same everywhere, and the system's for writing that it lacks."""

import functools
import warnings
from pathlib import Path
from typing import FrozenSet, List, Optional, Tuple

from PIL import ImageFont


@functools.lru_cache(maxsize=None)
def font(size: int, path: Optional[str] = None) -> ImageFont.FreeTypeFont:
    """A font ``size`` pixels high; by default that of all pictures."""
    return ImageFont.truetype(path or _own_font(), size)


@functools.lru_cache(maxsize=None)
def font_with(character: str) -> Optional[str]:
    """The file of the first font that can draw a character, None if the system has none."""
    code = ord(character)
    if code in _characters(_own_font()):
        return _own_font()
    return next((path for path in system_fonts() if code in _characters(path)), None)


@functools.lru_cache(maxsize=None)
def system_fonts() -> Tuple[str, ...]:
    """The files of the system's fonts, those that look most like that of all pictures first."""
    from matplotlib.font_manager import findSystemFonts

    return tuple(sorted(findSystemFonts(), key=_unlikeness))


def in_fonts(text: str) -> List[Tuple[str, str]]:
    """Splits a text into the longest pieces that one font draws.

    Returns:
        Pairs of a piece and its font's file. What no font can draw is in the font of all pictures, a box.
    """
    pieces: List[Tuple[str, str]] = []
    for character in text:
        path = font_with(character) or _own_font()
        if pieces and pieces[-1][1] == path:
            pieces[-1] = (pieces[-1][0] + character, path)
        else:
            pieces.append((character, path))
    return pieces


@functools.lru_cache(maxsize=None)
def _own_font() -> str:
    # matplotlib brings a font along, the same on every machine, with Greek and Cyrillic letters.
    from matplotlib import get_data_path

    return str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")


def _unlikeness(path: str) -> Tuple[bool, bool, str]:
    name = Path(path).name.lower()
    return "sans" not in name, "bold" not in name, path


@functools.lru_cache(maxsize=None)
def _characters(path: str) -> FrozenSet[int]:
    """The characters that a font draws in any size; none if it cannot be read."""
    from matplotlib.ft2font import FT2Font

    # It has every character, each as a box that names its script.
    if Path(path).name.lower().startswith("lastresort"):
        return frozenset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            face = FT2Font(path)
            return frozenset(face.get_charmap()) if face.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()
