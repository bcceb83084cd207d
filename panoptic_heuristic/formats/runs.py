"""Runs of equal pixels: what is asked of every segment of a map is answered from them in one pass.

There are far fewer runs than pixels, and no segment is looked for in the whole map.
"""

from typing import Any, Dict, Iterator, Mapping, Sequence, Tuple

import numpy as np
from pycocotools import mask as rle_codec

Box = Tuple[int, int, int, int]


def segment_ids(ids: np.ndarray) -> np.ndarray:
    """The ids of a map, each once, ascending.

    They are what ``np.unique`` gives, which takes five times as long on all pixels.

    Args:
        ids: (H, W) integers.

    Returns:
        (N,) of the same dtype, void among them if it occurs.
    """
    return np.unique(ids[_run_starts(ids)])


def segment_extents(ids: np.ndarray) -> Tuple[Dict[int, Box], Dict[int, int]]:
    """Boxes and areas of the segments of a map.

    Args:
        ids: (H, W) integers.

    Returns:
        Two dicts by segment id, ascending, void among them if it occurs: (x, y, width, height) of the
        smallest box that holds every pixel, and the number of pixels.
    """
    height, width = ids.shape
    starts, lengths, values = _runs(ids)
    tops, lefts = np.divmod(starts, max(width, 1))
    present, place = np.unique(values, return_inverse=True)
    areas = np.zeros(len(present), dtype=np.int64)
    np.add.at(areas, place, lengths)
    low = np.full((2, len(present)), max(height, width), dtype=np.int64)
    high = np.zeros((2, len(present)), dtype=np.int64)
    for axis, (first, last) in enumerate(((lefts, lefts + lengths), (tops, tops + 1))):
        np.minimum.at(low[axis], place, first)
        np.maximum.at(high[axis], place, last)
    boxes = np.concatenate([low, high - low]).T.tolist()
    keys = present.tolist()
    return dict(zip(keys, map(tuple, boxes), strict=True)), dict(zip(keys, areas.tolist(), strict=True))


def segment_crops(ids: np.ndarray, wanted: Sequence[int]) -> Iterator[Tuple[int, Tuple[slice, slice], np.ndarray]]:
    """The masks of some segments inside their boxes; segments without a pixel are passed over.

    Args:
        ids: (H, W) integers.
        wanted: segment ids.

    Yields:
        The segment's id, the rows and columns of its box, and its mask there, (h, w) bool.
    """
    boxes, _ = segment_extents(ids)
    for segment_id in wanted:
        if segment_id in boxes:
            x, y, width, height = boxes[segment_id]
            crop = (slice(y, y + height), slice(x, x + width))
            yield segment_id, crop, ids[crop] == segment_id


def segment_rles(ids: np.ndarray, wanted: Sequence[int]) -> Iterator[Dict[str, Any]]:
    """The masks of some segments as COCO's compressed RLE, those that pycocotools' ``encode`` gives.

    Args:
        ids: (H, W) integers.
        wanted: segment ids; the mask of one without a pixel is empty.

    Yields:
        dicts with ``size`` [H, W] and ``counts``, bytes.
    """
    height, width = ids.shape
    # COCO's masks go down the columns, from one into the next without a break.
    starts, lengths, values = _runs(ids.T.reshape(1, -1))
    order = np.argsort(values, kind="stable")
    edges = np.stack([starts, starts + lengths], axis=1)[order]
    first, last = (np.searchsorted(values[order], wanted, side=side) for side in ("left", "right"))
    for begin, end in zip(first.tolist(), last.tolist(), strict=True):
        counts = np.diff(edges[begin:end].ravel(), prepend=0, append=ids.size)
        runs = counts if counts[-1] or len(counts) == 1 else counts[:-1]
        yield rle_codec.frPyObjects({"size": [height, width], "counts": runs.tolist()}, height, width)


def numbered_segments(ids: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """The ids of a map, ascending, and each pixel's place among them, in the map's shape.

    They are what ``np.unique`` with ``return_inverse`` gives, which sorts all pixels: on 16 million it takes three
    seconds instead of a third of one.
    """
    _, lengths, values = _runs(ids)
    present, place = np.unique(values, return_inverse=True)
    return present, place.repeat(lengths).reshape(ids.shape)


def values_of_segments(ids: np.ndarray, value_of: Mapping[int, Any], default: Any, dtype: Any) -> np.ndarray:
    """Puts a value in the place of each segment's id.

    Args:
        ids: (H, W) integers.
        value_of: a number, or a tuple of C numbers, by segment id.
        default: that of ids without one.
        dtype: of the result.

    Returns:
        (H, W) or (H, W, C).
    """
    present, place = numbered_segments(ids)
    table = np.array([value_of.get(one, default) for one in present.tolist()], dtype=dtype)
    return table.reshape(-1, *np.shape(default))[place]


def _runs(ids: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First pixel, length and id of each run of equal pixels; every row begins one."""
    changes = _run_starts(ids)
    starts = np.flatnonzero(changes)
    return starts, np.diff(starts, append=ids.size), ids[changes]


def _run_starts(ids: np.ndarray) -> np.ndarray:
    """(H, W) bool: the first pixels of runs."""
    changes = np.ones(ids.shape, dtype=bool)
    np.not_equal(ids[..., 1:], ids[..., :-1], out=changes[..., 1:])
    return changes
