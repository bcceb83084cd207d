import argparse
import csv
import json

import numpy as np
import pytest
import torch

pytest.importorskip("detectron2")

import benchmark  # noqa: E402
from benchmarks import fusion  # noqa: E402
from benchmarks.side_by_side import command, measuring  # noqa: E402
from benchmarks.side_by_side.contest import different_part  # noqa: E402
from benchmarks.side_by_side.inputs import as_inputs, make_inputs  # noqa: E402
from benchmarks.side_by_side.report import exponents  # noqa: E402

SMALL = ["--sizes", "48x64", "--instances", "0", "20", "--instances-score-thresh", "0.05", "--clocks", "1"]
SMALL += ["--rounds", "1"]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_small_run_prints_a_table_and_writes_it_and_a_plot(tmp_path, capsys):
    assert benchmark.main(["fusion", *SMALL, "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "the same maps and segments on both sides in all 4 rows" in out
    rows = read(tmp_path / "fusion.csv")
    assert [(row["contest"], row["instances"]) for row in rows] == [
        ("bitmaps", "0"), ("rois", "0"), ("bitmaps", "20"), ("rois", "20"),
    ]  # fmt: skip
    for row in rows:
        assert (row["height"], row["width"], row["instances_score_thresh"], row["clock"]) == ("48", "64", "0.05", "1")
        assert np.isclose(float(row["ratio"]), float(row["reference_ms"]) / float(row["ours_ms"]))
        assert row["reference_mb"] == "" or float(row["reference_mb"]) >= 0
    assert (tmp_path / "fusion.png").read_bytes().startswith(b"\x89PNG")
    # Nobody's files are replaced unasked, and nothing is measured before that is known.
    assert benchmark.main(["fusion", *SMALL, "--output", str(tmp_path)]) == 2
    assert "fusion.csv is there already; --overwrite replaces it" in capsys.readouterr().err


def test_seeded_inputs_are_the_same_twice():
    first, again, other = (make_inputs(seed, (48, 64), 5) for seed in (1, 1, 2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert (first["logits"] != other["logits"]).any()


def test_logits_say_what_the_labels_say_in_most_places():
    arrays = make_inputs(0, (480, 640), 10)
    assert arrays["network_size"].tolist() == [800, 1067]
    assert arrays["logits"].shape == (54, 200, 272) and arrays["logits"].dtype == np.float32
    rows, columns = (np.arange(n) * side // n for n, side in ((200, 480), (267, 640)))
    agree = arrays["logits"][:, :, :267].argmax(axis=0) == arrays["labels"][rows[:, None], columns]
    assert 0.8 < agree.mean() < 1


@pytest.mark.parametrize("part, word", [(0, "maps"), (1, "segments"), (2, "other outputs")])
def test_what_differs_is_named(part, word):
    segments = [{"id": 1, "isthing": True, "category_id": 3, "area": 4}]
    expected = (torch.tensor([[1, 0]]), segments, torch.tensor([1.0]))
    assert different_part(expected, (expected[0].clone(), [{**segments[0], "area": 7}])) is None
    changed = list(expected)
    changed[part] = [{**segments[0], "category_id": 4}] if part == 1 else expected[part] + 1
    assert different_part(expected, tuple(changed)) == word


def test_a_difference_fails_and_names_the_case(monkeypatch, capsys):
    answer = {"contest": "rois", "clock": "1", "height": 48, "width": 64, "instances": 20}
    answer["instances_score_thresh"] = 0.05
    monkeypatch.setattr(measuring, "answers", lambda name, work: iter([{**answer, "difference": "maps"}]))
    assert fusion.run(arguments(*SMALL)) == 1
    assert "maps differ in rois, clock 1, 48x64, 20 instances, score threshold 0.05" in capsys.readouterr().out


def test_the_measuring_process_sees_a_difference(tmp_path, capsys):
    np.savez(tmp_path / "48x64x20.npz", **make_inputs(0, (48, 64), 20))

    def wrong(inputs, threshold):
        right = fusion.from_rois(inputs, threshold)
        return right._replace(ours=lambda: (right.ours()[0] + 1, *right.ours()[1:]))

    work = {"folder": str(tmp_path), "sizes": [[48, 64]], "instances": [20], "instances_score_thresh": [0.05]}
    measuring.do_work({**work, "rounds": 1, "clock": "all"}, {"right": fusion.from_rois, "wrong": wrong})
    right, wrong = map(json.loads, capsys.readouterr().out.splitlines())
    assert right["ours_ms"] > 0 and right["reference_ms"] > 0 and "difference" not in right
    assert wrong["difference"] == "maps"


@pytest.mark.parametrize("make", ["from_bitmaps", "from_rois"])
def test_what_a_gpu_is_compared_with_is_what_the_reference_gives_on_the_cpu(make):
    arrays = make_inputs(0, (48, 64), 20)
    contest = getattr(fusion, make)(as_inputs(arrays), 0.05)
    assert different_part(contest.merged_on_cpu(), contest.ours()) is None
    assert contest.ours()[0].max() > 3


def test_exponents_are_those_of_the_power_law():
    rows = [
        {"instances": n, "height": h, "width": 100, "ours_ms": 3 * n**0.5 * (100 * h) ** 1.5}
        for n in (10, 30, 100)
        for h in (50, 70)
    ]
    assert exponents(rows, "ours_ms") == ("0.50", "1.50")
    assert exponents(rows[::2], "ours_ms") == ("0.50", "-")


def test_without_a_gpu_it_is_skipped_with_a_line(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(command, "measure", lambda name, contests, work, clocks, memory: ([], [str(clocks)]))
    assert fusion.run(arguments(*SMALL, "--clocks", "1", "gpu")) == 1
    out = capsys.readouterr().out
    assert "gpu: skipped, PyTorch finds no CUDA device here" in out and "['1']" in out


@pytest.mark.parametrize(
    "options, message",
    [
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--instances", "-1"], "--instances must be at least 0, got -1"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
        (["--instances-score-thresh", "1.5"], "--instances-score-thresh must be in [0, 1], got 1.5"),
    ],
)
def test_wrong_numbers_are_one_sentence(capsys, options, message):
    assert benchmark.main(["fusion", *SMALL, *options]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def arguments(*argv):
    parser = argparse.ArgumentParser()
    fusion.add_arguments(parser)
    return parser.parse_args(argv)
