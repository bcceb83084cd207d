import csv

import numpy as np
import pytest
import torch

pytest.importorskip("detectron2")

import benchmark  # noqa: E402
from benchmarks import postprocess  # noqa: E402
from benchmarks.side_by_side.contest import different_part  # noqa: E402
from benchmarks.side_by_side.inputs import as_inputs, make_inputs, smooth_logits  # noqa: E402
from benchmarks.side_by_side.measuring import peak_mb  # noqa: E402

SMALL = ["--sizes", "130x140", "--instances", "12", "--instances-score-thresh", "0.05", "--clocks", "1"]
SMALL += ["--rounds", "1"]


@pytest.fixture(scope="module")
def inputs():
    arrays = make_inputs(0, (200, 240), 12)
    # Less than half of the network's usual input, since the reference takes its time.
    arrays["network_size"] = np.array([350, 420])
    arrays["logits"] = smooth_logits(0, arrays["labels"], (350, 420))
    return as_inputs(arrays)


def test_a_small_run_prints_a_table_and_writes_it_and_a_plot(tmp_path, capsys):
    assert benchmark.main(["postprocess", *SMALL, "--no-memory", "--output", str(tmp_path)]) == 0
    assert "the same maps and segments on both sides in all 2 rows" in capsys.readouterr().out
    with open(tmp_path / "postprocess.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["contest"] for row in rows] == ["panoptic_seg", "default"]
    assert all(float(row["ours_ms"]) > 0 and row["ours_mb"] == "" for row in rows)
    assert (tmp_path / "postprocess.png").stat().st_size > 1000


@pytest.mark.parametrize("make", ["map_alone", "all_outputs"])
def test_both_sides_start_from_the_same_and_change_nothing(inputs, make):
    before = [one.clone() if isinstance(one, torch.Tensor) else one for one in inputs]
    contest = getattr(postprocess, make)(inputs, 0.05)
    expected = contest.reference()
    for _ in range(2):
        found = contest.ours()
        assert different_part(expected, found) is None
    assert len(found) == (2 if make == "map_alone" else 4)
    assert {segment["isthing"] for segment in found[1]} == {True, False}
    for one, was in zip(inputs, before, strict=True):
        assert torch.equal(one, was) if isinstance(one, torch.Tensor) else one == was


@pytest.mark.parametrize("make", ["map_alone", "all_outputs"])
def test_what_a_gpu_is_compared_with_is_what_the_reference_gives_on_the_cpu(inputs, make):
    contest = getattr(postprocess, make)(inputs, 0.05)
    assert different_part(contest.merged_on_cpu(), contest.ours()) is None


def test_the_map_alone_needs_less_than_half_of_the_memory(inputs):
    contest = postprocess.map_alone(inputs, 0.5)
    peaks = [peak_mb(side, "cpu") for side in (contest.reference, contest.ours)]
    if None in peaks:
        pytest.skip("peaks of memory are read from Linux' /proc")
    # 54 channels of 352x448 and 200x240 in float32 are 44 MB.
    assert peaks[0] > 35 and peaks[1] < peaks[0] / 2
