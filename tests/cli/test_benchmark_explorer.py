import importlib
import re

import pytest

import benchmark
from tests.ablation.explorer.browser import browser


@pytest.fixture(autouse=True)
def has_browser():
    """Skips where there is none."""
    with browser():
        pass


SMALL = ["explorer", "--images", "2", "--settings", "5", "--detections", "12"]


def test_sizes_and_times(capsys):
    assert benchmark.main(SMALL) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^images +2\.00$", printed, re.M) and re.search(r"^size, MB +0\.\d\d$", printed, re.M)
    assert "5 settings: the same counts as in Python" in printed


def test_other_counts_fail(monkeypatch, capsys):
    module = importlib.import_module("benchmarks.explorer")
    monkeypatch.setattr(module, "_COUNT", module._COUNT.replace("tp, fp, fn]);", "tp + 1, fp, fn]);"))
    assert benchmark.main(SMALL) == 1
    assert "other counts than Python at [0, 1, 2, 3, 4]" in capsys.readouterr().out
