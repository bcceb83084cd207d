"""The parts of an image in which border rules work: those that have borders."""

from typing import Callable, Iterator, Tuple

import cv2
import numpy as np

Window = Tuple[slice, slice]
"""Rows and columns."""


def spread(values: np.ndarray, radius: int, by: Callable) -> np.ndarray:
    """The largest (by ``cv2.dilate``) or smallest (by ``cv2.erode``) of the (H, W) values within a radius."""
    reach = min(radius, max(values.shape))
    square = np.ones((2 * reach + 1, 2 * reach + 1), dtype=np.uint8)
    # float32 is exact up to 2**24.
    return by(values.astype(np.uint8 if values.dtype == bool else np.float32), square)


def have_choice(ids: np.ndarray, movable: np.ndarray, radius: int) -> np.ndarray:
    """(H, W) bool: the pixels that may move and have one of another id, that may, within a radius.

    Args:
        ids: (H, W) integers >= 0; 0 where a pixel may not move.
        movable: (H, W) bool.
        radius: in pixels.
    """
    lowest = spread(np.where(movable, ids, ids.max() + 1), radius, cv2.erode)
    return movable & (spread(ids, radius, cv2.dilate) != lowest)


def windows(has_choice: np.ndarray, is_small_enough: Callable[[Window], bool]) -> Iterator[Window]:
    """Disjoint parts that have all pixels with a choice: the image is halved until its parts are small enough.

    Args:
        has_choice: (H, W) bool: the pixels that may move.
        is_small_enough: True for a window that is not to be halved.
    """
    height, width = has_choice.shape
    yield from _parts_of((slice(0, height), slice(0, width)), has_choice, is_small_enough)


def _parts_of(window: Window, has_choice: np.ndarray, is_small_enough: Callable[[Window], bool]) -> Iterator[Window]:
    rows, columns = (np.flatnonzero(has_choice[window].any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return
    y0, x0 = window[0].start, window[1].start
    window = slice(y0 + rows[0], y0 + rows[-1] + 1), slice(x0 + columns[0], x0 + columns[-1] + 1)
    if is_small_enough(window):
        yield window
        return
    height, width = sides(window)
    longer = int(width > height)
    middle = (window[longer].start + window[longer].stop) // 2
    for half in (slice(window[longer].start, middle), slice(middle, window[longer].stop)):
        yield from _parts_of((window[0], half) if longer else (half, window[1]), has_choice, is_small_enough)


def sides(window: Window) -> Tuple[int, int]:
    """Height and width of a window."""
    rows, columns = (one.stop - one.start for one in window)
    return rows, columns


def grown(window: Window, margin: int) -> Window:
    """A window with a margin; it may reach beyond the ends of the image, but not before its starts."""
    rows, columns = (slice(max(one.start - margin, 0), one.stop + margin) for one in window)
    return rows, columns


def within(window: Window, outer: Window) -> Window:
    """The same pixels as a window of what lies in ``outer``, which has them all."""
    rows, columns = (slice(one.start - two.start, one.stop - two.start) for one, two in zip(window, outer, strict=True))
    return rows, columns
