"""Things that a run lacks are told before any work."""

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from panoptic_heuristic.detectron.readiness import check_data_sets, check_device
from panoptic_heuristic.detectron.trainer import Trainer, log_fusion
from panoptic_heuristic.detectron.weights import check_weights
from panoptic_heuristic.errors import InputError
from tests.detectron.small_models import small_config
from tests.formats.tiny_panoptic import write_tiny_panoptic


class TestDevice:
    def test_the_cpu_is_always_there(self):
        check_device(small_config({"MODEL.DEVICE": "cpu"}))

    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_a_gpu_that_is_not_there(self, monkeypatch, device):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        message = f"MODEL.DEVICE is {device}, but there is no GPU here; add MODEL.DEVICE cpu"
        with pytest.raises(InputError, match=message):
            check_device(small_config({"MODEL.DEVICE": device}))

    def test_a_gpu_that_is_there(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        check_device(small_config({"MODEL.DEVICE": "cuda"}))


class TestWeights:
    def config(self, tmp_path, weights):
        return small_config({"MODEL.WEIGHTS": str(weights), "OUTPUT_DIR": str(tmp_path)})

    def test_a_missing_checkpoint(self, tmp_path):
        path = tmp_path / "none.pth"
        for needed in (True, False):
            with pytest.raises(InputError, match=f"^cannot read the checkpoint {path} that MODEL.WEIGHTS names"):
                check_weights(self.config(tmp_path, path), resume=False, needed=needed)

    def test_none_at_all(self, tmp_path):
        cfg = self.config(tmp_path, "")
        check_weights(cfg, resume=False, needed=False)
        with pytest.raises(InputError, match="^MODEL.WEIGHTS is empty, and random weights predict nothing"):
            check_weights(cfg, resume=False, needed=True)

    def test_the_last_checkpoint_of_a_run_that_is_resumed(self, tmp_path):
        for weights in ("", tmp_path / "none.pth"):
            cfg = self.config(tmp_path, weights)
            (tmp_path / "last_checkpoint").unlink(missing_ok=True)
            with pytest.raises(InputError):
                check_weights(cfg, resume=True, needed=True)
            (tmp_path / "last_checkpoint").write_text("model_0000001.pth")
            check_weights(cfg, resume=True, needed=True)

    @pytest.mark.parametrize("weights", ["detectron2://a/b.pkl", "https://a/b.pth"])
    def test_what_is_to_be_downloaded(self, tmp_path, weights):
        check_weights(self.config(tmp_path, weights), resume=False, needed=True)


class TestDataSets:
    def test_one_that_is_there(self, tmp_path):
        small_config({"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)})
        check_data_sets("DATASETS.TEST", ["tiny_val", "tiny_train"])

    def test_a_name_that_nothing_registered(self):
        DatasetCatalog.register("balloons_val", list)
        with pytest.raises(InputError) as caught:
            check_data_sets("DATASETS.TEST", ["baloons_val"])
        assert str(caught.value) == (
            "DATASETS.TEST names 'baloons_val', which is not registered; name the file that does with --register, or "
            "a data set with DATASETS.PANOPTIC_YAML; did you mean balloons_val?"
        )
        with pytest.raises(InputError, match="names 'x', which is not registered; .*; no name is like it$"):
            check_data_sets("DATASETS.TRAIN", ["x"])

    def test_coco_that_is_not_there(self):
        message = (
            r"^the data set coco_2017_val_panoptic_separated of DATASETS.TEST is not there: there is no .*"
            r"instances_val2017.json \(json_file of its metadata\); .* in \$DETECTRON2_DATASETS"
        )
        with pytest.raises(InputError, match=message):
            check_data_sets("DATASETS.TEST", ["coco_2017_val_panoptic_separated"])

    @pytest.mark.parametrize("entry", ["json_file", "panoptic_json", "panoptic_root", "sem_seg_root", "image_root"])
    def test_each_path_is_looked_for(self, tmp_path, entry):
        DatasetCatalog.register("own", list)
        metadata = MetadataCatalog.get("own")
        metadata.set(**{entry: str(tmp_path / "none")})
        with pytest.raises(InputError, match=f"there is no {tmp_path / 'none'} \\({entry} of its metadata"):
            check_data_sets("DATASETS.TEST", ["own"])
        (tmp_path / "none").mkdir()
        check_data_sets("DATASETS.TEST", ["own"])

    def test_what_is_to_be_downloaded(self):
        DatasetCatalog.register("own", list)
        MetadataCatalog.get("own").set(json_file="https://a/b.json", image_root="")
        check_data_sets("DATASETS.TEST", ["own"])

    def test_a_file_that_only_its_function_knows(self):
        def read():
            raise FileNotFoundError(2, "No such file or directory", "none.json")

        DatasetCatalog.register("own", read)
        cfg = small_config({"DATASETS.TRAIN": ("own",), "DATASETS.TEST": ("own",)})
        message = "^cannot read the data set own: none.json: No such file or directory$"
        with pytest.raises(InputError, match=message):
            Trainer.build_train_loader(cfg)
        with pytest.raises(InputError, match=message):
            Trainer.build_test_loader(cfg, "own")

    def test_data_sets_that_are_read_in_different_ways(self, tmp_path):
        DatasetCatalog.register("own", list)
        cfg = small_config({"DATASETS.PANOPTIC_YAML": str(write_tiny_panoptic(tmp_path).yaml)})
        cfg.DATASETS.TRAIN = ("tiny_train", "own")
        with pytest.raises(InputError, match=r"DATASETS.TRAIN \('tiny_train', 'own'\) mixes data sets of DATASETS.PAN"):
            Trainer.build_train_loader(cfg)


class TestImagesForRules:
    @pytest.mark.parametrize("image_format", ["L", "YUV-BT.601"])
    @pytest.mark.parametrize("rule", ["dense_crf", "guided_filter"])
    def test_a_rule_that_looks_at_images_needs_colours(self, monkeypatch, image_format, rule):
        border = {"MODEL.PANOPTIC_FUSION.BORDER.NAME": rule}
        message = f"BORDER.NAME={rule} needs .*, but the model's INPUT.FORMAT {image_format} is neither RGB nor BGR$"
        with pytest.raises(InputError, match=message):
            log_fusion(small_config({**border, "INPUT.FORMAT": image_format}))
        for good in ("RGB", "BGR"):
            log_fusion(small_config({**border, "INPUT.FORMAT": good}))
        log_fusion(small_config({"INPUT.FORMAT": image_format}))
