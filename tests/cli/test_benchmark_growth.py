import importlib
import json
import os
import re
import sys

import pytest

import benchmark
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.testing.scenes import make_scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from Linux's /proc")
FILES_ONLY = ["check-dataset", "fuse-predictions", "evaluate-pq"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small scenes, made in this process."""
    few = lambda seed, instances: make_scene(seed, image_size=(48, 64), instances=instances, things=4, stuff=3)  # noqa: E731
    monkeypatch.setattr(importlib.import_module("benchmarks.growing.inputs"), "make_scene", few)


@pytest.fixture
def growth():
    return importlib.import_module("benchmarks.growth")


def measure(folder, counts, *more):
    few = ["--detections", "4", "--workers", "1", "--folder", str(folder)]
    return benchmark.main(["growth", "--images", *counts, *few, *more])


def cells(out, name):
    (line,) = (line for line in out.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_commands_go_through_the_files_of_those_before(tmp_path, capsys):
    assert measure(tmp_path, ["5", "6"], "--commands", *FILES_ONLY) == 0
    out = capsys.readouterr().out
    for name in FILES_ONLY:
        assert all(re.fullmatch(r"-?[\d.]+", cell) for cell in cells(out, name)) and len(cells(out, name)) == 8
        assert float(cells(out, name)[1]) > 5
    # What was not measured is empty, not zero.
    assert set(cells(out, "tune-fusion")) == {""}


def test_every_command_runs_on_these_files_once(tmp_path, capsys, monkeypatch, growth):
    ran = []

    def main(command, log):
        ran.append(command)
        module = importlib.import_module(f"panoptic_heuristic.cli.{os.path.basename(command[1])[:-3]}")
        # Findings about drawings of so few pixels are a code of 1.
        assert module.main(command[2:]) in (0, 1)
        return growth.Usage(1.0, 10.0)

    monkeypatch.setattr(growth, "measured", main)
    assert measure(tmp_path, ["5"]) == 0
    assert len(ran) == len(growth.COMMANDS)
    # Stopped and started again, it goes on where it was.
    assert measure(tmp_path, ["5"]) == 0
    assert len(ran) == len(growth.COMMANDS)
    assert measure(tmp_path, ["5"], "--commands", "check-dataset") == 0
    assert [os.path.basename(command[1]) for command in ran[len(growth.COMMANDS) :]] == ["check_dataset.py"]
    assert list(json.loads((tmp_path / "5" / "measured.json").read_text())) == sorted(growth.COMMANDS)


def test_growth_is_drawn_on_to_many_images(growth):
    # A second and 50 MB to start, 20 ms and 100 KB per image.
    found = {count: {"evaluate-pq": growth.Usage(1 + 0.02 * count, 50 + 0.1 * count)} for count in (10, 100, 1000)}
    table = growth.table(found)
    assert cells(table, "evaluate-pq") == ["120.0", "51", "30.0", "60", "21.0", "150", "20.0", "100.0", "0.66", "11.8"]
    assert "118,000: hours" in table and "118,000" not in growth.table({10: found[10]})


def test_a_command_that_fails_ends_it_with_its_last_line(tmp_path):
    measured = importlib.import_module("benchmarks.growing.measuring").measured
    with pytest.raises(InputError, match="ended with code 3: enough"):
        measured([sys.executable, "-c", "print('enough'); raise SystemExit(3)"], tmp_path / "log")


def test_memory_of_children_counts(tmp_path):
    measured = importlib.import_module("benchmarks.growing.measuring").measured
    hold = "held = bytearray(b'1') * 50_000_000; import sys, subprocess, time; "
    child = f"subprocess.run([sys.executable, '-c', {hold + 'time.sleep(1)'!r}])"
    alone, both = (measured([sys.executable, "-c", hold + end], tmp_path / "log") for end in ("time.sleep(1)", child))
    assert 50 < alone.megabytes < 80 and 100 < both.megabytes < 160


@pytest.mark.parametrize("wrong", [["--images", "4"], ["--images", "9", "9"], ["--workers", "0"]])
def test_wrong_numbers_are_one_sentence(wrong, tmp_path, capsys):
    assert benchmark.main(["growth", "--folder", str(tmp_path), *wrong]) == 2
    assert capsys.readouterr().err.startswith("error: --")
