import importlib

import pytest


@pytest.fixture(scope="module")
def benchmark():
    return importlib.import_module("benchmark")


def test_it_times_each_work_idle_and_beside_a_busy_core(benchmark, capsys):
    assert benchmark.main(["busy", "--scenes", "2", "--rounds", "1"]) == 0
    first, _, _, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("2 scenes of 640x480, ")
    names = ["fuse, 3 instances", "fuse, 100 instances", "sweep of 1,000 settings", "scoring of PNG files"]
    assert [row[:24].strip() for row in rows] == names
    for row in rows:
        idle, busy, ratio = map(float, row[24:].split())
        # All are rounded to two digits.
        assert idle > 0 and (busy - 0.005) / (idle + 0.005) - 0.005 <= ratio <= (busy + 0.005) / (idle - 0.005) + 0.005


@pytest.mark.parametrize("flag", ["--scenes", "--rounds"])
def test_wrong_numbers_are_one_sentence(benchmark, capsys, flag):
    assert benchmark.main(["busy", flag, "0"]) == 2
    assert capsys.readouterr().err == "error: --scenes and --rounds must be at least 1\n"
