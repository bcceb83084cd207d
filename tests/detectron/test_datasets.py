"""A data set's YAML file in Detectron2's catalogs, and in the config."""

import logging

import pytest
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from PIL import Image

from panoptic_heuristic.detectron import add_panoptic_heuristic_config
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.errors import InputError
from tests.detectron.small_models import small_config
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, write_tiny_panoptic

NUM_THINGS, NUM_LABELS = "MODEL.ROI_HEADS.NUM_CLASSES", "MODEL.SEM_SEG_HEAD.NUM_CLASSES"
SKY, CAT, GRASS, DOG = CATEGORIES


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path)


def configured(data, *overrides):
    """The config after a data set was used, and ``overrides`` set on purpose."""
    cfg = get_cfg()
    add_panoptic_heuristic_config(cfg)
    cfg.DATASETS.PANOPTIC_YAML = str(data.yaml)
    cfg.merge_from_list(list(overrides))
    use_dataset_yaml(cfg, set(overrides[0::2]))
    return cfg


def test_without_the_key_nothing_happens():
    cfg = get_cfg()
    add_panoptic_heuristic_config(cfg)
    before = cfg.clone()
    use_dataset_yaml(cfg, set())
    assert cfg == before


def test_numbers_of_classes_and_splits_are_derived_and_told(data, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
    with caplog.at_level(logging.INFO, "panoptic_heuristic"):
        cfg = configured(data)
    assert (cfg.DATASETS.TRAIN, cfg.DATASETS.TEST) == (("tiny_train",), ("tiny_val",))
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (2, 3)
    assert f"2 thing categories, 2 stuff categories; {NUM_THINGS} = 2, {NUM_LABELS} = 3" in caplog.text


def test_metadata(data):
    configured(data)
    metadata = MetadataCatalog.get("tiny_val")
    assert metadata.thing_classes == ["cat", "dog"]
    assert metadata.stuff_classes == ["things", "sky", "grass"]
    assert metadata.thing_dataset_id_to_contiguous_id == {7: 0, 90: 1}
    assert metadata.stuff_dataset_id_to_contiguous_id == {-1: 0, 0: 1, 9: 2}
    assert metadata.evaluator_type == "coco_panoptic_seg"
    assert (metadata.ignore_label, metadata.label_divisor) == (255, 1000)
    assert metadata.panoptic_json == str(data.json("val"))
    assert metadata.panoptic_root == str(data.root / "panoptic_val")
    assert metadata.image_root == str(data.root / "val")


def test_records(data):
    configured(data)
    records = DatasetCatalog.get("tiny_val")
    assert [record["file_name"] for record in records] == [str(data.image("val", place)) for place in range(3)]
    assert [record["image_id"] for record in records] == [101, 102, 103]
    assert all((record["height"], record["width"]) == (8, 10) for record in records)
    # Two cats, a dog, a crowd of dogs; a cat and a dog; a dog. Boxes come from the PNG.
    assert [[(a["category_id"], a["iscrowd"]) for a in record["annotations"]] for record in records] == [
        [(0, 0), (0, 0), (1, 0), (1, 1)],
        [(0, 0), (1, 0)],
        [(1, 0)],
    ]
    assert all(record["panoptic_root"] == str(data.root / "panoptic_val") for record in records)


def test_the_label_divisor_of_the_file(data):
    data.yaml.write_text(data.yaml.read_text() + "label_divisor: 77\n")
    configured(data)
    assert MetadataCatalog.get("tiny_train").label_divisor == 77


class TestNumbersSetOnPurpose:
    def test_the_right_ones_pass(self, data):
        cfg = configured(data, NUM_THINGS, "2", NUM_LABELS, "3")
        assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (2, 3)

    @pytest.mark.parametrize(
        "key, wrong, message",
        [
            (NUM_THINGS, "80", f"{NUM_THINGS} is 80 in the config, but .*tiny.yaml has 2 thing categories"),
            (NUM_LABELS, "2", f"{NUM_LABELS} is 2 in the config, but .*tiny.yaml has 3 semantic labels"),
            (NUM_LABELS, "54", f"{NUM_LABELS} is 54 in the config, but .*tiny.yaml has 3 semantic labels"),
        ],
    )
    def test_wrong_ones_are_told_with_both_numbers(self, data, key, wrong, message):
        with pytest.raises(InputError, match=message):
            configured(data, key, wrong)


class TestSplits:
    def test_those_that_are_named_are_used(self, data):
        cfg = configured(data, "DATASETS.TRAIN", "('tiny_val',)", "DATASETS.TEST", "('tiny_train', 'tiny_val')")
        assert (cfg.DATASETS.TRAIN, cfg.DATASETS.TEST) == (("tiny_val",), ("tiny_train", "tiny_val"))

    def test_one_that_is_not_used_is_not_opened(self, data):
        data.json("train").unlink()
        cfg = configured(data, "DATASETS.TRAIN", "()")
        assert cfg.DATASETS.TEST == ("tiny_val",)
        assert "tiny_train" not in DatasetCatalog.list()

    def test_a_data_set_of_detectron2_may_stand_beside_it(self, data):
        cfg = configured(data, "DATASETS.TRAIN", "('coco_2017_train_panoptic_separated',)")
        assert cfg.DATASETS.TRAIN == ("coco_2017_train_panoptic_separated",)

    @pytest.mark.parametrize("key", ["TRAIN", "TEST"])
    def test_an_unknown_name(self, data, key):
        message = f"DATASETS.{key} names 'tiny_vall', but .*tiny.yaml has the splits tiny_train, tiny_val"
        with pytest.raises(InputError, match=message):
            configured(data, f"DATASETS.{key}", "('tiny_vall',)")

    def test_neither_train_nor_val(self, tmp_path):
        data = write_tiny_panoptic(tmp_path, splits=("dev",))
        with pytest.raises(InputError, match="names a split of .*tiny.yaml; its splits are tiny_dev"):
            configured(data)
        assert configured(data, "DATASETS.TEST", "('tiny_dev',)").DATASETS.TRAIN == ()

    def test_a_missing_yaml_file(self, data):
        data.yaml.unlink()
        with pytest.raises(InputError, match="cannot read the data set file .*tiny.yaml"):
            configured(data)


class TestCategories:
    @pytest.mark.parametrize(
        "other",
        [
            [SKY, CAT, GRASS],
            [GRASS, CAT, SKY, DOG],
            [SKY, {**CAT, "name": "lynx"}, GRASS, DOG],
            [SKY, CAT, {**GRASS, "isthing": 1}, DOG],
        ],
        ids=["one less", "another order", "another name", "stuff made a thing"],
    )
    def test_splits_must_have_the_same(self, data, other):
        with data.edit("train") as content:
            content["categories"] = other
            content["annotations"], content["images"] = [], []
        with pytest.raises(InputError, match="panoptic_train.json and .*panoptic_val.json have different categories"):
            configured(data)

    def test_colours_may_differ(self, data):
        with data.edit("train") as content:
            content["categories"] = [{**category, "color": [1, 2, 3]} for category in CATEGORIES]
        configured(data)
        assert MetadataCatalog.get("tiny_train").thing_colors == [[1, 2, 3], [1, 2, 3]]

    def test_without_things_there_is_nothing_for_the_instance_head(self, tmp_path):
        drawing = "ssgg ssgg"
        data = write_tiny_panoptic(tmp_path, drawings=(drawing,), categories=[SKY, GRASS])
        with pytest.raises(InputError, match="tiny.yaml has no thing category, but .* needs at least one"):
            configured(data)

    def test_without_stuff_one_label_remains(self, tmp_path):
        data = write_tiny_panoptic(tmp_path, drawings=("cc.. ..dd",), categories=[DOG, CAT])
        cfg = configured(data)
        assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES) == (2, 1)
        assert MetadataCatalog.get("tiny_val").stuff_classes == ["things"]


def test_a_test_split_has_records_without_ground_truth(tmp_path):
    data = write_tiny_panoptic(tmp_path)
    with data.edit("val") as content:
        del content["annotations"], content["categories"]
    data.yaml.write_text(
        "name: tiny\nsplits:\n"
        "  test: {image_root: val, panoptic_json: panoptic_val.json, categories_json: panoptic_train.json}\n"
    )
    cfg = configured(data, "DATASETS.TEST", "('tiny_test',)")
    assert (cfg.MODEL.ROI_HEADS.NUM_CLASSES, cfg.DATASETS.TRAIN) == (2, ())
    assert not hasattr(MetadataCatalog.get("tiny_test"), "panoptic_root")
    assert DatasetCatalog.get("tiny_test")[2] == {
        "file_name": str(data.image("val", 2)),
        "image_id": 103,
        "height": 8,
        "width": 10,
    }


def test_registering_again_replaces(data):
    configured(data)
    with data.edit("val") as content:
        content["images"], content["annotations"] = content["images"][:1], content["annotations"][:1]
        for entry in content["categories"]:
            entry["color"] = [1, 2, 3]
    configured(data, "DATASETS.TRAIN", "()")
    assert len(DatasetCatalog.get("tiny_val")) == 1
    assert MetadataCatalog.get("tiny_val").thing_colors == [[1, 2, 3], [1, 2, 3]]
    assert len(DatasetCatalog.get("tiny_train")) == len(DRAWINGS)


def test_deep_images_are_refused_before_any_work_unless_a_range_scales_them(data):
    assert "image_range" not in (configured(data) and DatasetCatalog.get("tiny_val")[0])
    Image.new("I;16", (10, 8), 300).save(data.image("train", 0), format="PNG")
    with pytest.raises(InputError, match="has pixels of 16-bit grey, .* as in image_range: "):
        configured(data)
    data.yaml.write_text(f"{data.yaml.read_text()}\nimage_range: [0, 4095]\n")
    configured(data)
    assert {record["image_range"] for record in DatasetCatalog.get("tiny_val")} == {(0.0, 4095.0)}


def test_an_image_outside_its_folder(data):
    with data.edit("val") as content:
        content["images"][1]["file_name"] = "../train/0000.jpg"
    configured(data)
    with pytest.raises(InputError, match="leads out of its folder"):
        DatasetCatalog.get("tiny_val")
    with data.edit("val") as content:
        content["images"][0]["file_name"] = "../train/0000.jpg"
    with pytest.raises(InputError, match="leads out of its folder"):
        configured(data)


def test_ids_and_colours_are_told(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
    caplog.set_level(logging.INFO, "panoptic_heuristic")
    small_config({"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)})
    rows = [line.split() for line in caplog.text.splitlines()]
    # Dog is the second thing, grass the second stuff after the label of all things.
    assert ["90", "dog", "thing", "1", "#00008e"] in rows
    assert ["9", "grass", "stuff", "2", "#00c800"] in rows
