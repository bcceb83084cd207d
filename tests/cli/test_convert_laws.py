"""Each form there and back on random maps: the same segments, whatever their numbers."""

import json

import numpy as np
import pytest

from tests.cli.converting import convert, segments_of
from tests.formats.tiny_panoptic import write_png

# No category 0, which is background in bitmasks and has no things in Cityscapes' form.
CATEGORIES = [
    {"id": 3, "name": "sky", "isthing": 0},
    {"id": 7, "name": "cat", "isthing": 1},
    {"id": 200, "name": "grass", "isthing": 0},
    {"id": 201, "name": "dog", "isthing": 1},
]

# form: the command there, its flags, the command back, its flags; {} is the folder that was written.
FORMS = {
    "label divisor": (
        "coco-to-label-divisor", "--label-divisor 257 --bits 24",
        "label-divisor-to-coco", "--label-root {}/labels --label-divisor 257",
    ),
    "cityscapes label divisor": (
        "coco-to-label-divisor", "--label-divisor 257 --bits 24 --form cityscapes",
        "label-divisor-to-coco", "--label-root {}/labels --label-divisor 257 --form cityscapes",
    ),
    "instances and semantic labels": (
        "coco-to-instances-semantic", "",
        "instances-semantic-to-coco", "--instances-json {}/instances.json --semantic-root {}/semantic",
    ),
    "detection": ("coco-to-detection", "", "detection-to-coco", "--detection-json {}/detection.json"),
    "two PNGs": (
        "coco-to-class-instance", "",
        "class-instance-to-coco",
        "--class-root {}/labels/class --instance-root {}/labels/instance --thing-zero crowd",
    ),
    "channels": (
        "coco-to-class-instance", "--channels GBR",
        "class-instance-to-coco", "--label-root {}/labels --channels GBR --thing-zero crowd",
    ),
    "BDD100K": ("coco-to-bdd100k", "", "bdd100k-to-coco", "--bitmask-root {}/bitmasks"),
    "Cityscapes": (
        "coco-to-cityscapes", "",
        "cityscapes-to-coco", "--panoptic-json {}/cityscapes_panoptic.json --panoptic-root {}/cityscapes_panoptic",
    ),
    "Mapillary": (
        "coco-to-mapillary", "",
        "mapillary-to-coco", "--panoptic-json {}/panoptic_2020.json --panoptic-root {}/panoptic",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Six images of up to a dozen things, a crowd now and then, stuff and void."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("scenes")
    (folder / "pngs").mkdir()
    content = {"images": [], "annotations": [], "categories": CATEGORIES}
    for image_id in range(1, 7):
        ids, segments = np.zeros((37, 53), np.int64), {}
        kinds = [(3, 0), (200, 0), *[(int(rng.choice([7, 201])), 0) for _ in range(rng.integers(0, 12))]]
        kinds += [(category, 1) for category in (7, 201) if rng.random() < 0.5]
        numbers = rng.choice(2**24 - 1, len(kinds), replace=False) + 1
        for number, kind in zip(numbers.tolist(), kinds, strict=True):
            top, left = rng.integers(0, 30), rng.integers(0, 45)
            ids[top : top + rng.integers(3, 20), left : left + rng.integers(3, 25)] = number
            segments[number] = kind
        name = f"city_{image_id:06d}_000019_leftImg8bit.png"
        write_png(folder / "pngs" / name, ids)
        content["images"].append({"id": image_id, "file_name": f"city/{name}", "height": 37, "width": 53})
        listed = [
            {"id": number, "category_id": segments[number][0], "iscrowd": segments[number][1], "area": 1}
            for number in np.unique(ids).tolist() if number
        ]  # fmt: skip
        content["annotations"].append({"image_id": image_id, "file_name": name, "segments_info": listed})
    (folder / "panoptic.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_there_and_back(scenes, form, tmp_path):
    there, there_flags, back, back_flags = FORMS[form]
    out = tmp_path / "out"
    source = ["--panoptic-json", scenes / "panoptic.json", "--panoptic-root", scenes / "pngs"]
    assert convert(there, *source, *there_flags.split(), "--output", out) == 0
    known = []
    if "panoptic-json" not in back_flags:
        known += ["--categories-json", scenes / "panoptic.json"]
        if (out / "images.json").exists():
            known += ["--images-json", out / "images.json"]
    flags = [one.format(*[out] * 2) for one in back_flags.split()]
    assert convert(back, *flags, *known, "--output", tmp_path / "back") == 0
    found = segments_of(tmp_path / "back" / "panoptic.json", tmp_path / "back" / "panoptic")
    expected = segments_of(scenes / "panoptic.json", scenes / "pngs")
    assert sum(map(len, expected.values())) > 40
    assert _by_id(found) == _by_id(expected)


def _by_id(segments):
    """By image id alone, since Mapillary's images lie in no folder."""
    return {image_id: one for (image_id, *_), one in segments.items()}
