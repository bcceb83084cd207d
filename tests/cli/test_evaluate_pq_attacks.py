"""Files that are wrong, by accident or on purpose: one sentence, exit code 2, and nothing written."""

import os
import struct
import zlib

import numpy as np
import pytest

from panoptic_heuristic.cli.evaluate_pq import main
from tests.cli.evaluation_files import many_images
from tests.formats.tiny_panoptic import write_png


def first(content):
    return content["annotations"][0]


def segment(content):
    return content["annotations"][0]["segments_info"][0]


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda c: first(c).update(file_name="../pred/0000.png"), "leads out of its folder"),
        (lambda c: first(c).update(file_name="/etc/passwd"), "file_name '/etc/passwd' leads out of its folder"),
        (lambda c: first(c).update(file_name="\ud800.png"), "is no name of a file"),
        (lambda c: first(c).update(file_name="no.png"), "no.png: No such file or directory"),
        (lambda c: first(c).update(file_name="x" * 5000), "File name too long"),
        (lambda c: first(c).update(file_name=["0000.png"]), "'file_name' must be the name of a PNG"),
        (lambda c: first(c).pop("segments_info"), "'segments_info' must be a list"),
        (lambda c: c["annotations"].append(first(c)), "annotation of image 1: the image is annotated twice"),
        (lambda c: first(c).update(image_id="1"), "has image '1' and the ground truth has 1: a number and a text are"),
        (lambda c: first(c).update(image_id=1.0), "expected an object with 'image_id', an integer or a text, got 1.0"),
        (lambda c: segment(c).update(id=2**24), "segment id 16777216 must be an integer from 1 to 16777215"),
        (lambda c: segment(c).update(id=10**400), "must be an integer from 1 to 16777215"),
        (lambda c: segment(c).update(id=-2), "segment id -2 must be an integer from 1 to"),
        (lambda c: segment(c).update(id=2.0), "segment id 2.0 must be an integer from 1 to"),
        (lambda c: segment(c).update(id="2"), "segment id '2' must be an integer from 1 to"),
        (lambda c: segment(c).update(id=float("nan")), "segment id nan must be an integer from 1 to"),
        (lambda c: segment(c).update(id=True), "segment id True must be an integer from 1 to"),
        (lambda c: first(c)["segments_info"].append(segment(c)), "occurs twice"),
        (lambda c: first(c)["segments_info"].append(5), "segment id None must be an integer"),
        (lambda c: segment(c).update(category_id=8), "segment 2: category 8 is not among the categories"),
        (lambda c: segment(c).update(category_id="7"), "category '7' is not among the categories"),
        (lambda c: segment(c).update(id=99), "holds segment 2, which its segments do not list"),
        (
            lambda c: first(c)["segments_info"].append({"id": 99, "category_id": 7}),
            "image 1: predicted segment 99 has no pixel in the map",
        ),
        (lambda c: c.pop("annotations"), "is no COCO panoptic result file"),
    ],
)
def test_wrong_predictions_are_one_sentence(scored, capsys, change, said):
    with scored.predictions.edit() as content:
        change(content)
    before = sorted(scored.root.rglob("*"))
    assert main([*scored.arguments, "--output", str(scored.output)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("error: ")
    assert said in err and str(scored.root / "pred") in err
    assert sorted(scored.root.rglob("*")) == before


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda c: first(c).update(file_name="../pred/0000.png"), "leads out of its folder"),
        (lambda c: c["images"].append(c["images"][0]), "image id 1 occurs twice"),
        (lambda c: segment(c).update(id=2**24), "segment id 16777216 must be an integer"),
        (lambda c: segment(c).update(category_id=8), "category 8 is not among the categories"),
        (lambda c: c["images"][0].update(width=11), "is 10x8 pixels, but the JSON says 11x8"),
        (lambda c: c.pop("annotations"), "has no annotations; there is nothing to compare with"),
        (lambda c: c.update(categories=[]), "expected at least one category"),
        (lambda c: c["categories"].append(c["categories"][0]), "category id 0 occurs twice"),
        (lambda c: c["images"][0].update(height=float("inf")), "'height' must be a positive integer, got inf"),
    ],
)
def test_wrong_ground_truth_is_one_sentence(scored, capsys, change, said):
    with scored.data.edit("val") as content:
        change(content)
    assert main([*scored.arguments, "--output", str(scored.output)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and said in err and not scored.output.exists()


def damaged_header(path, width, height):
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:60]), "is damaged: "),
        (lambda path: path.write_bytes(b""), "is not a PNG"),
        (lambda path: damaged_header(path, 60000, 60000), "is 60000x60000 pixels, but the JSON says 10x8"),
        (lambda path: write_png(path, np.zeros((10, 8), dtype=int)), "is 8x10 pixels, but the JSON says 10x8"),
        (lambda path: os.remove(path), "No such file or directory"),
    ],
    ids=["truncated", "empty", "bomb", "turned", "missing"],
)
@pytest.mark.parametrize("side", ["gt", "prediction"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_wrong_pngs_are_one_sentence(scored, capsys, side, damage, said, workers):
    many_images(scored, 30)
    path = scored.data.png("val", 1) if side == "gt" else scored.predictions.png(1)
    damage(path)
    assert main([*scored.arguments, "--workers", workers, "--output", str(scored.output)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and str(path) in err and said in err
    assert not scored.output.exists()


def test_a_bomb_that_the_json_agrees_with(scored, capsys):
    with scored.data.edit("val") as content:
        content["images"][0].update(width=60000, height=60000)
    damaged_header(scored.data.png("val", 0), 60000, 60000)
    assert main(scored.arguments) == 2
    said = f"error: {scored.data.png('val', 0)} is 60000x60000 pixels; at most 134217728 pixels are decoded\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("place", ["gt", "pred"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_json(scored, capsys, place, share):
    path = scored.data.json("val") if place == "gt" else scored.predictions.json
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    assert main([*scored.arguments, "--output", str(scored.output)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {path} is not valid JSON: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--bootstrap", "-1"], "--bootstrap must be at least 0, got -1"),
        (["--measures", "fast"], "--measures takes pq, sizes, dagger, boundary and IoU thresholds, got 'fast'"),
        (["--measures", "0.4"], "iou_thresholds must be in [0.5, 1)"),
        (["--output", "{root}/pred.json"], "pred.json: it is a file; expected a folder"),
        (["--gt-folder", "{root}/no"], "expected the folder of the ground truth, but {root}/no is none"),
        (["--pred-folder", "{root}/no"], "expected the folder of the predictions, but {root}/no is none"),
        (["--gt-json", "{root}/no.json"], "cannot read {root}/no.json: No such file or directory"),
        (["--void", "0"], "--label-divisor and --void are for label-divisor PNGs, but both JSONs are given"),
    ],
)
def test_wrong_usage_is_one_sentence(scored, capsys, arguments, said):
    assert main([*scored.arguments, *(argument.format(root=scored.root) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said.format(root=scored.root) in err and err.count("\n") == 1
