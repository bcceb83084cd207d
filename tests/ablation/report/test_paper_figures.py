"""Figures as SVG and PDF: as wide as a paper's column, legible there, and the same bytes every time."""

import hashlib
import re
import subprocess
import sys
from itertools import chain

import pytest

from panoptic_heuristic.ablation.report import comparison, curves, heatmaps, loss_curves, scatter
from panoptic_heuristic.ablation.report.comparison import Compared, setting_for_all
from panoptic_heuristic.ablation.report.document import Document, Figure
from panoptic_heuristic.ablation.report.figures import curves as curve_blocks
from panoptic_heuristic.ablation.report.figures import heat_maps, things_against_stuff
from panoptic_heuristic.ablation.report.make import write_report
from panoptic_heuristic.ablation.report.plots import Form
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from tests.ablation.report_sweeps import DETECTRON2, GREEDY, MIXED, drawn_sweep
from tests.conftest import ROOT


def figures_of(folder, grid):
    """All figures for papers of two sweeps of a grid, by name."""
    pq = [((k % 7) / 10, (k % 5) / 10) for k in range(len(grid))]
    sweeps = [ReportedSweep.of(name, drawn_sweep(folder / name, grid, pq), DETECTRON2) for name in ("R50", "R101")]
    for_all = setting_for_all(sweeps)
    compared = Compared(sweeps, [sweep.resampled([for_all]) for sweep in sweeps], for_all)
    blocks = [*heat_maps(sweeps[0], "a", 2), *curve_blocks(sweeps[0], compared.resampled[0], "a", 2)]
    blocks += [*things_against_stuff(sweeps[0], "a", 2), *comparison.comparison(compared, 2)]
    pictures = chain.from_iterable(block.pictures for block in blocks if isinstance(block, Figure))
    return {figure.name: figure for picture in pictures for figure in picture.paper}


@pytest.fixture(scope="module")
def greedy(tmp_path_factory):
    return figures_of(tmp_path_factory.mktemp("greedy"), GREEDY)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return figures_of(tmp_path_factory.mktemp("mixed"), MIXED)


def test_a_figure_per_pair_of_thresholds_and_per_threshold(greedy):
    thresholds = ["instances_score_thresh", "overlap_threshold", "stuff_area_thresh"]
    assert sorted(greedy) == sorted([
        "a_heat_instances_score_thresh_overlap_threshold",
        "a_heat_instances_score_thresh_stuff_area_thresh",
        "a_heat_overlap_threshold_stuff_area_thresh",
        "a_things_stuff",
        *(f"a_curves_{name}" for name in thresholds),
        *(f"comparison_curves_{name}" for name in thresholds),
    ])  # fmt: skip


@pytest.mark.parametrize("grid", ["greedy", "mixed"])
def test_a_column_wide_and_no_text_below_7_points(grid, request):
    for figure in request.getfixturevalue(grid).values():
        svg = figure.draw(Form.SVG).decode("utf-8")
        # 3.3 inches of 72 points.
        assert re.search(r'<svg [^>]*width="237.6pt"', svg), figure.name
        sizes = [float(size) for size in re.findall(r'<text style="font[^"]*?([\d.]+)px', svg)]
        assert len(sizes) == svg.count("<text ") > 5 and min(sizes) >= 7, figure.name


@pytest.mark.parametrize("grid", ["greedy", "mixed"])
def test_no_text_is_cut_off(grid, request, monkeypatch):
    drawn = []

    def checked(figure, form):
        figure.draw_without_rendering()
        taken, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert taken.x0 >= -0.01 and taken.y0 >= -0.01 and taken.x1 <= width + 0.01 and taken.y1 <= height + 0.01
        drawn.append(figure)

    for module in (curves, loss_curves, heatmaps, scatter):
        monkeypatch.setattr(module, "to_file", checked)
    figures = request.getfixturevalue(grid)
    for figure in figures.values():
        figure.draw(Form.PDF)
    assert len(drawn) == len(figures)


def test_fonts_are_in_the_pdf_as_truetype(greedy):
    for figure in greedy.values():
        pdf = figure.draw(Form.PDF)
        assert pdf.startswith(b"%PDF-") and b"/FontFile2" in pdf and b"/Type3" not in pdf
        assert re.search(rb"/MediaBox \[ 0 0 237\.6 ", pdf)


def test_nothing_says_when_or_by_what_a_file_was_made(greedy):
    for figure in greedy.values():
        assert not re.search(rb"/CreationDate|/ModDate|/Producer|/Creator", figure.draw(Form.PDF))
        assert not re.search(rb"<dc:date>|<dc:title>Matplotlib|Matplotlib v", figure.draw(Form.SVG))


def digests(figures):
    return [
        f"{name} {form.value} {hashlib.sha256(figure.draw(form)).hexdigest()}"
        for name, figure in figures.items()
        for form in (Form.SVG, Form.PDF)
    ]


def test_equal_sweeps_give_equal_bytes_in_another_process_too(greedy, tmp_path):
    code = (
        "import pathlib, sys; from tests.ablation.report.test_paper_figures import GREEDY, digests, figures_of\n"
        "print(*digests(figures_of(pathlib.Path(sys.argv[1]), GREEDY)), sep='\\n')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == digests(greedy)


def test_files_are_those_that_were_asked_for(greedy, tmp_path):
    result = drawn_sweep(tmp_path / "sweep", GREEDY, [(0.1, 0.2)] * len(GREEDY))
    sweep = ReportedSweep.of("a", result, DETECTRON2)
    document = Document("t", "s", tuple(things_against_stuff(sweep, "a", 2)))
    for name, forms, endings in [("none", (), {"png"}), ("two", (Form.PNG, Form.PDF), {"png", "pdf"})]:
        written = write_report(tmp_path / name, document, [sweep], forms)
        figures = {path.name for path in written if path.stem == "a_things_stuff"}
        assert figures == {f"a_things_stuff.{ending}" for ending in endings}
        assert all(path.stat().st_size for path in written)
