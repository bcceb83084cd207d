"""Turns Cityscapes' fine annotations into the COCO panoptic format.

Reads leftImg8bit/<split>/<city>/*_leftImg8bit.png and gtFine/<split>/<city>/*_gtFine_instanceIds.png.
Writes, for train and val, panoptic_<split>.json and the PNGs panoptic_<split>/*_gtFine_panoptic.png; for
test, whose annotations are not public, the image list image_info_test.json. Category ids are Cityscapes' own
label ids (road 7 to bicycle 33). Groups such as "cargroup" become crowd segments; labels that Cityscapes
leaves out of its evaluation are void.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.cli.outputs import print_note
from panoptic_heuristic.cli.preparation import (
    convert_image,
    image_size,
    prepare_splits,
    read_annotation,
    require_folder,
    write_last,
    write_split,
)
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.formats.listing import Listing, list_files

_EXAMPLES = """\
example:
  DETECTRON2_DATASETS=/data panoptic-heuristic prepare-cityscapes-panoptic --splits train val

Stopped and started again, it goes on where it was: PNGs that are there and whole are kept.
"""

# The labels Cityscapes evaluates, with their ids and colours, from cityscapesscripts/helpers/labels.py
# (https://github.com/mcordts/cityscapesScripts).
CATEGORIES = Categories(
    [
        Category(7, "road", False, (128, 64, 128)),
        Category(8, "sidewalk", False, (244, 35, 232)),
        Category(11, "building", False, (70, 70, 70)),
        Category(12, "wall", False, (102, 102, 156)),
        Category(13, "fence", False, (190, 153, 153)),
        Category(17, "pole", False, (153, 153, 153)),
        Category(19, "traffic light", False, (250, 170, 30)),
        Category(20, "traffic sign", False, (220, 220, 0)),
        Category(21, "vegetation", False, (107, 142, 35)),
        Category(22, "terrain", False, (152, 251, 152)),
        Category(23, "sky", False, (70, 130, 180)),
        Category(24, "person", True, (220, 20, 60)),
        Category(25, "rider", True, (255, 0, 0)),
        Category(26, "car", True, (0, 0, 142)),
        Category(27, "truck", True, (0, 0, 70)),
        Category(28, "bus", True, (0, 60, 100)),
        Category(31, "train", True, (0, 80, 100)),
        Category(32, "motorcycle", True, (0, 0, 230)),
        Category(33, "bicycle", True, (119, 11, 32)),
    ]
)
_LABELS = range(34)
# Caravan (29) and trailer (30) have instance numbers too, but are not evaluated.
_LABELS_WITH_INSTANCES = range(24, 34)
# A pixel is label id * 1000 + instance, or the bare label id for stuff and groups.
_PER_LABEL = 1000
_ILLEGAL = -1
# As Pillow calls 16-bit grey, one version like this, another like that.
_GREY_16_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def _pixel_tables() -> Tuple[np.ndarray, Dict[int, int]]:
    """Segment id per pixel value (0 void, -1 no Cityscapes value), and category id per segment id."""
    segment_of = np.full(2**16, _ILLEGAL, dtype=np.int32)
    category_of = {}
    for label in _LABELS:
        values = [label]
        if label in _LABELS_WITH_INSTANCES:
            values += range(label * _PER_LABEL, (label + 1) * _PER_LABEL)
        segment_of[values] = values if label in CATEGORIES else 0
        if label in CATEGORIES:
            category_of.update(dict.fromkeys(values, label))
    return segment_of, category_of


_SEGMENT_OF, _CATEGORY_OF = _pixel_tables()
_CROWDS = frozenset(category.id for category in CATEGORIES.things)


@dataclass(frozen=True)
class _Job:
    image_id: int
    image: Path
    file_name: str
    annotation: Path
    png: Path
    overwrite: bool


def panoptic_ids(instance_ids: np.ndarray, where: str) -> np.ndarray:
    """Turns the pixels of an instanceIds PNG into panoptic segment ids.

    Args:
        instance_ids: (H, W) integers, 0 to 65535.
        where: the file, for error messages.

    Returns:
        (H, W) int32: the pixel's own value as the segment's id, 0 for labels that are not evaluated.

    Raises:
        InputError: a pixel has a value that Cityscapes does not use.
    """
    ids = _SEGMENT_OF[instance_ids]
    if ids.min(initial=0) == _ILLEGAL:
        value = int(instance_ids[ids == _ILLEGAL].min())
        raise InputError(f"{where} holds the value {value}, which is no instance id of Cityscapes")
    return ids


def prepare(root: Path, output: Path, split: str, *, workers: int = 1, overwrite: bool = False) -> None:
    """Writes the panoptic JSON and PNGs of one split.

    Args:
        root: the folder that holds leftImg8bit/ and gtFine/.
        output: the folder to write to.
        split: ``train``, ``val`` or ``test``.
        workers: number of processes.
        overwrite: whether files that are there and whole are made again.

    Raises:
        InputError: an image or annotation is missing or wrong.
    """
    advice = "set DETECTRON2_DATASETS, name the folder with --root, or choose other --splits"
    images_root = root / "leftImg8bit" / split
    require_folder(images_root, advice)
    found = list_files(images_root, "_leftImg8bit.png")
    print_note(found)
    images = _in_cities(found)
    if not images:
        raise InputError(f"{images_root} holds no <city>/*_leftImg8bit.png")
    if split == "test":
        entries = [_image_entry(place + 1, image) for place, image in enumerate(images)]
        content = {"categories": CATEGORIES.to_coco(), "images": entries}
        write_last(output / "image_info_test.json", content, overwrite=overwrite)
        return
    annotations_root = root / "gtFine" / split
    require_folder(annotations_root, advice)
    jobs = [
        _job(place + 1, image, annotations_root, output / f"panoptic_{split}", overwrite)
        for place, image in enumerate(images)
    ]
    _check_both_ways(jobs, annotations_root, images_root)
    write_split(_convert, jobs, CATEGORIES, output, split, workers=workers, overwrite=overwrite)


def _job(image_id: int, image: Path, annotations_root: Path, png_root: Path, overwrite: bool) -> _Job:
    city, prefix = image.parent.name, image.name[: -len("_leftImg8bit.png")]
    return _Job(
        image_id=image_id,
        image=image,
        file_name=f"{city}/{image.name}",
        annotation=annotations_root / city / f"{prefix}_gtFine_instanceIds.png",
        png=png_root / f"{prefix}_gtFine_panoptic.png",
        overwrite=overwrite,
    )


def _check_both_ways(jobs: List[_Job], annotations_root: Path, images_root: Path) -> None:
    present = set(_in_cities(list_files(annotations_root, "_gtFine_instanceIds.png")))
    expected = {job.annotation for job in jobs}
    if expected - present:
        raise InputError(f"an image of {images_root} has no annotation; expected {min(expected - present)}")
    if present - expected:
        raise InputError(f"the annotation {min(present - expected)} has no image in {images_root}")


def _in_cities(found: Listing) -> List[Path]:
    """The files in the cities' folders; those elsewhere are told."""
    elsewhere = [name for name in found.names if name.count("/") != 1]
    if elsewhere:
        print(f"left out of {found.folder}: {len(elsewhere)} in no city's folder, such as {elsewhere[0]}")
    return [found.folder / name for name in found.names if name.count("/") == 1]


def _image_entry(image_id: int, image: Path) -> Dict[str, Any]:
    height, width = image_size(image)
    # The city belongs to the name: the images lie in a folder per city.
    return {
        "id": image_id,
        "file_name": f"{image.parent.name}/{image.name}",
        "height": height,
        "width": width,
    }


def _convert(job: _Job) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    entry = _image_entry(job.image_id, job.image)
    size = {"height": entry["height"], "width": entry["width"]}

    def make_ids() -> np.ndarray:
        # labelIds PNGs look alike but are 8-bit: taking one would lose all instances in silence.
        values = read_annotation(job.annotation, _GREY_16_BIT, "instanceIds PNGs are 16-bit grey", **size)
        return panoptic_ids(values, str(job.annotation))

    return convert_image(entry, job.png, make_ids, _CATEGORY_OF, _CROWDS, overwrite=job.overwrite)


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns its exit code."""
    return prepare_splits(argv, CommandParser(__doc__, _EXAMPLES), "cityscapes", ("train", "val", "test"), prepare)
