"""Predictions in COCO's panoptic result format: one JSON and a folder of PNGs.

The JSON is that of the ground truth without ``images`` and ``categories``, whose place the ground
gt takes; see https://cocodataset.org/#format-results, "Panoptic Segmentation".
"""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import annotation_problems
from panoptic_heuristic.formats.files import PathLike, read_json


@dataclass(frozen=True)
class PredictedImage:
    """The prediction for one image.

    Attributes:
        png_name: the panoptic PNG, relative to the PNG folder.
        segments_info: dicts with ``id`` and ``category_id``, and whatever else the file has.
    """

    png_name: str
    segments_info: Tuple[Mapping[str, Any], ...]


def read_predictions(path: PathLike, categories: Categories) -> Dict[int, PredictedImage]:
    """Reads the JSON of panoptic predictions; lists of images and categories in it are not looked at.

    Args:
        path: the JSON.
        categories: the ground truth's.

    Returns:
        image id -> its prediction, in file order.

    Raises:
        InputError: the first thing that is wrong with it, with image and segment.
    """
    data = read_json(path)
    annotations = data.get("annotations") if isinstance(data, Mapping) else None
    if not isinstance(annotations, list):
        raise InputError(f"{path} is no COCO panoptic result file: expected an object with the list 'annotations'")
    for problem in annotation_problems(annotations, str(path), categories):
        raise InputError(problem)
    return {
        annotation["image_id"]: PredictedImage(annotation["file_name"], tuple(annotation["segments_info"]))
        for annotation in annotations
    }
