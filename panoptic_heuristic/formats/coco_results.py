"""COCO result files: the findings of a model's two heads, before they are merged.

Detectron2 writes both when it evaluates: ``coco_instances_results.json`` and
``sem_seg_predictions.json``. The format is described at https://cocodataset.org/#format-results.
"""

from pathlib import PurePath
from typing import Any, Dict, Iterable, Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple, TypeVar

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.bad_annotations import BadAnnotations, telling_the_remedy
from panoptic_heuristic.formats.categories import Categories, is_integer
from panoptic_heuristic.formats.coco_panoptic import PanopticImage
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.image_ids import ImageId, is_image_id, twin_note
from panoptic_heuristic.formats.json_lists import read_json_list
from panoptic_heuristic.formats.packed import Packed, grouped
from panoptic_heuristic.formats.rle import OverlapError, check_size, paint_masks, run_ends


class InstanceEntry(NamedTuple):
    """One entry of an instance result file.

    Attributes:
        place: its place in the file, from 0.
        category_id: dataset id of a thing category.
        score: may be NaN or infinite; JSON as Python writes it has words for both.
        segmentation: RLE or polygons. Of an RLE only the size has been checked.
    """

    place: int
    category_id: int
    score: float
    segmentation: Any


class MaskEntry(NamedTuple):
    """One entry of a semantic result file.

    Attributes:
        place: its place in the file, from 0.
        label: its ``category_id``, which some heads fill with a label of their own.
        segmentation: RLE or polygons. Of an RLE only the size has been checked.
    """

    place: int
    label: int
    segmentation: Any


Entry = TypeVar("Entry", InstanceEntry, MaskEntry)


def read_instances(
    path: PathLike, images: Sequence[PanopticImage], categories: Categories, bad: Optional[BadAnnotations] = None
) -> Dict[ImageId, Packed[InstanceEntry]]:
    """Reads the results of an instance head and holds them against images and categories.

    Args:
        path: a JSON list of dicts with ``image_id``, ``category_id``, ``score`` and ``segmentation``.
        images: the images that results may be about.
        categories: the data set's categories.
        bad: collects the entries whose mask cannot be read; None if they are errors.

    Returns:
        image id -> its entries, in file order; images without any are left out.

    Raises:
        InputError: an entry lacks a key, is about an unknown image, of an unknown or a stuff
            category, has a score that is no number, or an RLE of another size than its image.
    """
    bad = bad or BadAnnotations()
    image_of = {image.image_id: image for image in images}

    def checked() -> Iterator[Tuple[ImageId, tuple]]:
        for place, entry in enumerate(_entries(path).taken_out()):
            _check_entry(path, place, entry, "image_id")
            category_id, score = entry["category_id"], entry.get("score")
            image = _known_image(path, place, entry["image_id"], image_of)
            if category_id not in categories:
                raise InputError(f"{path}, entry {place}: category {category_id} is not among the categories")
            if not categories[category_id].isthing:
                raise InputError(f"{path}, entry {place}: category {category_id} is stuff; instances are things")
            if not isinstance(score, (int, float)) or isinstance(score, bool):
                raise InputError(f"{path}, entry {place}: 'score' must be a number, got {score!r}")
            if _has_mask(entry, image, f"{path}, entry {place}", bad):
                yield image.image_id, (place, category_id, float(score), entry["segmentation"])

    return _readable(grouped(checked(), InstanceEntry._make), image_of, path, bad)


def read_masks(
    path: PathLike, images: Sequence[PanopticImage], bad: Optional[BadAnnotations] = None
) -> Dict[ImageId, Packed[MaskEntry]]:
    """Reads the results of a semantic head and holds them against the images.

    Args:
        path: a JSON list of dicts with ``category_id``, ``segmentation``, and ``image_id`` as COCO
            has it or ``file_name`` as Detectron2 has it. A file name belongs to the image whose
            name it is or ends in, folder by folder.
        images: the images that results may be about.
        bad: collects the entries whose mask cannot be read; None if they are errors.

    Returns:
        image id -> its entries, in file order; images without any are left out.

    Raises:
        InputError: an entry lacks a key, is about an unknown image, or has an RLE of another size
            than its image; or two file names belong to one image.
    """
    bad = bad or BadAnnotations()
    entries = _entries(path)
    first = next(iter(entries), None)
    by_name = isinstance(first, dict) and "image_id" not in first
    group_by = "file_name" if by_name else "image_id"
    image_of: Mapping[Any, PanopticImage] = {image.image_id: image for image in images}
    if by_name:
        names = (entry.get("file_name") for entry in entries if isinstance(entry, dict))
        image_of = _images_by_name(path, names, images)

    def checked() -> Iterator[Tuple[ImageId, tuple]]:
        for place, entry in enumerate(entries.taken_out()):
            _check_entry(path, place, entry, group_by)
            image = _known_image(path, place, entry[group_by], image_of)
            if _has_mask(entry, image, f"{path}, entry {place}", bad):
                yield image.image_id, (place, entry["category_id"], entry["segmentation"])

    found = grouped(checked(), MaskEntry._make)
    return _readable(found, {image.image_id: image for image in images}, path, bad)


def map_of_masks(masks: Sequence[MaskEntry], height: int, width: int, where: Optional[str] = None) -> np.ndarray:
    """The map of the disjoint semantic masks of one image.

    Args:
        masks: the masks.
        height, width: of the image, in pixels.
        where: file and image, for error messages.

    Returns:
        (height, width) integers: k where ``masks[k - 1]`` is, and 0 where none is.

    Raises:
        InputError: a mask has another size or cannot be read, or two masks overlap.
    """
    at = f"{where}: " if where else ""
    with telling_the_remedy():
        ends = run_ends(
            [mask.segmentation for mask in masks],
            height,
            width,
            lambda place: f"{at}the semantic mask of category {masks[place].label}",
        )
    try:
        return paint_masks(ends, height, width)
    except OverlapError as error:
        first, second = masks[error.first].label, masks[error.second].label
        raise InputError(
            f"{at}the semantic masks of categories {first} and {second} overlap; "
            "a pixel must have one category, so give every pixel to one of them first"
        ) from None


def _entries(path: PathLike) -> Packed[Any]:
    return read_json_list(path, "COCO result file")


def _check_entry(path: PathLike, place: int, entry: Any, image_key: str) -> None:
    for key in (image_key, "category_id"):
        if not isinstance(entry, dict) or key not in entry:
            raise InputError(f"{path}, entry {place}: expected an object with {key!r}")
    if not is_image_id(entry[image_key]):
        raise InputError(f"{path}, entry {place}: {image_key!r} must name an image, got {entry[image_key]!r}")
    if not is_integer(entry["category_id"]):
        raise InputError(
            f"{path}, entry {place}: 'category_id' must be an integer, got {entry['category_id']!r}"
        )


def _has_mask(entry: Mapping[str, Any], image: PanopticImage, where: str, bad: BadAnnotations) -> bool:
    """False if an entry has no mask, or one of another size; ``bad`` counts it."""
    if entry.get("segmentation") is None:
        bad.add(f"{where}: expected an object with 'segmentation'")
        return False
    try:
        check_size(entry["segmentation"], image.height, image.width, where)
    except InputError as error:
        bad.add(str(error))
        return False
    return True


def _readable(
    found: Dict[ImageId, Packed[Entry]], image_of: Mapping[Any, PanopticImage], path: PathLike, bad: BadAnnotations
) -> Dict[ImageId, Packed[Entry]]:
    """The entries of each image whose masks can be read; images without any are left out."""
    if bad.fate == "fail":
        # Most entries are dropped for their score before their masks are looked at.
        return found
    kept = {}
    for image_id, entries in found.items():
        image, unpacked = image_of[image_id], list(entries)
        names = [f"{path}, entry {entry.place}" for entry in unpacked]
        segmentations = [entry.segmentation for entry in unpacked]
        places = bad.readable(segmentations, image.height, image.width, names.__getitem__)
        if places:
            kept[image_id] = entries.chosen(places)
    return kept


def _known_image(path: PathLike, place: int, name: Any, image_of: Mapping[Any, PanopticImage]) -> PanopticImage:
    if name not in image_of:
        raise InputError(f"{path}, entry {place}: {name!r} is not among the images{twin_note(name, image_of)}")
    return image_of[name]


def _images_by_name(
    path: PathLike, names: Iterable[Any], images: Sequence[PanopticImage]
) -> Dict[str, PanopticImage]:
    """The image that each file name means; names that mean none are left out."""
    image_of_parts = {PurePath(image.file_name).parts: image for image in images}
    image_of_name: Dict[str, PanopticImage] = {}
    name_of_image: Dict[ImageId, str] = {}
    for name in names:
        if not isinstance(name, str) or name in image_of_name:
            continue
        parts = PurePath(name).parts
        image = next((image_of_parts[p] for k in range(len(parts)) if (p := parts[k:]) in image_of_parts), None)
        if image is None:
            continue
        other = name_of_image.setdefault(image.image_id, name)
        if other != name:
            raise InputError(f"{path}: {other!r} and {name!r} both mean image {image.image_id}, {image.file_name!r}")
        image_of_name[name] = image
    return image_of_name
