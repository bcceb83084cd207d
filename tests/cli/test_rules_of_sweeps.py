"""A sweep of rules of one's own: the Python that it names is run only if the command line names it, too."""

import json
import shutil
import sys

import pytest

from panoptic_heuristic.cli import report_sweep, sweep_fusion
from panoptic_heuristic.fusion import ORDER_REGISTRY
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

RULES = """
import pathlib
from panoptic_heuristic.fusion import ORDER_REGISTRY, Order
pathlib.Path(__file__).with_suffix(".ran").touch()

@ORDER_REGISTRY.register("by_place")
def by_place(heads, candidates):
    return Order.by({index: -index for index in candidates}, {})
"""


@pytest.fixture
def sweep_of(tmp_path, monkeypatch):
    """A sweep of a rule that no process knows any more, and the file that it names."""
    monkeypatch.setattr(ORDER_REGISTRY, "_obj_map", dict(ORDER_REGISTRY._obj_map))
    scenes = small_scenes(2)
    write_gt(tmp_path / "gt", scenes)
    cache = write_cache(tmp_path / "cache", scenes, score_floor=0.05)
    rules = tmp_path / "rules.py"
    rules.write_text(RULES)
    (tmp_path / "grid.yaml").write_text(f"RULE_FILES: ['{rules}']\nORDER: by_place\nOVERLAP_THRESH: [0.3, 0.5]\n")
    gt = ["--gt-json", str(tmp_path / "gt" / "panoptic.json"), "--gt-folder", str(tmp_path / "gt" / "panoptic")]
    folder = tmp_path / "sweep"
    arguments = ["--cache", str(cache), "--grid", str(tmp_path / "grid.yaml"), "--output", str(folder), *gt]
    assert sweep_fusion.main([*arguments, "--workers", "1"]) == 0
    rules.with_suffix(".ran").unlink()
    del ORDER_REGISTRY._obj_map["by_place"], sys.modules[f"rules_{str(rules).encode().hex()}"]
    return folder, rules


def commands(folder, output):
    return [
        (report_sweep.main, [str(folder), "--output", str(output)]),
        (sweep_fusion.main, ["--output", str(output), "--merge", str(folder)]),
    ]


@pytest.mark.parametrize("number", [0, 1], ids=["report", "merge"])
def test_python_that_a_sweep_names_is_not_run(sweep_of, tmp_path, capsys, number):
    folder, rules = sweep_of
    command, arguments = commands(folder, tmp_path / "out")[number]
    assert command(arguments) == 2
    told = capsys.readouterr().err
    assert f"the order rule by_place came from {rules}" in told and f"give --rule-files {rules}" in told
    assert not rules.with_suffix(".ran").exists() and not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("number", [0, 1], ids=["report", "merge"])
def test_python_that_the_command_line_names_is_run_wherever_it_is_now(sweep_of, tmp_path, number):
    folder, rules = sweep_of
    moved = shutil.move(rules, tmp_path / "moved.py")
    command, arguments = commands(folder, tmp_path / "out")[number]
    assert command([*arguments, "--rule-files", str(moved)]) == 0
    assert moved.with_suffix(".ran").exists()
    del sys.modules[f"rules_{str(moved).encode().hex()}"]


def test_sweeps_of_known_rules_do_not_need_the_files_that_they_name(sweep_of, tmp_path):
    folder, rules = sweep_of
    content = json.loads((folder / "sweep.json").read_text())
    content["grid"]["base"]["order"] = {"name": "score"}
    (folder / "sweep.json").write_text(json.dumps(content))
    command, arguments = commands(folder, tmp_path / "out")[0]
    assert command(arguments) == 0
    assert not rules.with_suffix(".ran").exists()


def test_a_grid_names_its_own(tmp_path, capsys):
    arguments = ["--cache", "c", "--grid", "g", "--rule-files", "x.py", "--output", str(tmp_path / "out")]
    assert sweep_fusion.main(arguments) == 2
    assert "--rule-files is for --merge" in capsys.readouterr().err
