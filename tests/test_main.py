"""``panoptic-heuristic`` finds every command, names it rightly, and imports no other."""

import ast
import re

import pytest

import panoptic_heuristic
from panoptic_heuristic.__main__ import command_paths, main
from tests.cli.processes import run
from tests.conftest import ROOT

NAMES = list(command_paths())


@pytest.fixture(autouse=True)
def installed_program(monkeypatch):
    """The command line that the program of the environment has."""
    monkeypatch.setattr("sys.argv", ["/usr/bin/panoptic-heuristic"])


def test_every_command_is_there():
    assert NAMES == sorted(NAMES)
    assert set(NAMES) == {
        "attribute-errors", "cache-predictions", "check-dataset", "compare-fusion", "convert-panoptic", "demo",
        "doctor", "evaluate-pq", "explore-fusion", "fuse-predictions", "generate-shapes", "prepare-ade20k-panoptic",
        "prepare-camvid-panoptic", "prepare-cityscapes-panoptic", "prepare-panoptic-stuff", "report-sweep",
        "sweep-fusion", "train-net", "tune-fusion", "visualize-panoptic",
    }  # fmt: skip


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_it_lists_them_and_loads_none(argv):
    code = (
        "import sys; from panoptic_heuristic.__main__ import main\n"
        f"try: main({argv})\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'torch', 'panoptic_heuristic.cli'} & set(sys.modules)))"
    )
    *lines, loaded = run(["-c", code]).stdout.splitlines()
    assert loaded == "[]"
    listed = dict(match.groups() for line in lines if (match := re.match(r"  ([a-z0-9-]+) +(\w.*\.)$", line)))
    assert list(listed) == NAMES
    for name, text in listed.items():
        assert ast.get_docstring(ast.parse(command_paths()[name].read_text())).startswith(text)
        assert len(text) <= 90, f"{name}: its line is broken on a terminal"


def test_the_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"{panoptic_heuristic.__version__}\n"


@pytest.mark.parametrize(
    "name, meant",
    [
        ("evaluate-qp", "did you mean evaluate-pq?"),
        ("sweep_fusion", "did you mean sweep-fusion?"),
        ("arguments", "`panoptic-heuristic --help` lists them"),
        ("xyz", "`panoptic-heuristic --help` lists them"),
    ],
)
def test_an_unknown_command_is_one_sentence(capsys, name, meant):
    assert main([name]) == 2
    assert capsys.readouterr().err == f"error: there is no command {name!r}; {meant}\n"


@pytest.mark.parametrize(
    "way, program",
    [
        (["-m", "panoptic_heuristic", "evaluate-pq"], "python -m panoptic_heuristic evaluate-pq"),
        ([ROOT / "tools" / "evaluate_pq.py"], "evaluate_pq.py"),
    ],
)
def test_the_usage_names_the_program_as_it_was_called(way, program):
    # The third way, the installed program, is in tests/cli/test_installed.py.
    done = run([*way, "--help"], cwd=ROOT)
    assert done.stdout.startswith(f"usage: {program} [-h]")


def test_the_rest_of_the_line_is_the_command_s_own(tmp_path, capsys):
    assert main(["generate-shapes", "--output", str(tmp_path / "s"), "--train", "1", "--val", "1"]) == 0
    assert main(["check-dataset", str(tmp_path / "s" / "shapes.yaml"), "--workers", "0"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "error: --workers must be at least 1, got 0"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_short_file_for_who_works_in_a_clone(name):
    if name == "doctor":
        return
    stem = name.replace("-", "_")
    (path,) = [path for folder in ("tools", "datasets") for path in ROOT.glob(f"{folder}/{stem}.py")]
    assert f"from panoptic_heuristic.cli.{stem} import main" in path.read_text()
