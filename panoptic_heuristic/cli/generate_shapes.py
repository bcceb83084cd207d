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
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image
from tqdm import tqdm

from panoptic_heuristic.testing import shapes_looks, shapes_scenes, shapes_settings

MANIFEST = "generated.json"
SPLITS = ("train", "val")
# Below this, things and patches no longer fit; above it, a picture takes seconds and gigabytes.
SIDE_RANGE = (64, 2048)
# File names have six digits, as COCO's sets without years have.
MOST_IMAGES = 999_999

EXAMPLE = """example:
  python datasets/generate_shapes.py --output datasets/shapes --train 1000 --val 200
"""


class UnusableOutput(Exception):
    """The output folder cannot be written or replaced; the message is one sentence for the user."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:
        # One sentence, without the usage that argparse puts before it.
        self.exit(2, f"{self.prog}: {message}\n")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH in pixels such as 128x160, got {text!r}")
    height, width = int(match[1]), int(match[2])
    low, high = SIDE_RANGE
    if not (low <= height <= high and low <= width <= high):
        raise argparse.ArgumentTypeError(f"height and width must be in [{low}, {high}], got {text!r}")
    return height, width


def _integer(low: int, high: int):
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"must be in [{low}, {high}], got {value}")
        return value

    return parse


def get_parser() -> argparse.ArgumentParser:
    """The command line's options."""
    parser = _Parser(
        prog="generate_shapes.py",
        description="Generates the built-in data set, shapes, in COCO panoptic format.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    images = _integer(1, MOST_IMAGES)
    parser.add_argument("--output", type=Path, default=Path("datasets/shapes"), help="folder to write (%(default)s)")
    parser.add_argument("--seed", type=_integer(0, 2**32 - 1), default=0, help="another seed, other scenes (0)")
    parser.add_argument("--train", type=images, default=1000, help="number of training images (%(default)s)")
    parser.add_argument("--val", type=images, default=200, help="number of validation images (%(default)s)")
    parser.add_argument(
        "--size",
        type=_size,
        default=(128, 160),
        metavar="HEIGHTxWIDTH",
        help="of the images, in pixels (128x160)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a set this command made before")
    return parser


def make_manifest(*, seed: int, counts: dict[str, int], size: tuple[int, int]) -> dict:
    """All that decides what is drawn: the options, and the drawing code itself."""
    modules = (shapes_settings, shapes_looks, shapes_scenes)
    drawing = hashlib.sha256(b"".join(Path(module.__file__).read_bytes() for module in modules)).hexdigest()
    return {"seed": seed, "images": dict(counts), "size": list(size), "drawing_sha256": drawing}


def _read_manifest(folder: Path) -> dict | None:
    """What a set was made from; None if this command did not finish one there."""
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


def encode_rgb(ids: np.ndarray) -> np.ndarray:
    """Segment ids (H, W) below 2**24 as COCO's colours (H, W, 3) uint8."""
    return np.stack([ids >> shift & 255 for shift in (0, 8, 16)], axis=-1).astype(np.uint8)


def _write_png(pixels: np.ndarray, path: Path) -> None:
    # Fixed options, so that the bytes depend on the pixels and on Pillow's version only.
    Image.fromarray(pixels).save(path, format="PNG", optimize=False, compress_level=3)


def _write_json(value: dict, path: Path) -> None:
    path.write_text(json.dumps(value) + "\n", encoding="utf-8")


def _write_split(folder: Path, *, split: str, count: int, seed: int, size: tuple[int, int]) -> None:
    for kind in ("images", "panoptic"):
        (folder / split / kind).mkdir(parents=True)
    images, annotations = [], []
    for index in tqdm(range(1, count + 1), desc=split, unit="image"):
        scene = shapes_scenes.draw_scene(
            seed=seed, split=SPLITS.index(split), index=index, height=size[0], width=size[1]
        )
        name = f"{index:06d}.png"
        _write_png(scene.image, folder / split / "images" / name)
        _write_png(encode_rgb(scene.ids), folder / split / "panoptic" / name)
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
    text = yaml.safe_dump({"name": "shapes", "splits": splits}, sort_keys=False)
    (folder / "shapes.yaml").write_text(text, encoding="utf-8")


def _check_output(output: Path, manifest: dict, *, overwrite: bool) -> bool:
    """Whether the finished set is already there.

    Raises:
        UnusableOutput: if something else is there that may not be replaced.
    """
    if not output.exists():
        return False
    if not output.is_dir():
        raise UnusableOutput(f"{output} is a file, expected a folder or nothing; choose another --output.")
    if not any(output.iterdir()):
        return False
    found = _read_manifest(output)
    if found is None:
        raise UnusableOutput(f"{output} holds files that this command did not write; choose another --output.")
    if overwrite:
        return False
    if found != manifest:
        changed = [key for key in manifest if found.get(key) != manifest[key]]
        raise UnusableOutput(
            f"{output} holds a set made with other settings ({', '.join(changed)}); "
            "replace it with --overwrite or choose another --output."
        )
    if not _is_complete(output, manifest["images"]):
        raise UnusableOutput(f"{output} has lost files since it was made; make it again with --overwrite.")
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
        UnusableOutput: if something is at `output` that may not be replaced.
        OSError: if it cannot be written.
    """
    manifest = make_manifest(seed=seed, counts=counts, size=size)
    if _check_output(output, manifest, overwrite=overwrite):
        return False
    # What an interrupted run left behind goes; so does this run's, if it is interrupted.
    target = output.resolve()
    partial = target.parent / f".{target.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for split in SPLITS:
            _write_split(partial, split=split, count=counts[split], seed=seed, size=size)
        _write_description(partial)
        _write_json(manifest, partial / MANIFEST)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    args = get_parser().parse_args(argv)
    # Pictures are too small to share between threads.
    cv2.setNumThreads(1)
    counts = {"train": args.train, "val": args.val}
    output = args.output
    try:
        new = generate(output, seed=args.seed, counts=counts, size=args.size, overwrite=args.overwrite)
    except UnusableOutput as error:
        print(f"generate_shapes.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"generate_shapes.py: cannot write {output}: {error}", file=sys.stderr)
        return 2
    total = " + ".join(f"{count} {split}" for split, count in counts.items())
    print(f"{'Wrote' if new else 'Already there, nothing to do:'} {output / 'shapes.yaml'} ({total} images)")
    return 0
