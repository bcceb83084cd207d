import csv
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from panoptic_heuristic.ablation.sweeping.buckets import bucket_path
from panoptic_heuristic.cli.sweep_fusion import main
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.conftest import ROOT

FULL = os.environ.get("PARITY") == "full"
KILLS = 20 if FULL else 3

GRID = """
CLAIM: [greedy, per_pixel]
INSTANCES_CONFIDENCE_THRESH: [0.1, 0.5]
OVERLAP_THRESH: [0.3, 0.5]
STUFF_AREA_LIMIT: [0, 4096]
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    scenes = small_scenes(6)
    cache = write_cache(folder / "cache", scenes, score_floor=0.05)
    panoptic_json, panoptic_root = write_gt(folder / "gt", scenes)
    (folder / "grid.yaml").write_text(GRID)
    return {
        "--cache": cache, "--grid": folder / "grid.yaml", "--gt-json": panoptic_json, "--gt-folder": panoptic_root,
        "--workers": 1,
    }  # fmt: skip


def listed(arguments, **changes):
    changed = {**arguments, **{f"--{name.replace('_', '-')}": value for name, value in changes.items()}}
    return [str(part) for key, value in changed.items() if value is not None for part in (key, value)]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def swept(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("swept")
    assert main(listed(arguments, output=folder)) == 0
    return folder


def test_the_tables_say_what_was_counted(arguments, tmp_path, capsys):
    assert main(listed(arguments, output=tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "12 settings on 6 images; 100 of 100 buckets counted now" in printed
    assert "need pixels" not in printed
    assert "(default)" in printed
    for name in ("sweep.json", "settings.csv", "classes.csv"):
        assert str(tmp_path / name) in printed
    settings = list(csv.DictReader((tmp_path / "settings.csv").open()))
    assert len(settings) == 12
    pq = [float(row["pq_all"]) for row in settings]
    assert pq == sorted(pq, reverse=True)
    classes = list(csv.DictReader((tmp_path / "classes.csv").open()))
    best = settings[0]
    of_best = [float(row["pq"]) for row in classes if row["setting"] == best["setting"]]
    assert sum(of_best) / len(of_best) == pytest.approx(pq[0], abs=1e-7)
    assert {row["overlap_threshold"] for row in settings if row["claim"] == "per_pixel"} == {""}


def test_shards_in_folders_of_their_own_merge_to_the_same_bytes(arguments, tmp_path, swept, capsys):
    for part in (1, 2):
        assert main(listed(arguments, output=tmp_path / f"part{part}", shard=f"{part}/2")) == 0
    assert "50 of 100 buckets are missing" in capsys.readouterr().out
    parts = [str(tmp_path / f"part{part}") for part in (1, 2)]
    assert main(["--merge", *parts, "--output", str(tmp_path / "merged")]) == 0
    assert contents(tmp_path / "merged") == contents(swept)


def test_a_second_run_counts_nothing_and_changes_nothing(arguments, swept, capsys):
    before = contents(swept)
    assert main(listed(arguments, output=swept)) == 0
    assert "0 of 100 buckets counted now" in capsys.readouterr().out
    assert contents(swept) == before


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bytes(arguments, tmp_path, swept):
    rng = random.Random(0)
    command = [sys.executable, str(ROOT / "tools" / "sweep_fusion.py"), *listed(arguments, output=tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(KILLS):
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Most of the first seconds are imports.
        wanted = rng.randrange(100)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if sum(bucket_path(tmp_path / "out", bucket).exists() for bucket in range(100)) >= wanted:
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if rng.random() < 0.5:
            for path in list((tmp_path / "out").rglob("[0-9]*.arrays"))[: rng.randrange(100)]:
                path.unlink()
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == contents(swept)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"shard": "3/2"}, ["--shard", "'3/2'"]),
        ({"shard": "a"}, ["--shard", "1/4"]),
        ({"shard": "0/2"}, ["--shard"]),
        ({"cache": None}, ["--cache"]),
        ({"grid": None}, ["--grid"]),
        ({"grid": "none.yaml"}, ["none.yaml"]),
        ({"cache": "nowhere"}, ["nowhere", "manifest.json"]),
        ({"gt_folder": None}, ["--gt-json and --gt-folder"]),
        ({"gt_folder": "nowhere"}, ["cannot read nowhere"]),
        ({"gt_json": None, "gt_folder": None}, ["--gt-json and --gt-folder"]),
        ({"workers": 0}, ["workers", "at least 1"]),
    ],
)
def test_wrong_input_is_one_sentence(arguments, tmp_path, capsys, changes, words):
    assert main(listed(arguments, **{"output": tmp_path / "out", **changes})) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    for word in words:
        assert word in error


def test_a_threshold_below_the_cache_is_one_sentence(arguments, tmp_path, capsys):
    (tmp_path / "low.yaml").write_text("INSTANCES_CONFIDENCE_THRESH: [0.01, 0.5]")
    assert main(listed(arguments, grid=tmp_path / "low.yaml", output=tmp_path / "out")) == 2
    assert "instances_score_thresh 0.01" in capsys.readouterr().err


def test_a_rule_that_needs_what_the_cache_lacks_is_one_sentence(arguments, tmp_path, capsys):
    (tmp_path / "rule.yaml").write_text("CLAIM: [greedy, pixel_argmax]")
    assert main(listed(arguments, grid=tmp_path / "rule.yaml", output=tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: the grid's claim=pixel_argmax needs RoI mask probabilities, but ")
    assert "--store-logits" in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_settings_that_need_pixels_are_announced(arguments, tmp_path, capsys):
    (tmp_path / "rule.yaml").write_text("{VETO: semantic_veto, STUFF: {NAME: void, COUNTED: before}}")
    assert main(listed(arguments, grid=tmp_path / "rule.yaml", output=tmp_path / "out", shard="1/100")) == 0
    assert "1 of 1 settings have rules that need pixels" in capsys.readouterr().out


def test_merging_takes_shards_only(arguments, tmp_path, swept, capsys):
    assert main(["--merge", str(swept), "--cache", "x", "--output", str(tmp_path)]) == 2
    assert "leave out --cache" in capsys.readouterr().err
    assert main(["--merge", str(tmp_path), "--output", str(tmp_path / "out")]) == 2
    assert "holds no sweep.json" in capsys.readouterr().err


def test_a_damaged_bucket_is_counted_anew_and_in_a_shard_one_sentence(arguments, tmp_path, swept, capsys):
    main(["--merge", str(swept), "--output", str(tmp_path / "copy")])
    path = bucket_path(tmp_path / "copy", 7)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    capsys.readouterr()
    assert main(["--merge", str(tmp_path / "copy"), "--output", str(tmp_path / "other")]) == 2
    assert "07.arrays is damaged" in capsys.readouterr().err
    assert main(listed(arguments, output=tmp_path / "copy")) == 0
    assert path.read_bytes() == whole and "1 of 100 buckets counted now" in capsys.readouterr().out
