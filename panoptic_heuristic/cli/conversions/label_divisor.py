"""COCO panoptic and label-divisor PNGs."""

import argparse
from pathlib import Path

from panoptic_heuristic.cli.conversions.flags import (
    add_categories_argument,
    add_coco_arguments,
    add_conversion,
    add_images_argument,
    add_number_arguments,
    add_void_argument,
)
from panoptic_heuristic.cli.conversions.output import ConversionOutput, images_to_convert
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.categories import read_categories
from panoptic_heuristic.formats.conversions import image_files as convert
from panoptic_heuristic.formats.label_divisor import CROWDS, FORMS, LabelDivisorForm

_HELP = """\
The values of a PNG, for a thing of category c that is the k-th of its category (k = 1, 2, ...):

  --form       stuff        thing                  crowd
  plain        c * divisor  c * divisor + k        c * divisor     DeepLab2
  cityscapes   c            c * divisor + k - 1    c               Cityscapes' instanceIds

A pixel holds the bytes of its value, most significant first: 8- or 16-bit grey, 24 bits as RGB (with divisor
65536 that is KITTI-STEP's form), 32 bits as RGBA, since PNG has no 32-bit grey.
"""


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds both sub-commands."""
    one = add_conversion(commands, "coco-to-label-divisor", coco_to_label_divisor, _HELP)
    add_coco_arguments(one)
    _add_form(one, void="the largest that fits --bits")
    one.add_argument("--bits", type=int, choices=(16, 24, 32), default=16, help="per pixel (default: %(default)s)")

    one = add_conversion(commands, "label-divisor-to-coco", label_divisor_to_coco, _HELP)
    one.add_argument("--label-root", type=Path, required=True, help="the folder of label-divisor PNGs")
    add_categories_argument(one)
    add_images_argument(one)
    _add_form(one, void="the largest that fits the PNG")
    add_number_arguments(one, stuff_numbers="fail", thing_zero="crowd")


def coco_to_label_divisor(args: argparse.Namespace) -> int:
    """COCO panoptic to OUTPUT/labels/*.png and OUTPUT/images.json."""
    content = read_panoptic_json(args.panoptic_json)
    void = 2**args.bits - 1 if args.void is None else args.void
    form = LabelDivisorForm(args.label_divisor, void, args.form, args.crowds)
    output = ConversionOutput(args, "images.json", "labels", content.images, read_from=[args.panoptic_root])
    output.run(
        convert.coco_to_label_divisor, content.images, panoptic_root=args.panoptic_root,
        categories=content.categories, form=form, bits=args.bits,
    )  # fmt: skip
    output.write(content.categories.to_coco())
    print(f"label divisor {args.label_divisor}, form {args.form}, {args.bits} bits, void {void}")
    return 0


def label_divisor_to_coco(args: argparse.Namespace) -> int:
    """Label-divisor PNGs to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories = read_categories(args.categories_json)
    form = LabelDivisorForm(
        args.label_divisor, args.void or 0, args.form, crowds=args.crowds, unlisted=args.unlisted,
        stuff_numbers=args.stuff_numbers, thing_zero=args.thing_zero,
    )  # fmt: skip
    images = images_to_convert(args.label_root, args.images_json, categories)
    output = ConversionOutput(args, "panoptic.json", "panoptic", images, read_from=[args.label_root])
    annotations = output.run(
        convert.label_divisor_to_coco, images, label_root=args.label_root, categories=categories, form=form,
        void=args.void,
    )  # fmt: skip
    output.write(categories.to_coco(), annotations)
    return 0


def _add_form(parser: argparse.ArgumentParser, *, void: str) -> None:
    parser.add_argument("--label-divisor", type=int, required=True, help="values per category")
    parser.add_argument("--form", choices=FORMS, default="plain", help="see above (default: %(default)s)")
    add_void_argument(parser, "the value", void)
    parser.add_argument(
        "--crowds", choices=CROWDS, default="keep", help="keep crowds as above, make them void, or fail (default: keep)"
    )
