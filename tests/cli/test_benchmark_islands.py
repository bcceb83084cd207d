import importlib
import re

import numpy as np
import pytest

import benchmark
from panoptic_heuristic.formats.label_png import write_label_png

SMALL = ["islands", "--images", "2", "--rounds", "1"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small maps, and the threads of other tests as they were."""
    module = importlib.import_module("benchmarks.islands")
    monkeypatch.setattr(module, "_SIZES", ((48, 64),))
    for name in ("torch.set_num_threads", "cv2.setNumThreads"):
        monkeypatch.setattr(name, lambda number: None)
    return module


def test_generated_maps(capsys):
    assert benchmark.main(SMALL) == 0
    assert len(re.findall(r"^48x64 +0\.00[148] ", capsys.readouterr().out, re.M)) == 3


def test_a_folder_of_maps(tmp_path, capsys):
    labels = np.ones((40, 50), dtype=int)
    labels[10:12, 10:13] = 3
    write_label_png(tmp_path / "one.png", labels, 8)
    assert benchmark.main([*SMALL, "--labels", str(tmp_path)]) == 0
    percents = re.findall(r" 0\.00[148] +([\d.]+) ", capsys.readouterr().out)
    assert percents == ["0.0", "0.3", "0.3"]
    assert benchmark.main([*SMALL, "--labels", str(tmp_path / "none")]) == 2
    assert "none holds no PNG" in capsys.readouterr().err


def test_other_islands_fail(small, monkeypatch, capsys):
    monkeypatch.setattr(small, "components", lambda labels, fraction: np.zeros(labels.shape, dtype=bool))
    assert benchmark.main(SMALL) == 1
    assert "other islands in 48x64, fraction" in capsys.readouterr().out
