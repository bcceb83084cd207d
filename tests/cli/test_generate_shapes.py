"""The built-in data set: the same bytes each time, labels that agree, and all that makes it hard."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from panoptic_heuristic.cli import generate_shapes
from panoptic_heuristic.testing import shapes_looks, shapes_scenes, shapes_settings
from tests.conftest import ROOT

SCRIPT = ROOT / "datasets" / "generate_shapes.py"

COUNTS = {"train": 60, "val": 20}
SMALL = ["--train", "3", "--val", "2"]


def run(*argv) -> int:
    return generate_shapes.main([str(arg) for arg in argv])


def read_tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        rgb = np.asarray(image).astype(np.int64)
    return rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "shapes"
    assert run("--output", folder, "--train", COUNTS["train"], "--val", COUNTS["val"]) == 0
    return folder


@pytest.fixture(scope="module")
def scenes(dataset) -> list[tuple[np.ndarray, list[dict]]]:
    """Ids (H, W) and segments_info of every image of both splits."""
    found = []
    for split in COUNTS:
        contents = json.loads((dataset / split / "panoptic.json").read_text())
        for annotation in contents["annotations"]:
            ids = decode(dataset / split / "panoptic" / annotation["file_name"])
            found.append((ids, annotation["segments_info"]))
    return found


@pytest.fixture
def small_set(tmp_path) -> Path:
    folder = tmp_path / "shapes"
    assert run("--output", folder, *SMALL) == 0
    return folder


# ---- What is on disk ----


def test_description_names_files_that_exist(dataset):
    description = yaml.safe_load((dataset / "shapes.yaml").read_text())
    assert description["name"] == "shapes"
    assert list(description["splits"]) == ["train", "val"]
    for split, places in description["splits"].items():
        assert set(places) == {"image_root", "panoptic_json", "panoptic_root"}
        assert all((dataset / place).exists() for place in places.values())
        assert len(list((dataset / places["image_root"]).iterdir())) == COUNTS[split]
        assert len(list((dataset / places["panoptic_root"]).iterdir())) == COUNTS[split]


@pytest.mark.parametrize("split", COUNTS)
def test_json_lists_exactly_the_files(dataset, split):
    contents = json.loads((dataset / split / "panoptic.json").read_text())
    assert set(contents) == {"info", "images", "annotations", "categories"}
    names = [f"{index:06d}.png" for index in range(1, COUNTS[split] + 1)]
    assert [image["file_name"] for image in contents["images"]] == names
    assert [annotation["file_name"] for annotation in contents["annotations"]] == names
    assert [a["image_id"] for a in contents["annotations"]] == [i["id"] for i in contents["images"]]
    for kind in ("images", "panoptic"):
        assert sorted(path.name for path in (dataset / split / kind).iterdir()) == names


@pytest.mark.parametrize("split", COUNTS)
def test_pictures_are_8_bit_rgb_of_the_stated_size(dataset, split):
    for image in json.loads((dataset / split / "panoptic.json").read_text())["images"]:
        assert (image["height"], image["width"]) == (128, 160)
        for kind in ("images", "panoptic"):
            with Image.open(dataset / split / kind / image["file_name"]) as picture:
                assert (picture.mode, picture.size) == ("RGB", (160, 128))


def test_json_and_png_agree_both_ways(scenes):
    for ids, segments in scenes:
        listed = [segment["id"] for segment in segments]
        assert len(set(listed)) == len(listed)
        assert set(np.unique(ids).tolist()) - {0} == set(listed)
        for segment in segments:
            rows, cols = np.nonzero(ids == segment["id"])
            box = [cols.min(), rows.min(), cols.max() - cols.min() + 1, rows.max() - rows.min() + 1]
            assert segment["area"] == len(rows)
            assert segment["bbox"] == box
            assert segment["iscrowd"] in (0, 1)


def test_ids_need_all_three_bytes(scenes):
    ids = [segment["id"] for _, segments in scenes for segment in segments]
    assert min(ids) < 256 and any(256 <= i < 65536 for i in ids) and 65536 <= max(ids) < 2**24
    assert any([s["id"] for s in segments] != list(range(1, len(segments) + 1)) for _, segments in scenes)


def test_categories_are_the_same_in_both_splits_and_punish_mixed_up_ids(dataset):
    train, val = (json.loads((dataset / split / "panoptic.json").read_text())["categories"] for split in COUNTS)
    assert train == val
    ids = [category["id"] for category in train]
    things = [category["id"] for category in train if category["isthing"]]
    stuff = [category["id"] for category in train if not category["isthing"]]
    assert len(things) >= 6 and len(stuff) >= 6
    assert len(set(ids)) == len(ids) and len({category["name"] for category in train}) == len(ids)
    assert len({tuple(category["color"]) for category in train}) == len(ids)
    assert all(type(category["isthing"]) is int and category["supercategory"] for category in train)
    assert sorted(ids) != list(range(1, len(ids) + 1)), "ids without gaps would let a contiguous id pass"
    assert ids != sorted(ids), "a list in id order would let its positions pass"
    assert min(stuff) < max(things) and min(things) < max(stuff)


# ---- What is in the scenes ----


def test_every_class_occurs_in_both_splits(dataset):
    for split in COUNTS:
        contents = json.loads((dataset / split / "panoptic.json").read_text())
        seen = {s["category_id"] for a in contents["annotations"] for s in a["segments_info"] if not s["iscrowd"]}
        assert seen == {category["id"] for category in contents["categories"]}


def test_scenes_hold_what_makes_fusion_hard(scenes):
    things = {category.id for category in shapes_settings.CATEGORIES if category.isthing}
    thing_areas, stuff_areas, crowds, void = [], [], 0, []
    for ids, segments in scenes:
        void.append(np.mean(ids == 0))
        mine = [s for s in segments if s["category_id"] in things and not s["iscrowd"]]
        assert 3 <= len(mine) <= 10
        thing_areas += [s["area"] for s in mine]
        crowds += sum(s["iscrowd"] for s in segments)
        assert all(s["category_id"] in things for s in segments if s["iscrowd"])
        stuff = [s for s in segments if s["category_id"] not in things]
        assert max(Counter(s["category_id"] for s in stuff).values()) == 1, "one segment per stuff class"
        stuff_areas += [s["area"] for s in stuff]

    assert min(thing_areas) >= shapes_settings.MIN_THING_PIXELS
    assert min(stuff_areas) >= shapes_settings.MIN_STUFF_PIXELS
    # Small and large ones: a detector with one anchor size cannot find both.
    assert np.quantile(thing_areas, 0.07) < 150 and np.quantile(thing_areas, 0.9) > 900
    # COCO's limit on stuff, scaled to these pictures, deletes about every third segment.
    assert 0.2 < np.mean(np.array(stuff_areas) < 4096 * 128 * 160 / (480 * 640)) < 0.5
    assert crowds >= 3
    assert np.mean(np.array(void) > 0) > 0.3 and 0.005 < np.mean(void) < 0.15


def test_things_touch_or_hide_each_other(scenes):
    things = {category.id for category in shapes_settings.CATEGORIES if category.isthing}
    touching = 0
    for ids, segments in scenes:
        mine = [s["id"] for s in segments if s["category_id"] in things]
        thing_ids = np.where(np.isin(ids, mine), ids, 0)
        left, right = thing_ids[:, :-1], thing_ids[:, 1:]
        touching += bool(np.any((left != right) & (left > 0) & (right > 0)))
    assert touching > 0.7 * len(scenes)


def test_a_label_covers_the_pixels_that_are_more_than_half_painted():
    rng = np.random.default_rng(0)
    for name in shapes_settings.THINGS:
        sprite = shapes_looks.make_sprite(rng, name, (30.0, 40.0), 15.0, (64, 80))
        picture = np.zeros((64, 80, 3), dtype=np.float32)
        shapes_looks.cover(picture[sprite.window], np.ones_like(sprite.colour), sprite.distance)
        labelled = np.zeros((64, 80), dtype=bool)
        labelled[sprite.window] = sprite.mask
        assert 100 < labelled.sum() < np.pi * 18**2
        np.testing.assert_array_equal(picture[..., 0] > 0.5, labelled)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 200), (256, 320)])
def test_scenes_follow_the_size(height, width):
    for index in range(1, 5):
        scene = shapes_scenes.draw_scene(seed=0, split=0, index=index, height=height, width=width)
        assert scene.image.shape == (height, width, 3) and scene.ids.shape == (height, width)
        categories = {category.id: category for category in shapes_settings.CATEGORIES}
        things = [s for s in scene.segments if categories[s.category_id].isthing and not s.iscrowd]
        assert 3 <= len(things) <= 10
        assert min(s.area for s in things) >= shapes_settings.MIN_THING_PIXELS


# ---- The same again, and another ----


def test_same_seed_same_bytes(small_set, tmp_path):
    again = tmp_path / "elsewhere" / "again"
    assert run("--output", again, *SMALL) == 0
    assert read_tree(again) == read_tree(small_set)


def test_same_bytes_from_the_command_line_whatever_the_hash_seed(small_set, tmp_path):
    again = tmp_path / "again"
    command = [sys.executable, "-R", str(SCRIPT), "--output", str(again), *SMALL]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert read_tree(again) == read_tree(small_set)


def test_images_do_not_depend_on_how_many_there_are(small_set, tmp_path):
    more = tmp_path / "more"
    assert run("--output", more, "--train", 5, "--val", 2) == 0
    for path in [*small_set.rglob("images/*.png"), *small_set.rglob("panoptic/*.png")]:
        assert (more / path.relative_to(small_set)).read_bytes() == path.read_bytes()


def test_splits_and_seeds_differ(small_set, tmp_path):
    other = tmp_path / "other"
    assert run("--output", other, "--seed", 1, *SMALL) == 0
    pictures = [p.read_bytes() for folder in (small_set, other) for p in sorted(folder.rglob("images/*.png"))]
    assert len(pictures) == len(set(pictures)) == 10


# ---- The output folder ----


def test_a_finished_set_is_left_alone(small_set, capsys):
    times = {path: path.stat().st_mtime_ns for path in small_set.rglob("*")}
    assert run("--output", small_set, *SMALL) == 0
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in small_set.rglob("*")} == times


def refused(capsys, *argv) -> str:
    """Runs the command, which must end in one sentence and exit code 2; returns the sentence."""
    capsys.readouterr()
    assert run(*argv) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and "Traceback" not in captured.err
    return captured.err


def test_another_set_is_replaced_only_if_asked(small_set, capsys):
    before = read_tree(small_set)
    assert "seed" in refused(capsys, "--output", small_set, "--seed", 5, *SMALL)
    assert read_tree(small_set) == before
    assert run("--output", small_set, "--seed", 5, *SMALL, "--overwrite") == 0
    assert read_tree(small_set) != before
    assert [path.name for path in small_set.parent.iterdir()] == ["shapes"]


@pytest.mark.parametrize("module", [shapes_settings, shapes_looks, shapes_scenes])
def test_changed_drawing_code_is_another_set(small_set, capsys, monkeypatch, tmp_path, module):
    changed = tmp_path / "changed.py"
    changed.write_text("# another drawing\n")
    monkeypatch.setattr(module, "__file__", str(changed))
    assert "drawing" in refused(capsys, "--output", small_set, *SMALL)


def test_a_set_that_lost_a_file_is_made_again_only_if_asked(small_set, capsys):
    before = read_tree(small_set)
    (small_set / "val" / "panoptic" / "000002.png").unlink()
    assert "lost files" in refused(capsys, "--output", small_set, *SMALL)
    assert run("--output", small_set, *SMALL, "--overwrite") == 0
    assert read_tree(small_set) == before


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_other_peoples_files_are_never_deleted(tmp_path, capsys, overwrite):
    (tmp_path / "mine.txt").write_text("mine")
    assert "did not write" in refused(capsys, "--output", tmp_path, *SMALL, *overwrite)
    assert read_tree(tmp_path) == {"mine.txt": b"mine"}


def test_an_empty_folder_is_filled(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert run("--output", folder, *SMALL) == 0
    assert (folder / "shapes.yaml").is_file()


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    draw = shapes_scenes.draw_scene

    def interrupted(**arguments):
        if arguments["index"] == 2:
            raise KeyboardInterrupt
        return draw(**arguments)

    monkeypatch.setattr(shapes_scenes, "draw_scene", interrupted)
    assert run("--output", tmp_path / "shapes", *SMALL) == 130
    assert list(tmp_path.iterdir()) == []


# ---- Wrong input ----


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--size", "128"], "HEIGHTxWIDTH"),
        (["--size", "128x"], "HEIGHTxWIDTH"),
        (["--size", "-128x160"], "expected one argument"),
        (["--size", "63x160"], "[64, 2048]"),
        (["--size", "128x2049"], "[64, 2048]"),
        (["--train", "0"], "[1, 999999]"),
        (["--val", "-1"], "[1, 999999]"),
        (["--val", "1000000"], "[1, 999999]"),
        (["--train", "many"], "whole number"),
        (["--seed", "-1"], "[0, 4294967295]"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_options_end_in_one_sentence(tmp_path, capsys, argv, says):
    assert says in refused(capsys, "--output", tmp_path / "shapes", *argv)
    assert not (tmp_path / "shapes").exists()


def test_a_file_in_the_way_ends_in_one_sentence(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    assert "is a file" in refused(capsys, "--output", file, *SMALL)
    assert "cannot write" in refused(capsys, "--output", file / "shapes", *SMALL)


def test_help_shows_an_example_that_parses(capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    example = capsys.readouterr().out.split("example:")[1].split()
    args = generate_shapes.build_parser().parse_args(example[2:])
    assert (args.train, args.val, args.size, args.seed) == (1000, 200, (128, 160), 0)
