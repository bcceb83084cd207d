"""Panoptic maps as COCO instance annotations and semantic labels, and back.

Things become instance annotations with an RLE each, crowds included. Semantic labels say the
category of every pixel, thing or stuff, numbered in one of two ways:

    numbering     a thing of category c    stuff of category c
    category-ids  c                        c
    separated     0                        1 + the place of c among the stuff categories

The first is that of panopticapi's converter, the second that of Detectron2's Panoptic FPN.
"""

from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import VOID_ID
from panoptic_heuristic.formats.conversions.painting import MergedImage, paint_annotations
from panoptic_heuristic.formats.runs import numbered_segments, segment_extents, segment_rles
from panoptic_heuristic.formats.semantic_targets import semantic_label_of

NUMBERINGS = ("category-ids", "separated")


def semantic_numbering(categories: Categories, numbering: str) -> Dict[int, int]:
    """The semantic label of each category, by dataset category id.

    Raises:
        InputError: ``numbering`` is unknown, or there are too many stuff categories for "separated".
    """
    if numbering not in NUMBERINGS:
        raise InputError(f"numbering must be one of {', '.join(NUMBERINGS)}, got {numbering!r}")
    if numbering == "separated":
        return semantic_label_of(categories)
    return {category_id: category_id for category_id in categories}


def panoptic_to_instances(
    ids: np.ndarray, segments_info: Sequence[Mapping[str, Any]], categories: Categories, *, with_stuff: bool = False
) -> List[Dict[str, Any]]:
    """The things of a panoptic map as COCO annotations, without ``id`` and ``image_id``.

    Args:
        ids: (H, W) integers.
        segments_info: dicts with ``id``, ``category_id`` (dataset ids) and ``iscrowd``.
        categories: the data set's categories.
        with_stuff: gives the stuff, too.

    Returns:
        dicts with ``category_id``, ``iscrowd``, ``area``, ``bbox`` and ``segmentation``, a
        compressed RLE, in the order of ``segments_info``.
    """
    wanted = [
        segment for segment in segments_info if with_stuff or categories[segment["category_id"]].isthing
    ]
    boxes, areas = segment_extents(ids)
    rles = segment_rles(ids, [segment["id"] for segment in wanted])
    return [
        {
            "category_id": segment["category_id"],
            "iscrowd": int(segment.get("iscrowd", 0)),
            "area": areas.get(segment["id"], 0),
            "bbox": list(boxes.get(segment["id"], (0, 0, 0, 0))),
            "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
        }
        for segment, rle in zip(wanted, rles, strict=True)
    ]


def panoptic_to_semantic(
    ids: np.ndarray,
    segments_info: Sequence[Mapping[str, Any]],
    categories: Categories,
    *,
    label_of: Mapping[int, int],
    void: int,
) -> np.ndarray:
    """The semantic label of every pixel of a panoptic map.

    Args:
        ids: (H, W) integers; 0 is void, every other id is listed in ``segments_info``.
        segments_info: dicts with ``id``, ``category_id`` (dataset ids) and ``iscrowd``.
        categories: the data set's categories.
        label_of: label by category id, as :func:`semantic_numbering` gives it.
        void: the label of void pixels.

    Returns:
        (H, W) int64.

    Raises:
        InputError: labels cannot tell the segments apart: two stuff segments of one category or a
            stuff crowd; or ``void`` is a category's label.
    """
    _check_void(label_of, categories, void)
    label_of_id = {VOID_ID: void}
    stuff = set()
    for segment in segments_info:
        category_id = segment["category_id"]
        if not categories[category_id].isthing:
            if segment.get("iscrowd", 0):
                raise InputError(
                    f"segment {segment['id']} of stuff category {category_id} is a crowd; only things can be"
                )
            if category_id in stuff:
                raise InputError(f"stuff category {category_id} has several segments; semantic labels hold one")
            stuff.add(category_id)
        label_of_id[segment["id"]] = label_of[category_id]
    present, place = numbered_segments(ids)
    return np.array([label_of_id[i] for i in present.tolist()], dtype=np.int64)[place]


def merge_instances(
    annotations: Sequence[Mapping[str, Any]],
    labels: np.ndarray,
    categories: Categories,
    *,
    label_of: Mapping[int, int],
    void: int,
    overlap: str = "fail",
    bad_annotations: str = "fail",
) -> MergedImage:
    """Puts instances and semantic labels of one image together; instances come first.

    This is a conversion of annotations: nothing is weighed or dropped by score. To merge the
    outputs of a model's heads, use :func:`panoptic_heuristic.fusion.fuse`.

    Args:
        annotations: dicts with ``category_id``, ``segmentation`` (RLE or polygons) and ``iscrowd``.
        labels: (H, W) integers, the semantic labels.
        categories: the data set's categories.
        label_of: label by category id, as :func:`semantic_numbering` gives it.
        void: the label of void pixels.
        overlap: a pixel that several instances claim is an error ("fail"), stays with the one
            listed first ("skip") or goes to the one listed last ("overwrite").
        bad_annotations: annotations whose mask cannot be read "fail", or are left out ("skip").

    Raises:
        InputError: instances overlap and ``overlap`` is "fail", a mask is malformed or has another
            size than ``labels``, or a label means no category.
    """
    _check_void(label_of, categories, void)
    painted = paint_annotations(annotations, labels.shape, overlap=overlap, bad_annotations=bad_annotations)
    ids, category_of = painted.ids, painted.category_of
    bare = _add_stuff(ids, category_of, labels, categories, label_of, void)
    return painted.image(bare_pixels=bare)


def _check_void(label_of: Mapping[int, int], categories: Categories, void: int) -> None:
    for category_id, label in label_of.items():
        if label == void:
            name = categories[category_id].name
            raise InputError(f"void is {void}, which is also the label of category {category_id} ({name})")


def _add_stuff(
    ids: np.ndarray,
    category_of: Dict[int, int],
    labels: np.ndarray,
    categories: Categories,
    label_of: Mapping[int, int],
    void: int,
) -> int:
    """Gives free pixels to stuff, one segment per category; returns how many say "thing"."""
    stuff_of_label = {label_of[category.id]: category.id for category in categories.stuff}
    thing_labels = {label_of[category.id] for category in categories.things}
    number_of = {}
    present, place = numbered_segments(labels)
    for label in present.tolist():
        if label in stuff_of_label:
            number_of[label] = max(category_of, default=0) + 1
            category_of[number_of[label]] = stuff_of_label[label]
        elif label != void and label not in thing_labels:
            raise InputError(f"the semantic labels hold {label}, which is neither a category nor void ({void})")
    new_ids = np.array([number_of.get(label, VOID_ID) for label in present.tolist()], dtype=ids.dtype)
    is_thing = np.isin(present, list(thing_labels))
    free = ids == VOID_ID
    ids[free] = new_ids[place][free]
    return int((is_thing[place] & free).sum())
