"""Checkpoints are data: files of the zoo's form load, and nothing that a file names is run."""

import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from panoptic_heuristic.detectron.checkpoint_files import read_checkpoint
from panoptic_heuristic.detectron.trainer import Trainer, load_model
from panoptic_heuristic.errors import InputError
from tests.detectron.small_models import small_config, small_model

from detectron2.checkpoint import DetectionCheckpointer  # isort: skip  after panoptic_heuristic.detectron
from detectron2.engine import DefaultTrainer  # isort: skip

WEIGHTS = {"stem.conv1.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "scale": np.float32(2.5)}


class Running:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def write_pickle(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return str(path)


class TestSoundFiles:
    @pytest.mark.parametrize("protocol", range(6))
    def test_those_of_the_zoo(self, tmp_path, protocol):
        model = OrderedDict(WEIGHTS, order=np.asfortranarray(WEIGHTS["stem.conv1.weight"]))
        content = {"model": model, "__author__": "Detectron2 Model Zoo", "iteration": 270000}
        read = read_checkpoint(write_pickle(tmp_path / "zoo.pkl", content, protocol))
        assert (read["__author__"], read["iteration"]) == ("Detectron2 Model Zoo", 270000)
        assert list(read["model"]) == list(model)
        for name, weight in model.items():
            np.testing.assert_array_equal(read["model"][name], weight)
            assert read["model"][name].dtype == np.float32

    def test_those_of_caffe2_as_python_2_wrote_them(self, tmp_path):
        # Protocol 0 of Python 2: bytes of arrays and names are its str, which is Latin-1 here.
        data = np.array([-1.5, 3e38], np.float32)
        stored = (
            b"(dp0\nS'blobs'\np1\n(dp2\nS'conv1_w'\np3\ncnumpy.core.multiarray\n_reconstruct\n"
            b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
            b"I00\nS" + repr(data.tobytes()).encode()[1:] + b"\ntbsS'conv1_w_momentum'\nI0\nss."
        )
        (tmp_path / "R-50.pkl").write_bytes(stored)
        read = read_checkpoint(str(tmp_path / "R-50.pkl"))
        assert (read["__author__"], read["matching_heuristics"], list(read["model"])) == ("Caffe2", True, ["conv1_w"])
        np.testing.assert_array_equal(read["model"]["conv1_w"], data)

    def test_weights_alone(self, tmp_path):
        read = read_checkpoint(write_pickle(tmp_path / "R-50.pkl", {"conv1_w": WEIGHTS["scale"]}))
        assert read == {"model": {"conv1_w": 2.5}, "__author__": "Caffe2", "matching_heuristics": True}

    def test_those_of_pycls(self, tmp_path):
        state = {"stem.weight": torch.ones(2), "stem.bn.num_batches_tracked": torch.tensor(3)}
        torch.save({"model_state": state, "epoch": 3}, tmp_path / "x.pyth")
        read = read_checkpoint(str(tmp_path / "x.pyth"))
        assert (list(read["model"]), read["matching_heuristics"]) == (["stem.weight"], True)

    @pytest.mark.parametrize("content", [{"model": {"x": torch.ones(2)}, "iteration": 3}, {"x": torch.ones(2)}])
    def test_those_of_pytorch(self, tmp_path, content):
        torch.save(content, tmp_path / "x.pth")
        read = read_checkpoint(str(tmp_path / "x.pth"))
        assert read["model"]["x"].tolist() == [1, 1]
        assert read.get("iteration") == content.get("iteration")

    def test_a_model_loads_weights_of_the_zoo(self, tmp_path):
        cfg = small_config()
        model = small_model(cfg)
        weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
        cfg.MODEL.WEIGHTS = write_pickle(tmp_path / "zoo.pkl", {"model": weights, "__author__": "Detectron2 Model Zoo"})
        for name, weight in load_model(cfg).state_dict().items():
            assert torch.equal(weight, model.state_dict()[name]), name


class TestHostileFiles:
    def contents(self, tmp_path):
        running = Running(tmp_path / "ran")
        return [running, {"model": {"x": running}, "__author__": "a"}, {"model": {}, "__author__": "a", "y": [running]}]

    def test_pickles_run_nothing(self, tmp_path):
        for content in self.contents(tmp_path):
            for protocol in range(6):
                path = write_pickle(tmp_path / "x.pkl", content, protocol)
                with pytest.raises(InputError, match=r"x.pkl holds posix.mkdir, which could run code"):
                    read_checkpoint(path)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("suffix", ["pth", "pyth"])
    def test_files_of_pytorch_run_nothing(self, tmp_path, suffix):
        for content in self.contents(tmp_path):
            for form in (True, False):
                path = tmp_path / f"x.{suffix}"
                torch.save(content, path, _use_new_zipfile_serialization=form)
                with pytest.raises(InputError, match=r"holds posix.mkdir, which could run code") as error:
                    read_checkpoint(str(path))
                assert "weights_only" not in str(error.value)
        assert not (tmp_path / "ran").exists()

    def test_nor_does_what_is_resumed_from(self, tmp_path, monkeypatch):
        cfg = small_config({"OUTPUT_DIR": str(tmp_path)})
        model = small_model(cfg)
        torch.save(Running(tmp_path / "ran"), tmp_path / "last.pth")
        (tmp_path / "last_checkpoint").write_text("last.pth")

        def start(trainer, cfg):
            trainer.cfg, trainer.checkpointer = cfg, DetectionCheckpointer(model, cfg.OUTPUT_DIR)

        monkeypatch.setattr(DefaultTrainer, "__init__", start)
        for resume in (lambda: load_model(cfg, resume=True), lambda: Trainer(cfg).resume_or_load(resume=True)):
            with pytest.raises(InputError, match="last.pth holds posix.mkdir"):
                resume()
        assert not (tmp_path / "ran").exists()

    def test_tensors_in_a_pickle_would_be_loaded_by_code(self, tmp_path):
        path = write_pickle(tmp_path / "x.pkl", {"model": {"x": torch.ones(2)}, "__author__": "a"})
        with pytest.raises(InputError, match="x.pkl holds torch._utils._rebuild_tensor_v2, which could run code"):
            read_checkpoint(path)

    def test_fields_that_lie_elsewhere_in_memory(self, tmp_path):
        class Record:
            def __reduce__(self):
                return np.dtype, ("f4", False, True), (3, "<", None, ("a",), {"a": (np.dtype("f8"), 10**9)}, 4, 4, 0)

        class Array:
            def __reduce__(self):
                make, arguments, state = np.zeros(1, np.float32).__reduce__()
                return make, arguments, (*state[:2], Record(), *state[3:])

        path = write_pickle(tmp_path / "x.pkl", {"w": Array()})
        with pytest.raises(InputError, match="x.pkl is damaged or no checkpoint: an array of float32 holds no weights"):
            read_checkpoint(path)

    @pytest.mark.parametrize("content", [[1], "text", {1: 2}, None, {"blobs": 3}], ids=repr)
    @pytest.mark.parametrize("suffix", ["pkl", "pth", "pyth"])
    def test_what_is_no_checkpoint(self, tmp_path, content, suffix):
        path = tmp_path / f"x.{suffix}"
        if suffix == "pkl":
            write_pickle(path, content)
        else:
            torch.save(content, path)
        if (suffix, content) == ("pth", {"blobs": 3}):
            assert read_checkpoint(str(path)) == {"model": content}
            return
        with pytest.raises(InputError, match=rf"x.{suffix} (is no checkpoint|has no model_state)"):
            read_checkpoint(str(path))

    @pytest.mark.parametrize("suffix", ["pkl", "pth", "pyth"])
    def test_damaged_files(self, tmp_path, suffix):
        rng = np.random.default_rng(0)
        path = tmp_path / f"x.{suffix}"
        for length in (0, 1, 30, 3000):
            path.write_bytes(rng.bytes(length))
            with pytest.raises((InputError, RuntimeError, EOFError)):
                read_checkpoint(str(path))
