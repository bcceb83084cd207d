"""The cache of ground-truth files for Detectron2's AP and mIoU evaluators."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import SemSegEvaluator
from detectron2.structures import Boxes, Instances
from PIL import Image
from pycocotools import mask as rle_codec

from panoptic_heuristic.detectron import add_panoptic_heuristic_config, ground_truth
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.detectron.evaluation import build_evaluator
from panoptic_heuristic.detectron.ground_truth import image_numbers, prepare_evaluation
from panoptic_heuristic.errors import InputError
from tests.formats.text_ids import with_text_ids
from tests.formats.tiny_panoptic import (
    CATEGORIES,
    DRAWINGS,
    SEGMENTS,
    draw,
    segments_info,
    write_png,
    write_tiny_panoptic,
)

SKY, CAT, GRASS, DOG = CATEGORIES
# Channel of the instance head by category id, and label of the semantic head: "." is void, 255.
CLASS_OF = {7: 0, 90: 1}
LABEL_OF = {"s": 1, "g": 2, "c": 0, "C": 0, "d": 0, "x": 0, ".": 255}


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


@pytest.fixture
def register(data):
    """Registers the data set from its files as they are now, as a new process would."""

    def run():
        cfg = get_cfg()
        add_panoptic_heuristic_config(cfg)
        cfg.DATASETS.PANOPTIC_YAML = str(data.yaml)
        use_dataset_yaml(cfg, set())
        return cfg

    run()
    return run


def prepared():
    """The instances JSON that was named to COCOEvaluator."""
    prepare_evaluation("tiny_val")
    return Path(MetadataCatalog.get("tiny_val").json_file)


def drawn_labels(drawing):
    return np.array([[LABEL_OF[letter] for letter in row] for row in drawing.split()])


class TestFiles:
    def test_instance_masks_are_the_pixels_of_the_png(self, register):
        content = json.loads(prepared().read_text())
        found = {(a["image_id"], a["category_id"], a["iscrowd"], a["area"]): a for a in content["annotations"]}
        expected = {}
        for place, drawing in enumerate(DRAWINGS):
            for entry in segments_info(drawing):
                if entry["category_id"] in CLASS_OF:
                    key = (1 + place, entry["category_id"], entry["iscrowd"], entry["area"])
                    expected[key] = (draw(drawing) == entry["id"], entry["bbox"])
        assert len(found) == len(content["annotations"]) == len(expected) == 7
        for key, (mask, box) in expected.items():
            np.testing.assert_array_equal(rle_codec.decode(found[key]["segmentation"]), mask)
            assert found[key]["bbox"] == box

    def test_annotation_ids_count_from_1(self, register):
        annotations = json.loads(prepared().read_text())["annotations"]
        assert [a["id"] for a in annotations] == list(range(1, 8))

    def test_its_categories_are_the_things_and_its_images_all(self, register, data):
        content = json.loads(prepared().read_text())
        assert [(c["id"], c["name"]) for c in content["categories"]] == [(7, "cat"), (90, "dog")]
        assert [image["id"] for image in content["images"]] == [1, 2, 3]
        assert content["images"][1]["file_name"] == str(data.image("val", 1))

    def test_semantic_labels(self, register):
        prepare_evaluation("tiny_val")
        records = DatasetCatalog.get("tiny_val")
        assert len({record["sem_seg_file_name"] for record in records}) == 3
        for record, drawing in zip(records, DRAWINGS, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(record["sem_seg_file_name"])), drawn_labels(drawing))

    def test_they_lie_in_the_cache(self, register, cache):
        assert prepared().parent.parent == cache
        assert all(Path(r["sem_seg_file_name"]).is_relative_to(cache) for r in DatasetCatalog.get("tiny_val"))


class TestCache:
    def test_a_second_call_writes_nothing(self, register):
        first = prepared()
        times = {path: path.stat().st_mtime_ns for path in first.parent.rglob("*")}
        assert len(times) == 5  # instances.json, the folder of three PNGs
        assert prepared() == first
        register()
        assert prepared() == first
        assert {path: path.stat().st_mtime_ns for path in first.parent.rglob("*")} == times

    def test_a_changed_png_has_new_files(self, register, data):
        first = prepared()
        ids = draw(DRAWINGS[2])
        ids[0, 0] = SEGMENTS["d"][0]
        write_png(data.png("val", 2), ids)
        second = prepared()
        assert second.parent != first.parent
        # Also without registering again, as between two evaluations of one training.
        assert Path(DatasetCatalog.get("tiny_val")[2]["sem_seg_file_name"]).is_relative_to(second.parent)
        assert json.loads(second.read_text())["annotations"][-1]["area"] == 21

    def test_a_changed_json_has_new_files(self, register, data):
        first = prepared()
        with data.edit("val") as content:
            content["annotations"][2]["segments_info"][1]["category_id"] = 7
        register()
        second = prepared()
        assert second != first
        categories = [json.loads(path.read_text())["annotations"][-1]["category_id"] for path in (first, second)]
        assert categories == [90, 7]

    def test_other_categories_have_new_files(self, register, data):
        first = prepared()
        (data.root / "categories.json").write_text(json.dumps([SKY, DOG, GRASS, CAT]))
        data.yaml.write_text(data.yaml.read_text().replace("{", "{categories_json: categories.json, "))
        register()
        assert prepared() != first

    def test_when_writing_is_interrupted_nothing_is_left(self, register, cache, monkeypatch):
        calls = []

        def interrupted(*args, **kwargs):
            calls.append(args)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return whole(*args, **kwargs)

        whole = ground_truth.read_annotation
        monkeypatch.setattr(ground_truth, "read_annotation", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_evaluation("tiny_val")
        assert list(cache.iterdir()) == []
        # And the next call does it all.
        assert json.loads(prepared().read_text())["annotations"]

    def test_two_that_write_at_once_do_not_disturb_each_other(self, register, monkeypatch):
        whole = ground_truth.write_json

        def overtaken(path, value):
            monkeypatch.setattr(ground_truth, "write_json", whole)
            monkeypatch.setattr(ground_truth.os, "getpid", lambda: 1)
            prepare_evaluation("tiny_val")
            whole(path, value)

        monkeypatch.setattr(ground_truth, "write_json", overtaken)
        file = prepared()
        assert len(json.loads(file.read_text())["annotations"]) == 7
        assert [path.name for path in file.parent.parent.iterdir()] == [file.parent.name]

    def test_a_missing_png(self, register, data, cache):
        data.png("val", 1).unlink()
        with pytest.raises(InputError, match="cannot read .*0001.png"):
            prepare_evaluation("tiny_val")

    def test_a_wrong_png(self, register, data, cache):
        write_png(data.png("val", 1), draw(DRAWINGS[0]))
        with pytest.raises(InputError, match="0001.png"):
            prepare_evaluation("tiny_val")
        assert list(cache.iterdir()) == []


def perfect(drawing, class_of, num_labels=3):
    """What a model that makes no mistake returns for a drawing; crowds are left to their rule."""
    entries = [e for e in segments_info(drawing) if e["category_id"] in class_of and not e["iscrowd"]]
    corners = [[x, y, x + w, y + h] for x, y, w, h in (e["bbox"] for e in entries)]
    instances = Instances(draw(drawing).shape)
    instances.pred_masks = torch.from_numpy(np.array([draw(drawing) == e["id"] for e in entries]))
    instances.pred_boxes = Boxes(torch.tensor(corners).float())
    instances.pred_classes = torch.tensor([class_of[e["category_id"]] for e in entries])
    instances.scores = torch.linspace(0.9, 0.5, len(entries))
    labels = torch.from_numpy(drawn_labels(drawing) % 255)
    sem_seg = torch.nn.functional.one_hot(labels, num_labels).permute(2, 0, 1).float()
    return {"instances": instances, "sem_seg": sem_seg}


def evaluators(cfg, tmp_path):
    """The COCOEvaluator and the SemSegEvaluator of the data set."""
    chosen = build_evaluator(cfg, "tiny_val", str(tmp_path / "out"))._evaluators
    ap, miou, _ = chosen
    assert isinstance(miou, SemSegEvaluator)
    return ap, miou


class TestDetectron2sEvaluators:
    def test_what_equals_the_ground_truth_has_all_points(self, register, tmp_path):
        ap, miou = evaluators(register(), tmp_path)
        for evaluator in (ap, miou):
            evaluator.reset()
            for record, drawing in zip(DatasetCatalog.get("tiny_val"), DRAWINGS, strict=True):
                evaluator.process([record], [perfect(drawing, CLASS_OF)])
        results = ap.evaluate()
        for task in ("bbox", "segm"):
            assert results[task]["AP"] == pytest.approx(100)
            assert results[task]["AP-cat"] == results[task]["AP-dog"] == pytest.approx(100)
        assert miou.evaluate()["sem_seg"]["mIoU"] == pytest.approx(100)

    def test_and_what_does_not_has_less(self, register, tmp_path):
        ap, miou = evaluators(register(), tmp_path)
        for evaluator in (ap, miou):
            evaluator.reset()
            for record, drawing in zip(DatasetCatalog.get("tiny_val"), DRAWINGS[1:] + DRAWINGS[:1], strict=True):
                evaluator.process([record], [perfect(drawing, CLASS_OF)])
        assert ap.evaluate()["segm"]["AP"] < 60
        assert miou.evaluate()["sem_seg"]["mIoU"] < 90

    def test_each_class_has_its_own_ap_whatever_the_order_of_the_ids(self, tmp_path):
        # pycocotools sorts the ids, Detectron2 takes the names in the order of the classes.
        data = write_tiny_panoptic(tmp_path, splits=("val",), categories=[DOG, SKY, CAT, GRASS])
        cfg = get_cfg()
        add_panoptic_heuristic_config(cfg)
        cfg.DATASETS.PANOPTIC_YAML = str(data.yaml)
        use_dataset_yaml(cfg, set())
        ap, _ = evaluators(cfg, tmp_path)
        ap.reset()
        for record, drawing in zip(DatasetCatalog.get("tiny_val"), DRAWINGS, strict=True):
            output = perfect(drawing, {7: 0, 90: 1})
            # Only dogs are found.
            output["instances"] = output["instances"][output["instances"].pred_classes == 1]
            ap.process([record], [output])
        results = ap.evaluate()["segm"]
        assert (results["AP-dog"], results["AP-cat"]) == (pytest.approx(100), 0)


# Texts alone, one of them long and of another folder, and a number among texts.
TEXTS = {1: "b/../é", 2: "a" * 5000, 3: "A"}
MIXED = {1: "b", 2: 7, 3: "a"}


class TestTextIds:
    @pytest.fixture(params=[TEXTS, MIXED], ids=["texts", "mixed"])
    def ids(self, request, data):
        with_text_ids(data.json("val"), request.param.get)
        return request.param

    def test_images_are_numbered_in_file_order_and_the_json_keeps_their_ids(self, ids, register):
        content = json.loads(prepared().read_text())
        assert [(image["id"], image["dataset_image_id"]) for image in content["images"]] == list(ids.items())
        assert {one["image_id"] for one in content["annotations"]} == {1, 2, 3}
        assert image_numbers(content["images"]) == {image_id: number for number, image_id in ids.items()}

    def test_semantic_labels(self, ids, register):
        prepare_evaluation("tiny_val")
        for record, drawing in zip(DatasetCatalog.get("tiny_val"), DRAWINGS, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(record["sem_seg_file_name"])), drawn_labels(drawing))

    def test_ap_and_miou_are_those_of_numbers(self, data, register, tmp_path):
        found, files = [], []
        shifted = DRAWINGS[:1] + DRAWINGS[2:] + DRAWINGS[1:2]
        for ids in ({1: 1, 2: 2, 3: 3}, TEXTS, MIXED):
            content = data.read("val")
            with_text_ids(data.json("val"), ids.get)
            ap, miou = evaluators(register(), tmp_path)
            data.json("val").write_text(json.dumps(content))
            for evaluator in (ap, miou):
                evaluator.reset()
                for record, drawing in zip(DatasetCatalog.get("tiny_val"), shifted, strict=True):
                    evaluator.process([record], [perfect(drawing, CLASS_OF)])
            found.append((ap.evaluate(), miou.evaluate()))
            files.append(json.loads((tmp_path / "out" / "coco_instances_results.json").read_text()))
            # The files have the data set's ids, so that they go with its JSON.
            assert {one["image_id"] for one in files[-1]} == set(ids.values())
        # As text, since no area is medium: NaN is not NaN.
        assert repr(found[0]) == repr(found[1]) == repr(found[2]) and 0 < found[0][0]["segm"]["AP"] < 100
        without = [[{key: one[key] for key in one if key != "image_id"} for one in results] for results in files]
        assert without[0] == without[1] == without[2]

    def test_a_json_of_numbers_keeps_them(self, register):
        content = json.loads(prepared().read_text())
        assert image_numbers(content["images"]) == {}
        assert [sorted(image) for image in content["images"]] == [["file_name", "height", "id", "width"]] * 3
