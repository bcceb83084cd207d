"""The doctor prints whatever is broken, and its exit code says whether it matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic_heuristic import doctor

ROOT = Path(__file__).resolve().parents[1]


def check(attempt, *, required=True):
    return doctor.Check("thing", attempt, "buy one", required=required)


def raising(error):
    def attempt():
        raise error

    return attempt


@pytest.mark.parametrize(
    "attempt, problem, detail",
    [
        (lambda: "1.0", None, "1.0"),
        (raising(ModuleNotFoundError("No module named 'thing'")), "missing", "No module named 'thing'"),
        (raising(doctor.NotThere("no such device")), "missing", "no such device"),
        (raising(OSError("undefined symbol")), "broken", "OSError: undefined symbol"),
        (raising(ImportError("libthing.so")), "broken", "ImportError: libthing.so"),
    ],
)
def test_whatever_an_attempt_does_becomes_a_finding(attempt, problem, detail):
    finding = doctor.examine(check(attempt))
    assert (finding.problem, finding.detail) == (problem, detail)


def test_what_works_takes_one_line_and_what_does_not_says_how_to_get_it():
    works, broken = doctor.examine(check(lambda: "1.0")), doctor.examine(check(raising(OSError("first\nsecond"))))
    assert [line.split() for line in doctor.lines_of(works)] == [["ok", "thing", "1.0"]]
    first, second = doctor.lines_of(broken)
    assert first.split() == ["broken", "thing", "OSError:", "first"]
    assert second.strip() == "required; to get it: buy one"


@pytest.mark.parametrize("required, code, last", [
    (True, 2, "Not working, but required: thing."),
    (False, 0, "All that is required works."),
])
def test_only_what_is_required_decides_the_exit_code(monkeypatch, capsys, required, code, last):
    checks = [check(lambda: "1.0"), check(raising(ModuleNotFoundError("gone")), required=required)]
    monkeypatch.setattr(doctor, "all_checks", lambda: checks)
    assert doctor.main([]) == code
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_a_missing_extension_is_optional_and_a_missing_detectron2_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    findings = {finding.check.name: finding for finding in map(doctor.examine, doctor.all_checks())}
    assert findings["Detectron2"].problem == findings["compiled ops"].problem == "missing"
    assert findings["Detectron2"].check.required
    assert not findings["compiled ops"].check.required


def test_everything_required_works_in_this_environment(capsys):
    assert doctor.main([]) == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    ok = {line[9:25].strip() for line in lines if line.startswith("ok ")}
    assert ok >= {"Python", "PyTorch", "torchvision ops", "Detectron2", "pycocotools", "panopticapi", "OpenCV"}


def test_on_a_bare_python_it_prints_and_does_not_crash():
    # -S leaves out site-packages: nothing but the standard library is there.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "panoptic_heuristic.doctor"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )
    assert (done.returncode, done.stderr) == (2, "")
    for name in ("NumPy", "PyTorch", "torchvision", "Detectron2", "fvcore", "pycocotools", "panopticapi", "pydensecrf"):
        assert f"missing  {name:16} " in done.stdout
    assert done.stdout.count("to get it: ") == len(doctor.all_checks()) - 1  # all but Python
