"""Which evaluators a data set gets, the files they write, and panopticapi's word on these."""

import json

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import COCOEvaluator, COCOPanopticEvaluator, SemSegEvaluator
from panopticapi.evaluation import PQStat, pq_compute_single_core
from PIL import Image

from panoptic_heuristic.detectron import evaluation
from panoptic_heuristic.detectron.evaluation import PanopticPredictionWriter, build_evaluator
from panoptic_heuristic.detectron.quality_evaluator import PanopticQualityEvaluator
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import encode_label_divisor
from panoptic_heuristic.fusion import Greedy, Pipeline
from panoptic_heuristic.quality import Result
from tests.detectron.small_models import small_config
from tests.formats.text_ids import ODD, with_text_ids
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info, write_tiny_panoptic

# Contiguous ids of the tiny data set: things cat 0, dog 1; stuff sky 1, grass 2.
THINGS, LABELS = {7: 0, 90: 1}, {0: 1, 9: 2}
# A category's first segment is written under the id that has the category's colour.
COLOR_ID = {entry["id"]: int(np.dot(entry["color"], [1, 256, 65536])) for entry in CATEGORIES}


def prediction(drawing):
    """What a model returns that sees a drawing, its crowds as things; "panoptic_seg" only."""
    ids = np.unique(draw(drawing))
    renumbered = np.searchsorted(ids[ids > 0], draw(drawing)) + 1
    renumbered[draw(drawing) == 0] = 0
    category_of = {entry["id"]: entry["category_id"] for entry in segments_info(drawing)}
    segments = []
    for place, segment_id in enumerate(ids[ids > 0].tolist(), start=1):
        isthing = category_of[segment_id] in THINGS
        contiguous = (THINGS if isthing else LABELS)[category_of[segment_id]]
        segment = {"id": place, "isthing": isthing, "category_id": contiguous}
        segments.append({**segment, "score": 0.9, "instance_id": place} if isthing else {**segment, "area": 5})
    return {"panoptic_seg": (torch.from_numpy(renumbered.astype(np.int32)), segments)}


# What is predicted for each of the three images: shifted stuff, a missing cat, a wrong class.
PREDICTED = (
    "ssssssssss ssccssssss ssccssssss ssccssssss ggggddgggg ggggddgggg gggggggggg ..gggggggg",
    DRAWINGS[1],
    "gggggggggg gggggggggg ggcccccggg ggcccccggg ggcccccggg ggcccccggg gggggggg.. ssgggggg..",
)


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path)


@pytest.fixture
def cfg(data):
    return small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})


def png_ids(path):
    return np.asarray(Image.open(path)).astype(int) @ [1, 256, 65536]


def same_segments(one, other):
    """Whether two maps hold the same segments, perhaps under other numbers."""
    pairs = set(zip(one.ravel().tolist(), other.ravel().tolist(), strict=True))
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def fed(evaluator, predicted=PREDICTED, name="tiny_val"):
    evaluator.reset()
    for record, drawing in zip(DatasetCatalog.get(name), predicted, strict=True):
        evaluator.process([record], [prediction(drawing)])
    return evaluator.evaluate()


def panopticapi_quality(data, out):
    """PQ of the predictions in a folder as panopticapi computes it, in this process."""
    gt, predicted = data.read("val"), json.loads((out / "panoptic_predictions.json").read_text())
    of_image = {annotation["image_id"]: annotation for annotation in predicted["annotations"]}
    pairs = [(annotation, of_image[annotation["image_id"]]) for annotation in gt["annotations"]]
    categories = {category["id"]: category for category in gt["categories"]}
    stat = PQStat()
    folders = str(data.root / "panoptic_val"), str(out / "panoptic_predictions")
    stat += pq_compute_single_core(0, pairs, *folders, categories)
    return 100 * stat.pq_average(categories, isthing=None)[0]["pq"]


class TestWriter:
    def test_panopticapi_accepts_the_files_and_agrees_with_the_evaluator(self, cfg, data, tmp_path):
        out = tmp_path / "out"
        assert fed(PanopticPredictionWriter("tiny_val", str(out))) == {}
        quality = panopticapi_quality(data, out)
        evaluated = fed(PanopticQualityEvaluator("tiny_val"))["panoptic_seg"]["PQ"]
        assert quality == pytest.approx(evaluated, abs=1e-9)
        # Else agreeing would mean little.
        assert 10 < quality < 90

    def test_what_equals_the_ground_truth_has_all_points(self, cfg, data, tmp_path):
        drawings = [drawing.replace("x", ".") for drawing in DRAWINGS]
        results = fed(PanopticQualityEvaluator("tiny_val"), drawings)
        assert results["panoptic_seg"]["PQ"] == 100

    def test_the_json_has_dataset_ids_and_the_test_servers_keys(self, cfg, tmp_path):
        fed(PanopticPredictionWriter("tiny_val", str(tmp_path / "out")))
        content = json.loads((tmp_path / "out" / "panoptic_predictions.json").read_text())
        assert content["images"][2] == {"id": 103, "file_name": "0002.jpg", "height": 8, "width": 10}
        # Ids in the order of the letters s, g, c, d.
        assert content["annotations"][0] == {
            "image_id": 101,
            "file_name": "0000.png",
            "segments_info": [
                {"id": COLOR_ID[category_id], "category_id": category_id} for category_id in (0, 9, 7, 90)
            ],
        }
        kinds = {category["id"]: (category["name"], category["isthing"]) for category in content["categories"]}
        assert kinds == {0: ("sky", 0), 7: ("cat", 1), 9: ("grass", 0), 90: ("dog", 1)}

    def test_the_png_has_the_colours_of_the_categories(self, cfg, tmp_path):
        fed(PanopticPredictionWriter("tiny_val", str(tmp_path / "out")))
        rgb = np.asarray(Image.open(tmp_path / "out" / "panoptic_predictions" / "0000.png"))
        color_of = {entry["id"]: entry["color"] for entry in CATEGORIES}
        assert rgb[0, 0].tolist() == color_of[0] and rgb[1, 2].tolist() == color_of[7]
        assert rgb[4, 4].tolist() == color_of[90] and rgb[7, 9].tolist() == color_of[9]
        assert rgb[7, 0].tolist() == [0, 0, 0]

    def test_images_of_two_folders_may_share_a_name(self, data, tmp_path):
        folder = data.root / "val"
        with data.edit("val") as content:
            for image, place in zip(content["images"], ("a", "b", "b/c"), strict=True):
                (folder / place).mkdir()
                (folder / image["file_name"]).rename(folder / place / "0.jpg")
                image["file_name"] = f"{place}/0.jpg"
        small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        out = tmp_path / "out"
        fed(PanopticPredictionWriter("tiny_val", str(out)))
        content = json.loads((out / "panoptic_predictions.json").read_text())
        assert [image["file_name"] for image in content["images"]] == ["a/0.jpg", "b/0.jpg", "b/c/0.jpg"]
        names = [annotation["file_name"] for annotation in content["annotations"]]
        assert names == ["a/0.png", "b/0.png", "b/c/0.png"]
        for name, drawing in zip(names, PREDICTED, strict=True):
            written = png_ids(out / "panoptic_predictions" / name)
            assert same_segments(written, prediction(drawing)["panoptic_seg"][0].numpy())
        # The PQ evaluator must not mix them up either.
        quality = panopticapi_quality(data, out)
        assert fed(PanopticQualityEvaluator("tiny_val"))["panoptic_seg"]["PQ"] == pytest.approx(quality)

    def test_an_image_of_void_alone(self, cfg, tmp_path):
        fed(PanopticPredictionWriter("tiny_val", str(tmp_path / "out")), [". " * 8, *PREDICTED[1:]])
        content = json.loads((tmp_path / "out" / "panoptic_predictions.json").read_text())
        assert content["annotations"][0]["segments_info"] == []

    def test_reset_forgets_and_a_second_run_writes_the_same_bytes(self, cfg, tmp_path):
        writer = PanopticPredictionWriter("tiny_val", str(tmp_path / "out"))
        fed(writer)
        files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        first = {path: path.read_bytes() for path in files}
        fed(writer)
        assert {path: path.read_bytes() for path in files} == first
        assert len(files) == 4

    def test_without_evaluate_there_is_no_json(self, cfg, tmp_path):
        writer = PanopticPredictionWriter("tiny_val", str(tmp_path / "out"))
        writer.process(DatasetCatalog.get("tiny_val")[:1], [prediction(PREDICTED[0])])
        assert not (tmp_path / "out" / "panoptic_predictions.json").exists()

    def test_an_image_outside_the_image_folder(self, cfg, tmp_path):
        writer = PanopticPredictionWriter("tiny_val", str(tmp_path / "out"))
        record = {"file_name": str(tmp_path / "train" / "0.jpg"), "image_id": 1}
        with pytest.raises(InputError, match="leads out of its folder"):
            writer.process([record], [prediction(PREDICTED[0])])


class TestQuality:
    def test_every_number_is_that_of_detectron2s_evaluator(self, cfg, tmp_path):
        ours = fed(PanopticQualityEvaluator("tiny_val"))["panoptic_seg"]
        theirs = fed(COCOPanopticEvaluator("tiny_val", str(tmp_path / "out")))["panoptic_seg"]
        assert ours == pytest.approx(theirs, abs=1e-9)
        assert list(ours) == list(theirs)

    def test_a_group_that_does_not_occur_is_not_a_number(self, data):
        with data.edit("val") as content:
            for annotation in content["annotations"]:
                annotation["segments_info"] = [s for s in annotation["segments_info"] if s["category_id"] in THINGS]
        small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        nothing = [("." * 10 + " ") * 8] * 3
        results = fed(PanopticQualityEvaluator("tiny_val"), nothing)["panoptic_seg"]
        assert results["PQ_th"] == results["PQ"] == 0
        assert np.isnan([results["PQ_st"], results["SQ_st"], results["RQ_st"]]).all()

    @pytest.mark.parametrize("key", ["area", "iscrowd", "bbox"])
    def test_segments_need_neither_area_nor_crowd_nor_box(self, data, key):
        drawings = [drawing.replace("x", ".") for drawing in DRAWINGS]
        with data.edit("val") as content:
            for annotation in content["annotations"]:
                for segment in annotation["segments_info"]:
                    del segment[key]
        small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        results = fed(PanopticQualityEvaluator("tiny_val"), drawings)["panoptic_seg"]
        assert results["PQ_st"] == 100

    def test_a_wrong_area_in_the_json_changes_nothing(self, data):
        small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        right = fed(PanopticQualityEvaluator("tiny_val"))
        with data.edit("val") as content:
            for annotation in content["annotations"]:
                for segment in annotation["segments_info"]:
                    segment["area"] = 1
        small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
        assert fed(PanopticQualityEvaluator("tiny_val")) == right

    def test_an_image_without_ground_truth(self, cfg):
        evaluator = PanopticQualityEvaluator("tiny_val")
        with pytest.raises(InputError, match="has no annotation of image 999"):
            evaluator.process([{"image_id": 999}], [prediction(PREDICTED[0])])

    def test_the_log_has_a_table_of_the_classes(self, cfg, caplog):
        with caplog.at_level("INFO"):
            fed(PanopticQualityEvaluator("tiny_val"))
        rows = [line.split()[:3] for line in caplog.text.splitlines()]
        assert ["9", "grass", "stuff"] in rows and ["90", "dog", "thing"] in rows


@pytest.mark.parametrize(
    "make",
    [lambda folder: PanopticQualityEvaluator("tiny_val"), lambda folder: PanopticPredictionWriter("tiny_val", folder)],
    ids=["quality", "writer"],
)
def test_what_the_model_returned_is_not_changed(cfg, tmp_path, make):
    record = DatasetCatalog.get("tiny_val")[0]
    before_record, output, expected = dict(record), prediction(PREDICTED[0]), prediction(PREDICTED[0])
    panoptic_seg, segments = output["panoptic_seg"]
    each = make(str(tmp_path / "out"))
    each.reset()
    each.process([record], [output])
    assert output["panoptic_seg"][0] is panoptic_seg and output["panoptic_seg"][1] is segments
    assert torch.equal(panoptic_seg, expected["panoptic_seg"][0])
    assert segments == expected["panoptic_seg"][1]
    assert record == before_record


class TestChoice:
    def kinds(self, cfg, name, folder):
        return [type(evaluator) for evaluator in build_evaluator(cfg, name, str(folder))._evaluators]

    def test_ap_miou_and_pq(self, cfg, tmp_path):
        ap, miou, pq = self.kinds(cfg, "tiny_val", tmp_path / "out")
        assert issubclass(ap, COCOEvaluator)
        assert (miou, pq) == (SemSegEvaluator, PanopticQualityEvaluator)

    def test_predictions_are_kept_when_asked(self, cfg, tmp_path):
        cfg.TEST.KEEP_PANOPTIC_PREDICTIONS = True
        assert self.kinds(cfg, "tiny_val", tmp_path / "out")[0] is PanopticPredictionWriter
        assert len(self.kinds(cfg, "tiny_val", tmp_path / "out")) == 4

    @pytest.mark.parametrize("name", ["instances", "sem_seg", "panoptic_seg"])
    def test_what_the_model_does_not_return_is_not_evaluated(self, cfg, tmp_path, name):
        everything = self.kinds(cfg, "tiny_val", tmp_path / "out")
        cfg.MODEL.PANOPTIC_FUSION.OUTPUTS = [name]
        place = ["instances", "sem_seg", "panoptic_seg"].index(name)
        assert self.kinds(cfg, "tiny_val", tmp_path / "out") == [everything[place]]
        # Detectron2's own model always returns all.
        cfg.MODEL.META_ARCHITECTURE = "PanopticFPN"
        assert self.kinds(cfg, "tiny_val", tmp_path / "out") == everything

    def test_predictions_say_what_fused_them(self, cfg, tmp_path):
        cfg.TEST.KEEP_PANOPTIC_PREDICTIONS = True
        cfg.MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH = 0.25
        writer = build_evaluator(cfg, "tiny_val", str(tmp_path / "out"))._evaluators[0]
        fed(writer)
        info = json.loads((tmp_path / "out" / "panoptic_predictions.json").read_text())["info"]
        assert Pipeline.from_mapping(info["fusion"]).claim == Greedy(0.25)

    def test_a_test_split_is_only_written(self, data, tmp_path):
        with data.edit("val") as content:
            del content["annotations"]
        data.yaml.write_text(
            "name: tiny\nsplits:\n  test: {image_root: val, panoptic_json: panoptic_val.json}\n"
        )
        cfg = small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml), "DATASETS.TEST": "('tiny_test',)"})
        assert self.kinds(cfg, "tiny_test", tmp_path / "out") == [PanopticPredictionWriter]
        evaluator = build_evaluator(cfg, "tiny_test", str(tmp_path / "out"))
        assert fed(evaluator, name="tiny_test") == {}
        content = json.loads((tmp_path / "out" / "panoptic_predictions.json").read_text())
        assert len(content["annotations"]) == 3

    @pytest.mark.parametrize("kind", [None, "lvis"])
    def test_a_data_set_that_no_evaluator_is_known_for(self, cfg, tmp_path, kind):
        if kind:
            MetadataCatalog.get("of_somebody").evaluator_type = kind
        with pytest.raises(InputError, match=rf"no evaluator is known for 'of_somebody' \(evaluator_type {kind!r}\)"):
            build_evaluator(cfg, "of_somebody", str(tmp_path / "out"))

    def test_detectron2s_own_when_asked(self, cfg, tmp_path):
        ours = build_evaluator(cfg, "tiny_val", str(tmp_path / "ours"))
        cfg.TEST.PANOPTIC_EVALUATOR = "detectron2"
        theirs = build_evaluator(cfg, "tiny_val", str(tmp_path / "theirs"))
        assert isinstance(theirs._evaluators[-1], COCOPanopticEvaluator)
        pairs = [(fed(each._evaluators[-1])["panoptic_seg"]) for each in (ours, theirs)]
        assert pairs[0] == pytest.approx(pairs[1], abs=1e-9)

    def test_an_unknown_evaluator(self, cfg, tmp_path):
        cfg.TEST.PANOPTIC_EVALUATOR = "panopticapi"
        with pytest.raises(InputError, match="PANOPTIC_EVALUATOR must be quality or detectron2, got 'panopticapi'"):
            build_evaluator(cfg, "tiny_val", str(tmp_path / "out"))

    def test_detectron2s_own_does_not_read_label_divisor_maps(self, cfg, tmp_path):
        cfg.TEST.PANOPTIC_EVALUATOR = "detectron2"
        cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT = "label_divisor"
        with pytest.raises(InputError, match="misreads MODEL.PANOPTIC_FUSION.MAP_FORMAT label_divisor"):
            build_evaluator(cfg, "tiny_val", str(tmp_path / "out"))


def in_label_divisor_form(output):
    """The same prediction as one map of dataset category id * 1000 + instance, void -1."""
    panoptic_seg, segments = output["panoptic_seg"]
    to_dataset = {True: {v: k for k, v in THINGS.items()}, False: {v: k for k, v in LABELS.items()}}
    named = [{**s, "category_id": to_dataset[s["isthing"]][s["category_id"]]} for s in segments]
    return {"panoptic_seg": (torch.from_numpy(encode_label_divisor(panoptic_seg.numpy(), named, 1000)), None)}


def test_label_divisor_maps_score_and_are_written_as_their_segments_would_be(cfg, tmp_path):
    evaluators = {
        name: [PanopticQualityEvaluator("tiny_val"), PanopticPredictionWriter("tiny_val", str(tmp_path / name))]
        for name in ("segments", "label_divisor")
    }
    results = {}
    for name, each in evaluators.items():
        for record, drawing in zip(DatasetCatalog.get("tiny_val"), PREDICTED, strict=True):
            output = prediction(drawing)
            output = in_label_divisor_form(output) if name == "label_divisor" else output
            for evaluator in each:
                evaluator.process([record], [output])
        results[name] = [evaluator.evaluate() for evaluator in each]
    assert results["segments"] == results["label_divisor"]
    assert 10 < results["segments"][0]["panoptic_seg"]["PQ"] < 90
    for path in (tmp_path / "segments" / "panoptic_predictions").iterdir():
        there = tmp_path / "label_divisor" / "panoptic_predictions" / path.name
        assert same_segments(png_ids(path), png_ids(there))


def test_quality_files_are_those_of_the_command(cfg, tmp_path):
    fed(PanopticQualityEvaluator("tiny_val", str(tmp_path)))
    folder = tmp_path / "panoptic_quality"
    assert sorted(path.name for path in folder.iterdir()) == ["images.csv", "per_class.csv", "quality.json"]
    result = Result.from_json(json.loads((folder / "quality.json").read_text()), "quality.json")
    assert sorted(result.images) == [101, 102, 103]
    rows = (folder / "per_class.csv").read_text().splitlines()
    assert rows[0].startswith("id,class,isthing,PQ,SQ,RQ,TP,FP,FN") and len(rows) == 5


def test_what_goes_wrong_in_the_background_is_raised(cfg, tmp_path, monkeypatch):
    def full(path, ids):
        raise InputError("the disk is full")

    monkeypatch.setattr(evaluation, "write_panoptic_png", full)
    cfg.TEST.KEEP_PANOPTIC_PREDICTIONS = True
    with pytest.raises(InputError, match="the disk is full"):
        fed(build_evaluator(cfg, "tiny_val", str(tmp_path / "out")))
    assert not (tmp_path / "out" / "panoptic_predictions.json").exists()


@pytest.mark.parametrize("texts", [ODD[2:], ["b/../é", 7, "a" * 5000]], ids=["odd", "mixed"])
def test_ids_that_are_text(data, tmp_path, texts):
    small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})
    numbers = fed(PanopticQualityEvaluator("tiny_val"))
    ids = {101 + place: text for place, text in enumerate(texts[:3])}
    with_text_ids(data.json("val"), ids.get)
    cfg = small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml), "TEST.KEEP_PANOPTIC_PREDICTIONS": True})
    out = tmp_path / "out"
    writer, *_, ours = build_evaluator(cfg, "tiny_val", str(out))._evaluators
    cfg.TEST.PANOPTIC_EVALUATOR = "detectron2"
    theirs = build_evaluator(cfg, "tiny_val", str(tmp_path / "theirs"))._evaluators[-1]
    assert fed(ours) == numbers
    assert fed(theirs)["panoptic_seg"] == pytest.approx(numbers["panoptic_seg"], abs=1e-9)
    fed(writer)
    assert panopticapi_quality(data, out) == pytest.approx(numbers["panoptic_seg"]["PQ"], abs=1e-9)
    content = json.loads((out / "panoptic_predictions.json").read_text())
    assert {image["id"] for image in content["images"]} == {one["image_id"] for one in content["annotations"]}
    assert {image["id"] for image in content["images"]} == set(ids.values())
    result = Result.from_json(json.loads((out / "panoptic_quality" / "quality.json").read_text()), "quality.json")
    assert set(result.images) == set(ids.values())
