"""COCO panoptic data: one JSON and a folder of PNGs whose colours are segment ids.

The format is described at https://cocodataset.org/#format-data, "Panoptic Segmentation".
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Container, Dict, Iterator, List, Mapping, Optional, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.files import PathLike, inside, read_json
from panoptic_heuristic.formats.panoptic_ids import MAX_ID
from panoptic_heuristic.formats.png import read_id_png

VOID_ID = 0


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

    image_id: int
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


def json_problems(data: Any, where: str, categories: Optional[Categories] = None) -> Iterator[str]:
    """Yields one sentence for each thing that is wrong with a panoptic JSON's content.

    Args:
        data: the parsed JSON.
        where: the file, for the sentences.
        categories: used instead of the file's own.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("images"), list):
        yield f"{where} is no COCO panoptic JSON: expected an object with the list 'images'"
        return
    if categories is None:
        try:
            categories = Categories.from_coco(data.get("categories"), f"{where}, categories")
        except InputError as error:
            yield str(error)
    image_ids = yield from _image_problems(data["images"], where)
    annotations = data.get("annotations", [])
    if not isinstance(annotations, list):
        yield f"{where}: 'annotations' must be a list, got {type(annotations).__name__}"
        return
    yield from annotation_problems(annotations, where, categories, image_ids)


def annotation_problems(
    annotations: List[Any],
    where: str,
    categories: Optional[Categories],
    image_ids: Optional[Container[int]] = None,
) -> Iterator[str]:
    """Yields one sentence for each thing that is wrong with the annotations of a panoptic JSON.

    Args:
        annotations: the list in the JSON.
        where: the file, for the sentences.
        categories: the data set's; None leaves the segments' categories unchecked.
        image_ids: the images that the file has; None for predictions, which have no list of images.
    """
    seen = set()
    for place, annotation in enumerate(annotations):
        image_id = annotation.get("image_id") if isinstance(annotation, Mapping) else None
        if not is_integer(image_id):
            at = f"{where}, annotation {place}"
            yield f"{at}: expected an object with an integer 'image_id', got {image_id!r}"
            continue
        at = f"{where}, annotation of image {image_id}"
        if image_ids is not None and image_id not in image_ids:
            yield f"{at}: 'images' has no image {image_id}"
        elif image_id in seen:
            yield f"{at}: the image is annotated twice"
        elif not isinstance(annotation.get("file_name"), str):
            yield f"{at}: 'file_name' must be the name of a PNG, got {annotation.get('file_name')!r}"
        elif not isinstance(annotation.get("segments_info"), list):
            yield f"{at}: 'segments_info' must be a list"
        else:
            yield from _segment_problems(annotation["segments_info"], categories, at)
        seen.add(image_id)


def read_panoptic_png(path: PathLike, *, height: int, width: int) -> np.ndarray:
    """Reads the segment ids of a panoptic PNG.

    Args:
        path: the PNG, 8-bit RGB.
        height, width: the size the JSON gives, in pixels.

    Returns:
        (height, width) int32; 0 is void.

    Raises:
        InputError: the file is missing, damaged, no 8-bit RGB PNG, or of another size.
    """
    return read_id_png(path, height=height, width=width)


def read_annotation(image: PanopticImage, panoptic_root: PathLike) -> np.ndarray:
    """Reads the panoptic PNG of an annotated image and checks it against its segments.

    Returns:
        (height, width) int32 segment ids; every id but 0 is listed in ``image.segments_info``.

    Raises:
        InputError: the PNG is wrong, or its ids and the JSON's differ.
    """
    path = inside(panoptic_root, image.png_name)
    ids = read_panoptic_png(path, height=image.height, width=image.width)
    for problem in id_problems(np.unique(ids).tolist(), image, str(path)):
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


def _image_problems(images: List[Any], where: str) -> Iterator[str]:
    ids: Dict[int, int] = {}
    for place, image in enumerate(images):
        at = f"{where}, image {place}"
        if not isinstance(image, Mapping):
            yield f"{at}: expected an object, got {type(image).__name__}"
            continue
        if not is_integer(image.get("id")):
            yield f"{at}: 'id' must be an integer, got {image.get('id')!r}"
        elif image["id"] in ids:
            yield f"{at}: image id {image['id']} occurs twice"
        else:
            ids[image["id"]] = place
        if not isinstance(image.get("file_name"), str):
            yield f"{at}: 'file_name' must be a string, got {image.get('file_name')!r}"
        for key in ("height", "width"):
            if not is_integer(image.get(key)) or image[key] < 1:
                yield f"{at}: {key!r} must be a positive integer, got {image.get(key)!r}"
    return ids


def _segment_problems(segments: List[Any], categories: Optional[Categories], at: str) -> Iterator[str]:
    seen = set()
    for segment in segments:
        segment_id = segment.get("id") if isinstance(segment, Mapping) else None
        if not is_integer(segment_id) or not 0 < segment_id <= MAX_ID:
            yield f"{at}: segment id {segment_id!r} must be an integer from 1 to {MAX_ID}"
            continue
        if segment_id in seen:
            yield f"{at}: segment id {segment_id} occurs twice"
        seen.add(segment_id)
        category_id = segment.get("category_id")
        # Unreadable categories (None) have been told already; a list in place of an id cannot be looked up.
        if categories is not None and not (is_integer(category_id) and category_id in categories):
            yield f"{at}, segment {segment_id}: category {category_id!r} is not among the categories"
        if segment.get("iscrowd", 0) not in (0, 1):
            yield f"{at}, segment {segment_id}: iscrowd must be 0 or 1, got {segment['iscrowd']!r}"
