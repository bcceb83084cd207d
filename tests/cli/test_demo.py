"""demo after its training: on a model that was trained for seconds."""

import contextlib
import csv
import json
import shutil

import pytest

from panoptic_heuristic.__main__ import main
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import run_sweep
from panoptic_heuristic.cli import demo
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.fusion import Greedy
from panoptic_heuristic.quality import summarize
from tests.ablation.grids import grid_of
from tests.cli.small_training import ROOT


@pytest.fixture(scope="module")
def ablated(trained, tmp_path_factory):
    """The demo's folder, with the small model in place of the one it trains."""
    output = tmp_path_factory.mktemp("demo")
    run = output / "run"
    shutil.copytree(trained.folder, run)
    shutil.copy(run / "model_final.pth", run / "model_best.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        demo.ablate(output, trained.data / "val" / "images", run, folds=3)
    return output


@pytest.mark.slow
def test_every_step_leaves_its_files(ablated):
    with open(ablated / "sweep" / "settings.csv") as file:
        assert len(list(csv.DictReader(file))) > 1000
    names = ("tuned/tuned.yaml", "tuned/tuning.json", "errors/attribution.json", "report/report.html", "explorer.html")
    for name in names:
        assert (ablated / name).stat().st_size > 100
    assert '<a href="../explorer.html">' in (ablated / "report" / "report.html").read_text()


@pytest.mark.slow
def test_the_sweep_gives_the_model_its_own_pq(ablated, trained, tmp_path):
    """The small model was evaluated at the thresholds of its config; its cache has no floor above them."""
    grid = grid_of((Greedy(0.5),), (0.0,), ((30.0, 0.0),))
    run_sweep(SweepJob(open_store(ablated / "cache"), grid, tmp_path), range(BUCKETS))
    result = SweepResult(tmp_path)
    summary = summarize(result.total().of_setting(0, result.categories), result.categories)
    model = read_json(trained.folder / "inference" / "results.json")["panoptic_seg"]
    for group, suffix in ((summary.all, ""), (summary.things, "_th"), (summary.stuff, "_st")):
        for measure in ("pq", "sq", "rq"):
            assert 100 * getattr(group, measure) == pytest.approx(model[measure.upper() + suffix], abs=1e-9)


def run_here(arguments, log=None):
    """Runs a command in this process; what it prints is appended to a log if there is one."""
    with contextlib.ExitStack() as stack:
        if log is not None:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(log, "a"))))
        assert main([str(argument) for argument in arguments]) == 0


@pytest.mark.slow
def test_run_again_it_goes_on_where_it_was(ablated, trained, capfd, monkeypatch):
    before = {path: path.read_bytes() for path in sorted((ablated / "sweep").rglob("*")) if path.is_file()}
    # That its commands run as programs is seen the first time.
    monkeypatch.setattr(demo, "_show", run_here)
    monkeypatch.setattr(demo, "_run", run_here)
    demo.ablate(ablated, trained.data / "val" / "images", ablated / "run", folds=3)
    printed = capfd.readouterr().out
    assert "0 images run" in printed and "0 of 100 buckets counted now" in printed
    assert {path: path.read_bytes() for path in sorted((ablated / "sweep").rglob("*")) if path.is_file()} == before


def test_what_fails_is_told_with_its_last_line(tmp_path, capsys):
    (tmp_path / "run" / "inference").mkdir(parents=True)
    (tmp_path / "run" / "inference" / "results.json").write_text(json.dumps({"panoptic_seg": {}}))
    (tmp_path / "shapes").write_text("a file where the data set should go")
    assert demo.main(["--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: generate-shapes failed (error: ")
    assert "generate.log" in error


def test_an_output_that_is_a_file_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert demo.main(["--output", str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.startswith("error: cannot write to")
