import os
import re

import numpy as np
import pytest

from panoptic_heuristic.cli.check_dataset import main
from tests.cli.processes import help_of, interrupt_at_work, needs_proc, run
from tests.conftest import ROOT
from tests.formats.tiny_panoptic import DRAWINGS, write_png, write_tiny_panoptic

TOOL = ROOT / "tools" / "check_dataset.py"


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path)


def spoil_areas(data, split="val"):
    with data.edit(split) as content:
        segments = [s for annotation in content["annotations"] for s in annotation["segments_info"]]
        for segment in segments:
            segment["area"] += 1
    return len(segments)


def test_a_sound_data_set_passes(data, capsys):
    assert main([str(data.yaml), "--stuff-area-thresh", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == f"{data.yaml}: 0 problems, 0 notes; the data set passes"
    assert err == ""  # No progress bar where nobody watches.


def test_the_table_counts_per_split_and_class(data, capsys):
    main([str(data.yaml), "--split", "val"])
    out = capsys.readouterr().out
    assert "split val: 3 images, median size 10x8\n" in out
    # Drawing by drawing: s g c C d x, then s g c d, then g d, and 15 of 240 pixels are void.
    assert (
        "12 segments: 6 things of 2 classes, 5 stuff of 2 classes, 1 crowd; void: 6.25% of all pixels" in out
    )
    rows = {row.split()[1]: row.split() for row in out.splitlines() if "%" in row and ":" not in row}
    assert rows["dog"] == ["90", "dog", "thing", "3", "3", "1", "36", "15.00%", "4"]
    assert "split train" not in out


def test_several_splits_can_be_chosen(data, capsys):
    main([str(data.yaml), "--split", "val", "--split", "train"])
    assert re.findall(r"^split (\w+):", capsys.readouterr().out, re.M) == ["train", "val"]


def test_notes_do_not_fail(data, capsys):
    assert main([str(data.yaml)]) == 0
    out = capsys.readouterr().out
    # 4096 * 80 / 307200 is 1.07.
    assert (
        "note (stuff limit): a stuff area limit of 4096 pixels is 5120.0% of the median image (80 pixels)"
        in out
    )
    assert "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT 1\n" in out
    assert out.splitlines()[-1] == f"{data.yaml}: 0 problems, 1 note; the data set passes"


def test_problems_fail_and_are_told_one_a_line(data, capsys):
    os.remove(data.image("val", 0))
    os.remove(data.png("val", 1))
    assert main([str(data.yaml)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"problem (image): [val] {data.image('val', 0)} is missing"
    assert lines[1] == f"problem (PNG): [val] cannot read {data.png('val', 1)}: No such file or directory"
    assert lines[-1] == f"{data.yaml}: 2 problems, 1 note"


@pytest.mark.parametrize("limit, shown", [(1, 1), (11, 11), (12, 12), (20, 12)])
def test_many_problems_of_a_kind_are_cut(data, capsys, limit, shown):
    assert spoil_areas(data) == 12
    os.remove(data.image("train", 0))  # Of another kind, so not cut.
    assert main([str(data.yaml), "--max-problems", str(limit)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "the JSON says area" in line]) == shown
    more = [line for line in lines if " more; " in line]
    expected = f"problem (area): {12 - shown} more; --max-problems 12 shows them all"
    assert more == ([expected] if shown < 12 else [])
    assert len([line for line in lines if line.startswith("problem (image)")]) == 1
    assert lines[-1].startswith(f"{data.yaml}: 13 problems")


def test_a_data_set_without_annotations(data, capsys):
    data.yaml.write_text(re.sub(r", panoptic_root: \w+", "", data.yaml.read_text()))
    assert main([str(data.yaml)]) == 0
    assert "split val: 3 images, median size 10x8, no annotations read" in capsys.readouterr().out


def test_a_data_set_without_images(tmp_path, capsys):
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=[])
    assert main([str(data.yaml)]) == 0
    assert "split val: 0 images, no annotations read" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["no.yaml"], "error: cannot read the data set file no.yaml: No such file or directory"),
        (["{yaml}", "--split", "tset"], "error: {yaml} has no split 'tset'; its splits are train, val"),
        (["{yaml}", "--workers", "0"], "error: --workers must be at least 1, got 0"),
        (["{yaml}", "--max-problems", "0"], "error: --max-problems must be at least 1, got 0"),
        (["{yaml}", "--stuff-area-thresh", "-1"], "error: --stuff-area-thresh must be at least 0, got -1"),
        (["{yaml}", "--stuff-area-thresh", "nan"], "error: --stuff-area-thresh must be at least 0, got nan"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(data, capsys, arguments, said):
    assert main([argument.format(yaml=data.yaml) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", said.format(yaml=data.yaml) + "\n")


def test_bad_yaml_is_one_line_and_exit_code_2(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text("name: [\n")
    assert main([str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path} is not valid YAML") and err.count("\n") == 1


def test_wrong_flags_end_with_exit_code_2(capsys):
    assert main(["a.yaml", "--no-such-flag"]) == 2
    assert capsys.readouterr().err == "error: unrecognized arguments: --no-such-flag\n"


def test_real_coco_images_pass(coco_sample, tmp_path, capsys):
    path = tmp_path / "coco.yaml"
    path.write_text(
        "name: coco_sample\nsplits:\n"
        f"  val: {{image_root: {coco_sample}/images, panoptic_json: {coco_sample}/panoptic.json, "
        f"panoptic_root: {coco_sample}/panoptic}}\n"
    )
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "50 segments: 40 things of 80 classes, 7 stuff of 53 classes, 3 crowds" in out
    assert out.splitlines()[-1] == f"{path}: 0 problems, 1 note; the data set passes"


# --- as a program of its own ---


def test_runs_from_the_command_line(data):
    assert run([TOOL, data.yaml, "--workers", "2"]).returncode == 0
    os.remove(data.image("val", 0))
    done = run([TOOL, data.yaml])
    assert done.returncode == 1 and "Traceback" not in done.stderr
    done = run([TOOL, data.root / "no.yaml"])
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_help_has_an_example(data):
    done = run([TOOL, "--help"])
    assert done.returncode == 0 and "example:\n  panoptic-heuristic check-dataset " in done.stdout


def test_loads_nothing_heavy():
    assert help_of(TOOL)[1] == "[]"


@needs_proc
def test_ctrl_c_leaves_no_process(tmp_path):
    # One noisy PNG, named by ten thousand images: work for minutes out of a few files.
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=DRAWINGS[:1])
    write_png(data.png("val", 0), np.random.default_rng(0).integers(0, 4, (600, 800)))
    with data.edit("val") as content:
        content["images"] = [
            {"id": i, "file_name": "0000.jpg", "height": 600, "width": 800} for i in range(10000)
        ]
        annotation = content["annotations"][0]
        annotation["segments_info"] = []
        content["annotations"] = [{**annotation, "image_id": i} for i in range(10000)]
    code, out, err = interrupt_at_work([TOOL, data.yaml, "--workers", "2"])
    assert (code, out, err) == (130, "", "stopped\n")
