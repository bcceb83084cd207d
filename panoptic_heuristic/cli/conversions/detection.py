"""COCO panoptic, and one COCO detection file with things and stuff, or with things only."""

import argparse
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any, Mapping

from panoptic_heuristic.cli.arguments import add_bad_annotations_argument
from panoptic_heuristic.cli.conversions.flags import (
    add_categories_argument,
    add_coco_arguments,
    add_conversion,
    add_overlap_argument,
)
from panoptic_heuristic.cli.conversions.output import ConversionOutput, numbered, print_notes
from panoptic_heuristic.formats import Categories, read_panoptic_json
from panoptic_heuristic.formats.bad_annotations import BadAnnotations
from panoptic_heuristic.formats.coco_instances import read_instances_json
from panoptic_heuristic.formats.conversions import detection_files as convert

_HELP = """\
A detection file has "images", "annotations", each with a segmentation of its own (RLE or polygons), and "categories",
of things, or of things and stuff, as panopticapi's detection2panoptic_coco_format takes it. What no annotation covers
is void.

Exports of labelme (labelme2coco), CVAT (COCO 1.0), Label Studio and Roboflow are such files; they do not say which
categories are stuff, so name them: --stuff sky grass. Their annotations overlap: --overlap says who keeps a pixel.
"""


def add_to(commands: "argparse._SubParsersAction") -> None:
    """Adds both sub-commands."""
    one = add_conversion(commands, "detection-to-coco", detection_to_coco, _HELP)
    one.add_argument("--detection-json", type=Path, required=True, help="COCO annotations with masks")
    add_categories_argument(one, default="those of --detection-json; without 'isthing' they are things")
    one.add_argument("--stuff", nargs="+", default=[], metavar="NAME", help="names of the categories that are stuff")
    one.add_argument(
        "--stuff-segments",
        choices=convert.STUFF_SEGMENTS,
        default="keep",
        help="annotations of one stuff category stay segments of their own, as in panopticapi, or become one, as COCO "
        "has it (default: %(default)s)",
    )
    add_overlap_argument(one)
    add_bad_annotations_argument(one)

    one = add_conversion(commands, "coco-to-detection", coco_to_detection, _HELP)
    add_coco_arguments(one)
    one.add_argument("--things-only", action="store_true", help="leave stuff out: a COCO instances JSON")


def detection_to_coco(args: argparse.Namespace) -> int:
    """One COCO detection file to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories = convert.detection_categories(args.detection_json, args.categories_json, args.stuff)
    bad = BadAnnotations(args.bad_annotations)
    content = read_instances_json(args.detection_json, categories, with_stuff=True, bad=bad)
    output = ConversionOutput(args, "panoptic.json", "panoptic", content.images)
    jobs = [(image, content.annotations_of[image.image_id]) for image in content.images]
    merged = output.run(
        convert.detection_to_coco, jobs, categories=categories, overlap=args.overlap,
        bad_annotations=args.bad_annotations, stuff_segments=args.stuff_segments,
    )  # fmt: skip
    annotations = [one.annotation for one in merged]
    output.write(categories.to_coco(), annotations)
    print_notes(merged, args.overlap, bad)
    several = sum(_has_repeated_stuff(one, categories) for one in annotations)
    if several:
        print(
            f"note: {several} images have several segments of one stuff category; --stuff-segments join makes them one"
        )
    return 0


def coco_to_detection(args: argparse.Namespace) -> int:
    """COCO panoptic to one COCO detection file, OUTPUT/detection.json."""
    content = read_panoptic_json(args.panoptic_json)
    output = ConversionOutput(args, "detection.json", None, content.images, read_from=[args.panoptic_root])
    found = output.run(
        convert.coco_to_detection, content.images, panoptic_root=args.panoptic_root, categories=content.categories,
        with_stuff=not args.things_only,
    )  # fmt: skip
    categories = [entry for entry in content.categories.to_coco() if entry["isthing"] or not args.things_only]
    output.write(categories, numbered(chain.from_iterable(found)))
    return 0


def _has_repeated_stuff(annotation: Mapping[str, Any], categories: Categories) -> bool:
    counts = Counter(segment["category_id"] for segment in annotation["segments_info"])
    return any(count > 1 and not categories[category_id].isthing for category_id, count in counts.items())
