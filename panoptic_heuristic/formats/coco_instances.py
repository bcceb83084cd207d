"""COCO instances JSON: images, and annotations of single objects (https://cocodataset.org/#format-data)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, json_problems
from panoptic_heuristic.formats.files import PathLike, read_json
from panoptic_heuristic.formats.image_ids import ImageId, is_image_id, twin_note

# Only whether an image list is sound is asked; it has no categories.
_NO_CATEGORIES = Categories.from_lists([], ["none"])


@dataclass(frozen=True)
class InstancesJson:
    """A COCO instances JSON that was read and found sound.

    Attributes:
        images: its images, in file order, without annotations of their own.
        annotations_of: image id -> its annotations, in file order.
    """

    images: Tuple[PanopticImage, ...]
    annotations_of: Mapping[ImageId, Sequence[Mapping[str, Any]]]


def read_instances_json(
    path: PathLike,
    categories: Optional[Categories] = None,
    *,
    with_stuff: bool = False,
    bad: Optional[BadAnnotations] = None,
) -> InstancesJson:
    """Reads a COCO instances JSON (https://cocodataset.org/#format-data, "Object Detection").

    Args:
        path: the JSON.
        categories: if given, every annotation must be of one of its thing categories.
        with_stuff: takes annotations of its stuff categories, too.
        bad: collects the annotations without a segmentation; None if they are errors.

    Raises:
        InputError: the first thing that is wrong with it. Masks are looked at when they are used.
    """
    bad = bad or BadAnnotations()
    data = read_json(path)
    if not isinstance(data, Mapping) or not isinstance(data.get("annotations"), list):
        raise InputError(f"{path} is no COCO instances JSON: expected an object with the list 'annotations'")
    for problem in json_problems({"images": data.get("images")}, str(path), categories or _NO_CATEGORIES):
        raise InputError(problem)
    images = tuple(
        PanopticImage.of_json(image, {})
        for image in data["images"]
    )
    annotations_of: Dict[ImageId, List[Mapping[str, Any]]] = {image.image_id: [] for image in images}
    for place, annotation in enumerate(data["annotations"]):
        at = f"{Path(path)}, annotation {place}"
        for key in ("image_id", "category_id"):
            if not isinstance(annotation, Mapping) or key not in annotation:
                raise InputError(f"{at}: expected an object with {key!r}")
        image_id, category_id = annotation["image_id"], annotation["category_id"]
        if not is_image_id(image_id) or image_id not in annotations_of:
            note = twin_note(image_id, annotations_of) if is_image_id(image_id) else ""
            raise InputError(f"{at}: 'images' has no image {image_id!r}{note}")
        if categories is not None:
            if not is_integer(category_id) or category_id not in categories:
                raise InputError(f"{at}: category {category_id!r} is not among the categories")
            if not with_stuff and not categories[category_id].isthing:
                raise InputError(f"{at}: category {category_id} is stuff; instances are things")
        if annotation.get("iscrowd", 0) not in (0, 1):
            raise InputError(f"{at}: iscrowd must be 0 or 1, got {annotation['iscrowd']!r}")
        if annotation.get("segmentation") is None:
            bad.add(f"{at}: expected an object with 'segmentation'")
        else:
            annotations_of[image_id].append(annotation)
    return InstancesJson(images, annotations_of)
