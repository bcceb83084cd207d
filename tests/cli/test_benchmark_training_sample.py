import importlib
import re

import numpy as np
import pytest

import benchmark

SMALL = ["training-sample", "--rows", "6", "--size", "60", "--training-size", "40", "--rounds", "1"]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """The threads of other tests stay as they were."""
    for name in ("torch.set_num_threads", "cv2.setNumThreads"):
        monkeypatch.setattr(name, lambda number: None)


def test_both_ways_agree(capsys):
    assert benchmark.main(SMALL) == 0
    out = capsys.readouterr().out
    assert out.startswith("36 objects, 60x60, as a sample of 40x40\n")
    assert re.search(r"^ratio +[\d.]+; the same image, labels, boxes and masks$", out, re.M)


def test_other_masks_fail(capsys, monkeypatch):
    mapper = importlib.import_module("panoptic_heuristic.detectron.mapper")
    crops = mapper.segment_crops
    wrong = lambda ids, wanted: ((k, crop, pixels & (k != 5)) for k, crop, pixels in crops(ids, wanted))  # noqa: E731
    monkeypatch.setattr(mapper, "segment_crops", wrong)
    assert benchmark.main(SMALL) == 1
    assert capsys.readouterr().out == "the samples differ: object 5\n"


def test_other_labels_fail(capsys, monkeypatch):
    mapper = importlib.import_module("panoptic_heuristic.detectron.mapper")
    monkeypatch.setattr(mapper, "semantic_labels", lambda ids, *args: np.zeros(ids.shape, dtype=np.uint8))
    assert benchmark.main(SMALL) == 1
    assert capsys.readouterr().out == "the samples differ: semantic labels\n"


def test_wrong_numbers_are_one_sentence(capsys):
    assert benchmark.main([*SMALL, "--rows", "31"]) == 2
    assert capsys.readouterr().err.startswith("error: --rows, --training-size and --rounds must be at least 1")
