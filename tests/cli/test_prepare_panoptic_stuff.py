import importlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats.coco_panoptic import write_panoptic_png
from tests.cli.preparation import DATASETS, truncate

CATEGORIES = [
    {"id": 1, "name": "cat", "isthing": 1},
    {"id": 50, "name": "sky", "isthing": 0},
    {"id": 20, "name": "grass", "isthing": 0},
]
# (ids, segments, expected labels) per image; 4x3 and 2x3 pixels.
DRAWN = {
    "a": (
        [[0, 1, 1], [2, 2, 1], [2, 3, 3], [0, 0, 3]],
        [(1, 50, 0), (2, 1, 0), (3, 1, 1)],
        [[255, 1, 1], [0, 0, 1], [0, 0, 0], [255, 255, 0]],
    ),
    "b": ([[70000, 70000, 0], [4, 4, 4]], [(70000, 20, 0), (4, 50, 0)], [[2, 2, 255], [1, 1, 1]]),
}


@pytest.fixture
def stuff(monkeypatch):
    return importlib.import_module("panoptic_heuristic.cli.prepare_panoptic_stuff")


@pytest.fixture
def tree(tmp_path):
    """A panoptic data set of two images: val.json and val/."""
    content = {"categories": CATEGORIES, "images": [], "annotations": []}
    for place, (name, (ids, segments, _)) in enumerate(DRAWN.items()):
        height, width = np.shape(ids)
        content["images"].append({"id": place, "file_name": f"{name}.jpg", "height": height, "width": width})
        segments_info = [{"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in segments]
        content["annotations"].append(
            {"image_id": place, "file_name": f"{name}.png", "segments_info": segments_info}
        )
        write_panoptic_png(tmp_path / "val" / f"{name}.png", np.array(ids))
    (tmp_path / "val.json").write_text(json.dumps(content))
    return tmp_path


def arguments(tree, *more):
    flags = ["--panoptic-json", tree / "val.json", "--panoptic-root", tree / "val", "--output", tree / "out"]
    return [str(flag) for flag in (*flags, "--workers", 1, *more)]


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def outputs(tree):
    return {path.name: np.asarray(Image.open(path)).tolist() for path in (tree / "out").iterdir()}


def test_labels_of_a_drawing(stuff, tree):
    assert stuff.main(arguments(tree)) == 0
    assert outputs(tree) == {f"{name}.png": labels for name, (_, _, labels) in DRAWN.items()}
    assert Image.open(tree / "out" / "a.png").mode == "L"


@pytest.mark.parametrize("damage", ["delete", "empty", "cut", "end", "size", "mode"])
def test_a_second_run_makes_what_is_missing_or_damaged_and_keeps_the_rest(stuff, tree, capsys, damage):
    assert stuff.main(arguments(tree)) == 0
    path, kept = tree / "out" / "a.png", tree / "out" / "b.png"
    whole = path.read_bytes()
    if damage == "delete":
        path.unlink()
    elif damage == "size":
        Image.new("L", (3, 5)).save(path)
    elif damage == "mode":
        Image.new("RGB", (3, 4)).save(path)
    else:
        truncate(path, damage)
    os.utime(kept, (1, 1))
    capsys.readouterr()
    assert stuff.main(arguments(tree)) == 0
    assert "wrote 1 PNGs, 1 were there already" in capsys.readouterr().out
    assert path.read_bytes() == whole
    assert kept.stat().st_mtime == 1
    assert sorted(p.name for p in (tree / "out").iterdir()) == ["a.png", "b.png"]  # no temporary file stays


def test_overwrite_makes_whole_files_again(stuff, tree):
    assert stuff.main(arguments(tree)) == 0
    whole = (tree / "out" / "a.png").read_bytes()
    Image.new("L", (3, 4)).save(tree / "out" / "a.png")
    assert stuff.main(arguments(tree)) == 0
    assert (tree / "out" / "a.png").read_bytes() != whole
    assert stuff.main(arguments(tree, "--overwrite")) == 0
    assert (tree / "out" / "a.png").read_bytes() == whole


def wrong_json_name(tree):
    (tree / "val.json").rename(tree / "other.json")


def wrong_folder_name(tree):
    (tree / "val").rename(tree / "other")


def png_missing(tree):
    (tree / "val" / "b.png").unlink()


def png_cut(tree):
    whole = (tree / "val" / "b.png").read_bytes()
    (tree / "val" / "b.png").write_bytes(whole[:-30])


def no_annotation(tree):
    edit(tree / "val.json", lambda content: content["annotations"].pop())


def id_not_listed(tree):
    edit(tree / "val.json", lambda content: content["annotations"][0]["segments_info"].pop())


def too_many_categories(tree):
    more = [{"id": 1000 + i, "name": f"stuff{i}", "isthing": 0} for i in range(253)]
    edit(tree / "val.json", lambda content: content["categories"].extend(more))


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (wrong_json_name, "cannot read .*val.json"),
        (wrong_folder_name, "expected the folder .*val, which is not there"),
        (png_missing, "cannot read .*b.png"),
        (png_cut, "b.png is damaged"),
        (no_annotation, r"image 1 \(b.jpg\) has no annotation"),
        (id_not_listed, "a.png: the PNG holds segment 3, which the JSON does not list"),
        (too_many_categories, "at most 254 stuff categories.*got 255"),
    ],
)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_wrong_input_is_one_sentence(stuff, tree, capfd, spoil, sentence, workers):
    spoil(tree)
    assert stuff.main(arguments(tree, "--workers", workers)) == 2
    printed = capfd.readouterr().err  # of the workers too
    (error,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert re.search(sentence, error)
    assert "Traceback" not in printed


def test_the_panoptic_pngs_are_never_the_output(stuff, tree, capsys):
    before = (tree / "val" / "a.png").read_bytes()
    assert stuff.main(arguments(tree, "--output", str(tree / "out" / ".." / "val"))) == 2
    assert "would be overwritten" in capsys.readouterr().err
    assert (tree / "val" / "a.png").read_bytes() == before


@pytest.mark.parametrize("flags", [[], ["--coco", "--output", "x"], ["--panoptic-json", "x"]])
def test_incomplete_flags(stuff, capsys, flags):
    assert stuff.main(flags) == 2
    assert "expected either --coco alone, or all of" in capsys.readouterr().err


def test_no_workers(stuff, tree, capsys):
    assert stuff.main(arguments(tree, "--workers", "0")) == 2
    assert capsys.readouterr().err == "error: --workers must be at least 1, got 0\n"


def coco_tree(root, coco_sample):
    """The sample images as Detectron2's COCO, once per split."""
    (root / "coco" / "annotations").mkdir(parents=True)
    for split in ("train2017", "val2017"):
        (root / "coco" / "annotations" / f"panoptic_{split}.json").symlink_to(coco_sample / "panoptic.json")
        (root / "coco" / f"panoptic_{split}").symlink_to(coco_sample / "panoptic")


def test_real_coco_images_in_several_processes_equal_a_loop_over_segments(tmp_path, coco_sample):
    coco_tree(tmp_path, coco_sample)
    command = [sys.executable, str(DATASETS / "prepare_panoptic_stuff.py"), "--coco", "--workers", "2"]
    done = subprocess.run(
        command,
        env={**os.environ, "DETECTRON2_DATASETS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    content = json.loads((coco_sample / "panoptic.json").read_text())
    stuff_ids = [category["id"] for category in content["categories"] if not category["isthing"]]
    for annotation in content["annotations"]:
        rgb = np.asarray(Image.open(coco_sample / "panoptic" / annotation["file_name"])).astype(int)
        expected = np.full(rgb.shape[:2], 255)
        for segment in annotation["segments_info"]:
            inside = rgb @ [1, 256, 65536] == segment["id"]
            category_id = segment["category_id"]
            expected[inside] = stuff_ids.index(category_id) + 1 if category_id in stuff_ids else 0
        for split in ("train2017", "val2017"):
            written = Image.open(tmp_path / "coco" / f"panoptic_stuff_{split}" / annotation["file_name"])
            assert written.mode == "L"
            assert np.array_equal(np.asarray(written), expected)


def test_one_coco_split(stuff, tmp_path, coco_sample, monkeypatch):
    coco_tree(tmp_path, coco_sample)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    assert stuff.main(["--coco", "val2017", "--workers", "1"]) == 0
    assert len(list((tmp_path / "coco" / "panoptic_stuff_val2017").iterdir())) == 2
    assert not (tmp_path / "coco" / "panoptic_stuff_train2017").exists()


def test_no_coco(stuff, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    assert stuff.main(["--coco"]) == 2
    assert "set DETECTRON2_DATASETS" in capsys.readouterr().err
