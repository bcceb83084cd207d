"""evaluate-pq warns of ground truth that is odd but can be counted."""

import numpy as np
import pytest

from panoptic_heuristic.cli.evaluate_pq import main
from tests.cli.evaluation_files import ScoredFiles, assert_same, group_rows, of_panopticapi
from tests.formats.tiny_panoptic import DRAWINGS, draw, segments_info, write_png


@pytest.mark.parametrize("area", [5, 1e9, float("nan"), None, "8"])
def test_a_wrong_area_in_the_ground_truth_changes_nothing_and_is_told(scored, capsys, area):
    main(scored.arguments)
    right = group_rows(capsys.readouterr().out)
    with scored.data.edit("val") as content:
        content["annotations"][0]["segments_info"][2]["area"] = area
    assert main(scored.arguments) == 0
    out = capsys.readouterr().out
    assert group_rows(out) == right
    path = scored.data.png("val", 0)
    assert f"warning (area): {path}, segment 256: the JSON says area {area!r}; counted are the PNG's 6 pixels\n" in out


def test_many_warnings_are_a_few_lines(scored, capsys):
    with scored.data.edit("val") as content:
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                segment["area"] += 1
    assert main(scored.arguments) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert len(lines) == 4 and lines[-1] == "warning (area): 9 more, in 3 images altogether"


def test_ground_truth_whose_json_and_png_differ(scored, capsys):
    ids = draw(DRAWINGS[1])
    ids[ids == 65536] = 12345
    write_png(scored.data.png("val", 1), ids)
    assert main([*scored.arguments, "--output", str(scored.output)]) == 0
    out, path = capsys.readouterr().out, scored.data.png("val", 1)
    assert f"warning (no pixel): {path}, segment 65536: the JSON lists it, but it has no pixel in the PNG" in out
    assert f"warning (unlisted): {path}: the JSON does not list 1 of its segments (12345)" in out
    theirs, _ = of_panopticapi(
        scored.data.json("val"), scored.root / "panoptic_val", scored.predictions.json, scored.predictions.folder
    )
    assert_same(scored.result(), theirs)


CROWDS = """
xxxxx.....
..........
......cccc
"""


def test_several_crowds_of_a_class(tmp_path, capsys):
    # Two dog crowds and a predicted dog on the one listed first.
    scored = ScoredFiles(tmp_path)
    ids, predicted = draw(CROWDS), np.zeros((3, 10), dtype=np.int32)
    predicted[0, :5] = 8
    write_png(scored.data.png("val", 0), ids)
    write_png(scored.predictions.png(0), predicted)
    with scored.data.edit("val") as content:
        content["images"] = [{**content["images"][0], "height": 3}]
        content["annotations"] = content["annotations"][:1]
        first, other = segments_info(CROWDS)[::-1]
        content["annotations"][0]["segments_info"] = [first, {**other, "category_id": 90, "iscrowd": 1}]
    with scored.predictions.edit() as content:
        content["annotations"] = content["annotations"][:1]
        content["annotations"][0]["segments_info"] = [{"id": 8, "category_id": 90}]
    for flags, false_positives, rule in (
        ([], 1, "only the last one counts, as in panopticapi"),
        (["--all-crowds"], 0, "all of them count"),
    ):
        output = ["--output", str(scored.output), "--overwrite"]
        assert main([*scored.arguments, *flags, *output]) == 0
        text = f"warning (several crowds): {scored.data.png('val', 0)}: category 90 (dog) has several crowd segments; "
        assert text + rule in capsys.readouterr().out
        assert sum(one.fp for one in scored.result().counts["pq"].values()) == false_positives
