"""Turns ADE20K into the COCO panoptic format.

It takes the form that was prepared for the scene parsing challenge. Reads from ADEChallengeData2016/:
  images/{training,validation}/*.jpg
  annotations/{training,validation}/*.png            semantic: 1 to 150, 0 is none of these
  annotations_instance/{training,validation}/*.png   instances: red is the class, 1 to 100, green the number
  objectInfo150.txt                                  the names of the 150 classes
Writes panoptic_{train,val}.json and the PNGs panoptic_{train,val}/*.png: 100 thing and 50 stuff categories,
whose ids are 1 to 150 as in the semantic PNGs. Instances lie above stuff where both claim a pixel. Pixels
whose semantic class is a thing, but which belong to no instance, are void.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

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
    write_split,
)
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories

_EXAMPLES = """\
example:
  DETECTRON2_DATASETS=/data panoptic-heuristic prepare-ade20k-panoptic --splits val

Stopped and started again, it goes on where it was: PNGs that are there and whole are kept.
"""

_CLASSES = 150
# The 50 of the 150 classes that the instance annotations leave out. The other 100 are things, and the
# instance annotations number them from 1 in the same order (1 bed = 8, 2 windowpane = 9, 100 flag = 150).
# Compared with instancesegmentation/instanceInfo100_train.txt in github.com/CSAILVision/placeschallenge, and
# with datasets/ade20k_instance_catid_mapping.txt in github.com/facebookresearch/Mask2Former.
STUFF = frozenset((
    1, 2, 3, 4, 5, 6, 7, 10, 12, 14, 17, 18, 22, 26, 27, 29, 30, 35, 41, 47, 49, 52, 53, 55, 60,
    61, 62, 64, 69, 78, 80, 85, 92, 95, 97, 100, 101, 102, 106, 107, 110, 114, 115, 118, 123, 129, 132, 141, 142, 146,
))  # fmt: skip
THINGS = tuple(i for i in range(1, _CLASSES + 1) if i not in STUFF)

# A segment's id is its category id * 256 + its instance number, which is 0 for stuff: so the PNG alone tells
# the segments, and a run that goes on where another stopped need not convert again.
_PER_CATEGORY = 256
_CATEGORY_OF = {i * _PER_CATEGORY: i for i in STUFF}
_CATEGORY_OF.update({i * _PER_CATEGORY + number: i for i in THINGS for number in range(1, _PER_CATEGORY)})

_FOLDERS = {"train": "training", "val": "validation"}


@dataclass(frozen=True)
class _Job:
    image_id: int
    image: Path
    semantic: Path
    instances: Path
    png: Path
    overwrite: bool


def read_categories(path: Path) -> Categories:
    """Reads the categories from objectInfo150.txt.

    The file has a head line and one line per class, whose fields are separated by tabs: the
    first is the class's number, the last its names, separated by commas. The first name is taken.

    Raises:
        InputError: the file is missing, or does not list the classes 1 to 150.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}, which names the classes of ADE20K: {error}") from error
    rows = [line.split("\t") for line in lines if line.strip()]
    numbers = [row[0].strip() for row in rows]
    if numbers != [str(i) for i in range(1, _CLASSES + 1)]:
        raise InputError(f"{path}: expected the classes 1 to {_CLASSES}, one per line with tabs, got {len(rows)} lines")
    names = [row[-1].split(",")[0].strip() for row in rows]
    return Categories.from_coco(
        [{"id": place + 1, "name": name, "isthing": int(place + 1 not in STUFF)} for place, name in enumerate(names)],
        str(path),
    )


def panoptic_ids(semantic: np.ndarray, instances: np.ndarray, where: str) -> np.ndarray:
    """Joins the semantic and the instance annotation of an image.

    Args:
        semantic: (H, W) uint8, 0 to 150.
        instances: (H, W, 3) uint8; red is the instance class, green the number in the image, 0 for none.
        where: the image, for error messages.

    Returns:
        (H, W) int32: category id * 256 + instance number; 0 is void.

    Raises:
        InputError: a class does not exist, or an instance has pixels of two classes.
    """
    if semantic.max(initial=0) > _CLASSES:
        raise InputError(f"{where}: the semantic annotation holds class {semantic.max()}; expected 0 to {_CLASSES}")
    stuff = np.array([i in STUFF for i in range(_CLASSES + 1)])
    ids = np.where(stuff[semantic], semantic.astype(np.int32) * _PER_CATEGORY, 0)
    covered = instances[..., 1] > 0
    classes, numbers = instances[..., 0][covered], instances[..., 1][covered]
    if classes.size and not 1 <= classes.min() <= classes.max() <= len(THINGS):
        raise InputError(
            f"{where}: the instance annotation holds the classes {classes.min()} to {classes.max()}; "
            f"expected 1 to {len(THINGS)}"
        )
    category_of_class = np.array((0,) + THINGS, dtype=np.int32)
    ids[covered] = category_of_class[classes] * _PER_CATEGORY + numbers
    found, how_often = np.unique(np.unique(ids[covered]) % _PER_CATEGORY, return_counts=True)
    if how_often.max(initial=1) > 1:
        raise InputError(f"{where}: instance {found[how_often.argmax()]} has pixels of more than one class")
    return ids


def prepare(root: Path, output: Path, split: str, *, workers: int = 1, overwrite: bool = False) -> None:
    """Writes the panoptic JSON and PNGs of one split.

    Args:
        root: the folder ADEChallengeData2016.
        output: the folder to write to.
        split: ``train`` or ``val``.
        workers: number of processes.
        overwrite: whether files that are there and whole are made again.

    Raises:
        InputError: an image, an annotation or the list of classes is missing or wrong.
    """
    folders = [root / kind / _FOLDERS[split] for kind in ("images", "annotations", "annotations_instance")]
    for folder in folders:
        require_folder(folder, "set DETECTRON2_DATASETS, name the folder with --root, or choose other --splits")
    categories = read_categories(root / "objectInfo150.txt")
    images = find_images(folders[0], ".jpg")
    for folder in folders[1:]:
        check_pairs(images, folder)
    jobs = [
        _Job(
            image_id=place + 1,
            image=image,
            semantic=folders[1] / f"{image.stem}.png",
            instances=folders[2] / f"{image.stem}.png",
            png=output / f"panoptic_{split}" / f"{image.stem}.png",
            overwrite=overwrite,
        )
        for place, image in enumerate(images)
    ]
    write_split(_convert, jobs, categories, output, split, workers=workers, overwrite=overwrite)


def _convert(job: _Job) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    height, width = image_size(job.image)
    size: Dict[str, Any] = {"height": height, "width": width}

    def make_ids() -> np.ndarray:
        semantic = read_annotation(job.semantic, ["L", "P"], "expected an 8-bit grey PNG", **size)
        instances = read_annotation(job.instances, ["RGB"], "expected an 8-bit RGB PNG", **size)
        return panoptic_ids(semantic, instances, job.image.name)

    entry = {"id": job.image_id, "file_name": job.image.name, **size}
    return convert_image(entry, job.png, make_ids, _CATEGORY_OF, overwrite=job.overwrite)


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns its exit code."""
    return prepare_splits(argv, CommandParser(__doc__, _EXAMPLES), "ADEChallengeData2016", tuple(_FOLDERS), prepare)
