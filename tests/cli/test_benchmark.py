import importlib
import re
import sys

import numpy as np
import pytest

from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts
from tests.cli.processes import run
from tests.conftest import ROOT

pytest.importorskip("panopticapi")


@pytest.fixture
def benchmark(monkeypatch):
    """The command, which would leave the test process on one core otherwise."""
    monkeypatch.setattr("os.sched_setaffinity", lambda *args: None, raising=False)
    return importlib.import_module("benchmark")


def rows(out):
    """The numbers of each row of the table, by its name."""
    named = (line.split("  ", 1) for line in out.splitlines() if "  " in line)
    return {name: re.findall(r"[\d.]+", rest) for name, rest in named}


@pytest.mark.parametrize("source", ["generated", "real"])
def test_quality_agrees_and_says_how_fast(benchmark, tmp_path, capsys, source, request):
    sample = tmp_path if source == "generated" else request.getfixturevalue("coco_sample")
    assert benchmark.main(["quality", "--images", "3", "--rounds", "1", "--sample", str(sample)]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^the same counts in all of them: \d\d+ TP, \d+ FP, \d\d+ FN$", out, re.M)
    table = rows(out)
    assert table["panopticapi, from files"][2] == table["panopticapi, in memory"][2] == "1.0"
    assert table["decoding both PNGs with OpenCV"][3] == "1.00"
    assert len(table["ours, from files"]) == 5 and len(table["ours, in memory"]) == 3
    assert re.search("; our PNGs are decoded by (OpenCV|libdeflate); hotcoco (is not installed|[0-9])", out)
    assert "ours, from JSONs to the table" in table and "ours, from JSONs to the table, default measures" in table


def test_hotcoco_takes_part_where_it_is_installed(benchmark, tmp_path, capsys, monkeypatch):
    package = tmp_path / "packages" / "hotcoco"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    # It counts nothing, and prints as compiled code does.
    (package / "panoptic.py").write_text(
        "import os\ndef pq_compute(gt, predictions, gt_folder, folder):\n"
        "    os.write(1, b'its own table')\n    return {'per_class': {}}\n"
    )
    monkeypatch.syspath_prepend(str(package.parent))
    for name in ("hotcoco", "hotcoco.panoptic"):
        # Set first, so that what the test imports is taken away after it.
        monkeypatch.setitem(sys.modules, name, None)
        del sys.modules[name]
    assert benchmark.main(["quality", "--images", "2", "--rounds", "1", "--sample", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("hotcoco, from JSONs to the table and panopticapi differ: category ")


def test_different_counts_fail(benchmark, tmp_path, capsys, monkeypatch):
    module = importlib.import_module("benchmarks.quality")
    monkeypatch.setattr(module, "add_counts", lambda images: {0: CategoryCounts(fp=1)})
    assert benchmark.main(["quality", "--images", "2", "--rounds", "1", "--sample", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("ours, from files and panopticapi differ: category ") and "ms/image" not in out


@pytest.mark.parametrize(
    "change, same",
    [({}, True), ({"iou_sum": 8 * IOU_UNIT + 100}, True), ({"iou_sum": 8 * IOU_UNIT + 2**20}, False)]
    + [({key: 8}, False) for key in ("tp", "fp", "fn")],
)
def test_counts_are_compared_exactly_and_iou_to_1e_9(benchmark, change, same):
    module = importlib.import_module("benchmarks.quality")
    counts = {"iou_sum": 8 * IOU_UNIT, "tp": 9, "fp": 9, "fn": 9}
    reference, other = {7: CategoryCounts(**counts)}, {7: CategoryCounts(**{**counts, **change})}
    assert (module._difference(reference, other, [3, 7]) is None) == same


def test_disturbed_maps_are_seeded_and_sound(benchmark):
    module = importlib.import_module("benchmarks.quality")
    gt_ids = np.kron(np.arange(1, 41).reshape(5, 8), np.ones((20, 20), dtype=int))
    segments = [{"id": k, "category_id": k % 3} for k in range(1, 41)]
    first, again, other = (module.disturbed(gt_ids, segments, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1] and (first[0] != other[0]).any()
    assert {segment["id"] for segment in first[1]} == set(np.unique(first[0]).tolist()) - {0}
    # Something is kept, something lost, and borders have moved.
    assert 20 < len(first[1]) < 40 and 0.3 < (first[0] == gt_ids).mean() < 0.98


def test_wrong_numbers_are_one_sentence(benchmark, capsys):
    assert benchmark.main(["quality", "--images", "0"]) == 2
    assert capsys.readouterr().err == "error: --images and --rounds must be at least 1, got 0 and 5\n"


def test_the_help_lists_every_benchmark_and_loads_none():
    code = "import sys, runpy; sys.argv = ['benchmark.py', '--help']\n"
    code += f"try: runpy.run_path({str(ROOT / 'tools' / 'benchmark.py')!r}, run_name='__main__')\n"
    code += "except SystemExit: print('loaded:', sorted({'torch', 'panopticapi', 'benchmarks'} & set(sys.modules)))"
    out = run(["-c", code]).stdout
    assert "quality" in out and out.splitlines()[-1] == "loaded: []"
