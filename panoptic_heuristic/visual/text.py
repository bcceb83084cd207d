"""Text on pictures: white with a black outline, which stays legible on any background."""

import functools
from pathlib import Path
from typing import Tuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_OUTLINE = 2


@functools.lru_cache(maxsize=None)
def font(size: int) -> ImageFont.FreeTypeFont:
    """The font of all pictures, ``size`` pixels high."""
    # matplotlib brings a font along, the same on every machine, with Greek and Cyrillic letters.
    from matplotlib import get_data_path

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"), size)


def text_size(text: str, size: int) -> Tuple[int, int]:
    """Width and height in pixels that a text with its outline takes."""
    left, top, right, bottom = font(size).getbbox(text, stroke_width=_OUTLINE, anchor="ls")
    return round(right - left), round(bottom - top)


def write_outlined(picture: np.ndarray, text: str, x: int, y: int, size: int) -> np.ndarray:
    """Writes a text whose left upper corner, outline included, is at (x, y).

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        A copy with the text.
    """
    image = Image.fromarray(picture)
    left, top, _, _ = font(size).getbbox(text, stroke_width=_OUTLINE, anchor="ls")
    ImageDraw.Draw(image).text(
        (x - left, y - top),
        text,
        fill=(255, 255, 255),
        font=font(size),
        anchor="ls",
        stroke_width=_OUTLINE,
        stroke_fill=(0, 0, 0),
    )
    return np.array(image)
