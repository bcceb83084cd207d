"""One COCO detection file with things and stuff, each annotation with a mask of its own.

panopticapi's ``detection2panoptic_coco_format`` takes such files and its ``panoptic2detection_coco_format`` writes
them. Exports of labelme, CVAT and others are detection files whose categories do not say what is stuff.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, category_entries_in, read_categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, write_panoptic_png
from panoptic_heuristic.formats.conversions.image_files import Merged, about, png_name, read_ids
from panoptic_heuristic.formats.conversions.instances_semantic import panoptic_to_instances
from panoptic_heuristic.formats.conversions.painting import paint_annotations
from panoptic_heuristic.formats.files import PathLike, inside

STUFF_SEGMENTS = ("keep", "join")


def detection_categories(
    detection_json: PathLike, categories_json: Optional[PathLike], stuff: Sequence[str]
) -> Categories:
    """The categories of a detection file.

    Args:
        detection_json: the file.
        categories_json: panoptic categories, to be taken instead; None for the file's own.
        stuff: names of categories that are stuff. Others are things where the file does not say.

    Raises:
        InputError: a category is wrong, or none has one of the names.
    """
    if categories_json is not None:
        if stuff:
            raise InputError("--stuff names categories of the detection file; leave it out with --categories-json")
        return read_categories(categories_json)
    entries = category_entries_in(detection_json)
    if isinstance(entries, list):
        sound = [entry for entry in entries if isinstance(entry, Mapping)]
        absent = sorted(set(stuff) - {str(entry.get("name")) for entry in sound})
        if absent:
            raise InputError(f"{detection_json} has no category {absent[0]!r}, which --stuff names")
        entries = [_with_kind(entry, stuff) if isinstance(entry, Mapping) else entry for entry in entries]
    return Categories.from_coco(entries, str(detection_json))


def detection_to_coco(
    job: Tuple[PanopticImage, Sequence[Mapping[str, Any]]],
    *,
    output: Path,
    categories: Categories,
    overlap: str,
    bad_annotations: str,
    stuff_segments: str,
) -> Merged:
    """Writes the panoptic PNG of an image from its annotations.

    Args:
        job: the image and its annotations.
        output: the folder of the PNGs.
        categories: the data set's categories.
        overlap, bad_annotations: as in
            :func:`panoptic_heuristic.formats.conversions.painting.paint_annotations`.
        stuff_segments: "keep" a segment per annotation, as panopticapi does, or "join" those of
            a stuff category.

    Raises:
        InputError: annotations overlap or a mask cannot be read, where that is to fail.
    """
    image, annotations = job
    with about(image):
        painted = paint_annotations(
            annotations, (image.height, image.width), overlap=overlap, bad_annotations=bad_annotations
        )
    if stuff_segments == "join":
        new_number = np.arange(max(painted.category_of, default=0) + 1, dtype=painted.ids.dtype)
        first_of: Dict[int, int] = {}
        for number, category_id in painted.category_of.items():
            if not categories[category_id].isthing:
                new_number[number] = first_of.setdefault(category_id, number)
        painted = replace(painted, ids=new_number[painted.ids])
    merged = painted.image()
    write_panoptic_png(inside(output, png_name(image.file_name)), merged.ids)
    return Merged.of(image, merged)


def coco_to_detection(
    image: PanopticImage, *, panoptic_root: Path, categories: Categories, with_stuff: bool
) -> List[Dict[str, Any]]:
    """The annotations of an image, without ``id``, each with its mask as a compressed RLE.

    Raises:
        InputError: the image has no annotation, or its PNG is wrong.
    """
    ids = read_ids(image, panoptic_root)
    annotations = panoptic_to_instances(ids, image.segments_info, categories, with_stuff=with_stuff)
    return [{"image_id": image.image_id, **annotation} for annotation in annotations]


def _with_kind(entry: Mapping[str, Any], stuff: Sequence[str]) -> Dict[str, Any]:
    """A category with ``isthing``."""
    return {**entry, "isthing": 0 if str(entry.get("name")) in stuff else entry.get("isthing", 1)}
