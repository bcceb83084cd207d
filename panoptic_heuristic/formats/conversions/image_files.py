"""Conversions between panoptic file formats, one image at a time.

Each function reads one image's files, writes one image's files and returns what a JSON is to say
of it, so that images can be converted in any process and in any order.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, read_annotation, segment_entries, write_panoptic_png
from panoptic_heuristic.formats.conversions.instances_semantic import (
    merge_instances,
    panoptic_to_instances,
    panoptic_to_semantic,
)
from panoptic_heuristic.formats.conversions.painting import MergedImage
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm, labels_to_panoptic, panoptic_to_labels
from panoptic_heuristic.formats.label_png import read_label_png, read_semantic_png, write_label_png


@dataclass(frozen=True)
class Merged:
    """The panoptic form of one image's instances and semantic labels.

    Attributes:
        annotation: the image's annotation in the panoptic JSON.
        contested_pixels, lost_instances, bare_pixels, bad_annotations: as in
            :class:`panoptic_heuristic.formats.conversions.painting.MergedImage`.
    """

    annotation: Mapping[str, Any]
    contested_pixels: int
    lost_instances: int
    bare_pixels: int
    bad_annotations: Tuple[str, ...]

    @classmethod
    def of(cls, image: PanopticImage, merged: MergedImage) -> "Merged":
        """What is to be told of an image whose PNG is written."""
        return cls(
            panoptic_annotation(image, merged.segments_info),
            merged.contested_pixels,
            merged.lost_instances,
            merged.bare_pixels,
            tuple(f"image {image.image_id} ({image.file_name}): {problem}" for problem in merged.bad_annotations),
        )


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


def panoptic_annotation(
    image: PanopticImage, segments_info: Sequence[Mapping[str, Any]], *, name: Optional[str] = None
) -> Dict[str, Any]:
    """The image's entry in the ``annotations`` of a COCO panoptic JSON; ``name`` as in :func:`write_segments`."""
    name = png_name(image.file_name) if name is None else name
    return {"image_id": image.image_id, "file_name": name, "segments_info": list(segments_info)}


def write_segments(
    image: PanopticImage,
    ids: np.ndarray,
    segments: Sequence[Mapping[str, Any]],
    output: Path,
    *,
    name: Optional[str] = None,
) -> Dict[str, Any]:
    """Writes the panoptic PNG of an image.

    Args:
        image: the image.
        ids: (H, W) segment ids, 0 for void.
        segments: dicts with ``id``, ``category_id`` and ``iscrowd``.
        output: the folder of the PNGs.
        name: of the PNG in it; None for that of :func:`png_name`.

    Returns:
        the image's annotation in the panoptic JSON.
    """
    name = png_name(image.file_name) if name is None else name
    write_panoptic_png(inside(output, name), ids)
    category_of = {segment["id"]: segment["category_id"] for segment in segments}
    crowds = {segment["id"] for segment in segments if segment.get("iscrowd", 0)}
    return panoptic_annotation(image, segment_entries(ids, category_of, crowds), name=name)


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
    ids = read_ids(image, panoptic_root)
    with about(image):
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
    with about(image):
        ids, segments = labels_to_panoptic(
            labels, categories, replace(form, void=2**bits - 1 if void is None else void)
        )
    return write_segments(image, ids, segments, output)


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
    ids = read_ids(image, panoptic_root)
    with about(image):
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
    bad_annotations: str,
) -> Merged:
    """Writes the panoptic PNG of an image from its instance annotations and its semantic PNG.

    Args:
        job: the image and its annotations.
        void: the label of void pixels; None for the largest that the PNG can hold.
        overlap, bad_annotations: as in
            :func:`panoptic_heuristic.formats.conversions.painting.paint_annotations`.

    Raises:
        InputError: the semantic PNG or an annotation is wrong, or instances overlap and must not.
    """
    image, annotations = job
    name = png_name(image.file_name)
    labels, bits = read_semantic_png(inside(semantic_root, name), size=(image.height, image.width))
    void = 2**bits - 1 if void is None else void
    with about(image):
        merged = merge_instances(
            annotations, labels, categories,
            label_of=label_of, void=void, overlap=overlap, bad_annotations=bad_annotations,
        )  # fmt: skip
    write_panoptic_png(inside(output, name), merged.ids)
    return Merged.of(image, merged)


def read_ids(image: PanopticImage, panoptic_root: Path) -> np.ndarray:
    """The segment ids of an image, which must have an annotation.

    Raises:
        InputError: it has none, or its PNG is wrong.
    """
    if image.png_name is None:
        raise InputError(f"image {image.image_id} ({image.file_name}) has no annotation")
    return read_annotation(image, panoptic_root)


@contextlib.contextmanager
def about(image: PanopticImage) -> Iterator[None]:
    """Names the image in what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"image {image.image_id} ({image.file_name}): {error}") from error
