"""Weights whose classes have another order: named in the YAML, recorded, and compared."""

import logging
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from panoptic_heuristic.detectron.class_names import CHECKPOINT_KEY, ClassNames, record_class_names
from panoptic_heuristic.detectron.datasets import use_dataset_yaml
from panoptic_heuristic.detectron.quality_evaluator import MANY, never_found
from panoptic_heuristic.detectron.trainer import Trainer, evaluate, load_model
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.quality import CategoryCounts
from tests.detectron.small_models import small_config, small_model
from tests.formats.tiny_panoptic import CATEGORIES, write_tiny_panoptic

ORDER = "class_order: {things: [dog, cat], stuff: [grass, sky]}\n"


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path)


def config(data, tmp_path, order=False, **overrides):
    """The config of a small model for the data set, in its own order of classes or in another."""
    text = data.yaml.read_text().replace(ORDER, "")
    data.yaml.write_text(text + (ORDER if order else ""))
    keys = {"DATASETS.PANOPTIC_YAML": str(data.yaml), "OUTPUT_DIR": str(tmp_path / "out"), "INPUT.MIN_SIZE_TEST": 64,
            "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT": 4}  # fmt: skip
    cfg = small_config({**keys, **overrides})
    record_class_names(cfg)
    return cfg


def in_other_order(state):
    """The weights of a model with two things and two stuff classes, both in the opposite order."""
    state = {key: value.clone() for key, value in state.items()}
    for end in ("weight", "bias"):
        for layer, order in {
            "roi_heads.box_predictor.cls_score": [1, 0, 2],  # the last is the background
            "roi_heads.box_predictor.bbox_pred": [4, 5, 6, 7, 0, 1, 2, 3],
            "roi_heads.mask_head.predictor": [1, 0],
            "sem_seg_head.predictor": [0, 2, 1],  # the first is all things
        }.items():
            state[f"{layer}.{end}"] = state[f"{layer}.{end}"][order]
    return state


def results_of(cfg, model):
    """Of all evaluators, and the panoptic counts by dataset id."""
    results = Trainer.test(cfg, model)
    path = Path(cfg.OUTPUT_DIR) / "inference" / "tiny_val" / "panoptic_quality" / "quality.json"
    return results, read_json(path)["counts"]


@pytest.fixture
def logged(caplog, monkeypatch):
    """The log of this project so far."""
    monkeypatch.setattr(logging.getLogger("panoptic_heuristic"), "propagate", True)
    caplog.set_level(logging.INFO, "panoptic_heuristic")
    return lambda: caplog.text


class TestNamedInTheYaml:
    # Random weights with which a dog, or the sky, is found.
    @pytest.mark.parametrize("seed", [15, 22])
    def test_weights_in_another_order_give_the_results_of_those_in_ours(self, data, tmp_path, seed):
        cfg = config(data, tmp_path)
        model = small_model(cfg, seed)
        expected, expected_counts = results_of(cfg, model)
        other = config(data, tmp_path, order=True)
        renumbered = small_model(other)
        renumbered.load_state_dict(in_other_order(model.state_dict()))
        found, counts = results_of(other, renumbered)
        # AP and IoU of each class by its name, too.
        assert {key: set(values) for key, values in found.items()} == {key: set(expected[key]) for key in found}
        for key, values in expected.items():
            assert found[key] == pytest.approx(values, abs=1e-9, nan_ok=True), key
        assert counts == expected_counts
        # And without the order they do not.
        wrong_cfg = config(data, tmp_path)
        wrong = small_model(wrong_cfg)
        wrong.load_state_dict(in_other_order(model.state_dict()))
        assert results_of(wrong_cfg, wrong)[1] != expected_counts

    def test_metadata_records_and_the_table_follow_it(self, data, tmp_path, logged):
        config(data, tmp_path, order=True)
        metadata = MetadataCatalog.get("tiny_val")
        assert metadata.thing_classes == ["dog", "cat"] and metadata.stuff_classes == ["things", "grass", "sky"]
        assert metadata.thing_dataset_id_to_contiguous_id == {90: 0, 7: 1}
        assert metadata.stuff_dataset_id_to_contiguous_id == {-1: 0, 9: 1, 0: 2}
        # One dog, class 0, is in the last image.
        assert [one["category_id"] for one in DatasetCatalog.get("tiny_val")[2]["annotations"]] == [0]
        rows = [line.split()[:4] for line in logged().splitlines()]
        table = [row for row in rows if row[2:3] in (["thing"], ["stuff"])]
        assert table == [["90", "dog", "thing", "0"], ["7", "cat", "thing", "1"],
                         ["9", "grass", "stuff", "1"], ["0", "sky", "stuff", "2"]]  # fmt: skip

    def test_training_samples_follow_it(self, data, tmp_path):
        cfg = config(data, tmp_path, order=True, **{"DATALOADER.NUM_WORKERS": 0, "SOLVER.IMS_PER_BATCH": 1})
        samples = {}
        for batch in Trainer.build_train_loader(cfg):
            samples[batch[0]["image_id"]] = batch[0]
            if len(samples) == 3:
                break
        # The third image is grass, a dog and void.
        assert samples[3]["instances"].gt_classes.tolist() == [0]
        assert set(samples[3]["sem_seg"].unique().tolist()) == {0, 1, 255}

    def test_a_wrong_one_is_told(self, data):
        data.yaml.write_text(data.yaml.read_text() + "class_order: {things: [dog]}\n")
        with pytest.raises(InputError, match="tiny.yaml: class_order.things lacks 'cat'"):
            small_config({"DATASETS.PANOPTIC_YAML": str(data.yaml)})


class TestRecorded:
    def test_in_the_config(self, data, tmp_path):
        cfg = config(data, tmp_path)
        assert cfg.DATASETS.THING_CLASSES == ["cat", "dog"]
        assert cfg.DATASETS.STUFF_CLASSES == ["things", "sky", "grass"]

    def test_without_a_known_data_set_nothing_is(self):
        cfg = small_config()
        record_class_names(cfg)
        assert cfg.DATASETS.THING_CLASSES == []

    def test_a_saved_config_is_compared(self, data, tmp_path):
        cfg = config(data, tmp_path)
        record_class_names(cfg)
        data.yaml.write_text(data.yaml.read_text() + ORDER)
        use_dataset_yaml(cfg, set())
        message = (
            "^the config, in DATASETS.THING_CLASSES .* has 'cat' as class 0 of thing_classes, where the data set has "
            r"'dog'; name the order of the weights as class_order: \{things: \[...\]\} in the YAML file of a"
        )
        with pytest.raises(InputError, match=message):
            record_class_names(cfg)

    def test_data_sets_of_one_run_are_compared(self, data, tmp_path):
        cfg = config(data, tmp_path)
        metadata = MetadataCatalog.get("tiny_val").as_dict()
        metadata.update(thing_classes=["dog", "cat"], thing_dataset_id_to_contiguous_id={90: 0, 7: 1}, name="own")
        DatasetCatalog.register("own", list)
        MetadataCatalog.get("own").set(**metadata)
        cfg.DATASETS.TRAIN = ("own",)
        message = "^the data set own has 'dog' as class 0 of thing_classes, where the first of .* TRAIN has 'cat'"
        with pytest.raises(InputError, match=message):
            record_class_names(cfg)

    def test_in_checkpoints_and_compared_when_a_training_goes_on(self, data, tmp_path):
        keys = {"SOLVER.MAX_ITER": 1, "SOLVER.IMS_PER_BATCH": 1, "DATALOADER.NUM_WORKERS": 0}
        (tmp_path / "out").mkdir()
        Trainer(config(data, tmp_path, **keys)).checkpointer.save("last")
        stored = torch.load(tmp_path / "out" / "last.pth")
        expected = {"thing_classes": ["cat", "dog"], "stuff_classes": ["things", "sky", "grass"]}
        assert stored[CHECKPOINT_KEY] == expected
        Trainer(config(data, tmp_path, **keys)).resume_or_load(resume=True)
        with pytest.raises(InputError, match="the checkpoint has 'cat' as class 0 of thing_classes, where .* 'dog'"):
            Trainer(config(data, tmp_path, order=True, **keys)).resume_or_load(resume=True)


class TestComparedWhenWeightsAreLoaded:
    def weights(self, data, tmp_path, **names):
        """A checkpoint that says which classes its heads have."""
        cfg = config(data, tmp_path)
        state = {"model": small_model(cfg).state_dict()}
        if names:
            state[CHECKPOINT_KEY] = {**ClassNames.of_config(cfg).state_dict(), **names}
        torch.save(state, tmp_path / "weights.pth")
        cfg.MODEL.WEIGHTS = str(tmp_path / "weights.pth")
        return cfg

    def test_the_same_order_and_none_that_is_known(self, data, tmp_path):
        load_model(self.weights(data, tmp_path, thing_classes=["cat", "dog"]))
        load_model(self.weights(data, tmp_path))

    @pytest.mark.parametrize(
        "names, message",
        [
            ({"thing_classes": ["dog", "cat"]}, r"'dog' as class 0 of thing_classes, .* has 'cat'; .* \{things: "),
            ({"stuff_classes": ["things", "grass", "sky"]}, r"'grass' as class 1 of stuff_classes, .* \{stuff: "),
            # Another class at the place of one that both have.
            ({"thing_classes": ["cow", "cat"]}, "'cow' as class 0 of thing_classes, where the data set has 'cat'"),
        ],
    )
    def test_another_order_is_refused(self, data, tmp_path, names, message):
        cfg = self.weights(data, tmp_path, **names)
        with pytest.raises(InputError, match=f"weights.pth has {message}"):
            load_model(cfg)

    def test_another_name_is_only_told(self, data, tmp_path, logged):
        load_model(self.weights(data, tmp_path, thing_classes=["cat", "hound"]))
        assert "has other names than the data set in thing_classes: 'hound' is 'dog'" in logged()

    def test_weights_that_lack_a_head_are_refused(self, data, tmp_path):
        cfg = config(data, tmp_path)
        state = small_model(cfg).state_dict()
        # Another number of classes, as in COCO's weights.
        state["roi_heads.box_predictor.cls_score.weight"] = torch.zeros(81, 16)
        torch.save({"model": state}, tmp_path / "coco.pth")
        cfg.MODEL.WEIGHTS = str(tmp_path / "coco.pth")
        message = "coco.pth has no fitting weights for 1 parameters of the model, such as roi_heads.box_predictor.cls"
        with pytest.raises(InputError, match=message):
            evaluate(cfg, resume=False)


class TestNeverFound:
    TINY = Categories.from_coco(CATEGORIES)

    @pytest.mark.parametrize(
        "tp, fp, fn, told", [(0, 0, MANY, True), (0, 0, MANY - 1, False), (0, 1, MANY, False), (1, 0, MANY, False)]
    )
    def test_a_class_with_many_segments_and_no_prediction(self, tp, fp, fn, told):
        counts = {7: CategoryCounts(0, tp, fp, fn), 90: CategoryCounts(0, 0, 3, 50)}
        expected = [f"cat ({fn} in the ground truth)"] if told else []
        assert never_found(counts, self.TINY) == expected

    def test_it_is_told_after_the_evaluation(self, data, tmp_path, logged, monkeypatch):
        monkeypatch.setattr("panoptic_heuristic.detectron.quality_evaluator.MANY", 3)
        cfg = config(data, tmp_path, **{"MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH": 1})
        Trainer.test(cfg, small_model(cfg))
        # Three cats and three dogs are in the three images, a crowd not counted.
        message = "no map has a segment of cat (3 in the ground truth), dog (3 in the ground truth): if the model"
        assert message in logged() and "see class_order in docs/config.md" in logged()
