"""The doctor prints whatever is broken, and its exit code says whether it matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic_heuristic import doctor, native

ROOT = Path(__file__).resolve().parents[1]


def check(attempt, use=doctor.CORE):
    return doctor.Check("thing", attempt, "buy one", use)


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
    assert second.strip() == "for fusing, scoring, files, ablation; to get it: buy one"


@pytest.mark.parametrize(
    "use, code, code_of_all, not_working",
    [
        (doctor.CORE, 2, 2, {doctor.CORE, doctor.MODEL, doctor.REFERENCE}),
        (doctor.MODEL, 0, 2, {doctor.MODEL}),
        (doctor.REFERENCE, 0, 2, {doctor.REFERENCE}),
        (doctor.SPEED, 0, 0, set()),
        (doctor.DENSE_CRF, 0, 0, set()),
    ],
)
def test_only_a_broken_core_decides_the_exit_code(monkeypatch, capsys, use, code, code_of_all, not_working):
    checks = [check(lambda: "1.0"), check(raising(ModuleNotFoundError("gone")), use)]
    monkeypatch.setattr(doctor, "all_checks", lambda: checks)
    assert doctor.main([]) == code
    last = capsys.readouterr().out.splitlines()[-3:]
    assert last == [
        f"{one}: {'does not work, for want of thing' if one in not_working else 'works'}"
        for one in (doctor.CORE, doctor.MODEL, doctor.REFERENCE)
    ]
    assert doctor.main(["--all"]) == code_of_all


def test_only_a_model_needs_detectron2_and_nothing_its_extension(monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2", None)
    findings = {finding.check.name: finding for finding in map(doctor.examine, doctor.all_checks())}
    assert findings["Detectron2"].problem == findings["compiled ops"].problem == "missing"
    assert doctor.missing_for(doctor.MODEL, list(findings.values())) == ["Detectron2"]
    assert doctor.missing_for(doctor.CORE, list(findings.values())) == []


def test_everything_works_in_this_environment(capsys):
    assert doctor.main(["--all"]) == 0, capsys.readouterr().out
    lines = capsys.readouterr().out.splitlines()
    ok = {line[9:25].strip() for line in lines if line.startswith("ok ")}
    assert ok >= {"Python", "PyTorch", "torchvision ops", "Detectron2", "pycocotools", "panopticapi", "OpenCV"}


def test_a_wrong_command_line_is_one_sentence(capsys):
    assert doctor.main(["--some"]) == 2
    assert capsys.readouterr() == ("", "error: unrecognized arguments: --some\n")


def test_on_a_bare_python_it_prints_and_does_not_crash():
    # -S leaves out site-packages: nothing but the standard library is there.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-m", "panoptic_heuristic", "doctor"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )
    assert (done.returncode, done.stderr) == (2, "")
    for name in ("NumPy", "PyTorch", "torchvision", "Detectron2", "fvcore", "pycocotools", "panopticapi", "pydensecrf"):
        assert f"missing  {name:16} " in done.stdout
    # All but Python, and the package's own kernels where they are built: these need nothing else.
    assert done.stdout.count("to get it: ") == len(doctor.all_checks()) - 1 - native.are_there()
