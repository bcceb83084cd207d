import importlib
import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_annotation, read_dataset_yaml
from tests.cli.preparation import DATASETS, assert_mended, blocks, refusal, written_by_any_number_of_processes
from tests.cli.training_samples import first_batch

# 4x8 pixels, each block of 2x2 has one value of an instanceIds PNG.
AACHEN = [
    [23, 23, 0, 3],  # sky, sky, unlabeled, out of roi
    [26000, 26001, 26, 7],  # car 0, car 1, a group of cars, road
]
ZURICH = [
    [
        24,
        33012,
        30003,
        9,
    ],  # a group of persons, bicycle 12, trailer 3 (not evaluated), parking (not evaluated)
    [29, 11, 11, 11],  # a group of caravans (not evaluated), building
]
# image: (expected ids, expected segments as (id, category, area, bbox, crowd))
EXPECTED = {
    "aachen/aachen_000000_000019_leftImg8bit.png": (
        [[23, 23, 0, 0], [26000, 26001, 26, 7]],
        [
            (7, 7, 4, [6, 2, 2, 2], 0),
            (23, 23, 8, [0, 0, 4, 2], 0),
            (26, 26, 4, [4, 2, 2, 2], 1),
            (26000, 26, 4, [0, 2, 2, 2], 0),
            (26001, 26, 4, [2, 2, 2, 2], 0),
        ],
    ),
    "zurich/zurich_000001_000019_leftImg8bit.png": (
        [[24, 33012, 0, 0], [0, 11, 11, 11]],
        [
            (11, 11, 12, [2, 2, 6, 2], 0),
            (24, 24, 4, [0, 0, 2, 2], 1),
            (33012, 33, 4, [2, 0, 2, 2], 0),
        ],
    ),
}


@pytest.fixture
def cityscapes(monkeypatch):
    return importlib.import_module("panoptic_heuristic.cli.prepare_cityscapes_panoptic")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """cityscapes/ under DETECTRON2_DATASETS: the same two images in train and val, one in test."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    root = tmp_path / "cityscapes"
    for split in ("train", "val"):
        for prefix, values in (("aachen_000000_000019", AACHEN), ("zurich_000001_000019", ZURICH)):
            annotation = root / "gtFine" / split / prefix.split("_")[0]
            annotation.mkdir(parents=True)
            Image.fromarray(blocks(values, np.uint16)).save(annotation / f"{prefix}_gtFine_instanceIds.png")
            Image.fromarray(blocks(values, np.uint16).astype(np.uint8)).save(
                annotation / f"{prefix}_gtFine_labelIds.png"
            )
            write_image(root / "leftImg8bit" / split / prefix.split("_")[0] / f"{prefix}_leftImg8bit.png")
    write_image(root / "leftImg8bit" / "test" / "berlin" / "berlin_000000_000019_leftImg8bit.png")
    return root


def write_image(path, height=4, width=8):
    path.parent.mkdir(parents=True)
    Image.new("RGB", (width, height), (90, 90, 90)).save(path)


def test_drawn_images(cityscapes, root):
    assert cityscapes.main(["--workers", "1"]) == 0
    data = read_dataset_yaml(DATASETS / "cityscapes_panoptic.yaml")
    for split in ("train", "val"):
        split = data.splits[split]
        content = split.read()
        assert [image.file_name for image in content.images] == sorted(EXPECTED)
        for image in content.images:
            expected_ids, expected_segments = EXPECTED[image.file_name]
            assert (split.image_root / image.file_name).is_file()
            assert read_annotation(image, split.panoptic_root).tolist() == blocks(expected_ids, int).tolist()
            keys = ("id", "category_id", "area", "bbox", "iscrowd")
            assert [
                tuple(segment[key] for key in keys) for segment in image.segments_info
            ] == expected_segments


def test_test_images_are_listed_without_annotation(cityscapes, root):
    assert cityscapes.main(["--splits", "test", "--workers", "1"]) == 0
    split = read_dataset_yaml(DATASETS / "cityscapes_panoptic.yaml").splits["test"]
    (image,) = split.read().images
    assert (image.file_name, image.height, image.width) == (
        "berlin/berlin_000000_000019_leftImg8bit.png",
        4,
        8,
    )
    assert image.png_name is None
    assert (split.image_root / image.file_name).is_file()


def test_categories_are_the_evaluated_ones(cityscapes):
    assert [category.id for category in cityscapes.CATEGORIES.stuff] == [
        7,
        8,
        11,
        12,
        13,
        17,
        19,
        20,
        21,
        22,
        23,
    ]
    assert [category.id for category in cityscapes.CATEGORIES.things] == [24, 25, 26, 27, 28, 31, 32, 33]


def test_categories_are_those_of_detectron2(cityscapes):
    pytest.importorskip("detectron2")
    importlib.import_module("panoptic_heuristic.detectron")  # makes older builds of Detectron2 importable
    from detectron2.data.datasets.builtin_meta import CITYSCAPES_CATEGORIES

    ours = {c.name: (c.isthing, c.color) for c in cityscapes.CATEGORIES.values()}
    assert ours == {c["name"]: (bool(c["isthing"]), tuple(c["color"])) for c in CITYSCAPES_CATEGORIES}


def test_several_processes_write_the_same_bytes(cityscapes, root, tmp_path):
    assert written_by_any_number_of_processes(cityscapes.main, tmp_path) == 7


@pytest.mark.parametrize("damage", ["delete", "empty", "head", "cut", "end", "size", "strange id"])
def test_a_second_run_mends_what_is_missing_or_damaged_and_keeps_the_rest(cityscapes, root, damage):
    pngs = root / "panoptic_val"
    broken = pngs / "aachen_000000_000019_gtFine_panoptic.png"
    kept = pngs / "zurich_000001_000019_gtFine_panoptic.png"
    strange = Image.new("RGB", (8, 4), (6, 0, 0))
    assert_mended(cityscapes.main, root, broken, kept, damage, strange)


def test_overwrite_follows_a_changed_annotation(cityscapes, root, capsys):
    arguments = ["--splits", "val", "--workers", "1"]
    assert cityscapes.main(arguments) == 0
    annotation = root / "gtFine/val/aachen/aachen_000000_000019_gtFine_instanceIds.png"
    Image.fromarray(blocks([[23] * 4] * 2, np.uint16)).save(annotation)
    assert cityscapes.main([*arguments, "--overwrite"]) == 0
    content = json.loads((root / "panoptic_val.json").read_text())
    assert [segment["id"] for segment in content["annotations"][0]["segments_info"]] == [23]


def test_a_json_of_somebody_else_is_kept(cityscapes, root, capsys):
    (root / "panoptic_val.json").write_text("{}")
    assert cityscapes.main(["--splits", "val", "--workers", "1"]) == 2
    assert "is there already and holds something else" in capsys.readouterr().err
    assert (root / "panoptic_val.json").read_text() == "{}"


def no_root(root):
    root.rename(root.parent / "elsewhere")


def no_annotations(root):
    (root / "gtFine").rename(root / "gtCoarse")


def no_images(root):
    for path in (root / "leftImg8bit/val").glob("*/*.png"):
        path.unlink()


def annotation_missing(root):
    (root / "gtFine/val/zurich/zurich_000001_000019_gtFine_instanceIds.png").unlink()


def image_missing(root):
    (root / "leftImg8bit/val/zurich/zurich_000001_000019_leftImg8bit.png").unlink()


def annotation_cut(root):
    path = root / "gtFine/val/zurich/zurich_000001_000019_gtFine_instanceIds.png"
    path.write_bytes(path.read_bytes()[:-30])


def label_ids(root):
    folder = root / "gtFine/val/zurich"
    path = folder / "zurich_000001_000019_gtFine_labelIds.png"
    path.replace(folder / "zurich_000001_000019_gtFine_instanceIds.png")


def other_size(root):
    path = root / "gtFine/val/zurich/zurich_000001_000019_gtFine_instanceIds.png"
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(path)


def image_damaged(root):
    (root / "leftImg8bit/val/zurich/zurich_000001_000019_leftImg8bit.png").write_bytes(b"no image")


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (no_root, "expected the folder"),
        (no_annotations, "gtFine/val, which is not there"),
        (no_images, "holds no <city>"),
        (annotation_missing, "has no annotation; expected"),
        (image_missing, "has no image in"),
        (annotation_cut, "cannot be read as an image"),
        (label_ids, "instanceIds PNGs are 16-bit grey"),
        (other_size, "is 6x4 pixels, but its image is 8x4"),
        (image_damaged, "cannot be read as an image"),
    ],
)
def test_wrong_input_is_one_sentence_and_no_json(cityscapes, root, capsys, spoil, sentence):
    spoil(root)
    assert sentence in refusal(cityscapes.main, root, capsys)


@pytest.mark.parametrize("legal", [0, 33, 24000, 33999])
def test_legal_values(cityscapes, legal):
    assert cityscapes.panoptic_ids(np.array([[legal]], np.uint16), "x.png").tolist() == [[legal]]


@pytest.mark.parametrize("ignored", [1, 6, 9, 18, 29, 30, 29000, 30999])
def test_labels_that_are_not_evaluated_are_void(cityscapes, ignored):
    assert cityscapes.panoptic_ids(np.array([[ignored]], np.uint16), "x.png").tolist() == [[0]]


@pytest.mark.parametrize("illegal", [34, 999, 1000, 7001, 23999, 34000, 65535])
def test_illegal_values(cityscapes, illegal):
    with pytest.raises(
        InputError, match=f"x.png holds the value {illegal}, which is no instance id of Cityscapes"
    ):
        cityscapes.panoptic_ids(np.array([[7, illegal]], np.uint16), "x.png")


def test_a_panoptic_fpn_trains_on_it(cityscapes, root, tmp_path):
    assert cityscapes.main(["--workers", "1"]) == 0
    config = "Cityscapes-PanopticSegmentation/panoptic_heuristic_fpn_R_50.yaml"
    cfg, batch = first_batch(config, "cityscapes_panoptic.yaml", tmp_path)
    assert cfg.DATASETS.TRAIN == ("cityscapes_panoptic_train",) and cfg.DATASETS.TEST == ("cityscapes_panoptic_val",)
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (8, 12)
    # Aachen has two cars (class 2) beside a group, Zurich one bicycle (class 7) beside a group.
    classes = {sample["file_name"].split("/")[-2]: sample["instances"].gt_classes.tolist() for sample in batch}
    assert classes.items() <= {"aachen": [2, 2], "zurich": [7]}.items()
    assert all(sample["sem_seg"].shape == sample["image"].shape[1:] for sample in batch)
