"""COCO panoptic, and a class map with an instance map."""

import argparse
from pathlib import Path
from typing import List, Union

from panoptic_heuristic.cli.conversions.flags import (
    add_categories_argument,
    add_coco_arguments,
    add_conversion,
    add_images_argument,
    add_number_arguments,
    add_void_argument,
    fates_of_flags,
)
from panoptic_heuristic.cli.conversions.output import ConversionOutput, images_to_convert
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.categories import read_categories
from panoptic_heuristic.formats.conversions import class_instance_files as convert

_HELP = """\
A class map says the category id of each pixel, an instance map the number of the thing: per category, or through the
image. They are two PNGs (8- or 16-bit grey), or channels of one (8-bit RGB or RGBA): --channels RG is the class in R
and the number in G, as the panoptic segmentation paper has it; RGB is the number in 256 * G + B.
"""


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds both sub-commands."""
    one = add_conversion(commands, "class-instance-to-coco", class_instance_to_coco, _HELP)
    one.add_argument("--class-root", type=Path, help="the folder of class PNGs")
    one.add_argument("--instance-root", type=Path, help="the folder of instance PNGs; may be the same")
    one.add_argument("--class-suffix", default=".png", help="end of the class PNGs' names (default: %(default)s)")
    one.add_argument("--instance-suffix", default=".png", help="end of the instance PNGs' names (default: %(default)s)")
    one.add_argument("--label-root", type=Path, help="instead of these: the folder of PNGs with both as channels")
    one.add_argument("--channels", default="RG", help="of --label-root, see above (default: %(default)s)")
    add_categories_argument(one)
    add_images_argument(one)
    add_void_argument(one, "the class", "255, or 65535 in 16-bit class PNGs")
    add_number_arguments(one, stuff_numbers="fail", thing_zero="fail")

    one = add_conversion(commands, "coco-to-class-instance", coco_to_class_instance, _HELP)
    add_coco_arguments(one)
    one.add_argument("--channels", help="write one PNG per image, with these channels (default: two PNGs)")
    add_void_argument(one, "the class", "255, or 65535 where classes need 16 bits")


def class_instance_to_coco(args: argparse.Namespace) -> int:
    """Class and instance PNGs to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories, maps, roots = read_categories(args.categories_json), _maps(args), _roots(args)
    suffix = args.class_suffix if args.label_root is None else ".png"
    images = images_to_convert(roots[0], args.images_json, categories, suffix)
    output = ConversionOutput(args, "panoptic.json", "panoptic", images, read_from=roots)
    annotations = output.run(
        convert.class_instance_to_coco, images, maps=maps, categories=categories, void=args.void,
        fates=fates_of_flags(args),
    )  # fmt: skip
    output.write(categories.to_coco(), annotations)
    return 0


def coco_to_class_instance(args: argparse.Namespace) -> int:
    """COCO panoptic to OUTPUT/images.json, and OUTPUT/labels/class and /instance, or with --channels OUTPUT/labels."""
    content = read_panoptic_json(args.panoptic_json)
    output = ConversionOutput(args, "images.json", "labels", content.images, read_from=[args.panoptic_root])
    void = args.void
    if void is None:
        void = 255 if args.channels or max(content.categories) < 255 else 65535
    output.run(
        convert.coco_to_class_instance, content.images, panoptic_root=args.panoptic_root,
        categories=content.categories, channels=args.channels, void=void,
    )  # fmt: skip
    output.write(content.categories.to_coco())
    print(f"void is class {void}")
    return 0


def _maps(args: argparse.Namespace) -> Union[convert.TwoPngs, convert.Channels]:
    given = [args.class_root is not None, args.instance_root is not None, args.label_root is not None]
    if given == [True, True, False]:
        return convert.TwoPngs(args.class_root, args.instance_root, args.class_suffix, args.instance_suffix)
    if given == [False, False, True]:
        return convert.Channels(args.label_root, args.channels)
    raise InputError("give --class-root and --instance-root, or --label-root for PNGs with both as channels")


def _roots(args: argparse.Namespace) -> List[Path]:
    return [root for root in (args.label_root, args.class_root, args.instance_root) if root is not None]
