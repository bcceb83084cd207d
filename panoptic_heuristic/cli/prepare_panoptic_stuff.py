"""Makes semantic ground truth from panoptic PNGs, as Panoptic FPN needs it.

Each output is an 8-bit grey PNG: 0 is any thing, 1 the first stuff category of the JSON's list, 2 the second,
and so on, 255 is void. For COCO these are the files Detectron2 expects in
coco/panoptic_stuff_{train,val}2017. Data sets that are named by a YAML file need no such PNGs.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from PIL import Image

from panoptic_heuristic.cli.arguments import CommandParser
from panoptic_heuristic.cli.preparation import add_arguments, ends_whole, require_folder, run_jobs
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.coco_panoptic import PanopticImage, read_annotation, read_panoptic_json
from panoptic_heuristic.formats.dataset_yaml import datasets_root
from panoptic_heuristic.formats.files import check_writable, inside, written_whole
from panoptic_heuristic.formats.images import opened_image
from panoptic_heuristic.formats.semantic_targets import semantic_label_of, semantic_labels

_EXAMPLES = """\
example:
  DETECTRON2_DATASETS=/data panoptic-heuristic prepare-panoptic-stuff --coco
  panoptic-heuristic prepare-panoptic-stuff --panoptic-json val.json --panoptic-root val --output val_stuff

Stopped and started again, it goes on where it was: PNGs that are there and whole are kept.
"""


@dataclass(frozen=True)
class _Task:
    """The part of the work that is the same for all images of a set."""

    panoptic_root: Path
    output: Path
    categories: Categories
    overwrite: bool


def prepare(
    panoptic_json: Path, panoptic_root: Path, output: Path, *, workers: int = 1, overwrite: bool = False
) -> None:
    """Writes a semantic PNG for each panoptic PNG, under the same name.

    Args:
        panoptic_json: COCO panoptic JSON; its category list numbers the stuff.
        panoptic_root: folder of the panoptic PNGs.
        output: folder of the semantic PNGs.
        workers: number of processes.
        overwrite: whether files that are there and whole are made again.

    Raises:
        InputError: the JSON or a PNG is missing or wrong, an image has no annotation, or there
            are more than 254 stuff categories.
    """
    content = read_panoptic_json(panoptic_json)
    semantic_label_of(content.categories)  # too many stuff categories are told before the work, not in it
    require_folder(panoptic_root, "name the folder of the panoptic PNGs")
    if output.resolve() == panoptic_root.resolve():
        raise InputError(f"the output folder {output} is the folder of the panoptic PNGs, which would be overwritten")
    for image in content.images:
        if image.png_name is None:
            raise InputError(f"{panoptic_json}: image {image.image_id} ({image.file_name}) has no annotation")
    task = _Task(panoptic_root, output, content.categories, overwrite)
    convert = functools.partial(_convert, task)
    written = run_jobs(convert, content.images, workers=workers, title=output.name)
    print(f"{output}: wrote {sum(written)} PNGs, {len(written) - sum(written)} were there already")


def _convert(task: _Task, image: PanopticImage) -> bool:
    """Makes one PNG; False if it was there already."""
    path = inside(task.output, image.png_name)
    if not task.overwrite and _is_finished(path, image):
        return False
    ids = read_annotation(image, task.panoptic_root)
    labels = Image.fromarray(semantic_labels(ids, image.segments_info, task.categories))
    with written_whole(path) as temporary:
        labels.save(temporary, format="PNG", compress_level=6)
    return True


def _is_finished(path: Path, expected: PanopticImage) -> bool:
    try:
        with opened_image(path) as image:
            if (image.format, image.mode, image.size) != ("PNG", "L", (expected.width, expected.height)):
                return False
            image.load()  # the header alone does not tell a file that was cut off
        return ends_whole(path)
    except (InputError, OSError):
        return False


@command
def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs the command; returns its exit code."""
    parser = CommandParser(__doc__, _EXAMPLES)
    parser.add_argument(
        "--coco",
        nargs="*",
        metavar="SPLIT",
        help="prepare COCO under $DETECTRON2_DATASETS/coco, as Detectron2 has it (splits: train2017 val2017)",
    )
    parser.add_argument("--panoptic-json", type=Path, metavar="FILE", help="COCO panoptic JSON")
    parser.add_argument("--panoptic-root", type=Path, metavar="FOLDER", help="folder of its PNGs")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="folder of the semantic PNGs")
    add_arguments(parser)
    args = parser.parse_args(argv)
    own = (args.panoptic_json, args.panoptic_root, args.output)
    if args.coco is not None and own == (None, None, None):
        coco = datasets_root() / "coco"
        require_folder(coco, "set DETECTRON2_DATASETS to the folder that holds coco/")
        sets = [
            (
                coco / f"annotations/panoptic_{split}.json",
                coco / f"panoptic_{split}",
                coco / f"panoptic_stuff_{split}",
            )
            for split in args.coco or ("train2017", "val2017")
        ]
    elif args.coco is None and None not in own:
        sets = [own]
    else:
        raise InputError("expected either --coco alone, or all of --panoptic-json, --panoptic-root and --output")
    for _, _, output in sets:
        check_writable(output)
    for panoptic_json, panoptic_root, output in sets:
        prepare(panoptic_json, panoptic_root, output, workers=args.workers, overwrite=args.overwrite)
    return 0
