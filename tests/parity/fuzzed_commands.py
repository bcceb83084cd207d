"""Every command that reads files, with small sound inputs that it runs through, and the files to damage."""

import contextlib
import importlib
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

import numpy as np
from PIL import Image

from panoptic_heuristic.ablation.cache.ground_truth import remember_gt
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.cli import test_prepare_ade20k, test_prepare_cityscapes
from tests.cli.files_to_fuse import Files
from tests.cli.preparation import blocks
from tests.cli.test_convert_laws import FORMS
from tests.cli.test_prepare_camvid import FIRST, SECOND, pixels, write_pair
from tests.formats.tiny_panoptic import write_tiny_panoptic
from tests.formats.tiny_predictions import write_predictions

OUTPUT = "out"

_GRID = """\
CLAIM: [greedy, per_pixel]
INSTANCES_CONFIDENCE_THRESH: [0.1, 0.5]
STUFF_AREA_LIMIT: [0, 64]
"""
_COCO = "--panoptic-json {}/panoptic_val.json --panoptic-root {}/panoptic_val"
_GT = "--gt-json {}/gt/panoptic.json --gt-folder {}/gt/panoptic"
_WITH_IMAGES = ("label-divisor-to-coco", "class-instance-to-coco", "bdd100k-to-coco")
_PANOPTIC = ("panoptic_val.json", "panoptic_val/*.png")


@dataclass(frozen=True)
class FuzzedCommand:
    """A command line and what to damage.

    Attributes:
        name: of the command, and of a sub-command.
        inputs: the folder of its inputs, of those that :func:`write_inputs` writes.
        flags: its arguments, with ``{}`` for the folder of the inputs.
        targets: patterns of the files, one of which is damaged.
        output: ``--output``, another flag with the folder to write to, or nothing.
        weight: how often it comes; costly ones come rarely.
    """

    name: str
    inputs: str
    flags: str
    targets: Tuple[str, ...]
    output: str = "--output {}/" + OUTPUT
    weight: int = 4

    def argv(self, folder: Path) -> List[str]:
        """The arguments of the command in a folder."""
        workers = "" if self.name == "check-dataset" else "--workers 1"
        _, *sub = self.name.split()
        return [*sub, *f"{self.flags} {self.output} {workers}".replace("{}", str(folder)).split()]

    @property
    def main(self) -> Callable[[Sequence[str]], int]:
        """Runs the command."""
        return importlib.import_module(f"panoptic_heuristic.cli.{self.name.split()[0].replace('-', '_')}").main


def _conversions() -> List[FuzzedCommand]:
    found = []
    for place, (there, flags, back, back_flags) in enumerate(FORMS.values()):
        inputs, written = f"converted{place}", "{}/written"
        found.append(FuzzedCommand(f"convert-panoptic {there}", "plain", f"{_COCO} {flags}", _PANOPTIC, weight=2))
        more = "" if "panoptic-json" in back_flags else "--categories-json {}/panoptic_val.json"
        if back in _WITH_IMAGES:
            more += " --images-json {}/written/images.json"
        targets = ("written/*.json", "written/**/*.png", *(("panoptic_val.json",) if more else ()))
        found.append(
            FuzzedCommand(f"convert-panoptic {back}", inputs, f"{back_flags.replace('{}', written)} {more}", targets)
        )
    return found


COMMANDS: Tuple[FuzzedCommand, ...] = (
    FuzzedCommand(
        "evaluate-pq",
        "panoptic",
        "--gt-json {}/panoptic_val.json --gt-folder {}/panoptic_val --pred-json {}/pred.json --pred-folder {}/pred",
        (*_PANOPTIC, "pred.json", "pred/*.png"),
        weight=8,
    ),
    FuzzedCommand("check-dataset", "panoptic", "{}/tiny.yaml", ("tiny.yaml", *_PANOPTIC, "val/*.jpg"), "", 8),
    FuzzedCommand(
        "visualize-panoptic",
        "panoptic",
        "--gt-json {}/panoptic_val.json --gt-folder {}/panoptic_val --pred-json {}/pred.json --pred-folder {}/pred "
        "--image-root {}/val --panel-size 100",
        (*_PANOPTIC, "pred.json", "pred/*.png", "val/*.jpg"),
        weight=3,
    ),
    FuzzedCommand("prepare-panoptic-stuff", "panoptic", _COCO, _PANOPTIC),
    FuzzedCommand("prepare-camvid-panoptic", "camvid", "--root {}", ("val*/*.png",)),
    FuzzedCommand("prepare-ade20k-panoptic", "ade20k", "--root {} --splits val", ("**/*.png", "*/*/*.jpg", "*.txt")),
    FuzzedCommand("prepare-cityscapes-panoptic", "cityscapes", "--root {} --splits val", ("**/val/**/*.png",)),
    *_conversions(),
    FuzzedCommand(
        "fuse-predictions",
        "heads",
        "--images {}/images.json --categories {}/categories.json --instances {}/instances.json "
        "--semantics {}/semantics.json --stuff-area-thresh 1",
        ("*.json",),
        weight=10,
    ),
    FuzzedCommand(
        "cache-predictions",
        "heads",
        "--images {}/images.json --categories {}/categories.json --instances {}/instances.json "
        "--semantics {}/semantics.json",
        ("*.json",),
        "--cache {}/" + OUTPUT,
        8,
    ),
    FuzzedCommand(
        "sweep-fusion",
        "cache",
        f"--cache {{}}/cache --grid {{}}/grid.yaml {_GT}",
        ("grid.yaml", "cache/*.json", "cache/*/*.arrays", "gt/*.json", "gt/panoptic/*.png"),
        weight=6,
    ),
    FuzzedCommand(
        "sweep-fusion",
        "swept",
        "--cache {}/cache --grid {}/grid.yaml",
        ("sweep/*.json", "sweep/buckets/0[0-3].arrays", "cache/ground_truth.json", "cache/*/*.arrays"),
        "--output {}/sweep",
    ),
    FuzzedCommand(
        "tune-fusion",
        "cache",
        f"--cache {{}}/cache --stages global --folds 2 {_GT}",
        ("cache/*.json", "cache/*/*.arrays", "gt/*.json", "gt/panoptic/*.png"),
        weight=2,
    ),
    FuzzedCommand(
        "attribute-errors",
        "cache",
        f"--cache {{}}/cache {_GT}",
        ("cache/*.json", "cache/*/*.arrays", "gt/*.json", "gt/panoptic/*.png"),
    ),
    FuzzedCommand(
        "compare-fusion",
        "swept",
        f"--cache {{}}/cache --presets {{}}/tuned/tuned.yaml {{}}/tuned/global.yaml {_GT}",
        ("tuned/*.yaml", "cache/*.json", "cache/*/*.arrays", "gt/*.json", "gt/panoptic/*.png"),
    ),
    FuzzedCommand(
        "report-sweep",
        "swept",
        "{}/sweep --attribution {}/errors/attribution.json --tuning {}/tuned/tuning.json",
        (
            "sweep/sweep.json",
            "sweep/buckets/0[0-3].arrays",
            "errors/attribution.json",
            "errors/attribution.json",
            "tuned/tuning.json",
            "tuned/tuning.json",
        ),
        weight=6,
    ),
)


def write_inputs(root: Path) -> None:
    """Writes the folders of inputs that the commands name."""
    for name in ("panoptic", "plain", "heads", "cache", "camvid", "ade20k", "cityscapes"):
        (root / name).mkdir()
    write_predictions(write_tiny_panoptic(root / "panoptic"))
    _write_plain(root / "plain")
    Files(root / "heads").fill()
    _write_cache(root / "cache")
    for split, drawn in (("train", SECOND), ("val", FIRST), ("test", FIRST)):
        write_pair(root / "camvid", split, "a.png", pixels(drawn["levels"]))
    _write_ade20k(root / "ade20k")
    _write_cityscapes(root / "cityscapes")
    for place, (there, flags, _, _) in enumerate(FORMS.values()):
        folder = root / f"converted{place}"
        shutil.copytree(root / "plain", folder)
        command = FuzzedCommand(f"convert-panoptic {there}", "", f"{_COCO} {flags}", (), "--output {}/written")
        run_quietly(command, folder)
    swept = root / "swept"
    shutil.copytree(root / "cache", swept)
    for name, flags in (
        ("sweep-fusion", "--grid {}/grid.yaml --output {}/sweep"),
        ("attribute-errors", "--output {}/errors"),
        ("tune-fusion", "--output {}/tuned --stages global --folds 2"),
    ):
        run_quietly(FuzzedCommand(name, "", f"--cache {{}}/cache {_GT} {flags}", (), ""), swept)


def run_quietly(command: FuzzedCommand, folder: Path) -> None:
    """Runs a command that must succeed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        code = command.main(command.argv(folder))
    assert code == 0, f"{command.name}: {err.getvalue()}"


def link_tree(source: Path, target: Path) -> None:
    """A copy of a folder whose files are links; commands never write into a file that is there."""
    shutil.copytree(source, target, copy_function=os.link)


def _write_cache(folder: Path) -> None:
    scenes = small_scenes(4, image_size=(24, 33), instances=8)
    remember_gt(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))
    (folder / "grid.yaml").write_text(_GRID)


def _write_plain(folder: Path) -> None:
    """The tiny data set without a category 0, and with images called as in Cityscapes, as some forms need it."""
    with write_tiny_panoptic(folder, splits=("val",)).edit("val") as content:
        for image in content["images"]:
            image["file_name"] = f"{image['file_name'].removesuffix('.jpg')}_0_0_leftImg8bit.png"
        for category in content["categories"]:
            category["id"] = category["id"] or 3
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["category_id"] = segment["category_id"] or 3


def _write_ade20k(folder: Path) -> None:
    drawn, name = test_prepare_ade20k.SECOND, "ADE_val_00000001"
    semantic = blocks(drawn["semantic"], np.uint8)
    pictures = {
        "images": Image.new("RGB", semantic.shape[::-1]),
        "annotations": Image.fromarray(semantic),
        "annotations_instance": Image.fromarray(test_prepare_ade20k.instance_rgb(drawn["instances"])),
    }
    for kind, picture in pictures.items():
        (folder / kind / "validation").mkdir(parents=True)
        picture.save(folder / kind / "validation" / f"{name}.{'jpg' if kind == 'images' else 'png'}")
    lines = [f"{number}\t0.1\t10\t1\tclass{number}" for number in range(1, 151)]
    (folder / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines, ""]))


def _write_cityscapes(folder: Path) -> None:
    values, prefix = test_prepare_cityscapes.AACHEN, "aachen_000000_000019"
    annotation = folder / "gtFine" / "val" / "aachen"
    annotation.mkdir(parents=True)
    ids = blocks(values, np.uint16)
    Image.fromarray(ids).save(annotation / f"{prefix}_gtFine_instanceIds.png")
    Image.fromarray(ids.astype(np.uint8)).save(annotation / f"{prefix}_gtFine_labelIds.png")
    test_prepare_cityscapes.write_image(folder / "leftImg8bit" / "val" / "aachen" / f"{prefix}_leftImg8bit.png")
