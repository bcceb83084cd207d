import importlib
import re

import pytest

import benchmark
from panoptic_heuristic.fusion import PRESETS
from panoptic_heuristic.testing.scenes import make_scene
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import write_cache


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """The threads of other tests stay as they were."""
    for name in ("torch.set_num_threads", "cv2.setNumThreads"):
        monkeypatch.setattr(name, lambda number: None)


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(seed, image_size=(48, 64), instances=6, things=3, stuff=4) for seed in range(2)]


def test_every_preset_has_its_time(scenes, tmp_path, capsys):
    cache = write_cache_with_logits(tmp_path / "cache", scenes)
    assert benchmark.main(["presets", "--cache", str(cache), "--images", "2"]) == 0
    found = re.findall(r"^(\w+) +\d+\.\d\d +\d+\.\d\d$", capsys.readouterr().out, re.M)
    assert found == list(PRESETS)


def test_what_the_cache_has_not_kept_is_told(scenes, tmp_path, capsys):
    cache = write_cache(tmp_path / "cache", scenes)
    assert benchmark.main(["presets", "--cache", str(cache), "--images", "1"]) == 0
    printed = capsys.readouterr().out
    assert "left out: jsis: " in printed and re.search(r"^detectron2 +\d", printed, re.M)


def test_other_results_fail(scenes, tmp_path, capsys, monkeypatch):
    module = importlib.import_module("benchmarks.presets")
    monkeypatch.setattr(module, "_are_same", lambda one, other: False)
    cache = write_cache_with_logits(tmp_path / "cache", scenes)
    assert benchmark.main(["presets", "--cache", str(cache), "--images", "1"]) == 1
    assert "detectron2: image 0 is fused otherwise" in capsys.readouterr().out
