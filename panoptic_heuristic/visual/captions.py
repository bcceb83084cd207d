"""The places of the names of segments in a picture: inside their segments, and never on each other."""

from dataclasses import dataclass
from typing import Iterable, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.visual.text import text_size, write_outlined

_MARGIN = 2
# A name may reach out of a segment that is at least this deep and not much smaller than the name. What is
# smaller still stays without one: the name would hide more than it says.
_LEAST_DEPTH = 4.0
_MOST_TEXT_PER_AREA = 5.0


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
    font that fits. A segment too small for that has its text across its middle, if nothing is
    there yet.

    Args:
        ids: (H, W) integers, the segments.
        texts: by segment id; other segments get none.
        taken: captions that are there already.
        sizes: fonts to choose from, largest first; by default in proportion to the picture.

    Returns:
        Captions that overlap neither each other nor ``taken``, and lie inside the picture.
    """
    sizes = sizes or caption_sizes(max(ids.shape))
    free = np.ones(ids.shape, dtype=np.uint8)
    for caption in taken:
        _take(free, caption)
    segments = sorted(_segments(ids, texts), key=lambda segment: -int(segment[2].sum()))
    captions, too_small = [], []
    for segment_id, corner, mask in segments:
        caption = _inside(texts[segment_id], corner, mask, free, sizes)
        if caption is None:
            too_small.append((segment_id, corner, mask))
        else:
            captions.append(caption)
            _take(free, caption)
    for segment_id, corner, mask in too_small:
        caption = _across(texts[segment_id], corner, mask, free, sizes[-1])
        if caption is not None:
            captions.append(caption)
            _take(free, caption)
    return captions


def caption_sizes(side: int) -> Tuple[int, ...]:
    """Font sizes for a picture whose longer side has ``side`` pixels, largest first; none below 11."""
    return tuple(sorted({max(11, side // share) for share in (36, 44, 54)}, reverse=True))


def draw_captions(picture: np.ndarray, captions: Iterable[Caption]) -> np.ndarray:
    """A copy of the picture, (H, W, 3) uint8 RGB, with the captions on it."""
    picture = picture.copy()
    for caption in captions:
        picture = write_outlined(picture, caption.text, caption.x, caption.y, caption.size)
    return picture


def _segments(ids: np.ndarray, wanted: Iterable[int]) -> Iterable[Tuple[int, Tuple[int, int], np.ndarray]]:
    """Id, left upper corner (x, y) and mask of each segment, the mask inside its box."""
    for segment_id in wanted:
        mask = (ids == segment_id).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        if width:
            yield segment_id, (x, y), np.ascontiguousarray(mask[y : y + height, x : x + width])


def _inside(
    text: str, corner: Tuple[int, int], mask: np.ndarray, free: np.ndarray, sizes: Sequence[int]
) -> Optional[Caption]:
    height, width = mask.shape
    open_mask = mask & free[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
    for size in sizes:
        text_width, text_height = text_size(text, size)
        box = (text_height + 2 * _MARGIN, text_width + 2 * _MARGIN)
        if box[0] > height or box[1] > width:
            continue
        # After erosion with a box anchored at its left upper corner, what is left are corners where it fits.
        fits = cv2.erode(
            open_mask, np.ones(box, np.uint8), anchor=(0, 0), borderType=cv2.BORDER_CONSTANT, borderValue=0
        )
        if not fits.any():
            continue
        # Among the places, the one farthest from where it would touch something.
        y, x = np.unravel_index(_depth(fits).argmax(), fits.shape)
        return Caption(text, corner[0] + int(x) + _MARGIN, corner[1] + int(y) + _MARGIN, text_width, text_height, size)
    return None


def _across(text: str, corner: Tuple[int, int], mask: np.ndarray, free: np.ndarray, size: int) -> Optional[Caption]:
    depth = _depth(mask)
    width, height = text_size(text, size)
    if depth.max() < _LEAST_DEPTH or width * height > _MOST_TEXT_PER_AREA * mask.sum():
        return None
    row, column = np.unravel_index(depth.argmax(), mask.shape)
    x, y = corner[0] + int(column) - width // 2, corner[1] + int(row) - height // 2
    x, y = min(max(x, 0), free.shape[1] - width), min(max(y, 0), free.shape[0] - height)
    if x < 0 or y < 0 or not free[y : y + height, x : x + width].all():
        return None
    return Caption(text, x, y, width, height, size)


def _depth(mask: np.ndarray) -> np.ndarray:
    """Each pixel's distance to the border of its segment; the picture's edge is one."""
    return cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]


def _take(free: np.ndarray, caption: Caption) -> None:
    free[
        max(caption.y - _MARGIN, 0) : caption.y + caption.height + _MARGIN,
        max(caption.x - _MARGIN, 0) : caption.x + caption.width + _MARGIN,
    ] = 0
