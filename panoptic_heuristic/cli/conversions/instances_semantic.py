"""COCO panoptic, and instances with semantic labels."""

import argparse
from itertools import chain
from pathlib import Path

from panoptic_heuristic.cli.arguments import add_bad_annotations_argument
from panoptic_heuristic.cli.conversions.flags import (
    add_categories_argument,
    add_coco_arguments,
    add_conversion,
    add_overlap_argument,
    add_void_argument,
)
from panoptic_heuristic.cli.conversions.output import ConversionOutput, numbered, print_notes
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.categories import read_categories
from panoptic_heuristic.formats.coco_instances import read_instances_json
from panoptic_heuristic.formats.conversions import image_files as convert
from panoptic_heuristic.formats.conversions.instances_semantic import NUMBERINGS, semantic_numbering

_HELP = """\
--numbering of the semantic labels: category-ids (a pixel's label is its category id, as panopticapi's
converter writes them) or separated (0 is any thing, i + 1 the i-th stuff category, as Detectron2's
Panoptic FPN is trained on).
"""


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds both sub-commands."""
    one = add_conversion(commands, "coco-to-instances-semantic", coco_to_instances_semantic, _HELP)
    add_coco_arguments(one)
    _add_numbering(one)
    add_void_argument(one, "the label", "255, or 65535 where labels need 16 bits")

    one = add_conversion(commands, "instances-semantic-to-coco", instances_semantic_to_coco, _HELP)
    one.add_argument("--instances-json", type=Path, required=True, help="COCO instance annotations")
    one.add_argument("--semantic-root", type=Path, required=True, help="the folder of semantic label PNGs")
    add_categories_argument(one)
    _add_numbering(one)
    add_void_argument(one, "the label", "255, or 65535 in 16-bit PNGs")
    add_overlap_argument(one)
    add_bad_annotations_argument(one)


def coco_to_instances_semantic(args: argparse.Namespace) -> int:
    """COCO panoptic to OUTPUT/instances.json and OUTPUT/semantic/*.png."""
    content = read_panoptic_json(args.panoptic_json)
    label_of = semantic_numbering(content.categories, args.numbering)
    # Void needs a value of its own.
    largest = max(label_of.values()) + 1 if args.void is None else max([*label_of.values(), args.void])
    bits = 8 if largest <= 255 else 16
    void = 2**bits - 1 if args.void is None else args.void
    output = ConversionOutput(args, "instances.json", "semantic", content.images, read_from=[args.panoptic_root])
    found = output.run(
        convert.coco_to_instances_semantic, content.images, panoptic_root=args.panoptic_root,
        categories=content.categories, label_of=label_of, void=void, bits=bits,
    )  # fmt: skip
    annotations = numbered(chain.from_iterable(found))
    # Whoever reads an instances JSON takes each of its categories for a thing.
    things = [entry for entry in content.categories.to_coco() if entry["isthing"]]
    output.write(things, annotations)
    print(f"semantic labels: {args.numbering}, {bits} bits, void {void}")
    return 0


def instances_semantic_to_coco(args: argparse.Namespace) -> int:
    """Instances and semantic labels to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories, bad = read_categories(args.categories_json), BadAnnotations(args.bad_annotations)
    content = read_instances_json(args.instances_json, categories, bad=bad)
    output = ConversionOutput(args, "panoptic.json", "panoptic", content.images, read_from=[args.semantic_root])
    label_of = semantic_numbering(categories, args.numbering)
    jobs = [(image, content.annotations_of[image.image_id]) for image in content.images]
    merged = output.run(
        convert.instances_semantic_to_coco, jobs, semantic_root=args.semantic_root, categories=categories,
        label_of=label_of, void=args.void, overlap=args.overlap, bad_annotations=args.bad_annotations,
    )  # fmt: skip
    output.write(categories.to_coco(), [one.annotation for one in merged])
    print_notes(merged, args.overlap, bad)
    return 0


def _add_numbering(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--numbering", choices=NUMBERINGS, default="category-ids", help="(default: %(default)s)")
