import importlib
import re

import pytest

import benchmark
from panoptic_heuristic import native
from panoptic_heuristic.testing.scenes import make_scene
from tests.kernels import needs_kernels


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small scenes, and the threads of other tests as they were."""
    module = importlib.import_module("benchmarks.tuning")
    few = lambda seed, instances: make_scene(seed, image_size=(48, 64), instances=instances, things=4, stuff=3)  # noqa: E731
    monkeypatch.setattr(module, "make_scene", few)
    for name in ("torch.set_num_threads", "cv2.setNumThreads"):
        monkeypatch.setattr(name, lambda number: None)


def test_both_jobs(capsys):
    assert benchmark.main(["tuning", "--scenes", "6", "--detections", "8", "--tuning-images", "2"]) == 0
    told = capsys.readouterr().out
    assert re.findall(r"^(tune|compare) +6 +[\d.]+ +\d+$", told, re.M) == ["tune", "compare"]
    assert re.findall(r"^detectron2 +(\w+) +[\d.]+$", told, re.M).count("published") == 1
    # Generated predictions hold neither logits nor mask probabilities.
    assert "left out: maskformer: " in told


def test_one_job(capsys):
    assert benchmark.main(["tuning", "--scenes", "6", "--detections", "8", "--jobs", "tune"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^tune +6 ", told, re.M) and "detectron2" not in told


@needs_kernels
@pytest.mark.parametrize("same", [True, False])
def test_tuning_writes_the_same_with_kernels_and_without(same, monkeypatch, capsys):
    class Result:
        def __init__(self, kernels):
            self.text = f"{same or kernels}"

        def write(self, folder):
            folder.mkdir()
            (folder / "tuning.json").write_text(self.text)

    module = importlib.import_module("benchmarks.tuning")
    monkeypatch.setattr(module, "tune", lambda store, progress: Result(native.are_there()))
    code = benchmark.main(["tuning", "--scenes", "2", "--detections", "2", "--jobs", "tune"])
    told = capsys.readouterr().out
    assert (code, "wrote different files" in told) == ((0, False) if same else (1, True))
    assert ("tune, without kernels" in told) == same


def test_a_cache_that_is_not_there(tmp_path, capsys):
    assert benchmark.main(["tuning", "--cache", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
