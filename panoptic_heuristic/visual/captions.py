"""The places of the names of segments in a picture: inside their segments."""

from dataclasses import dataclass
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from panoptic_heuristic.formats.runs import segment_crops
from panoptic_heuristic.visual.text import text_size, write_outlined

_MARGIN = 1


@dataclass(frozen=True)
class Caption:
    """A text with its place in a picture.

    Attributes:
        text: its words.
        x, y: its left upper corner in pixels.
        width, height: in pixels, outline included.
        size: of the font.
    """

    text: str
    x: int
    y: int
    width: int
    height: int
    size: int


def place_captions(
    ids: np.ndarray, texts: Mapping[int, str], *, taken: Iterable[Caption] = (), sizes: Optional[Sequence[int]] = None
) -> List[Caption]:
    """Finds a place for the text of each segment, if there is one.

    A text goes where it fits wholly into its segment, as deep inside as it can, in the largest
    font that fits. A segment too small for that has none: on other segments it would say of them what
    is not so.

    Args:
        ids: (H, W) integers, the segments.
        texts: by segment id; other segments get none.
        taken: captions that are there already.
        sizes: fonts to choose from, largest first; by default in proportion to the picture.

    Returns:
        Captions that overlap neither each other, nor ``taken``, nor any pixel outside their segments.
    """
    sizes = sizes or caption_sizes(max(ids.shape))
    free = np.ones(ids.shape, dtype=np.uint8)
    for caption in taken:
        _take(free, caption)
    captions = []
    for segment_id, (rows, columns), mask in segment_crops(ids, list(texts)):
        open_mask = mask & free[rows, columns]
        caption = _inside(texts[segment_id], (columns.start, rows.start), open_mask, sizes)
        if caption is not None:
            captions.append(caption)
            _take(free, caption)
    return captions


def caption_sizes(side: int) -> Tuple[int, ...]:
    """Font sizes for a picture whose longer side has ``side`` pixels, largest first; none below 11."""
    return tuple(sorted({11, *(max(11, side // share) for share in (36, 44, 54, 72))}, reverse=True))


def draw_captions(picture: np.ndarray, captions: Iterable[Caption]) -> np.ndarray:
    """A copy of the picture, (H, W, 3) uint8 RGB, with the captions on it."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for caption in captions:
        write_outlined(draw, caption.text, caption.x, caption.y, caption.size)
    return np.array(image)


def _inside(text: str, corner: Tuple[int, int], mask: np.ndarray, sizes: Sequence[int]) -> Optional[Caption]:
    height, width = mask.shape
    for size in sizes:
        text_width, text_height = text_size(text, size)
        box = (text_height + 2 * _MARGIN, text_width + 2 * _MARGIN)
        if box[0] > height or box[1] > width:
            continue
        # After erosion with a box anchored at its left upper corner, what is left are corners where it fits.
        fits = cv2.erode(mask, np.ones(box, np.uint8), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        if not fits.any():
            continue
        # Among the places, the one farthest from where it would touch something.
        y, x = np.unravel_index(_depth(fits).argmax(), fits.shape)
        return Caption(text, corner[0] + int(x) + _MARGIN, corner[1] + int(y) + _MARGIN, text_width, text_height, size)
    return None


def _depth(mask: np.ndarray) -> np.ndarray:
    """Each pixel's distance to the border of its segment; the picture's edge is one."""
    return cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]


def _take(free: np.ndarray, caption: Caption) -> None:
    free[
        max(caption.y - _MARGIN, 0) : caption.y + caption.height + _MARGIN,
        max(caption.x - _MARGIN, 0) : caption.x + caption.width + _MARGIN,
    ] = 0
