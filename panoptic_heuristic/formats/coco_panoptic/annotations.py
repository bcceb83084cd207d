"""Annotations and predictions in COCO's panoptic format: their JSON, and PNGs held against it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic.ids import VOID_ID
from panoptic_heuristic.formats.coco_panoptic.png import read_panoptic_png
from panoptic_heuristic.formats.coco_panoptic.problems import annotation_problems, json_problems
from panoptic_heuristic.formats.files import PathLike, inside, read_json
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.runs import segment_ids


@dataclass(frozen=True)
class PanopticImage:
    """One image of a panoptic JSON, with its annotation if it has one.

    Attributes:
        image_id: the image's id in the JSON.
        file_name: the image, relative to the image folder.
        height, width: size in pixels.
        png_name: the panoptic PNG, relative to the PNG folder; None without an annotation.
        segments_info: dicts with ``id``, ``category_id`` and ``iscrowd``, and ``area`` and
            ``bbox`` as far as the file has them.
    """

    image_id: ImageId
    file_name: str
    height: int
    width: int
    png_name: Optional[str]
    segments_info: Tuple[Mapping[str, Any], ...]

    @classmethod
    def of_json(cls, image: Mapping[str, Any], annotation: Mapping[str, Any]) -> "PanopticImage":
        """Of sound entries of ``images`` and of ``annotations``; the latter is empty where there is none."""
        return cls(
            image_id=image["id"],
            file_name=image["file_name"],
            height=image["height"],
            width=image["width"],
            png_name=annotation.get("file_name"),
            segments_info=tuple(annotation.get("segments_info", ())),
        )


@dataclass(frozen=True)
class PanopticJson:
    """A panoptic JSON that was read and found sound.

    Attributes:
        path: the file.
        categories: its categories.
        images: its images, in file order.
    """

    path: Path
    categories: Categories
    images: Tuple[PanopticImage, ...]


@dataclass(frozen=True)
class PredictedImage:
    """The prediction for one image.

    Attributes:
        png_name: the panoptic PNG, relative to the PNG folder.
        segments_info: dicts with ``id`` and ``category_id``, and whatever else the file has.
    """

    png_name: str
    segments_info: Tuple[Mapping[str, Any], ...]


def read_panoptic_json(path: PathLike, categories: Optional[Categories] = None) -> PanopticJson:
    """Reads a COCO panoptic JSON, or the image list of a test set, which has no annotations.

    Args:
        path: the JSON.
        categories: used instead of the file's own, for test sets whose file has none or others.

    Raises:
        InputError: the first thing that is wrong with it, with image and segment.
    """
    data = read_json(path)
    for problem in json_problems(data, str(path), categories):
        raise InputError(problem)
    if categories is None:
        categories = Categories.from_coco(data["categories"], str(path))
    annotation_of = {annotation["image_id"]: annotation for annotation in data.get("annotations", [])}
    images = []
    for image in data["images"]:
        annotation = annotation_of.get(image["id"], {})
        images.append(PanopticImage.of_json(image, annotation))
    return PanopticJson(Path(path), categories, tuple(images))


def read_predictions(path: PathLike, categories: Categories) -> Dict[ImageId, PredictedImage]:
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


def read_annotation(image: PanopticImage, panoptic_root: PathLike) -> np.ndarray:
    """Reads the panoptic PNG of an annotated image and checks it against its segments.

    Returns:
        (height, width) int32 segment ids; every id but 0 is listed in ``image.segments_info``.

    Raises:
        InputError: the PNG is wrong, or its ids and the JSON's differ.
    """
    path = inside(panoptic_root, image.png_name)
    ids = read_panoptic_png(path, height=image.height, width=image.width)
    for problem in id_problems(segment_ids(ids).tolist(), image, str(path)):
        raise InputError(problem)
    return ids


def id_problems(png_ids: List[int], image: PanopticImage, where: str) -> Iterator[str]:
    """Yields one sentence for each id that is in the PNG or in the JSON only."""
    listed = {segment["id"] for segment in image.segments_info}
    present = set(png_ids) - {VOID_ID}
    for segment_id in sorted(present - listed):
        missing = f"which the JSON does not list for image {image.image_id}"
        yield f"{where}: the PNG holds segment {segment_id}, {missing}"
    for segment_id in sorted(listed - present):
        listing = f"the JSON lists segment {segment_id} for image {image.image_id}"
        yield f"{where}: {listing}, which has no pixel in the PNG"
