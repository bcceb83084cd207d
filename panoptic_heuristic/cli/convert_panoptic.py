"""Converts panoptic annotations and predictions between file formats, exactly.

  COCO panoptic      one JSON, and a PNG per image whose colours are segment ids
  label divisor      a PNG per image: category id * divisor + instance
  instances+semantic a COCO instances JSON (RLE or polygons), and a semantic label PNG per image

An image's PNG has the image's file_name with the suffix .png, except those a panoptic JSON names itself.
There and back again gives the same segments, numbered anew.
"""

import argparse
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, add_workers_argument, whole_number
from panoptic_heuristic.cli.outputs import progress_bar, writing_to
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats import PanopticImage, read_panoptic_json
from panoptic_heuristic.formats.categories import read_categories
from panoptic_heuristic.formats.coco_instances import read_instances_json
from panoptic_heuristic.formats.conversions import image_files as convert
from panoptic_heuristic.formats.conversions.instances_semantic import NUMBERINGS, OVERLAPS, semantic_numbering
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.formats.label_divisor import CROWDS, FORMS, UNLISTED, LabelDivisorForm
from panoptic_heuristic.formats.listing import list_files
from panoptic_heuristic.formats.png import read_png_header
from panoptic_heuristic.formats.workers import ordered_map

_EXAMPLES = """\
example:
  panoptic-heuristic convert-panoptic coco-to-label-divisor --panoptic-json panoptic_val2017.json \\
      --panoptic-root panoptic_val2017 --label-divisor 1000 --bits 24 --output labels

Each conversion has its own --help. The JSON is written last: where it is, the PNGs are whole.
"""
_LABEL_HELP = """\
The values of a PNG, for a thing of category c that is the k-th of its category (k = 1, 2, ...):

  --form       stuff        thing                  crowd
  plain        c * divisor  c * divisor + k        c * divisor     DeepLab2
  cityscapes   c            c * divisor + k - 1    c               Cityscapes' instanceIds

A pixel holds the bytes of its value, most significant first: 8- or 16-bit grey, 24 bits as RGB (with divisor
65536 that is KITTI-STEP's form), 32 bits as RGBA, since PNG has no 32-bit grey.
"""


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    args = _parser().parse_args(argv)
    return args.run(args)


def coco_to_label_divisor(args: argparse.Namespace) -> int:
    """COCO panoptic to OUTPUT/labels/*.png and OUTPUT/images.json."""
    content = read_panoptic_json(args.panoptic_json)
    void = 2**args.bits - 1 if args.void is None else args.void
    form = LabelDivisorForm(args.label_divisor, void, args.form, args.crowds)
    output = _Output(args, "images.json", "labels", content.images, read_from=args.panoptic_root)
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
    form = LabelDivisorForm(args.label_divisor, args.void or 0, args.form, args.crowds, args.unlisted)
    images = (
        read_panoptic_json(args.images_json, categories).images
        if args.images_json is not None
        else _images_of_folder(args.label_root)
    )
    output = _Output(args, "panoptic.json", "panoptic", images, read_from=args.label_root)
    annotations = output.run(
        convert.label_divisor_to_coco, images, label_root=args.label_root, categories=categories, form=form,
        void=args.void,
    )  # fmt: skip
    output.write(categories.to_coco(), annotations)
    return 0


def coco_to_instances_semantic(args: argparse.Namespace) -> int:
    """COCO panoptic to OUTPUT/instances.json and OUTPUT/semantic/*.png."""
    content = read_panoptic_json(args.panoptic_json)
    label_of = semantic_numbering(content.categories, args.numbering)
    # Void needs a value of its own.
    largest = max(label_of.values()) + 1 if args.void is None else max([*label_of.values(), args.void])
    bits = 8 if largest <= 255 else 16
    void = 2**bits - 1 if args.void is None else args.void
    output = _Output(args, "instances.json", "semantic", content.images, read_from=args.panoptic_root)
    found = output.run(
        convert.coco_to_instances_semantic, content.images, panoptic_root=args.panoptic_root,
        categories=content.categories, label_of=label_of, void=void, bits=bits,
    )  # fmt: skip
    annotations = [{"id": number, **annotation} for number, annotation in enumerate(chain.from_iterable(found), 1)]
    # Whoever reads an instances JSON takes each of its categories for a thing.
    things = [entry for entry in content.categories.to_coco() if entry["isthing"]]
    output.write(things, annotations)
    print(f"semantic labels: {args.numbering}, {bits} bits, void {void}")
    return 0


def instances_semantic_to_coco(args: argparse.Namespace) -> int:
    """Instances and semantic labels to OUTPUT/panoptic.json and OUTPUT/panoptic/*.png."""
    categories = read_categories(args.categories_json)
    content = read_instances_json(args.instances_json, categories)
    output = _Output(args, "panoptic.json", "panoptic", content.images, read_from=args.semantic_root)
    label_of = semantic_numbering(categories, args.numbering)
    jobs = [(image, content.annotations_of[image.image_id]) for image in content.images]
    merged = output.run(
        convert.instances_semantic_to_coco, jobs, semantic_root=args.semantic_root, categories=categories,
        label_of=label_of, void=args.void, overlap=args.overlap,
    )  # fmt: skip
    output.write(categories.to_coco(), [one.annotation for one in merged])
    for key, what in (
        ("contested_pixels", f"pixels claimed by several instances (--overlap {args.overlap})"),
        ("lost_instances", "instances without a pixel of their own, left out"),
        ("bare_pixels", "pixels labelled as a thing that no instance covers, now void"),
    ):
        total = sum(getattr(one, key) for one in merged)
        if total:
            print(f"note: {total} {what}")
    return 0


class _Output:
    """The folder a conversion writes: one JSON, last, and a folder of PNGs."""

    def __init__(
        self, args: argparse.Namespace, json_name: str, folder: str, images: Sequence[PanopticImage], read_from: Path
    ):
        self.json, self.pngs, self.workers = args.output / json_name, args.output / folder, args.workers
        self.images = [convert.image_entry(image) for image in images]
        if not read_from.is_dir():
            raise InputError(f"{read_from} is no folder")
        if read_from.resolve() == self.pngs.resolve():
            raise InputError(f"{self.pngs} is the folder to read from; choose another --output")
        with writing_to(args.output):
            # An empty folder may be left of a conversion that failed at once.
            taken = [path for path in (self.json, *self.pngs.glob("*")) if path.exists()]
            if taken and not args.overwrite:
                raise InputError(f"{taken[0]} is there already; choose another --output, or --overwrite it")
            self.pngs.mkdir(parents=True, exist_ok=True)
            # An old JSON would vouch for PNGs of which some are new.
            self.json.unlink(missing_ok=True)
        convert.check_png_names(images, self.pngs)

    def run(self, function: Callable, jobs: Sequence, **settings: Any) -> list:
        """Runs a conversion of one image on all; it writes the PNG, and returns the rest."""
        with ordered_map(partial(function, output=self.pngs, **settings), jobs, workers=self.workers) as results:
            return list(progress_bar("convert")(results, len(jobs)))

    def write(self, categories: List[Dict[str, Any]], annotations: Optional[List[Dict[str, Any]]] = None) -> None:
        """Writes the JSON."""
        listed = {} if annotations is None else {"annotations": annotations}
        write_json(self.json, {"images": self.images, **listed, "categories": categories})
        print(f"wrote {self.json} and {len(self.images)} PNGs in {self.pngs}")


def _images_of_folder(folder: Path) -> List[PanopticImage]:
    """An image per PNG, numbered from 1 in the order of their names."""
    images = []
    found = list_files(folder, ".png")
    if note := found.note():
        print(note)
    for number, name in enumerate(found.names, start=1):
        header = read_png_header(folder / name)
        images.append(PanopticImage(number, name, header.height, header.width, None, ()))
    if not images:
        raise InputError(f"{folder} holds no PNG")
    return images


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(__doc__, _EXAMPLES)
    commands = parser.add_subparsers(metavar="CONVERSION", required=True)

    def add(name: str, run: Callable, description: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=run.__doc__, description=description)
        one.set_defaults(run=run)
        add_output_arguments(one, "the converted files")
        add_workers_argument(one)
        return one

    one = add("coco-to-label-divisor", coco_to_label_divisor, _LABEL_HELP)
    _add_coco(one)
    _add_label_divisor(one, void="the largest that fits --bits")
    one.add_argument("--bits", type=int, choices=(16, 24, 32), default=16, help="per pixel (default: %(default)s)")

    one = add("label-divisor-to-coco", label_divisor_to_coco, _LABEL_HELP)
    one.add_argument("--label-root", type=Path, required=True, help="the folder of label-divisor PNGs")
    _add_categories(one)
    one.add_argument(
        "--images-json",
        type=Path,
        help="names, ids and sizes of the images: images.json, or any COCO panoptic JSON of these images "
        "(default: one image per PNG, numbered from 1)",
    )
    _add_label_divisor(one, void="the largest that fits the PNG")
    one.add_argument(
        "--unlisted",
        choices=UNLISTED,
        default="fail",
        help="values of categories that --categories-json lacks (default: %(default)s)",
    )

    numbering = (
        "--numbering of the semantic labels: category-ids (a pixel's label is its category id, as panopticapi's\n"
        "converter writes them) or separated (0 is any thing, i + 1 the i-th stuff category, as Detectron2's\n"
        "Panoptic FPN is trained on)."
    )
    one = add("coco-to-instances-semantic", coco_to_instances_semantic, numbering)
    _add_coco(one)
    _add_semantic(one, void="255, or 65535 where labels need 16 bits")

    one = add("instances-semantic-to-coco", instances_semantic_to_coco, numbering)
    one.add_argument("--instances-json", type=Path, required=True, help="COCO instance annotations")
    one.add_argument("--semantic-root", type=Path, required=True, help="the folder of semantic label PNGs")
    _add_categories(one)
    _add_semantic(one, void="255, or 65535 in 16-bit PNGs")
    one.add_argument(
        "--overlap",
        choices=OVERLAPS,
        default="fail",
        help="a pixel of several instances is an error (fail), stays with the first (skip) or goes to the last "
        "(overwrite) in file order (default: %(default)s)",
    )
    return parser


def _add_coco(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--panoptic-json", type=Path, required=True, help="COCO panoptic JSON")
    parser.add_argument("--panoptic-root", type=Path, required=True, help="the folder of its PNGs")


def _add_categories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--categories-json",
        type=Path,
        required=True,
        help="any JSON with the list 'categories', things and stuff, such as a panoptic JSON; or that list itself",
    )


def _add_label_divisor(parser: argparse.ArgumentParser, *, void: str) -> None:
    parser.add_argument("--label-divisor", type=int, required=True, help="values per category")
    parser.add_argument("--form", choices=FORMS, default="plain", help="see above (default: %(default)s)")
    parser.add_argument("--void", type=whole_number(0), help=f"the value of void pixels (default: {void})")
    parser.add_argument(
        "--crowds", choices=CROWDS, default="keep", help="keep crowds as above, make them void, or fail (default: keep)"
    )


def _add_semantic(parser: argparse.ArgumentParser, *, void: str) -> None:
    parser.add_argument("--numbering", choices=NUMBERINGS, default="category-ids", help="(default: %(default)s)")
    parser.add_argument("--void", type=whole_number(0), help=f"the label of void pixels (default: {void})")
