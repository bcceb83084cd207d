"""The problems of a COCO panoptic JSON, one sentence each: a reader stops at the first, a check tells them all."""

from typing import Any, Container, Dict, Generator, Iterator, List, Mapping, Optional, Set

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.coco_panoptic.ids import MAX_ID
from panoptic_heuristic.formats.image_ids import ImageId, is_image_id, twin_note, twin_of


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
    image_ids: Optional[Container[ImageId]] = None,
) -> Iterator[str]:
    """Yields one sentence for each thing that is wrong with the annotations of a panoptic JSON.

    Args:
        annotations: the list in the JSON.
        where: the file, for the sentences.
        categories: the data set's; None leaves the segments' categories unchecked.
        image_ids: the images that the file has; None for predictions, which have no list of images.
    """
    seen: Set[ImageId] = set()
    for place, annotation in enumerate(annotations):
        image_id = annotation.get("image_id") if isinstance(annotation, Mapping) else None
        if not is_image_id(image_id):
            at = f"{where}, annotation {place}"
            yield f"{at}: expected an object with 'image_id', an integer or a text, got {image_id!r}"
            continue
        at = f"{where}, annotation of image {image_id}"
        if image_ids is not None and image_id not in image_ids:
            yield f"{at}: 'images' has no image {image_id}{twin_note(image_id, image_ids)}"
        elif image_id in seen:
            yield f"{at}: the image is annotated twice"
        elif image_ids is None and twin_of(image_id, seen) is not None:
            yield _twins(at, image_id, seen)
        elif not isinstance(annotation.get("file_name"), str):
            yield f"{at}: 'file_name' must be the name of a PNG, got {annotation.get('file_name')!r}"
        elif not isinstance(annotation.get("segments_info"), list):
            yield f"{at}: 'segments_info' must be a list"
        else:
            yield from _segment_problems(annotation["segments_info"], categories, at)
        seen.add(image_id)


def _image_problems(images: List[Any], where: str) -> Generator[str, None, Dict[ImageId, int]]:
    ids: Dict[ImageId, int] = {}
    for place, image in enumerate(images):
        at = f"{where}, image {place}"
        if not isinstance(image, Mapping):
            yield f"{at}: expected an object, got {type(image).__name__}"
            continue
        if not is_image_id(image.get("id")):
            yield f"{at}: 'id' must be an integer or a text, got {image.get('id')!r}"
        elif image["id"] in ids:
            yield f"{at}: image id {image['id']} occurs twice"
        else:
            if twin_of(image["id"], ids) is not None:
                yield _twins(at, image["id"], ids)
            ids[image["id"]] = place
        if not isinstance(image.get("file_name"), str):
            yield f"{at}: 'file_name' must be a string, got {image.get('file_name')!r}"
        for key in ("height", "width"):
            if not is_integer(image.get(key)) or image[key] < 1:
                yield f"{at}: {key!r} must be a positive integer, got {image.get(key)!r}"
    return ids


def _twins(at: str, image_id: ImageId, seen: Container[ImageId]) -> str:
    return f"{at}: there are images {twin_of(image_id, seen)!r} and {image_id!r}, a number and a text that look alike"


def _segment_problems(segments: List[Any], categories: Optional[Categories], at: str) -> Iterator[str]:
    seen = set()
    for segment in segments:
        segment_id = segment.get("id") if isinstance(segment, (dict, Mapping)) else None
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
