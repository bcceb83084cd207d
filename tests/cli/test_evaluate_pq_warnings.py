"""evaluate-pq warns of ground truth that is odd but can be counted."""

import numpy as np
import pytest

from tests.cli.evaluation_files import Files, assert_same, group_rows, of_panopticapi
from tests.formats.tiny_panoptic import DRAWINGS, draw, segments_info, write_png


@pytest.fixture(scope="module")
def main(load_tool):
    return load_tool("evaluate_pq").main


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.mark.parametrize("area", [5, 1e9, float("nan"), None, "8"])
def test_a_wrong_area_in_the_ground_truth_changes_nothing_and_is_told(main, files, capsys, area):
    main(files.arguments)
    right = group_rows(capsys.readouterr().out)
    with files.data.edit("val") as content:
        content["annotations"][0]["segments_info"][2]["area"] = area
    assert main(files.arguments) == 0
    out = capsys.readouterr().out
    assert group_rows(out) == right
    path = files.data.png("val", 0)
    assert f"warning (area): {path}, segment 256: the JSON says area {area!r}; counted are the PNG's 6 pixels\n" in out


def test_many_warnings_are_a_few_lines(main, files, capsys):
    with files.data.edit("val") as content:
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["area"] += 1
    assert main(files.arguments) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(lines) == 4 and lines[-1] == "warning (area): 9 more, in 3 images altogether"


def test_ground_truth_whose_json_and_png_differ(main, files, capsys):
    ids = draw(DRAWINGS[1])
    ids[ids == 65536] = 12345
    write_png(files.data.png("val", 1), ids)
    assert main([*files.arguments, "--output", str(files.output)]) == 0
    out, path = capsys.readouterr().out, files.data.png("val", 1)
    assert f"warning (no pixel): {path}, segment 65536: the JSON lists it, but it has no pixel in the PNG" in out
    assert f"warning (unlisted): {path}: the JSON does not list 1 of its segments (12345)" in out
    theirs, _ = of_panopticapi(
        files.data.json("val"), files.root / "panoptic_val", files.predictions.json, files.predictions.folder
    )
    assert_same(files.result(), theirs)


CROWDS = """
xxxxx.....
..........
......cccc
"""


def test_several_crowds_of_a_class(main, tmp_path, capsys):
    # Two dog crowds and a predicted dog on the one listed first.
    files = Files(tmp_path)
    ids, predicted = draw(CROWDS), np.zeros((3, 10), dtype=np.int32)
    predicted[0, :5] = 8
    write_png(files.data.png("val", 0), ids)
    write_png(files.predictions.png(0), predicted)
    with files.data.edit("val") as content:
        content["images"] = [{**content["images"][0], "height": 3}]
        content["annotations"] = content["annotations"][:1]
        first, other = segments_info(CROWDS)[::-1]
        content["annotations"][0]["segments_info"] = [first, {**other, "category_id": 90, "iscrowd": 1}]
    with files.predictions.edit() as content:
        content["annotations"] = content["annotations"][:1]
        content["annotations"][0]["segments_info"] = [{"id": 8, "category_id": 90}]
    for flags, false_positives, rule in (
        ([], 1, "only the last one counts, as in panopticapi"),
        (["--all-crowds"], 0, "all of them count"),
    ):
        output = ["--output", str(files.output), "--overwrite"]
        assert main([*files.arguments, *flags, *output]) == 0
        text = f"warning (several crowds): {files.data.png('val', 0)}: category 90 (dog) has several crowd segments; "
        assert text + rule in capsys.readouterr().out
        assert sum(one.fp for one in files.result().counts["pq"].values()) == false_positives
