"""Conversions between panoptic file formats, one image at a time.

Each function reads one image's files, writes one image's files and returns what a JSON is to say
of it, so that images can be converted in any process and in any order.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, read_annotation, segment_entries, write_panoptic_png
from panoptic_heuristic.formats.conversions.instances_semantic import (
    merge_instances,
    panoptic_to_instances,
    panoptic_to_semantic,
)
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm, labels_to_panoptic, panoptic_to_labels
from panoptic_heuristic.formats.label_png import read_label_png, read_semantic_png, write_label_png


@dataclass(frozen=True)
class Merged:
    """The panoptic form of one image's instances and semantic labels.

    Attributes:
        annotation: the image's annotation in the panoptic JSON.
        contested_pixels, lost_instances, bare_pixels: as in
            :class:`panoptic_heuristic.formats.conversions.instances_semantic.MergedImage`.
    """

    annotation: Mapping[str, Any]
    contested_pixels: int
    lost_instances: int
    bare_pixels: int


def png_name(file_name: str) -> str:
    """The name of an image's label PNG: that of the image with the suffix ``.png``, folders kept.

    Raises:
        InputError: ``file_name`` names no file.
    """
    path = PurePosixPath(file_name)
    if not path.name:
        raise InputError(f"file_name {file_name!r} is no name of a file")
    return str(path.with_suffix(".png"))


def check_png_names(images: Sequence[PanopticImage], folder: Path) -> None:
    """Checks before anything is written that every image has a PNG of its own in a folder.

    Raises:
        InputError: two images have the same PNG, or one lies outside the folder.
    """
    names = Counter(png_name(image.file_name) for image in images)
    for name, count in names.items():
        inside(folder, name)
        if count > 1:
            raise InputError(f"{count} images have the PNG {name}, as a.jpg and a.png of one folder would")


def image_entry(image: PanopticImage) -> Dict[str, Any]:
    """The image's entry in the ``images`` of a COCO JSON."""
    return {"id": image.image_id, "file_name": image.file_name, "height": image.height, "width": image.width}


def coco_to_label_divisor(
    image: PanopticImage,
    *,
    panoptic_root: Path,
    output: Path,
    categories: Categories,
    form: LabelDivisorForm,
    bits: int,
) -> None:
    """Writes the label-divisor PNG of an annotated image.

    Raises:
        InputError: the image has no annotation, its PNG is wrong, or the form cannot hold it.
    """
    ids = _read(image, panoptic_root)
    with _about(image):
        labels = panoptic_to_labels(ids, image.segments_info, categories, form)
        write_label_png(inside(output, png_name(image.file_name)), labels, bits)


def label_divisor_to_coco(
    image: PanopticImage,
    *,
    label_root: Path,
    output: Path,
    categories: Categories,
    form: LabelDivisorForm,
    void: Optional[int],
) -> Dict[str, Any]:
    """Writes the panoptic PNG of an image from its label-divisor PNG.

    Args:
        void: the value of void pixels, instead of the form's; None for the largest that the PNG
            can hold.

    Returns:
        the image's annotation in the panoptic JSON.

    Raises:
        InputError: the label-divisor PNG is wrong.
    """
    name = png_name(image.file_name)
    labels, bits = read_label_png(inside(label_root, name), size=(image.height, image.width))
    with _about(image):
        ids, segments = labels_to_panoptic(
            labels, categories, replace(form, void=2**bits - 1 if void is None else void)
        )
    write_panoptic_png(inside(output, name), ids)
    category_of = {segment["id"]: segment["category_id"] for segment in segments}
    crowds = {segment["id"] for segment in segments if segment["iscrowd"]}
    entries = segment_entries(ids, category_of, crowds)
    return {"image_id": image.image_id, "file_name": name, "segments_info": entries}


def coco_to_instances_semantic(
    image: PanopticImage,
    *,
    panoptic_root: Path,
    output: Path,
    categories: Categories,
    label_of: Mapping[int, int],
    void: int,
    bits: int,
) -> List[Dict[str, Any]]:
    """Writes the semantic PNG of an annotated image.

    Returns:
        the instance annotations of its things, without ``id``.

    Raises:
        InputError: the image has no annotation, its PNG is wrong, or labels cannot tell its
            segments apart.
    """
    ids = _read(image, panoptic_root)
    with _about(image):
        labels = panoptic_to_semantic(ids, image.segments_info, categories, label_of=label_of, void=void)
        write_label_png(inside(output, png_name(image.file_name)), labels, bits)
    annotations = panoptic_to_instances(ids, image.segments_info, categories)
    return [{"image_id": image.image_id, **annotation} for annotation in annotations]


def instances_semantic_to_coco(
    job: Tuple[PanopticImage, Sequence[Mapping[str, Any]]],
    *,
    semantic_root: Path,
    output: Path,
    categories: Categories,
    label_of: Mapping[int, int],
    void: Optional[int],
    overlap: str,
) -> Merged:
    """Writes the panoptic PNG of an image from its instance annotations and its semantic PNG.

    Args:
        job: the image and its annotations.
        void: the label of void pixels; None for the largest that the PNG can hold.
        overlap: as in :func:`panoptic_heuristic.formats.conversions.instances_semantic.merge_instances`.

    Raises:
        InputError: the semantic PNG or an annotation is wrong, or instances overlap and must not.
    """
    image, annotations = job
    name = png_name(image.file_name)
    labels, bits = read_semantic_png(inside(semantic_root, name), size=(image.height, image.width))
    void = 2**bits - 1 if void is None else void
    with _about(image):
        merged = merge_instances(annotations, labels, categories, label_of=label_of, void=void, overlap=overlap)
    write_panoptic_png(inside(output, name), merged.ids)
    annotation = {"image_id": image.image_id, "file_name": name, "segments_info": list(merged.segments_info)}
    return Merged(annotation, merged.contested_pixels, merged.lost_instances, merged.bare_pixels)


def _read(image: PanopticImage, panoptic_root: Path):
    if image.png_name is None:
        raise InputError(f"image {image.image_id} ({image.file_name}) has no annotation")
    return read_annotation(image, panoptic_root)


@contextlib.contextmanager
def _about(image: PanopticImage) -> Iterator[None]:
    """Names the image in what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"image {image.image_id} ({image.file_name}): {error}") from error
