import importlib
import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_annotation, read_dataset_yaml
from tests.cli.preparation import DATASETS, assert_mended, blocks, refusal, written_by_any_number_of_processes
from tests.cli.training_samples import first_batch

# Semantic classes: 3 sky (stuff), 7 road (stuff), 8 bed, 13 person, 21 car (things).
# Instance classes: 1 = bed, 4 = person, 9 = car.
FIRST = {
    "semantic": [[3, 3, 0, 13], [7, 21, 21, 21]],
    # (class, number); the car lies over a road pixel, the person has no instance, (9, 0) is none either
    "instances": [[(0, 0), (0, 0), (0, 0), (0, 0)], [(9, 2), (9, 2), (9, 1), (9, 0)]],
    "ids": [[768, 768, 0, 0], [21 * 256 + 2, 21 * 256 + 2, 21 * 256 + 1, 0]],
    "segments": [
        (768, 3, 8, [0, 0, 4, 2], 0),
        (21 * 256 + 1, 21, 4, [4, 2, 2, 2], 0),
        (21 * 256 + 2, 21, 8, [0, 2, 4, 2], 0),
    ],
}
SECOND = {
    "semantic": [[8, 8, 150], [1, 1, 1]],
    "instances": [[(1, 255), (4, 1), (100, 7)], [(0, 0), (0, 0), (0, 0)]],
    "ids": [[8 * 256 + 255, 13 * 256 + 1, 150 * 256 + 7], [256, 256, 256]],
    "segments": [
        (256, 1, 12, [0, 2, 6, 2], 0),
        (8 * 256 + 255, 8, 4, [0, 0, 2, 2], 0),
        (13 * 256 + 1, 13, 4, [2, 0, 2, 2], 0),
        (150 * 256 + 7, 150, 4, [4, 0, 2, 2], 0),
    ],
}


def instance_rgb(pairs):
    pairs = blocks(pairs, np.uint8)
    return np.concatenate([pairs, np.zeros_like(pairs[..., :1])], axis=2)


@pytest.fixture
def ade20k(monkeypatch):
    return importlib.import_module("panoptic_heuristic.cli.prepare_ade20k_panoptic")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """ADEChallengeData2016/ under DETECTRON2_DATASETS, with one training and two validation images."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    root = tmp_path / "ADEChallengeData2016"
    for split, name, drawn in (
        ("training", "ADE_train_00000001", SECOND),
        ("validation", "ADE_val_00000001", FIRST),
        ("validation", "ADE_val_00000002", SECOND),
    ):
        for kind in ("images", "annotations", "annotations_instance"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
        semantic = blocks(drawn["semantic"], np.uint8)
        Image.new("RGB", semantic.shape[::-1]).save(root / "images" / split / f"{name}.jpg")
        Image.fromarray(semantic).save(root / "annotations" / split / f"{name}.png")
        Image.fromarray(instance_rgb(drawn["instances"])).save(
            root / "annotations_instance" / split / f"{name}.png"
        )
    # As in the real file, some numbers and names have blanks after them, and names have synonyms.
    lines = [f"{i}{' ' * (i % 3 == 0)}\t0.1\t10\t1\tclass{i}, synonym, other " for i in range(1, 151)]
    (root / "objectInfo150.txt").write_text("\n".join(["Idx\tRatio\tTrain\tVal\tName", *lines, ""]))
    return root


def test_drawn_images(ade20k, root):
    assert ade20k.main(["--workers", "1"]) == 0
    data = read_dataset_yaml(DATASETS / "ade20k_panoptic.yaml")
    for split, drawings in (("train", [SECOND]), ("val", [FIRST, SECOND])):
        split = data.splits[split]
        images = split.read().images
        for image, drawn in zip(images, drawings, strict=True):
            assert (split.image_root / image.file_name).is_file()
            assert read_annotation(image, split.panoptic_root).tolist() == blocks(drawn["ids"]).tolist()
            keys = ("id", "category_id", "area", "bbox", "iscrowd")
            assert [tuple(segment[key] for key in keys) for segment in image.segments_info] == drawn[
                "segments"
            ]


def test_categories(ade20k, root):
    categories = ade20k.read_categories(root / "objectInfo150.txt")
    assert list(categories) == list(range(1, 151))
    assert (len(categories.things), len(categories.stuff)) == (100, 50)
    assert categories[12].name == "class12"


@pytest.mark.parametrize(
    "instance_class, category",
    [(1, 8), (2, 9), (4, 13), (5, 15), (9, 21), (18, 36), (57, 89), (66, 104), (91, 138), (100, 150)],
)
def test_instance_classes(ade20k, instance_class, category):
    instances = np.array([[[instance_class, 1, 0]]], np.uint8)
    assert ade20k.panoptic_ids(np.array([[0]], np.uint8), instances, "x").tolist() == [[category * 256 + 1]]


@pytest.mark.parametrize("damage", ["delete", "empty", "cut", "end", "size", "strange id"])
def test_a_second_run_mends_what_is_missing_or_damaged_and_keeps_the_rest(ade20k, root, damage):
    broken, kept = root / "panoptic_val/ADE_val_00000001.png", root / "panoptic_val/ADE_val_00000002.png"
    strange = Image.new("RGB", (8, 4), (5, 3, 0))  # sky, instance 5
    assert_mended(ade20k.main, root, broken, kept, damage, strange)


def test_several_processes_write_the_same_bytes(ade20k, root, tmp_path):
    assert written_by_any_number_of_processes(ade20k.main, tmp_path) == 5


def no_root(root):
    root.rename(root.parent / "elsewhere")


def no_instances(root):
    (root / "annotations_instance").rename(root / "annotations_other")


def no_names(root):
    (root / "objectInfo150.txt").unlink()


def names_cut(root):
    path = root / "objectInfo150.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:100]))


def no_images(root):
    for path in (root / "images/validation").iterdir():
        path.unlink()


def instance_png_missing(root):
    (root / "annotations_instance/validation/ADE_val_00000002.png").unlink()


def semantic_png_missing(root):
    (root / "annotations/validation/ADE_val_00000002.png").unlink()


def image_missing(root):
    (root / "images/validation/ADE_val_00000002.jpg").unlink()


def instance_png_cut(root):
    path = root / "annotations_instance/validation/ADE_val_00000002.png"
    path.write_bytes(path.read_bytes()[:-30])


def instances_grey(root):
    Image.new("L", (6, 4)).save(root / "annotations_instance/validation/ADE_val_00000002.png")


def other_size(root):
    Image.new("L", (6, 5)).save(root / "annotations/validation/ADE_val_00000002.png")


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (no_root, "expected the folder"),
        (no_instances, "annotations_instance/validation, which is not there"),
        (no_names, "objectInfo150.txt, which names the classes"),
        (names_cut, "expected the classes 1 to 150, one per line with tabs, got 99 lines"),
        (no_images, "holds no *.jpg"),
        (instance_png_missing, "the image ADE_val_00000002.jpg has no annotation in"),
        (semantic_png_missing, "the image ADE_val_00000002.jpg has no annotation in"),
        (image_missing, "ADE_val_00000002.png has no image in"),
        (instance_png_cut, "cannot be read as an image"),
        (instances_grey, "expected an 8-bit RGB PNG"),
        (other_size, "is 6x5 pixels, but its image is 6x4"),
    ],
)
def test_wrong_input_is_one_sentence_and_no_json(ade20k, root, capsys, spoil, sentence):
    spoil(root)
    assert sentence in refusal(ade20k.main, root, capsys)


@pytest.mark.parametrize(
    "semantic, instances, sentence",
    [
        ([[151]], [[[0, 0, 0]]], "holds class 151; expected 0 to 150"),
        ([[0]], [[[101, 1, 0]]], "holds the classes 101 to 101; expected 1 to 100"),
        ([[0]], [[[0, 1, 0]]], "holds the classes 0 to 0; expected 1 to 100"),
        ([[0, 0]], [[[4, 3, 0], [9, 3, 0]]], "instance 3 has pixels of more than one class"),
    ],
)
def test_values_that_cannot_be(ade20k, semantic, instances, sentence):
    with pytest.raises(InputError, match=f"x.jpg: .*{sentence}"):
        ade20k.panoptic_ids(np.array(semantic, np.uint8), np.array(instances, np.uint8), "x.jpg")


def test_the_json_says_which_are_things(ade20k, root):
    assert ade20k.main(["--splits", "train", "--workers", "1"]) == 0
    categories = json.loads((root / "panoptic_train.json").read_text())["categories"]
    assert [category["isthing"] for category in categories[:9]] == [0, 0, 0, 0, 0, 0, 0, 1, 1]


def test_a_panoptic_fpn_trains_on_it(ade20k, root, tmp_path):
    assert ade20k.main(["--workers", "1"]) == 0
    cfg, batch = first_batch("OwnData/panoptic_heuristic_fpn_R_50.yaml", "ade20k_panoptic.yaml", tmp_path)
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (100, 51)
    for sample in batch:
        # Bed, person and the last class, of things that count from 0 and leave the stuff out.
        assert sample["instances"].gt_classes.tolist() == [0, 3, 99]
        assert sample["sem_seg"].shape == sample["image"].shape[1:]
