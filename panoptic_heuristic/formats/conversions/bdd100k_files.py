"""BDD100K's panoptic bitmasks: RGBA PNGs (https://doc.bdd100k.com/format.html, "Instance Segmentation Format").

    R      category id; 0 is background
    G      truncated * 8 + occluded * 4 + crowd * 2 + ignored
    B, A   256 * B + A is the instance number, for stuff, too

A segment that is a crowd or ignored is a crowd in COCO's sense: what is predicted there is neither right nor wrong.
Truncated and occluded have no place in COCO's format.
"""

from pathlib import Path
from typing import Any, Dict

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.formats.coco_panoptic import VOID_ID, PanopticImage
from panoptic_heuristic.formats.conversions.image_files import about, png_name, read_ids, write_segments
from panoptic_heuristic.formats.files import inside
from panoptic_heuristic.formats.label_divisor import Fates, NumberedPairs, pairs_to_segments
from panoptic_heuristic.formats.label_png import read_channels, write_channels
from panoptic_heuristic.formats.runs import numbered_segments

# Ids, names and colours are those of bdd100k/label/label.py (https://github.com/bdd100k/bdd100k).
_STUFF = (
    (1, "dynamic", (111, 74, 0)), (2, "ego vehicle", (0, 0, 0)), (3, "ground", (81, 0, 81)), (4, "static", (0, 0, 0)),
    (5, "parking", (250, 170, 160)), (6, "rail track", (230, 150, 140)), (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)), (9, "bridge", (150, 100, 100)), (10, "building", (70, 70, 70)),
    (11, "fence", (190, 153, 153)), (12, "garage", (180, 100, 180)), (13, "guard rail", (180, 165, 180)),
    (14, "tunnel", (150, 120, 90)), (15, "wall", (102, 102, 156)), (16, "banner", (250, 170, 100)),
    (17, "billboard", (220, 220, 250)), (18, "lane divider", (255, 165, 0)), (19, "parking sign", (220, 20, 60)),
    (20, "pole", (153, 153, 153)), (21, "polegroup", (153, 153, 153)), (22, "street light", (220, 220, 100)),
    (23, "traffic cone", (255, 70, 0)), (24, "traffic device", (220, 220, 220)), (25, "traffic light", (250, 170, 30)),
    (26, "traffic sign", (220, 220, 0)), (27, "traffic sign frame", (250, 170, 250)), (28, "terrain", (152, 251, 152)),
    (29, "vegetation", (107, 142, 35)), (30, "sky", (70, 130, 180)),
)  # fmt: skip
_THINGS = (
    (31, "person", (220, 20, 60)), (32, "rider", (255, 0, 0)), (33, "bicycle", (119, 11, 32)),
    (34, "bus", (0, 60, 100)), (35, "car", (0, 0, 142)), (36, "caravan", (0, 0, 90)),
    (37, "motorcycle", (0, 0, 230)), (38, "trailer", (0, 0, 110)), (39, "train", (0, 80, 100)),
    (40, "truck", (0, 0, 70)),
)  # fmt: skip
CATEGORIES = Categories(
    [*(Category(i, name, False, color) for i, name, color in _STUFF),
     *(Category(i, name, True, color) for i, name, color in _THINGS)]
)  # fmt: skip
"""The 40 categories of BDD100K's panoptic task."""

_BACKGROUND = 0
_CROWD, _IGNORED = 2, 1
_MOST_INSTANCES = 2**16 - 1


def bdd100k_to_coco(
    image: PanopticImage, *, output: Path, bitmask_root: Path, categories: Categories, fates: Fates
) -> Dict[str, Any]:
    """Writes the panoptic PNG of an image from its bitmask.

    Returns:
        the image's annotation in the panoptic JSON.

    Raises:
        InputError: the bitmask is no RGBA PNG, or holds what is to fail.
    """
    path = inside(bitmask_root, png_name(image.file_name))
    pixels = read_channels(path, size=(image.height, image.width))
    if pixels.shape[2] != 4:
        raise InputError(f"{path} is 8-bit RGB; BDD100K's bitmasks are 8-bit RGBA")
    values, place = numbered_segments(np.ascontiguousarray(pixels).view(">u4")[..., 0])
    values = values.astype(np.int64)
    category_ids, flags, numbers = values >> 24, values >> 16 & 255, values & _MOST_INSTANCES
    pairs = NumberedPairs(
        category_ids,
        numbers,
        category_ids == _BACKGROUND,
        lambda k: f"category {category_ids[k]} with instance {numbers[k]}",
        "are these BDD100K's bitmasks?",
    )
    with about(image):
        ids, segments = pairs_to_segments(pairs, categories, fates)
    plain = set(ids[flags & (_CROWD | _IGNORED) == 0].tolist())
    segments = [{**one, "iscrowd": int(one["iscrowd"] or one["id"] not in plain)} for one in segments]
    return write_segments(image, ids[place], segments, output)


def coco_to_bdd100k(image: PanopticImage, *, output: Path, panoptic_root: Path, categories: Categories) -> None:
    """Writes the bitmask of an annotated image.

    As in BDD100K's own files, stuff is numbered by its category and things after that, in the
    order of ``segments_info``.

    Raises:
        InputError: the PNG is wrong, a category id is not from 1 to 255, or there are too many things.
    """
    ids = read_ids(image, panoptic_root)
    with about(image):
        _check_ids(categories)
        value_of = {VOID_ID: 0}
        number = max((category.id for category in categories.stuff), default=0)
        for segment in image.segments_info:
            category_id = segment["category_id"]
            number += categories[category_id].isthing
            if number > _MOST_INSTANCES:
                raise InputError(f"there are more things than bitmasks number, {_MOST_INSTANCES}")
            instance = number if categories[category_id].isthing else category_id
            crowd = _CROWD if segment.get("iscrowd", 0) else 0
            value_of[segment["id"]] = category_id << 24 | crowd << 16 | instance
    present, place = numbered_segments(ids)
    values = np.array([value_of[i] for i in present.tolist()], dtype=">u4")[place]
    write_channels(inside(output, png_name(image.file_name)), values.view(np.uint8).reshape(*ids.shape, 4))


def _check_ids(categories: Categories) -> None:
    for category in categories.values():
        if not 0 < category.id < 256:
            raise InputError(f"bitmasks hold category ids from 1 to 255, got {category.id} ({category.name})")
