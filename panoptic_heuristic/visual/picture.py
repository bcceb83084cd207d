"""Panoptic maps as pictures people can read."""

from typing import Any, Mapping, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, written_whole

VOID_COLOR = (0, 0, 0)
_BORDER_COLOR = (255, 255, 255)


def color_panoptic(
    ids: np.ndarray, segments_info: Sequence[Mapping[str, Any]], categories: Categories
) -> np.ndarray:
    """Paints each segment in its category's colour and draws white borders between segments.

    Args:
        ids: (H, W) integers; 0 is void and painted black.
        segments_info: dicts with ``id`` and ``category_id`` (dataset ids).
        categories: the data set's categories.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    ids = np.asarray(ids)
    picture = np.empty(ids.shape + (3,), dtype=np.uint8)
    picture[:] = VOID_COLOR
    for segment in segments_info:
        picture[ids == segment["id"]] = categories[segment["category_id"]].color
    picture[segment_borders(ids)] = _BORDER_COLOR
    return picture


def segment_borders(ids: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels whose left or upper neighbour belongs to another segment."""
    border = np.zeros(ids.shape, dtype=bool)
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    border[1:] |= ids[1:] != ids[:-1]
    return border


def save_comparison(
    path: PathLike, rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], categories: Categories
) -> None:
    """Writes a sheet of pictures side by side, one row per image, with a legend of the colours.

    Args:
        path: a PNG; written whole or not at all.
        rows: for each image the same number of (H, W, 3) uint8 RGB pictures.
        titles: one per column.
        categories: whose colours the legend shows.
    """
    # Here and not on top: matplotlib is slow to import, and most users of this file need no sheet.
    # Without pyplot no figure outlives this call, and the user's backend stays as it is.
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    figure = Figure(figsize=_sheet_inches(rows, len(titles)), layout="constrained")
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(_enlarged(picture))
            axes[row, column].set_axis_off()
            if row == 0:
                axes[row, column].set_title(titles[column])
    handles = [
        Rectangle((0, 0), 1, 1, color=np.array(category.color) / 255, label=category.name)
        for category in categories.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=8, frameon=False)
    with written_whole(path) as temporary:
        # Without the version of matplotlib in it, equal pictures are equal files.
        figure.savefig(temporary, dpi=100, metadata={"Software": None})


def _sheet_inches(rows: Sequence[Sequence[np.ndarray]], columns: int) -> Tuple[float, float]:
    height, width = rows[0][0].shape[:2]
    column_inches = 3.6
    return columns * column_inches, len(rows) * column_inches * height / width + 1.0


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """Small pictures enlarged by a whole factor, so that pixels stay sharp."""
    factor = max(1, 480 // picture.shape[1])
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
