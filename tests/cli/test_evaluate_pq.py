import csv
import json
import re

import numpy as np
import pytest

from panoptic_heuristic.cli.evaluate_pq import main
from panoptic_heuristic.formats import read_annotation, read_panoptic_json
from panoptic_heuristic.formats.coco_panoptic import segment_entries, write_panoptic_png
from panoptic_heuristic.quality import Result
from tests.cli.evaluation_files import assert_same, group_rows, many_images, of_panopticapi
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, write_tiny_panoptic
from tests.formats.tiny_predictions import PREDICTED, write_predictions

# --- what it counts ---


def test_the_tables_are_panopticapis(scored, capsys):
    assert main([*scored.arguments, "--output", str(scored.output)]) == 0
    out, err = capsys.readouterr()
    theirs, means = of_panopticapi(
        scored.data.json("val"), scored.root / "panoptic_val", scored.predictions.json, scored.predictions.folder
    )
    assert_same(scored.result(), theirs)
    for group, name in (("all", "All"), ("things", "Things"), ("stuff", "Stuff")):
        expected = [100 * means[name][key] for key in ("pq", "sq", "rq")]
        assert group_rows(out)[group] == [*(pytest.approx(value, abs=0.005) for value in expected), means[name]["n"]]
    assert "coverage: 3 of 3 annotated images scored; 8.33% of the pixels predicted void\n" in out  # 20 of 240.
    rows = {line.split()[1]: line.split() for line in out.splitlines() if " thing " in line or " stuff " in line}
    for category in CATEGORIES:
        row = rows[category["name"]]
        assert row[:3] == [str(category["id"]), category["name"], "thing" if category["isthing"] else "stuff"]
        assert row[6:] == [str(value) for value in theirs[category["id"]][1:]]
    assert "Traceback" not in err and "warning" not in out


def test_real_coco_images_as_panopticapi(coco_sample, tmp_path, capsys):
    content = read_panoptic_json(coco_sample / "panoptic.json")
    annotations = []
    for image in content.images:
        gt_ids = read_annotation(image, coco_sample / "panoptic")
        ids = np.roll(gt_ids, (5, -4), axis=(0, 1))
        ids[:60] = 0
        names = [segment["id"] for segment in image.segments_info]
        ids[ids == names[0]] = 7  # The same segment by another id, and one that swallows another.
        ids[ids == names[2]] = names[1]
        category_of = {segment["id"]: segment["category_id"] for segment in image.segments_info}
        category_of[7] = category_of[names[0]]
        write_panoptic_png(tmp_path / "pred" / image.png_name, ids)
        segments = segment_entries(ids, category_of)
        annotations.append({"image_id": image.image_id, "file_name": image.png_name, "segments_info": segments})
    pred_json, output = tmp_path / "pred.json", tmp_path / "out"
    pred_json.write_text(json.dumps({"annotations": annotations}))
    files = (coco_sample / "panoptic.json", coco_sample / "panoptic", pred_json, tmp_path / "pred")
    flags = ("--gt-json", "--gt-folder", "--pred-json", "--pred-folder")
    arguments = [str(part) for pair in zip(flags, files, strict=True) for part in pair]
    assert main([*arguments, "--output", str(output), "--measures", "boundary", "--bootstrap", "20"]) == 0
    theirs, _ = of_panopticapi(*files)
    result = Result.from_json(json.loads((output / "quality.json").read_text()), "quality.json")
    assert_same(result, theirs)
    assert sum(one.tp for one in result.counts["pq"].values()) > 10 and set(result.counts) == {"pq", "boundary_pq"}
    out = capsys.readouterr().out
    assert "95 % interval of PQ" in out and re.search(r"\d+ of 133 classes have no segment that counts", out)


def test_perfect_predictions(scored, capsys):
    with scored.predictions.edit() as content:
        content["annotations"] = scored.data.read("val")["annotations"]
    arguments = scored.arguments
    arguments[arguments.index("--pred-folder") + 1] = str(scored.root / "panoptic_val")
    assert main(arguments) == 0
    assert group_rows(capsys.readouterr().out) == {
        "all": [100, 100, 100, 4],
        "things": [100, 100, 100, 2],
        "stuff": [100, 100, 100, 2],
    }


def test_a_group_without_classes_is_not_applicable(tmp_path, capsys):
    stuff = [{**category, "isthing": 0} for category in CATEGORIES]
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=DRAWINGS[2:], categories=stuff)
    predictions = write_predictions(data, drawings=PREDICTED[2:])
    files = [data.json("val"), tmp_path / "panoptic_val", predictions.json, predictions.folder]
    flags = ("--gt-json", "--gt-folder", "--pred-json", "--pred-folder")
    assert main([str(part) for pair in zip(flags, files, strict=True) for part in pair]) == 0
    assert re.search(r"^things +n/a +n/a +n/a +0$", capsys.readouterr().out, re.M)


def test_measures_can_be_chosen(scored, capsys):
    for chosen, expected in (
        ([], {"pq"}),
        (["pq"], {"pq"}),
        (["0.6", "0.9", "dagger"], {"pq", "pq_iou_0.6", "pq_iou_0.9", "pq_dagger"}),
        (["sizes", "boundary"], {"pq", "pq_small", "pq_medium", "pq_large", "boundary_pq"}),
    ):
        arguments = [*scored.arguments, "--output", str(scored.output), "--overwrite", "--measures", *chosen]
        assert main(arguments) == 0
        assert set(scored.result().counts) == expected
        shown = re.findall(r"^(pq_\S+|boundary_pq) ", capsys.readouterr().out, re.M)
        assert {"pq", *shown} == expected


# --- its files ---


def test_the_files(scored, capsys):
    assert main([*scored.arguments, "--output", str(scored.output), "--bootstrap", "50"]) == 0
    names = ["images.csv", "per_class.csv", "quality.json"]
    assert sorted(path.name for path in scored.output.iterdir()) == names
    out = capsys.readouterr().out
    assert all(str(scored.output / name) in out.split("\nwritten: ")[1] for name in names)
    with open(scored.output / "per_class.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["class"], row["isthing"]) for row in rows] == [
        ("0", "sky", "0"),
        ("7", "cat", "1"),
        ("9", "grass", "0"),
        ("90", "dog", "1"),
    ]
    for row, counts in zip(rows, (scored.result().counts["pq"][key] for key in (0, 7, 9, 90)), strict=True):
        assert [row["TP"], row["FP"], row["FN"]] == [str(counts.tp), str(counts.fp), str(counts.fn)]
        assert float(row["PQ_low"]) <= float(row["PQ"]) <= float(row["PQ_high"])
        assert "PQ of pq_dagger" in row
    with open(scored.output / "images.csv", newline="") as file:
        images = list(csv.DictReader(file))
    assert [row["png"] for row in images][-1] == "0001.png"  # The best one comes last.
    assert [float(row["PQ"]) for row in images] == sorted(float(row["PQ"]) for row in images)


def test_nothing_is_written_unless_asked(scored, capsys):
    before = sorted(scored.root.rglob("*"))
    assert main(scored.arguments) == 0
    assert sorted(scored.root.rglob("*")) == before
    assert "written" not in capsys.readouterr().out


def test_files_that_are_there_stay(scored, capsys):
    scored.output.mkdir()
    (scored.output / "per_class.csv").write_text("mine")
    arguments = [*scored.arguments, "--output", str(scored.output)]
    assert main(arguments) == 2
    said = f"error: {scored.output / 'per_class.csv'} is there already; --overwrite replaces it\n"
    assert capsys.readouterr() == ("", said)
    assert [path.name for path in scored.output.iterdir()] == ["per_class.csv"]
    assert main([*arguments, "--overwrite"]) == 0
    assert (scored.output / "per_class.csv").read_text().startswith("id,class,")


def test_equal_work_gives_equal_bytes(scored, capsys):
    many_images(scored, 40)
    written = []
    for workers in ("1", "1", "2", "3"):
        arguments = [*scored.arguments, "--workers", workers, "--bootstrap", "10", "--output", str(scored.output)]
        assert main([*arguments, "--overwrite"]) == 0
        out = capsys.readouterr().out
        written.append([out, *(path.read_bytes() for path in sorted(scored.output.iterdir()))])
    assert written[1:] == written[:1] * 3
    # Nothing says where or when it was counted.
    assert str(scored.root) not in (scored.output / "quality.json").read_text()


# --- which images ---


@pytest.fixture
def subset(scored):
    """The second image has no prediction, and one prediction is of an image that is not there."""
    with scored.predictions.edit() as content:
        content["annotations"][1]["image_id"] = 77
    return scored


def test_a_missing_prediction_is_an_error(subset, capsys):
    assert main([*subset.arguments, "--output", str(subset.output)]) == 2
    assert capsys.readouterr() == (
        "",
        f"error: {subset.predictions.json} has no prediction for 1 of 3 images, such as image 2 (0001.png); "
        "--missing empty counts them as all void, --missing skip leaves them out\n",
    )
    assert not subset.output.exists()


def test_a_missing_prediction_can_be_empty(subset, capsys):
    assert main([*subset.arguments, "--missing", "empty", "--output", str(subset.output)]) == 0
    assert (
        "coverage: 3 of 3 annotated images scored; 1 without a prediction counted as all void; "
        "1 predictions are of images without ground truth; " in capsys.readouterr().out
    )
    counts = subset.result().images[2].counts["pq"]
    # Sky, cat, grass and dog, each missed once.
    assert {key: (one.tp, one.fp, one.fn) for key, one in counts.items()} == dict.fromkeys((0, 7, 9, 90), (0, 0, 1))
    assert subset.result().coverage.empty == 1


def test_a_missing_prediction_can_be_skipped(subset, capsys):
    assert main([*subset.arguments, "--missing", "skip", "--output", str(subset.output)]) == 0
    out = capsys.readouterr().out
    assert "coverage: 2 of 3 annotated images scored; 1 without a prediction left out; " in out
    assert sorted(subset.result().images) == [1, 3]
    # As if the ground truth did not have it.
    with subset.data.edit("val") as content:
        del content["annotations"][1]
    assert main(subset.arguments) == 0
    again = capsys.readouterr().out
    assert "coverage: 2 of 2 annotated images scored; 1 images have no annotation; " in again
    assert group_rows(again) == group_rows(out)
