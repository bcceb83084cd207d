"""Fuses what two heads left on disk: COCO results, label maps or logits, into COCO panoptic PNGs."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, PanopticImage
from panoptic_heuristic.formats.categories import is_integer
from panoptic_heuristic.formats.coco_panoptic import json_problems
from panoptic_heuristic.formats.coco_results import InstanceEntry, MaskEntry, paint, read_masks
from panoptic_heuristic.formats.files import PathLike, inside, read_json
from panoptic_heuristic.formats.label_png import read_label_png
from panoptic_heuristic.formats.logits import read_logits
from panoptic_heuristic.formats.panoptic_writer import write_panoptic_png
from panoptic_heuristic.formats.segment_ids import colored
from panoptic_heuristic.fusion import InstanceSet, Need, Pipeline, SemanticMap, fuse
from panoptic_heuristic.visual.photo import read_photo

LabelMeaning = Mapping[int, Optional[int]]
"""For each semantic label the dataset category id it means, or None if it is no stuff."""


@dataclass(frozen=True)
class Fuser:
    """How images are fused.

    Attributes:
        categories: the data set's categories.
        pipeline: rules and thresholds.
        meaning: what the semantic labels mean.
        folder: where PNGs are written.
        image_root: the folder of the images, for the rules that look at them; or None.
    """

    categories: Categories
    pipeline: Pipeline
    meaning: LabelMeaning
    folder: Path
    image_root: Optional[Path] = None


@dataclass(frozen=True)
class ImageResults:
    """One image and what the heads said about it.

    Attributes:
        image: the image; ``png_name`` is the PNG to write.
        instances: those to rank. The ones below the cutoff may be left out.
        semantics: masks, a label PNG or an .npz file of logits; None without any.
    """

    image: PanopticImage
    instances: Tuple[InstanceEntry, ...]
    semantics: Union[None, Path, Sequence[MaskEntry]]


def read_images(path: PathLike) -> Tuple[List[Any], List[PanopticImage]]:
    """Reads ``images`` of a panoptic, an instances or an image-info JSON.

    Returns:
        The list as it is in the file, and the images with the names of the PNGs to write.

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
    images, image_of_png = [], {}
    for entry in entries:
        image_id, file_name, height, width = (entry[key] for key in ("id", "file_name", "height", "width"))
        inside("the PNG folder", file_name)
        png_name = str(PurePosixPath(file_name).with_suffix(".png"))
        if png_name in image_of_png:
            raise InputError(f"{path}: images {image_of_png[png_name]} and {image_id} would both become {png_name}")
        image_of_png[png_name] = image_id
        images.append(PanopticImage(image_id, file_name, height, width, png_name, ()))
    return entries, images


def read_meaning(path: PathLike, categories: Categories) -> LabelMeaning:
    """Reads what labels mean: a JSON list, or an object whose keys are labels.

    Raises:
        InputError: a label is no whole number, or means neither a category nor null.
    """
    data = read_json(path)
    if not isinstance(data, (list, dict)):
        raise InputError(f"{path}: expected a list, or an object from label to category id, got {data!r}")
    meaning: Dict[int, Optional[int]] = {}
    for label, category_id in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(label, str) and not (label.isascii() and label.isdecimal()):
            raise InputError(f"{path}: label {label!r} must be a whole number >= 0")
        if category_id is not None and not (is_integer(category_id) and category_id in categories):
            raise InputError(f"{path}: label {label} means category {category_id!r}, which is not among the categories")
        meaning[int(label)] = category_id
    return meaning


def find_semantics(
    path: Path, images: Sequence[PanopticImage], meaning: LabelMeaning
) -> Dict[int, Union[Path, Sequence[MaskEntry]]]:
    """Looks up what a semantic head said about each image; images it is silent about are left out.

    Args:
        path: a JSON of COCO results, or a folder of PNGs or .npz files named as the images are.
        images: the images.
        meaning: what the labels mean; a label of the results that it lacks is an error.

    Raises:
        InputError: the results are wrong, the folder holds nothing of any image, or a PNG and an
            .npz file of one.
    """
    if not path.is_dir():
        masks = read_masks(path, images)
        for mask in (mask for entries in masks.values() for mask in entries):
            if mask.label not in meaning:
                raise InputError(
                    f"{path}, entry {mask.place}: category {mask.label} is not among the categories; say what it means "
                    f"with --label-to-category, or with --no-label {mask.label} that it is no stuff"
                )
        return dict(masks)
    files: Dict[int, Union[Path, Sequence[MaskEntry]]] = {}
    for image in images:
        png = inside(path, image.png_name)
        there = [name for name in (png, png.with_suffix(".npz")) if name.is_file()]
        if len(there) == 2:
            raise InputError(f"{path} holds both a PNG and an .npz file of image {image.file_name}; remove one")
        if there:
            files[image.image_id] = there[0]
    if images and not files:
        raise InputError(f"{path} holds no file of any image, such as {images[0].png_name}")
    return files


def fuse_image(fuser: Fuser, outputs: ImageResults) -> Dict[str, Any]:
    """Fuses one image and writes its PNG.

    Returns:
        Its annotation in a panoptic JSON; segments have ``id``, ``category_id``, ``area``, and
        things ``score``.

    Raises:
        InputError: an RLE cannot be read, stuff masks overlap, or a label map is wrong.
    """
    image, photo = outputs.image, None
    if Need.IMAGE in fuser.pipeline.needs:
        photo = read_photo(fuser.image_root, image.file_name, (image.height, image.width), "--images")
    heads = read_head_outputs(outputs, fuser.categories, fuser.meaning)
    result = fuse(*heads, fuser.categories, fuser.pipeline, photo)
    ids, segments = colored(result.panoptic_seg, result.segments_info, fuser.categories)
    write_panoptic_png(inside(fuser.folder, image.png_name), ids)
    segments = [
        {key: segment[key] for key in ("id", "category_id", "area", "score") if key in segment} for segment in segments
    ]
    return {"image_id": image.image_id, "file_name": image.png_name, "segments_info": segments}


def read_head_outputs(
    outputs: ImageResults, categories: Categories, meaning: LabelMeaning
) -> Tuple[InstanceSet, Optional[SemanticMap]]:
    """Reads what the heads said about one image, as :func:`panoptic_heuristic.fusion.fuse` takes it.

    Raises:
        InputError: an RLE cannot be read, stuff masks overlap, or a label map is wrong.
    """
    return _instances(outputs), _semantics(outputs, categories, meaning)


def _instances(outputs: ImageResults) -> InstanceSet:
    image, entries = outputs.image, outputs.instances
    return InstanceSet.from_rle(
        [entry.segmentation for entry in entries],
        [entry.score for entry in entries],
        np.array([entry.category_id for entry in entries], dtype=int),
        (image.height, image.width),
        where=lambda index: f"image {image.image_id}, entry {entries[index].place} of the instance results",
    )


def _semantics(outputs: ImageResults, categories: Categories, meaning: LabelMeaning) -> Optional[SemanticMap]:
    image, semantics = outputs.image, outputs.semantics
    if semantics is None:
        return None
    if not isinstance(semantics, Path):
        means_stuff = set(categories.labels_of_stuff(meaning))
        stuff = [mask for mask in semantics if mask.label in means_stuff]
        labels = paint(stuff, image.height, image.width, where=f"image {image.image_id}")
        return SemanticMap(labels, [None, *(meaning[mask.label] for mask in stuff)])
    logits = None
    if semantics.suffix == ".npz":
        logits, labels = read_logits(semantics, channels=len(meaning), height=image.height, width=image.width)
    else:
        labels, _ = read_label_png(semantics, size=(image.height, image.width))
    try:
        return SemanticMap(labels, meaning, logits)
    except InputError as error:
        raise InputError(f"{semantics}: {error} (with --label-to-category or --no-label)") from error
