"""Generates the built-in data set, `shapes`, in COCO panoptic format.

How hard it is stands in shapes_settings.py, what is drawn in shapes_scenes.py and shapes_looks.py. What is written:

    <output>/shapes.yaml                  the data set's description, for the configs
    <output>/<split>/images/000001.png    8-bit RGB pictures
    <output>/<split>/panoptic/000001.png  segment ids as R + 256 G + 65536 B, 0 = void
    <output>/<split>/panoptic.json        COCO panoptic annotations
    <output>/generated.json               what it was made from

The same options give the same bytes. The folder appears under its name only when it is complete.
"""

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from panoptic_heuristic.cli.arguments import CommandParser, add_output_arguments, whole_number
from panoptic_heuristic.cli.outputs import progress_bar
from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats.coco_panoptic import ids_to_rgb
from panoptic_heuristic.formats.files import check_writable, folder_written_whole
from panoptic_heuristic.formats.yaml_files import write_yaml
from panoptic_heuristic.testing import shapes_looks, shapes_scenes, shapes_settings

MANIFEST = "generated.json"
SPLITS = ("train", "val")
# Below this, things and patches no longer fit; above it, a picture takes seconds and gigabytes.
SIDE_RANGE = (64, 2048)
# File names have six digits, as COCO's sets without years have.
MOST_IMAGES = 999_999

_EXAMPLES = """\
example:
  panoptic-heuristic generate-shapes --output datasets/shapes --train 1000 --val 200
"""


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be HEIGHTxWIDTH in pixels such as 128x160, got {text!r}")
    height, width = int(match[1]), int(match[2])
    low, high = SIDE_RANGE
    if not (low <= height <= high and low <= width <= high):
        raise argparse.ArgumentTypeError(f"must have a height and a width in [{low}, {high}], got {text!r}")
    return height, width


def build_parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = CommandParser(__doc__, _EXAMPLES)
    add_output_arguments(parser, "the data set", default=Path("datasets/shapes"))
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), default=0, help="another seed, other scenes (%(default)s)"
    )
    images = whole_number(1, MOST_IMAGES)
    parser.add_argument("--train", type=images, default=1000, help="number of training images (%(default)s)")
    parser.add_argument("--val", type=images, default=200, help="number of validation images (%(default)s)")
    parser.add_argument(
        "--size", type=_size, default=(128, 160), metavar="HEIGHTxWIDTH", help="of the images, in pixels (128x160)"
    )
    return parser


def make_manifest(*, seed: int, counts: dict[str, int], size: tuple[int, int]) -> dict:
    """All that decides what is drawn: the options, and the drawing code itself."""
    modules = (shapes_settings, shapes_looks, shapes_scenes)
    drawing = hashlib.sha256(b"".join(Path(module.__file__).read_bytes() for module in modules)).hexdigest()
    return {"seed": seed, "images": dict(counts), "size": list(size), "drawing_sha256": drawing}


def _read_manifest(folder: Path) -> dict | None:
    """The settings a set was made with; None if this command did not finish one there."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) and "drawing_sha256" in manifest else None


def _is_complete(folder: Path, counts: dict[str, int]) -> bool:
    return (folder / "shapes.yaml").is_file() and all(
        (folder / split / "panoptic.json").is_file()
        and all(len(list((folder / split / kind).glob("*.png"))) == count for kind in ("images", "panoptic"))
        for split, count in counts.items()
    )


def _write_png(pixels: np.ndarray, path: Path) -> None:
    # Fixed options, so that the bytes depend on the pixels and on Pillow's version only.
    Image.fromarray(pixels).save(path, format="PNG", optimize=False, compress_level=3)


def _write_json(value: dict, path: Path) -> None:
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def _write_split(folder: Path, *, split: str, count: int, seed: int, size: tuple[int, int]) -> None:
    for kind in ("images", "panoptic"):
        (folder / split / kind).mkdir(parents=True)
    images, annotations = [], []
    for index in progress_bar(split)(range(1, count + 1), count):
        scene = shapes_scenes.draw_scene(
            seed=seed, split=SPLITS.index(split), index=index, height=size[0], width=size[1]
        )
        name = f"{index:06d}.png"
        _write_png(scene.image, folder / split / "images" / name)
        _write_png(ids_to_rgb(scene.ids), folder / split / "panoptic" / name)
        images.append({"id": index, "file_name": name, "height": size[0], "width": size[1]})
        segments_info = [asdict(segment) for segment in scene.segments]
        annotations.append({"image_id": index, "file_name": name, "segments_info": segments_info})
    categories = [
        {**asdict(category), "isthing": int(category.isthing), "color": list(category.color)}
        for category in shapes_settings.CATEGORIES
    ]
    info = {"description": f"shapes, generated, {split} split", "seed": seed}
    contents = {"info": info, "images": images, "annotations": annotations, "categories": categories}
    _write_json(contents, folder / split / "panoptic.json")


def _write_description(folder: Path) -> None:
    splits = {
        split: {
            "image_root": f"{split}/images",
            "panoptic_json": f"{split}/panoptic.json",
            "panoptic_root": f"{split}/panoptic",
        }
        for split in SPLITS
    }
    write_yaml(folder / "shapes.yaml", {"name": "shapes", "splits": splits})


def _check_output(output: Path, manifest: dict, *, overwrite: bool) -> bool:
    """True if the finished set is there already.

    Raises:
        InputError: if something else is there that may not be replaced.
    """
    if not output.exists():
        return False
    if not output.is_dir():
        raise InputError(f"{output} is a file, expected a folder or nothing; choose another --output")
    if not any(output.iterdir()):
        return False
    found = _read_manifest(output)
    if found is None:
        raise InputError(f"{output} holds files that this command did not write; choose another --output")
    if overwrite:
        return False
    if found != manifest:
        changed = [key for key in manifest if found.get(key) != manifest[key]]
        raise InputError(
            f"{output} holds a set made with other settings ({', '.join(changed)}); "
            "replace it with --overwrite or choose another --output"
        )
    if not _is_complete(output, manifest["images"]):
        raise InputError(f"{output} has lost files since it was made; make it again with --overwrite")
    return True


def generate(output: Path, *, seed: int, counts: dict[str, int], size: tuple[int, int], overwrite: bool) -> bool:
    """Writes the data set; False if the same set was already there.

    Args:
        output: the folder to make.
        seed: >= 0.
        counts: number of images of each split in `SPLITS`.
        size: (height, width) in pixels.
        overwrite: replace a set that this command made.

    Raises:
        InputError: if something is at `output` that may not be replaced, or it cannot be written.
    """
    check_writable(output)
    manifest = make_manifest(seed=seed, counts=counts, size=size)
    if _check_output(output, manifest, overwrite=overwrite):
        return False
    with folder_written_whole(output.resolve(), replace=overwrite) as folder:
        for split in SPLITS:
            _write_split(folder, split=split, count=counts[split], seed=seed, size=size)
        _write_description(folder)
        _write_json(manifest, folder / MANIFEST)
    return True


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    args = build_parser().parse_args(argv)
    # Pictures are too small to share between threads.
    cv2.setNumThreads(1)
    counts = {"train": args.train, "val": args.val}
    new = generate(args.output, seed=args.seed, counts=counts, size=args.size, overwrite=args.overwrite)
    total = " + ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{'written' if new else 'already there, nothing to do'}: {args.output / 'shapes.yaml'} ({total} images)")
    return 0
