"""evaluate_pq.py on label-divisor PNGs."""

import numpy as np
import pytest

from panoptic_heuristic.cli.evaluate_pq import main
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm, panoptic_to_labels
from panoptic_heuristic.formats.label_png import write_label_png
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info
from tests.formats.tiny_predictions import PREDICTED


def write_labels(folder, drawings, form):
    categories = Categories.from_coco(CATEGORIES)
    for place, drawing in enumerate(drawings):
        labels = panoptic_to_labels(draw(drawing), segments_info(drawing), categories, form)
        write_label_png(folder / f"{place:04d}.png", labels, 16)


@pytest.mark.parametrize("gt", ["coco", "labels"])
@pytest.mark.parametrize("form", ["plain", "cityscapes"])
def test_label_divisor_pngs_score_as_coco_files_do(scored, capsys, gt, form):
    assert main([*scored.arguments, "--output", str(scored.output)]) == 0
    expected, tables = scored.result().counts, capsys.readouterr().out.split("coverage")[0]
    # The crowd letter is a plain dog in a prediction.
    dogs = [drawing.replace("x", "d") for drawing in PREDICTED]
    write_labels(scored.root / "labels", dogs, LabelDivisorForm(300, 65535, form))
    arguments = ["--pred-folder", str(scored.root / "labels"), "--label-divisor", "300", "--void", "65535"]
    arguments += ["--form", form, "--output", str(scored.output), "--overwrite"]
    if gt == "coco":
        arguments += ["--gt-json", str(scored.data.json("val")), "--gt-folder", str(scored.root / "panoptic_val")]
    else:
        write_labels(scored.root / "gt", DRAWINGS, LabelDivisorForm(300, 65535, form))
        arguments += ["--gt-folder", str(scored.root / "gt"), "--categories", str(scored.data.json("val"))]
    assert main(arguments) == 0
    assert capsys.readouterr().out.split("coverage")[0] == tables
    assert scored.result().counts == expected


def test_a_linked_folder_is_entered_and_litter_is_told(scored, capsys):
    form = LabelDivisorForm(300, 65535)
    write_labels(scored.root / "other_disk", PREDICTED, form)
    write_labels(scored.root / "gt" / "city", DRAWINGS, form)
    (scored.root / "labels").mkdir()
    (scored.root / "labels" / "city").symlink_to(scored.root / "other_disk", target_is_directory=True)
    (scored.root / "gt" / "city" / "._0001.png").write_bytes(b"of a file manager")
    arguments = ["--gt-folder", str(scored.root / "gt"), "--categories", str(scored.data.json("val"))]
    arguments += ["--pred-folder", str(scored.root / "labels"), "--label-divisor", "300", "--void", "65535"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "coverage: 3 of 3 annotated images scored; left out of " in out
    assert "/gt: 1 of file managers, such as city/._0001.png" in out


def test_label_pngs_are_paired_by_their_names(scored, capsys):
    form = LabelDivisorForm(300, 65535)
    write_labels(scored.root / "labels" / "city", PREDICTED, form)
    write_labels(scored.root / "gt" / "city", DRAWINGS, form)
    for path in (scored.root / "gt" / "city").iterdir():
        path.rename(path.with_name(f"{path.stem}_gt.png"))
    (scored.root / "labels" / "city" / "0001.png").rename(scored.root / "labels" / "city" / "0009.png")
    arguments = ["--gt-folder", str(scored.root / "gt"), "--categories", str(scored.data.json("val"))]
    arguments += ["--pred-folder", str(scored.root / "labels"), "--label-divisor", "300", "--void", "65535"]
    arguments += ["--gt-suffix", "_gt.png"]
    assert main(arguments) == 2
    assert "no prediction for 1 of 3 images, such as image 2 (city/0001_gt.png)" in capsys.readouterr().err
    assert main([*arguments, "--missing", "skip"]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 annotated images scored; 1 without a prediction left out; 1 predictions are of images without" in out


@pytest.mark.parametrize(
    "left_out, said",
    [
        (["--label-divisor"], "without --gt-json its PNGs hold label-divisor values; give --label-divisor and --void"),
        (["--void"], "give --label-divisor and --void"),
        (["--categories"], "without --gt-json, --categories must name a JSON with the categories"),
    ],
)
def test_label_pngs_need_their_flags(scored, capsys, left_out, said):
    values = {"--gt-folder": scored.root, "--pred-folder": scored.root, "--label-divisor": 300, "--void": 0}
    values["--categories"] = scored.data.json("val")
    arguments = [str(part) for flag, value in values.items() if flag not in left_out for part in (flag, value)]
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_label_that_means_nothing_is_told_with_its_file(scored, capsys):
    write_labels(scored.root / "labels", PREDICTED, LabelDivisorForm(300, 65535))
    write_label_png(scored.root / "labels" / "0002.png", np.full((8, 10), 8 * 300), 16)
    arguments = ["--gt-json", str(scored.data.json("val")), "--gt-folder", str(scored.root / "panoptic_val")]
    arguments += ["--pred-folder", str(scored.root / "labels"), "--label-divisor", "300", "--void", "65535"]
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {scored.root / 'labels' / '0002.png'}: the map holds 2400, which means category 8")
