import csv
import json
import re
import shutil

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.own_settings import remember_pipeline
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.cli import attribute_errors, tune_fusion
from panoptic_heuristic.cli.report_sweep import main
from panoptic_heuristic.fusion import Greedy, Pipeline
from tests.ablation.grids import claims_of, grid_of, limits_of
from tests.ablation.photos import write_noise
from tests.ablation.report_sweeps import GREEDY, MIXED, drawn_sweep, small_store, swept

DEFAULT = ["--default-stuff-area-thresh", "100"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store, its images, and sweeps of two grids."""
    folder = tmp_path_factory.mktemp("report")
    store = small_store(folder)
    swept(folder / "r50", store, GREEDY)
    swept(folder / "mixed", store, MIXED)
    write_noise(folder / "images", store.cache.manifest.images)
    return folder


@pytest.fixture(scope="module")
def second(folder):
    """A sweep of the first grid with other counts."""
    rng = np.random.default_rng(0)
    return drawn_sweep(folder / "r101", GREEDY, [tuple(rng.integers(1, 9, 2) / 10) for _ in range(len(GREEDY))]).folder


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pictures(folder):
    argv = ["--cache", folder / "cache", "--gt-json", folder / "gt" / "panoptic.json"]
    return [*map(str, argv), "--gt-folder", str(folder / "gt" / "panoptic"), "--image-root", str(folder / "images")]


@pytest.fixture(scope="module")
def report(folder):
    """The report of one sweep with everything in it."""
    assert main([str(folder / "r50"), "--output", str(folder / "out"), *DEFAULT, *pictures(folder)]) == 0
    return folder / "out"


def test_it_leads_to_the_page_of_explore_fusion(folder, tmp_path, capsys):
    argv = [str(folder / "r50"), "--output", str(tmp_path / "out"), *DEFAULT, "--explorer", str(tmp_path / "a b.html")]
    assert main(argv) == 2 and "a b.html is no file; make it with explore-fusion" in capsys.readouterr().err
    (tmp_path / "a b.html").write_text("a page")
    assert main(argv) == 0
    assert '<a href="../a%20b.html">' in (tmp_path / "out" / "report.html").read_text()
    assert "](../a%20b.html)" in (tmp_path / "out" / "report.md").read_text()


class TestOneSweep:
    def test_files(self, report):
        assert sorted(contents(report)) == [
            "classes.csv",
            *(f"r50_change_{number}.png" for number in range(1, 7)),
            "r50_curves.png",
            "r50_heat_instances_score_thresh_overlap_threshold.png",
            "r50_heat_instances_score_thresh_stuff_area_thresh.png",
            "r50_heat_overlap_threshold_stuff_area_thresh.png",
            "r50_things_stuff.png",
            "report.html",
            "report.md",
            "settings.csv",
            *(
                f"tables/{name}.{ending}"
                for name in ("best_settings", "classes", "images_that_change_most", "what_was_swept_1",
                             "what_was_swept_2")
                for ending in ("csv", "tex")
            ),
        ]  # fmt: skip

    def test_the_markdown_shows_every_picture_and_the_page_holds_it(self, report):
        pngs = {name for name in contents(report) if name.endswith(".png")}
        assert set(re.findall(r"!\[.*\]\((.*)\)", (report / "report.md").read_text())) == pngs
        html = (report / "report.html").read_text()
        assert html.count("data:image/png;base64,") == len(pngs)
        assert "<h1>Fusion settings: r50</h1>" in html

    def test_settings_are_those_of_the_sweep_best_first(self, report, folder):
        rows = rows_of(report / "settings.csv")
        assert list(rows[0])[:8] == [
            "sweep", "rank", "setting", "claim", "overlap_threshold", "instances_score_thresh", "stuff_area_thresh",
            "stuff_area_fraction",
        ]  # fmt: skip
        assert [row["rank"] for row in rows] == [str(1 + place) for place in range(len(GREEDY))]
        pq = [float(row["pq_all"]) for row in rows]
        assert pq == sorted(pq, reverse=True)
        quality = SweepResult(folder / "r50").total().quality()
        for row in rows:
            number = int(row["setting"])
            assert float(row["instances_score_thresh"]) == GREEDY.settings[number].instances_score_thresh
            assert float(row["pq_all"]) == pytest.approx(100 * np.nanmean(quality.pq[:, number]), rel=1e-8)

    def test_classes_under_the_default_and_the_best(self, report, folder):
        best = int(rows_of(report / "settings.csv")[0]["setting"])
        default = GREEDY.settings.index(Pipeline(stuff_area_thresh=100))
        result = SweepResult(folder / "r50")
        counts = result.total()
        names = [category.name for category in result.categories.values()]
        rows = rows_of(report / "classes.csv")
        assert rows
        for row in rows:
            place = names.index(row["name"])
            assert int(row["tp_best"]) == counts.tp[place, best]
            assert int(row["fp_default"]) == counts.fp[place, default]
            assert int(row["fn_best"]) == counts.segments[place] - counts.tp[place, best]
            assert float(row["pq_difference"]) == pytest.approx(
                float(row["pq_best"]) - float(row["pq_default"]), abs=1e-6
            )

    def test_a_table_as_csv_has_the_numbers_of_the_page(self, report):
        rows, all_rows = rows_of(report / "tables" / "best_settings.csv"), rows_of(report / "settings.csv")
        assert rows[0]["mark"] == "best" and rows[-1]["mark"] == "default"
        for row in rows:
            exact = all_rows[int(row["rank"]) - 1]
            assert row["PQ"] == f"{float(exact['pq_all']):.2f}"
            assert float(row["instances_score_thresh"]) == float(exact["instances_score_thresh"])
        assert {"to the best", "95 % interval low", "95 % interval high"} <= rows[1].keys()

    def test_a_second_run_writes_the_same_bytes(self, report, folder, tmp_path):
        assert main([str(folder / "r50"), "--output", str(tmp_path), *DEFAULT, *pictures(folder)]) == 0
        assert contents(tmp_path) == contents(report)

    def test_the_caution_stands_above_everything(self, report):
        lines = (report / "report.md").read_text().splitlines()
        notice = next(place for place, line in enumerate(lines) if line.startswith("> The best setting was chosen on"))
        assert notice < lines.index("## Best settings")


def test_what_is_printed(folder, tmp_path, capsys):
    assert main([str(folder / "r50"), "--output", str(tmp_path / "new"), *DEFAULT, "--title", "A & B"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Best of 48 settings: PQ [\d.]+ with greedy, .*; default .* \(95 % interval\)\.", out[0])
    assert out[1].startswith(f"written: {tmp_path / 'new' / 'report.html'}, ")
    assert out[1].endswith(", 5 figures and the tables")
    html = (tmp_path / "new" / "report.html").read_text()
    assert "<title>A &amp; B</title>" in html and "Images that change most" not in html


def test_figures_for_papers(report, folder, tmp_path):
    argv = [str(folder / "r50"), "--output", str(tmp_path), *DEFAULT, *pictures(folder)]
    assert main([*argv, "--format", "png", "svg", "pdf"]) == 0
    drawn = [name for name in contents(report) if name.endswith(".png") and not name.startswith("r50_change")]
    names = {name.removesuffix(".png") for name in drawn} - {"r50_curves"}
    names |= {f"r50_curves_{name}" for name in ("instances_score_thresh", "overlap_threshold", "stuff_area_thresh")}
    found = contents(tmp_path)
    assert found.keys() - contents(report).keys() == {f"{name}.{ending}" for name in names for ending in ("svg", "pdf")}
    assert {name: found[name] for name in contents(report)} == contents(report)


def test_results_of_other_commands(folder, tmp_path):
    cache, gt = ["--cache", str(folder / "cache")], pictures(folder)[2:6]
    assert attribute_errors.main([*cache, *gt, "--output", str(tmp_path / "errors")]) == 0
    argv = [*cache, *gt, "--output", str(tmp_path / "tuned"), "--stages", "global", "--folds", "2", "--workers", "1"]
    assert tune_fusion.main(argv) == 0
    argv = ["--attribution", str(tmp_path / "errors" / "attribution.json")]
    argv += ["--tuning", str(tmp_path / "tuned" / "tuning.json"), "--output", str(tmp_path / "report")]
    assert main([str(folder / "r50"), *argv, *cache, *gt, "--workers", "1", "--pictures", "0"]) == 0
    lines = (tmp_path / "report" / "report.md").read_text().splitlines()
    assert "## Where errors come from" in lines and "## Held-out gains" in lines
    chosen = json.loads((tmp_path / "tuned" / "tuning.json").read_text())["chosen"]
    assert chosen != "default" and lines[2].startswith(f"**Recommended: {chosen}, +")
    assert "## What the recommended settings mend and break" in lines
    assert any(line.startswith("| MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT | 4096 | ") for line in lines)
    assert lines.index("## All settings of the grid") < lines.index("## Best settings")


def test_errors_are_not_traced_where_rules_look_at_images(folder, tmp_path):
    cache, gt = ["--cache", str(folder / "cache")], pictures(folder)[2:6]
    argv = [*cache, *gt, "--output", str(tmp_path / "tuned"), "--stages", "global", "--folds", "2", "--workers", "1"]
    assert tune_fusion.main(argv) == 0
    path = tmp_path / "tuned" / "tuning.json"
    numbers = json.loads(path.read_text())
    numbers["chosen"] = "global"
    numbers["outcome"]["pipelines"]["global"]["border"] = {"name": "guided_filter"}
    path.write_text(json.dumps(numbers))
    argv = ["--tuning", str(path), "--output", str(tmp_path / "report"), "--workers", "1", "--pictures", "0"]
    assert main([str(folder / "r50"), *argv, *cache, *gt]) == 0
    lines = (tmp_path / "report" / "report.md").read_text().splitlines()
    heading = lines.index("## What the recommended settings mend and break")
    assert lines[heading + 2].startswith("A rule looks at images, which a cache does not hold: ")
    assert any("--image-root IMAGES " in line for line in lines)


def test_the_default_is_one_on_the_page(folder, tmp_path, capsys):
    """The model's own settings, in the recommendation and in the tables of the grid, whatever tuning starts from."""
    shutil.copytree(folder / "cache", tmp_path / "cache")
    remember_pipeline(PredictionCache.open(tmp_path / "cache"), Pipeline(Greedy(0.3), 0.7, 400))
    cache, gt = ["--cache", str(tmp_path / "cache")], pictures(folder)[2:6]
    argv = [*cache, *gt, "--output", str(tmp_path / "tuned"), "--stages", "global", "--folds", "2", "--workers", "1"]
    assert tune_fusion.main(argv) == 0
    tuning, sweep = ["--tuning", str(tmp_path / "tuned" / "tuning.json")], str(folder / "r50")
    for more in (tuning, [*cache, *gt]):
        assert main([sweep, *more, "--output", str(tmp_path / "out"), "--overwrite", "--pictures", "0"]) == 0
        text = (tmp_path / "out" / "report.md").read_text()
        own = "greedy, instances_score_thresh 0.7, overlap_threshold 0.3, stuff_area_thresh 400"
        assert f"The default is {own} (the model's own settings)." in text
        assert "(default) | 0.7 | 0.3 | 400 |" in text and "does not hold the default" not in text
    capsys.readouterr()
    assert main([sweep, *tuning, *DEFAULT, "--output", str(tmp_path / "out"), "--overwrite"]) == 2
    told = "--default-stuff-area-thresh means nothing with --tuning, whose default the report has; leave it out"
    assert told in capsys.readouterr().err


def test_a_tuning_of_before_is_told_in_a_sentence(folder, tmp_path, capsys):
    (tmp_path / "tuning.json").write_text(json.dumps({"format": 3}))
    argv = ["--tuning", str(tmp_path / "tuning.json"), "--output", str(tmp_path / "out")]
    assert main([str(folder / "r50"), *argv]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'tuning.json'} is no tuning of format 5 (it says 3); make it anew\n"
    )


def test_a_mixed_grid(folder, tmp_path):
    assert main([str(folder / "mixed"), "--output", str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert "The grid does not hold the default (greedy, " in text
    assert text.count("otherwise as above.") == 3


def test_a_default_that_is_the_best(folder, tmp_path):
    pq = [(0.9, 0.9) if setting == Pipeline() else (0.1, 0.1) for setting in GREEDY.settings]
    drawn_sweep(tmp_path / "sweep", GREEDY, pq)
    assert main([str(tmp_path / "sweep"), "--output", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Best of 48 settings: PQ 90.0, which the default has already" in text
    assert "was chosen on the same" not in text


class TestSeveralSweeps:
    def test_the_report(self, folder, second, tmp_path):
        argv = [str(folder / "r50"), str(second), "--output", str(tmp_path), "--names", "R 50", "R/101"]
        assert main(argv) == 0
        names = set(contents(tmp_path))
        assert {"comparison_curves.png", "R_50_curves.png", "R_101_curves.png"} <= names
        text = (tmp_path / "report.md").read_text()
        assert "## Does the best setting of one hold for another?" in text
        assert "R 50 and R/101 have no paired difference: one is of the data set" in text
        assert text.index("## R 50") < text.index("### Best settings") < text.index("## R/101")
        rows = rows_of(tmp_path / "settings.csv")
        assert [row["sweep"] for row in rows] == ["R 50"] * 48 + ["R/101"] * 48
        assert {row["sweep"] for row in rows_of(tmp_path / "classes.csv")} == {"R 50", "R/101"}

    def test_each_with_its_cache(self, folder, tmp_path):
        shutil.copytree(folder / "r50", tmp_path / "copy")
        argv = [str(folder / "r50"), str(tmp_path / "copy"), "--output", str(tmp_path / "out"), "--pictures", "1"]
        files = pictures(folder)
        files.insert(2, files[1])
        assert main([*argv, *files]) == 0
        assert {"r50_change_1.png", "copy_change_1.png"} <= set(contents(tmp_path / "out"))
        text = (tmp_path / "out" / "report.md").read_text()
        assert re.search(r"\| copy \| r50 \| default \| ([\d.]+) \| \1 \| 0.00 \| \[0.00, 0.00\]", text)

    def test_of_other_grids(self, folder, tmp_path, capsys):
        assert main([str(folder / "r50"), str(folder / "mixed"), "--output", str(tmp_path)]) == 2
        told = "are sweeps of different grids (their claim, overlap_threshold, instances_score_thresh, "
        assert told in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "argv, message",
    [
        (["{f}/nothing"], "{f}/nothing holds no sweep.json; make a sweep there with sweep-fusion"),
        (["{f}/r50", "{f}/r50"], "two sweeps are called 'r50' and 'r50'; tell them apart with --names"),
        (["{f}/r50", "--names", "a", "b"], "--names must give one name per sweep: 1, got 2"),
        (
            ["{f}/r50", "--gt-json", "x.json"],
            "--gt-json is for pictures, which need the predictions, too: give --cache",
        ),
        (["{f}/r50", "--cache", "a", "b"], "--cache must name one folder per sweep, in their order: 1, got 2"),
        (
            ["{f}/r50", "{f}/mixed", "--cache", "a", "b", "--image-root", "a", "b", "c"],
            "--image-root must be given once, or once for each of the 2 sweeps; got 3",
        ),
        (["{f}/r50", "--cache", "{f}/cache", "--image-root", "{f}/no"], "--image-root {f}/no is no folder"),
        (
            ["{f}/r50", "--cache", "{f}/cache"],
            "{f}/cache does not say where its ground truth is; give --gt-json and --gt-folder",
        ),
        (
            ["{f}/r50", "--default-overlap-threshold", "1.5"],
            "--default-overlap-threshold must be a finite number in [0, 1], got 1.5",
        ),
        (
            ["{f}/r50", "--default-stuff-area-thresh", "-1"],
            "--default-stuff-area-thresh must be a finite number in [0, inf), got -1.0",
        ),
        (["{f}/r50", "--tuning", "a", "b"], "--tuning must name one JSON per sweep, in their order: 1, got 2"),
        (["{f}/r50", "--attribution", "{f}/none.json"], "cannot read {f}/none.json: No such file or directory"),
        (["{f}/r50", "--pictures", "-1"], "--pictures must be at least 0, got -1"),
    ],
)
def test_wrong_input_is_told_in_a_line(folder, tmp_path, capsys, argv, message):
    assert main([*(one.format(f=folder) for one in argv), "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"error: {message.format(f=folder)}\n"


def test_files_that_are_there_are_kept_unless_asked(folder, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    argv = [str(folder / "mixed"), "--output", str(tmp_path)]
    assert main(argv) == 2
    assert "holds files already; choose another --output, or --overwrite" in capsys.readouterr().err
    assert main([*argv, "--overwrite"]) == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_sweep_is_never_written_over(folder, capsys):
    before = contents(folder / "r50" / "buckets")
    assert main([str(folder / "r50"), "--output", str(folder / "r50"), "--overwrite"]) == 2
    assert "holds a sweep with a settings.csv of its own" in capsys.readouterr().err
    assert contents(folder / "r50" / "buckets") == before and not (folder / "r50" / "report.md").exists()


def test_an_unfinished_sweep(folder, tmp_path, capsys):
    shutil.copytree(folder / "mixed", tmp_path / "part")
    (tmp_path / "part" / "buckets" / "07.arrays").unlink()
    assert main([str(tmp_path / "part"), "--output", str(tmp_path / "out")]) == 2
    assert "lacks 1 of 100 buckets, such as 07" in capsys.readouterr().err


@pytest.mark.parametrize("thresholds, overlaps", [((0.5,), 1), ((0.3, 0.5), 1), ((0.5,), 3)])
def test_grids_with_nearly_nothing_to_draw(folder, tmp_path, thresholds, overlaps):
    grid = grid_of(claims_of(GREEDY)[:overlaps], thresholds, limits_of(GREEDY)[:1])
    drawn_sweep(tmp_path / "sweep", grid, [(0.1, 0.2)] * len(grid), images=1)
    assert main([str(tmp_path / "sweep"), "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.html").exists()
