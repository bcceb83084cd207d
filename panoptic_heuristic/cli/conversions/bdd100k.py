"""COCO panoptic, and BDD100K's panoptic bitmasks."""

import argparse
from pathlib import Path

from panoptic_heuristic.cli.conversions.flags import (
    add_categories_argument,
    add_coco_arguments,
    add_conversion,
    add_images_argument,
    add_number_arguments,
    fates_of_flags,
)
from panoptic_heuristic.cli.conversions.output import ConversionOutput, images_to_convert
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.categories import read_categories
from panoptic_heuristic.formats.conversions import bdd100k_files as convert

_HELP = """\
Bitmasks are RGBA PNGs: R is the category id, and 0 is background; G has the flags truncated, occluded, crowd and
ignored; 256 * B + A is the instance number. Crowd or ignored segments are crowds in COCO's format, which has no
place for truncated and occluded: they are lost.
"""


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds both sub-commands."""
    one = add_conversion(commands, "bdd100k-to-coco", bdd100k_to_coco, _HELP)
    one.add_argument("--bitmask-root", type=Path, required=True, help="the folder of bitmasks")
    add_categories_argument(one, default="the 40 of BDD100K's panoptic task")
    add_images_argument(one)
    add_number_arguments(one, stuff_numbers="ignore", thing_zero="fail")

    one = add_conversion(commands, "coco-to-bdd100k", coco_to_bdd100k, _HELP)
    add_coco_arguments(one)


def bdd100k_to_coco(args: argparse.Namespace) -> int:
    """BDD100K's bitmasks to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories = convert.CATEGORIES if args.categories_json is None else read_categories(args.categories_json)
    images = images_to_convert(args.bitmask_root, args.images_json, categories)
    output = ConversionOutput(args, "panoptic.json", "panoptic", images, read_from=[args.bitmask_root])
    annotations = output.run(
        convert.bdd100k_to_coco, images, bitmask_root=args.bitmask_root, categories=categories,
        fates=fates_of_flags(args),
    )  # fmt: skip
    output.write(categories.to_coco(), annotations)
    return 0


def coco_to_bdd100k(args: argparse.Namespace) -> int:
    """COCO panoptic to BDD100K's bitmasks, OUTPUT/bitmasks/*.png, and OUTPUT/images.json."""
    content = read_panoptic_json(args.panoptic_json)
    output = ConversionOutput(args, "images.json", "bitmasks", content.images, read_from=[args.panoptic_root])
    output.run(
        convert.coco_to_bdd100k, content.images, panoptic_root=args.panoptic_root, categories=content.categories
    )
    output.write(content.categories.to_coco())
    return 0
