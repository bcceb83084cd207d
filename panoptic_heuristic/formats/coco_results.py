"""COCO result files: what the two heads of a model found, before they are merged.

Detectron2 writes both when it evaluates: ``coco_instances_results.json`` and
``sem_seg_predictions.json``. The format is described at https://cocodataset.org/#format-results.
"""

from collections import defaultdict
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
from pycocotools import mask as rle_codec

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_json

NO_LABEL = -1
"""The value of pixels that no semantic mask covers."""


def read_results(path: PathLike, group_by: str) -> Dict[Any, List[Mapping[str, Any]]]:
    """Reads a result file and groups its entries by image.

    Args:
        path: a JSON list of dicts with ``category_id``, a ``segmentation`` RLE and an image.
        group_by: the key that names the image: ``image_id``, or ``file_name`` in Detectron2's
            semantic results.

    Returns:
        image -> its entries, in file order.

    Raises:
        InputError: the file is missing or no result file; the entry is named.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path} is no COCO result file: expected a list, got {type(entries).__name__}")
    grouped: Dict[Any, List[Mapping[str, Any]]] = defaultdict(list)
    for place, entry in enumerate(entries):
        for key in (group_by, "category_id", "segmentation"):
            if not isinstance(entry, Mapping) or key not in entry:
                raise InputError(f"{path}, entry {place}: expected an object with {key!r}")
        grouped[entry[group_by]].append(entry)
    return dict(grouped)


def categories_of_masks(entries: Sequence[Mapping[str, Any]], height: int, width: int) -> np.ndarray:
    """The category per pixel that the disjoint semantic masks of one image say.

    Args:
        entries: dicts with ``category_id`` and an RLE ``segmentation``.
        height, width: of the image, in pixels.

    Returns:
        (height, width) int64: category ids, and :data:`NO_LABEL` where no mask is.

    Raises:
        InputError: a mask has another size, or two masks overlap.
    """
    labels = np.full((height, width), NO_LABEL, dtype=np.int64)
    covered = np.zeros((height, width), dtype=bool)
    for entry in entries:
        if list(entry["segmentation"]["size"]) != [height, width]:
            raise InputError(
                f"the semantic mask of category {entry['category_id']} is {entry['segmentation']['size']} "
                f"pixels, but the image is {[height, width]}"
            )
        mask = rle_codec.decode(entry["segmentation"]).astype(bool)
        if (mask & covered).any():
            raise InputError(f"the semantic mask of category {entry['category_id']} overlaps another one")
        covered |= mask
        labels[mask] = entry["category_id"]
    return labels
