"""Converts panoptic annotations and predictions between file formats, exactly.

  COCO panoptic      one JSON, and a PNG per image whose colours are segment ids
  label divisor      a PNG per image: category id * divisor + instance
  instances+semantic a COCO instances JSON (RLE or polygons), and a semantic label PNG per image
  detection          one COCO JSON with a mask per thing and stuff; labelme's and CVAT's exports are such
  class+instance     a class map and an instance map: two PNGs per image, or channels of one
  BDD100K            RGBA bitmasks
  cityscapes         Cityscapes' own cityscapes_panoptic_*.json
  mapillary          Mapillary Vistas' panoptic_2020.json

An image's PNG has the image's file_name with the suffix .png, except those a panoptic JSON names itself.
There and back again gives the same segments, numbered anew.
"""

import argparse
from typing import Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.cli.conversions import (
    bdd100k,
    class_instance,
    detection,
    instances_semantic,
    label_divisor,
    named_images,
)
from panoptic_heuristic.errors import command

_EXAMPLES = """\
example:
  panoptic-heuristic convert-panoptic coco-to-label-divisor --panoptic-json panoptic_val2017.json \\
      --panoptic-root panoptic_val2017 --label-divisor 1000 --bits 24 --output labels

Each conversion has its own --help. The JSON is written last: where it is, the PNGs are whole.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    return args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    commands = parser.add_subparsers(metavar="CONVERSION", required=True)
    for form in (label_divisor, instances_semantic, detection, class_instance, bdd100k, named_images):
        form.add_to(commands)
    return parser
