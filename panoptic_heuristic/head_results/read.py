"""The result files of two heads, anyone's, read and held against images and categories."""

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.categories import category_entries_in
from panoptic_heuristic.formats.coco_panoptic import json_problems
from panoptic_heuristic.formats.coco_results import InstanceEntry, read_instances, read_masks
from panoptic_heuristic.formats.files import PathLike, inside, read_json
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.label_png import read_semantic_png
from panoptic_heuristic.formats.packed import Packed
from panoptic_heuristic.head_results.image import ImageResults, Semantics
from panoptic_heuristic.head_results.labels import LabelMeaning, label_meaning


@dataclass(frozen=True)
class Heads:
    """The results of two heads for a data set. Masks, label maps and logits are not decoded yet.

    Attributes:
        image_entries: ``images`` as it is in the file.
        images: the images, with the names of the PNGs to write.
        categories: the data set's.
        category_entries: the list they were read from.
        meaning: the meaning of the semantic labels.
        instances: image id -> results of the instance head.
        semantics: image id -> results of the semantic head.
        paths: the files and folders that were given, by the name of their argument in :func:`read_heads`.
    """

    image_entries: List[Any]
    images: Tuple[PanopticImage, ...]
    categories: Categories
    category_entries: List[Any]
    meaning: LabelMeaning
    instances: Mapping[ImageId, Packed[InstanceEntry]]
    semantics: Mapping[ImageId, Semantics]
    paths: Dict[str, Path]

    @property
    def only_logits(self) -> bool:
        """True if the semantic head's results are logits, of each image that has any."""
        kinds = {isinstance(one, Path) and one.suffix == ".npz" for one in self.semantics.values()}
        return kinds == {True}

    def of_image(self, image: PanopticImage) -> ImageResults:
        """The results for one of the images."""
        return ImageResults(image, self.instances.get(image.image_id, ()), self.semantics.get(image.image_id))

    def keeping(self, kept: Callable[[InstanceEntry], bool]) -> "Heads":
        """The same results without the instances that are not to be kept."""
        instances = {
            image_id: entries.chosen([place for place, entry in enumerate(entries) if kept(entry)])
            for image_id, entries in self.instances.items()
        }
        return replace(self, instances=instances)


def read_heads(
    *,
    images: PathLike,
    categories: Optional[PathLike] = None,
    instances: Optional[PathLike] = None,
    semantics: Optional[PathLike] = None,
    label_to_category: Optional[PathLike] = None,
    no_labels: Iterable[int] = (),
    bad: Optional[BadAnnotations] = None,
) -> Heads:
    """Reads the result files of two heads.

    Args:
        images: a panoptic, an instances or an image-info JSON.
        categories: a JSON that is a list of panoptic categories or has one; None if ``images`` has it.
        instances: COCO results of the instance head; None without one.
        semantics: COCO results of the semantic head, or a folder of label PNGs or .npz files of logits named as the
            images are; None without one.
        label_to_category: a JSON list or object, the category id a label means or null; None if labels are
            category ids, which those of logits never are. Then, if no label map has the label of a thing but some are
            no stuff, these stand for all things, as in Detectron2's results for COCO.
        no_labels: labels that are no stuff, such as 0 in Detectron2's results for COCO.
        bad: collects the entries of either head whose mask cannot be read; None if they are errors.

    Raises:
        InputError: a file is missing or wrong; which, and where.
    """
    named = {"images": images, "categories": categories, "instances": instances, "semantics": semantics}
    paths = {name: Path(path) for name, path in named.items() if path is not None}
    image_entries, found_images = _read_images(paths["images"])
    known, category_entries = _read_categories(paths.get("categories", paths["images"]))
    meaning = label_meaning(label_to_category, no_labels, known)
    found = read_instances(instances, found_images, known, bad) if instances is not None else {}
    seen = _find_semantics(paths["semantics"], found_images, meaning, bad) if semantics is not None else {}
    _check_logits(seen.values(), label_to_category, meaning)
    if label_to_category is None:
        meaning = _without_labels_of_no_map(meaning, seen.values(), known)
    return Heads(image_entries, tuple(found_images), known, category_entries, meaning, found, seen, paths)


def _read_images(path: Path) -> Tuple[List[Any], List[PanopticImage]]:
    """The ``images`` of a JSON as they are in the file, and with the names of the PNGs to write.

    Raises:
        InputError: an image is listed twice, lacks its size, or has a name that leads out of its
            folder; or two images would have the same PNG.
    """
    data = read_json(path)
    entries = data.get("images") if isinstance(data, Mapping) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected an object with the list 'images'")
    # Annotations and categories of an instances JSON are of another kind, and not asked for here.
    for problem in json_problems({"images": entries}, str(path), Categories.from_lists(["none"], [])):
        raise InputError(problem)
    images = []
    image_of_png: Dict[str, Any] = {}
    for entry in entries:
        image_id, file_name, height, width = (entry[key] for key in ("id", "file_name", "height", "width"))
        inside("the PNG folder", file_name)
        png_name = str(PurePosixPath(file_name).with_suffix(".png"))
        if png_name in image_of_png:
            raise InputError(f"{path}: images {image_of_png[png_name]} and {image_id} would both become {png_name}")
        image_of_png[png_name] = image_id
        images.append(PanopticImage(image_id, file_name, height, width, png_name, ()))
    return entries, images


def _read_categories(path: Path) -> Tuple[Categories, List[Any]]:
    entries = category_entries_in(path)
    try:
        return Categories.from_coco(entries, str(path)), entries
    except InputError as error:
        raise InputError(f"{error}; name a file that has them with --categories") from error


def _find_semantics(
    path: Path, images: Sequence[PanopticImage], meaning: LabelMeaning, bad: Optional[BadAnnotations]
) -> Dict[ImageId, Semantics]:
    """The results of the semantic head by image id; images it is silent about are left out.

    Raises:
        InputError: the results are wrong, the folder holds nothing of any image, or a PNG and an
            .npz file of one.
    """
    if path.is_dir():
        return _semantic_files(path, images)
    masks = read_masks(path, images, bad)
    for mask in (mask for entries in masks.values() for mask in entries):
        if mask.label not in meaning:
            raise InputError(
                f"{path}, entry {mask.place}: category {mask.label} is not among the categories; say what it means "
                f"with --label-to-category, or with --no-label {mask.label} that it is no stuff"
            )
    return dict(masks)


def _semantic_files(folder: Path, images: Sequence[PanopticImage]) -> Dict[ImageId, Semantics]:
    files: Dict[ImageId, Semantics] = {}
    for image in images:
        png = inside(folder, image.png_name)
        there = [name for name in (png, png.with_suffix(".npz")) if name.is_file()]
        if len(there) == 2:
            raise InputError(f"{folder} holds both a PNG and an .npz file of image {image.file_name}; remove one")
        if there:
            files[image.image_id] = there[0]
    if images and not files:
        raise InputError(f"{folder} holds no file of any image, such as {images[0].png_name}")
    return files


def _without_labels_of_no_map(
    meaning: LabelMeaning, semantics: Iterable[Semantics], categories: Categories
) -> LabelMeaning:
    """The meaning without labels of things that no label map has, where others may be the collapsed things.

    A head that collapses things is silent about each of them: taken at its word it would agree with no instance.
    """
    things = [category.id for category in categories.things]
    maps = [one for one in semantics if isinstance(one, Path)]
    if not things or not maps or None not in meaning.values():
        return meaning
    if any(np.isin(things, read_semantic_png(one)[0]).any() for one in maps):
        return meaning
    return {label: category_id for label, category_id in meaning.items() if label not in things}


def _check_logits(semantics: Iterable[Semantics], label_file: Optional[PathLike], meaning: LabelMeaning) -> None:
    logits = any(isinstance(one, Path) and one.suffix == ".npz" for one in semantics)
    if logits and (label_file is None or sorted(meaning) != list(range(len(meaning)))):
        raise InputError("logits need --label-to-category: a list with a category id or null for each channel")
