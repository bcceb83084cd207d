import importlib
import re

import pytest

import benchmark
from panoptic_heuristic.ablation.cache.folder import PredictionCache

SMALL = ["keep", "--images", "2", "--size", "48", "64", "--channels", "4", "--network-ms", "0"]


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """The threads of other tests as they were."""
    for name in ("torch.set_num_threads", "cv2.setNumThreads"):
        monkeypatch.setattr(name, lambda number: None)


@pytest.mark.parametrize("instances", ["8", "0"])
def test_generated_scenes(capsys, instances):
    assert benchmark.main([*SMALL, "--instances", instances]) == 0
    assert re.search(r"^ +2 +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$", capsys.readouterr().out, re.M)


def test_a_cache(tmp_path, capsys, monkeypatch):
    module = importlib.import_module("benchmarks.keep")
    folder = tmp_path / "cache"
    monkeypatch.setattr(module.tempfile, "TemporaryDirectory", lambda: Kept(folder))
    assert benchmark.main([*SMALL, "--instances", "3"]) == 0
    monkeypatch.undo()
    assert len(PredictionCache.open(folder).missing()) == 0
    assert benchmark.main(["keep", "--cache", str(folder), "--network-ms", "0"]) == 0
    assert re.search(r"^ +2 +0\.0 ", capsys.readouterr().out, re.M)


class Kept:
    """A folder that is there after the block."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        return str(self.folder)

    def __exit__(self, *_):
        pass


def test_what_differs_is_told(capsys, monkeypatch):
    module = importlib.import_module("benchmarks.keep")
    monkeypatch.setattr(module.PredictionCache, "read", lambda cache, image_id: Other())
    assert benchmark.main([*SMALL, "--instances", "3"]) == 1
    assert "different: image of image 0 as read back" in capsys.readouterr().out


class Other:
    def to_arrays(self):
        return {}
