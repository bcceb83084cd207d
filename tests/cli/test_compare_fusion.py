import csv
import json
import shutil

import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.cli.compare_fusion import main
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.cli.processes import run
from tests.conftest import ROOT

PRESETS = ROOT / "configs" / "presets"
ALL = sorted(path.stem for path in PRESETS.glob("*.yaml"))
NEED_LOGITS = {"efficientps", "jsis", "kmax", "mask2former", "maskformer", "panoptic_segformer", "upsnet", "pku360"}


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(4, image_size=(32, 40), instances=8)


@pytest.fixture(scope="module")
def data(scenes, tmp_path_factory):
    """Folders and flags: of a cache with logits, and of one without."""
    folder = tmp_path_factory.mktemp("data")
    write_cache_with_logits(folder / "logits", scenes, score_floor=0.05)
    write_cache(folder / "plain", scenes, score_floor=0.05)
    json_path, png_folder = write_gt(folder / "gt", scenes)
    gt = ["--gt-json", str(json_path), "--gt-folder", str(png_folder), "--workers", "1", "--tuning-images", "1"]
    return {name: ["--cache", str(folder / name), *gt] for name in ("logits", "plain")}


def presets(*names):
    return ["--presets", *(str(PRESETS / f"{name}.yaml") for name in names)]


def rows_of(folder):
    return list(csv.DictReader((folder / "comparison.csv").read_text().splitlines()))


def notes_of(out):
    return {line.split(": ")[1] for line in out.splitlines() if line.startswith("not compared: ")}


# --- what it compares ---


def test_all_presets_where_logits_were_kept(data, tmp_path, capsys):
    assert main([*data["logits"], "--output", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert notes_of(out) == set() and "Traceback" not in err and "VERSION" not in err and "nan" not in out
    rows = rows_of(tmp_path)
    assert sorted(row["preset"] for row in rows) == sorted(2 * ALL)
    assert {row["thresholds"] for row in rows} == {"published", "tuned"}
    pq = [float(row["pq_all"]) for row in rows]
    assert pq == sorted(pq, reverse=True)
    # The table has the rows of the CSV.
    lines = out.splitlines()[2 : 2 + len(rows)]
    for line, row in zip(lines, rows, strict=True):
        assert line.split()[:3] == [row["preset"], row["thresholds"], f"{float(row['pq_all']):.2f}"]
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert f"written: {tmp_path / 'comparison.csv'}, {tmp_path / 'comparison.png'}\n" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["comparison.csv", "comparison.png"]


def test_published_thresholds_are_those_of_the_files(data, tmp_path):
    names = ("detectron2", "blendmask", "kmax", "panoptic_fcn", "mask2former")
    assert main([*data["logits"], *presets(*names), "--output", str(tmp_path)]) == 0
    published = {row["preset"]: row for row in rows_of(tmp_path) if row["thresholds"] == "published"}
    columns = ("instances_score_thresh", "key_cutoff", "overlap_threshold", "kept_fraction", "stuff_area_thresh")
    expected = {
        "detectron2": ["0.5", "", "0.5", "", "4096"],
        "blendmask": ["0.45", "", "0.4", "", "4096"],
        "kmax": ["0.7", "0", "0.2", "", "6400"],
        # Its instances_score_thresh is 0, and the cache has a floor.
        "panoptic_fcn": ["0.05", "0.2", "0.5", "", "4096"],
        "mask2former": ["0.8", "", "", "0.8", "0"],
    }
    for half in (1, 2):
        assert {name: [row[f"{one}_{half}"] for one in columns] for name, row in published.items()} == expected


def test_presets_that_need_what_was_not_kept_are_named(data, tmp_path, capsys):
    assert main([*data["plain"], "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    # Mask quality is unknown there, too.
    assert notes_of(out) == NEED_LOGITS | {"panoptic_fcn"}
    assert "not compared: mask2former: claim=pixel_argmax needs RoI mask probabilities, but " in out
    assert "--store-logits" in out
    assert {row["preset"] for row in rows_of(tmp_path)} == set(ALL) - notes_of(out)


def test_a_raised_threshold_is_told_once(data, tmp_path, capsys):
    assert main([*data["logits"], *presets("detectron2", "panoptic_fcn"), "--output", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    told = "instances_score_thresh raised to 0.05, below which the cache holds no instance: "
    told += "panoptic_fcn (published 0)\n"
    assert out.count("raised to") == out.count(told) == 1
    assert main([*data["logits"], *presets("jsis"), "--output", str(tmp_path), "--overwrite"]) == 0
    assert "raised to" not in capsys.readouterr().out


def test_a_config_of_ones_own_and_the_reference(data, tmp_path, capsys):
    """The reference is there unasked; rules that a data set cannot have are told of."""
    own = tmp_path / "mine.yaml"
    own.write_text("MODEL:\n  PANOPTIC_FPN:\n    COMBINE: {STUFF_AREA_LIMIT: 30}\n  WEIGHTS: nowhere.pth\n")
    other = tmp_path / "ties.yaml"
    other.write_text(
        f"_BASE_: {PRESETS / 'pku360.yaml'}\nMODEL: {{PANOPTIC_FUSION: {{CLAIM: {{PRECEDENCE: [[tie, person]]}}}}}}\n"
    )
    output = tmp_path / "out"
    assert main([*data["logits"], "--presets", str(own), str(other), "--output", str(output)]) == 0
    out = capsys.readouterr().out
    assert {row["preset"] for row in rows_of(output)} == {"mine", "detectron2"}
    assert f"not compared: ties: {other}: MODEL.PANOPTIC_FUSION.CLAIM.PRECEDENCE names 'tie', which the data set" in out
    published = {row["preset"]: row for row in rows_of(output) if row["thresholds"] == "published"}
    assert published["mine"]["stuff_area_thresh_1"] == "30"
    assert float(published["mine"]["pq_over_published"]) == pytest.approx(
        float(published["mine"]["pq_all"]) - float(published["detectron2"]["pq_all"])
    )
    assert published["detectron2"]["pq_over_published"] == ""


def test_only_times_depend_on_the_run(data, tmp_path):
    tables = []
    for name, workers in (("one", "1"), ("two", "2")):
        arguments = [*data["plain"], *presets("detectron2", "per_pixel"), "--workers", workers]
        assert main([*arguments, "--output", str(tmp_path / name)]) == 0
        tables.append([{**row, "ms_per_image": ""} for row in rows_of(tmp_path / name)])
        assert float(rows_of(tmp_path / name)[0]["ms_per_image"]) > 0
    assert tables[0] == tables[1]
    assert (tmp_path / "one" / "comparison.png").read_bytes() == (tmp_path / "two" / "comparison.png").read_bytes()


# --- what it refuses ---


def error_of(capsys, arguments):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and err.count("\n") == 1 and out == ""
    return err


@pytest.mark.parametrize(
    "extra, told",
    [
        (["--cache", "nowhere"], "nowhere holds no manifest.json"),
        (["--presets", "nowhere.yaml"], "there is no file 'nowhere.yaml' here, and none of that name in "),
        (["--gt-json", "nowhere.json"], "cannot read nowhere.json"),
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--tuning-images", "0"], "--tuning-images must be at least 1, got 0"),
        (["--seed", "-1"], "--seed must be at least 0, got -1"),
    ],
)
def test_wrong_input(data, tmp_path, capsys, extra, told):
    assert told in error_of(capsys, [*data["plain"], "--output", str(tmp_path / "out"), *extra])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "content, told",
    [
        ("MODEL: [", "mine.yaml"),
        ("MODEL: {PANOPTIC_FUSION: {PRESET: nobody}}", "PANOPTIC_FUSION.PRESET must be one of detectron2, "),
        ("MODEL: {PANOPTIC_FUSION: {CLAIMS: 1}}", "there is no config key MODEL.PANOPTIC_FUSION.CLAIMS"),
    ],
)
def test_a_preset_file_that_is_none(data, tmp_path, capsys, content, told):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    arguments = [*data["plain"], "--presets", str(path), "--output", str(tmp_path / "out")]
    assert told in error_of(capsys, arguments)
    assert not (tmp_path / "out").exists()


def test_two_presets_of_one_name(data, tmp_path, capsys):
    shutil.copy(PRESETS / "rap.yaml", tmp_path / "rap.yaml")
    files = ["--presets", str(PRESETS / "rap.yaml"), str(tmp_path / "rap.yaml")]
    assert "are both called 'rap'; rename one of them" in error_of(capsys, [*data["plain"], *files])


def test_a_reference_that_cannot_be_compared(data, tmp_path, capsys):
    path = tmp_path / "detectron2.yaml"
    path.write_text("MODEL: {PANOPTIC_FUSION: {PRESET: mask2former}}")
    err = error_of(capsys, [*data["plain"], "--presets", str(path), "--output", str(tmp_path / "out")])
    assert "detectron2, which the others are compared with, fails: claim=pixel_argmax needs" in err


@pytest.mark.parametrize("name", ["comparison.csv", "comparison.png"])
def test_existing_files_stay_unless_told(data, tmp_path, capsys, name):
    (tmp_path / name).write_text("mine")
    arguments = [*data["plain"], *presets("detectron2"), "--output", str(tmp_path)]
    assert f"{name} is there already; --overwrite replaces it" in error_of(capsys, arguments)
    assert (tmp_path / name).read_text() == "mine"
    assert main([*arguments, "--overwrite"]) == 0
    assert (tmp_path / name).read_bytes() != b"mine"


def test_an_output_that_cannot_be(data, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    arguments = [*data["plain"], *presets("detectron2"), "--output"]
    assert "is a file; expected a folder" in error_of(capsys, [*arguments, str(tmp_path / "file")])
    assert "cannot write to" in error_of(capsys, [*arguments, str(tmp_path / "file" / "below")])


def test_a_cache_of_one_image(scenes, tmp_path, capsys):
    cache, gt = write_cache(tmp_path / "cache", scenes[:1]), write_gt(tmp_path / "gt", scenes[:1])
    arguments = ["--cache", str(cache), "--gt-json", str(gt[0]), "--gt-folder", str(gt[1])]
    err = error_of(capsys, [*arguments, *presets("detectron2"), "--output", str(tmp_path / "out")])
    assert "there is 1 image; at least two are needed" in err


def test_an_unfinished_cache(scenes, tmp_path, capsys):
    cache, gt = write_cache(tmp_path / "cache", scenes[:3]), write_gt(tmp_path / "gt", scenes[:3])
    PredictionCache.open(cache).path_of(1).unlink()
    arguments = ["--cache", str(cache), "--gt-json", str(gt[0]), "--gt-folder", str(gt[1]), "--workers", "1"]
    err = error_of(capsys, [*arguments, *presets("detectron2"), "--output", str(tmp_path / "out")])
    assert "predictions/1.arrays is missing" in err
    assert not (tmp_path / "out").exists()


def test_the_ground_truth_the_cache_was_made_with(data, scenes, tmp_path):
    cache = write_cache(tmp_path / "cache", scenes)
    noted = {"panoptic_json": data["plain"][3], "panoptic_root": data["plain"][5]}
    (cache / "ground_truth.json").write_text(json.dumps(noted))
    arguments = ["--cache", str(cache), *presets("detectron2"), "--output", str(tmp_path / "out"), "--workers", "1"]
    assert main(arguments) == 0


def test_help_without_detectron2_has_an_example():
    done = run([ROOT / "tools" / "compare_fusion.py", "--help"])
    assert done.returncode == 0 and "panoptic-heuristic compare-fusion --cache cache --output comparison" in done.stdout
