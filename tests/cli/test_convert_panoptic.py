"""convert-panoptic: every conversion there and back, on files, and what it refuses."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.cli import convert_panoptic
from panoptic_heuristic.formats.label_png import read_label_png, write_label_png
from tests.cli.converting import coco, segments_of
from tests.cli.converting import convert as main
from tests.cli.processes import help_of, run
from tests.conftest import ROOT
from tests.formats.tiny_panoptic import CATEGORIES, write_png

TOOL = ROOT / "tools" / "convert_panoptic.py"


def snapshot(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


FORMS = [
    ["--form", "plain", "--label-divisor", 7, "--bits", 16],
    ["--form", "plain", "--label-divisor", 65536, "--bits", 24],
    ["--form", "plain", "--label-divisor", 1000003, "--bits", 32],
    ["--form", "plain", "--label-divisor", 7, "--bits", 16, "--void", 3],
    ["--form", "cityscapes", "--label-divisor", 97, "--bits", 16],
]


class TestLabelDivisor:
    @pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(map(str, form[1::2])))
    def test_there_and_back_with_crowds_and_void(self, data, segments_before, tmp_path, form):
        if "cityscapes" in form:
            # Things of category 0 have no value there, but sky is stuff.
            assert CATEGORIES[0]["isthing"] == 0
        out, back = tmp_path / "out", tmp_path / "back"
        assert main("coco-to-label-divisor", *coco(data), *form, "--output", out) == 0
        bits = form.index("--bits")
        arguments = ["--label-root", out / "labels", *form[:bits], *form[bits + 2 :]]
        known = ["--categories-json", out / "images.json", "--images-json", out / "images.json"]
        assert main("label-divisor-to-coco", *arguments, *known, "--output", back) == 0
        assert len(segments_before) == 3
        assert segments_of(back / "panoptic.json", back / "panoptic") == segments_before

    def test_values_and_names(self, data, tmp_path):
        assert main("coco-to-label-divisor", *coco(data), "--label-divisor", 7, "--output", tmp_path / "out") == 0
        values, bits = read_label_png(tmp_path / "out" / "labels" / "0002.png")
        # The third drawing: grass (9) around one dog (90), void in a corner.
        assert bits == 16 and values[0, 0] == 9 * 7 and values[3, 3] == 90 * 7 + 1 and values[7, 9] == 65535
        content = json.loads((tmp_path / "out" / "images.json").read_text())
        assert [image["file_name"] for image in content["images"]] == ["0000.jpg", "0001.jpg", "0002.jpg"]

    def test_a_folder_without_a_list_of_images(self, data, tmp_path):
        labels = tmp_path / "labels"
        for name in ("b/2.png", "a/1.png"):
            write_label_png(labels / name, np.full((2, 3), 90 * 7 + 1), 16)
        arguments = ["--label-root", labels, "--categories-json", data.json("val"), "--label-divisor", 7]
        assert main("label-divisor-to-coco", *arguments, "--output", tmp_path / "out") == 0
        content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
        assert [(i["id"], i["file_name"], i["height"], i["width"]) for i in content["images"]] == [
            (1, "a/1.png", 2, 3),
            (2, "b/2.png", 2, 3),
        ]
        assert content["annotations"][1]["segments_info"] == [
            {"id": 1, "category_id": 90, "iscrowd": 0, "area": 6, "bbox": [0, 0, 3, 2]}
        ]
        assert (tmp_path / "out" / "panoptic" / "b" / "2.png").is_file()


class TestInstancesSemantic:
    @pytest.mark.parametrize("numbering", ["category-ids", "separated"])
    @pytest.mark.parametrize("void", [[], ["--void", 400]])
    def test_there_and_back_with_crowds_and_void(self, data, segments_before, tmp_path, numbering, void):
        out, back = tmp_path / "out", tmp_path / "back"
        choice = ["--numbering", numbering, *void]
        assert main("coco-to-instances-semantic", *coco(data), *choice, "--output", out) == 0
        arguments = ["--instances-json", out / "instances.json", "--semantic-root", out / "semantic", *choice]
        arguments += ["--categories-json", data.json("val"), "--output", back]
        assert main("instances-semantic-to-coco", *arguments) == 0
        assert segments_of(back / "panoptic.json", back / "panoptic") == segments_before

    def test_others_can_read_it(self, data, tmp_path):
        from pycocotools.coco import COCO

        assert main("coco-to-instances-semantic", *coco(data), "--output", tmp_path / "out") == 0
        instances = COCO(str(tmp_path / "out" / "instances.json"))
        assert sorted(instances.cats) == [7, 90]  # Things only: whoever reads it takes all for things.
        assert sorted(a["area"] for a in instances.loadAnns(instances.getAnnIds(imgIds=1))) == [4, 4, 6, 8]
        semantic = np.asarray(Image.open(tmp_path / "out" / "semantic" / "0002.png"))
        assert semantic.dtype == np.uint8 and semantic[0, 0] == 9 and semantic[3, 3] == 90 and semantic[7, 9] == 255

    @pytest.fixture
    def overlapping(self, data, tmp_path):
        assert main("coco-to-instances-semantic", *coco(data), "--output", tmp_path / "out") == 0
        path = tmp_path / "out" / "instances.json"
        content = json.loads(path.read_text())
        # A polygon over the left upper quarter of the first image, which the cats reach into.
        polygon = [[0, 0, 5, 0, 5, 4, 0, 4]]
        extra = {"id": 99, "image_id": 1, "category_id": 90, "iscrowd": 0, "segmentation": polygon}
        path.write_text(json.dumps({**content, "annotations": [*content["annotations"], extra]}))
        known = ["--categories-json", data.json("val"), "--output", tmp_path / "back"]
        return ["--instances-json", path, "--semantic-root", tmp_path / "out" / "semantic", *known]

    def test_overlap_fails_unless_told_otherwise(self, overlapping, tmp_path, capsys):
        assert main("instances-semantic-to-coco", *overlapping) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: image 1 (0000.jpg): annotation 99 overlaps annotation 1 in 6 pixels")
        assert error.count("\n") == 1
        assert not (tmp_path / "back" / "panoptic.json").exists()

    @pytest.mark.parametrize("overlap, area, segments", [("skip", 14, 7), ("overwrite", 20, 6)])
    def test_overlap_as_chosen(self, overlapping, tmp_path, capsys, overlap, area, segments):
        assert main("instances-semantic-to-coco", *overlapping, "--overlap", overlap) == 0
        content = json.loads((tmp_path / "back" / "panoptic.json").read_text())
        found = [s["area"] for s in content["annotations"][0]["segments_info"] if s["category_id"] == 90]
        assert area in found and len(content["annotations"][0]["segments_info"]) == segments
        out = capsys.readouterr().out
        assert f"note: 6 pixels claimed by several instances (--overlap {overlap})" in out
        assert ("note: 1 instances without a pixel" in out) == (overlap == "overwrite")


class TestRefused:
    """One line, exit code 2, no JSON, nothing outside the folder."""

    @pytest.fixture
    def refused(self, tmp_path, capsys):
        def check(command, *arguments, match, output="out"):
            before = set(tmp_path.rglob("*"))
            assert main(command, *arguments, "--output", tmp_path / output) == 2
            error = capsys.readouterr().err
            assert error.startswith("error: ") and error.count("\n") == 1 and match in error, error
            new = [path for path in set(tmp_path.rglob("*")) - before if path.is_file()]
            assert all(path.suffix == ".png" and tmp_path / output in path.parents for path in new)

        return check

    def test_too_few_bits(self, refused, data):
        refused("coco-to-label-divisor", *coco(data), "--label-divisor", 1000, match="do not fit a PNG of 16 bits")

    def test_more_instances_than_the_divisor_numbers(self, refused, data):
        arguments = [*coco(data), "--label-divisor", 2]
        refused("coco-to-label-divisor", *arguments, match="category 7 has more than 1 instances")

    def test_crowds_that_are_to_fail(self, refused, data):
        arguments = [*coco(data), "--label-divisor", 7, "--crowds", "fail"]
        refused("coco-to-label-divisor", *arguments, match="0000.jpg): segment 16777215 of category 90 is a crowd")

    def test_void_that_is_taken(self, refused, data):
        arguments = [*coco(data), "--label-divisor", 7, "--void", 0]
        refused("coco-to-label-divisor", *arguments, match="void is 0, which is also the value of category 0")

    @pytest.mark.parametrize("name", ["../escaped.jpg", "/escaped.jpg", "a/../../escaped.jpg", "", "."])
    @pytest.mark.parametrize("command", ["coco-to-label-divisor", "coco-to-instances-semantic"])
    def test_a_name_that_leads_out_of_the_folder(self, refused, data, name, command, tmp_path):
        with data.edit("val") as content:
            content["images"][2]["file_name"] = name
        divisor = ["--label-divisor", 7] if "divisor" in command else []
        refused(command, *coco(data), *divisor, match="file_name")
        assert not list((tmp_path / "out").rglob("*.png"))  # Not even those of the sound images before it.

    def test_a_panoptic_png_outside_its_folder(self, refused, data):
        with data.edit("val") as content:
            content["annotations"][0]["file_name"] = "../panoptic_val/0000.png"
        refused("coco-to-label-divisor", *coco(data), "--label-divisor", 7, match="leads out of its folder")

    def test_two_images_with_one_png(self, refused, data):
        with data.edit("val") as content:
            content["images"][1]["file_name"] = "0000.png"
        refused("coco-to-instances-semantic", *coco(data), match="2 images have the PNG 0000.png")

    def test_an_image_without_annotation(self, refused, data):
        with data.edit("val") as content:
            del content["annotations"][2]
        refused("coco-to-instances-semantic", *coco(data), match="image 3 (0002.jpg) has no annotation")

    def test_a_damaged_png(self, refused, data):
        data.png("val", 1).write_bytes(data.png("val", 1).read_bytes()[:60])
        refused("coco-to-label-divisor", *coco(data), "--label-divisor", 7, match="0001.png is damaged")

    def test_ids_only_in_the_png(self, refused, data):
        write_png(data.png("val", 0), np.full((8, 10), 5))
        refused("coco-to-label-divisor", *coco(data), "--label-divisor", 7, match="holds segment 5, which the JSON")

    def test_the_wrong_divisor(self, refused, data, tmp_path):
        main("coco-to-label-divisor", *coco(data), "--label-divisor", 7, "--output", tmp_path / "labels")
        arguments = ["--label-root", tmp_path / "labels" / "labels", "--categories-json", data.json("val")]
        arguments += ["--label-divisor", 11]
        refused("label-divisor-to-coco", *arguments, match="are label_divisor 11 and void 65535 right?")

    def test_a_missing_label_png(self, refused, data, tmp_path):
        main("coco-to-label-divisor", *coco(data), "--label-divisor", 7, "--output", tmp_path / "labels")
        (tmp_path / "labels" / "labels" / "0001.png").unlink()
        arguments = ["--label-root", tmp_path / "labels" / "labels", "--categories-json", data.json("val")]
        arguments += ["--images-json", data.json("val"), "--label-divisor", 7]
        refused("label-divisor-to-coco", *arguments, match="cannot read")

    def test_an_empty_folder(self, refused, data, tmp_path):
        (tmp_path / "empty").mkdir()
        arguments = ["--label-root", tmp_path / "empty", "--categories-json", data.json("val"), "--label-divisor", 7]
        refused("label-divisor-to-coco", *arguments, match="empty holds no PNG")

    def test_categories_that_are_none(self, refused, tmp_path):
        (tmp_path / "c.json").write_text('{"images": []}')
        arguments = ["--label-root", tmp_path, "--categories-json", tmp_path / "c.json", "--label-divisor", 7]
        refused("label-divisor-to-coco", *arguments, match="c.json: expected a list of categories")

    def test_no_folder(self, refused, data, tmp_path):
        arguments = ["--panoptic-json", data.json("val"), "--panoptic-root", tmp_path / "none"]
        refused("coco-to-instances-semantic", *arguments, match="none is no folder")

    def test_what_is_there_is_kept(self, refused, data, tmp_path):
        arguments = [*coco(data), "--label-divisor", 7]
        assert main("coco-to-label-divisor", *arguments, "--output", tmp_path / "out") == 0
        before = snapshot(tmp_path / "out")
        refused("coco-to-label-divisor", *arguments, match="images.json is there already")
        assert snapshot(tmp_path / "out") == before
        (tmp_path / "out" / "images.json").unlink()
        refused("coco-to-label-divisor", *arguments, match="000", output="out")
        assert main("coco-to-label-divisor", *arguments, "--overwrite", "--output", tmp_path / "out") == 0
        assert snapshot(tmp_path / "out") == before

    def test_the_input_is_never_written_over(self, refused, data):
        (data.root / "panoptic_val").rename(data.root / "panoptic")
        before = snapshot(data.root / "panoptic")
        arguments = ["--label-root", data.root / "panoptic", "--categories-json", data.json("val")]
        arguments += ["--label-divisor", 7, "--overwrite"]
        refused("label-divisor-to-coco", *arguments, match="the folder to read from", output="tiny")
        assert snapshot(data.root / "panoptic") == before

    def test_a_file_where_the_folder_should_be(self, refused, data, tmp_path):
        (tmp_path / "file").write_text("")
        refused("coco-to-instances-semantic", *coco(data), match="cannot write to", output="file/out")

    def test_no_workers(self, data, tmp_path, capsys):
        arguments = ["coco-to-instances-semantic", *coco(data), "--output", tmp_path / "out", "--workers", 0]
        assert convert_panoptic.main([*map(str, arguments)]) == 2
        assert "error: --workers must be at least 1, got 0\n" == capsys.readouterr().err

    @pytest.mark.parametrize("void", ["-1", "x", "1.5"])
    def test_void_that_no_png_holds(self, data, tmp_path, void, capsys):
        assert main("coco-to-instances-semantic", *coco(data), "--output", tmp_path / "out", f"--void={void}") == 2
        expected = "at least 0" if void == "-1" else "a whole number"
        assert f"error: --void must be {expected}, got " in capsys.readouterr().err


def test_a_failed_conversion_leaves_no_json_of_before(data, tmp_path):
    """An old JSON would vouch for PNGs of which some are new."""
    arguments = [*coco(data), "--label-divisor", 7, "--output", tmp_path / "out"]
    assert main("coco-to-label-divisor", *arguments) == 0
    data.png("val", 2).write_bytes(b"")
    assert main("coco-to-label-divisor", *arguments, "--overwrite") == 2
    assert not (tmp_path / "out" / "images.json").exists()
    assert not [path for path in (tmp_path / "out").rglob("*") if ".partial" in path.name]


def test_any_number_of_workers_writes_the_same_bytes(data, tmp_path):
    arguments = [*coco(data), "--label-divisor", 7]
    assert main("coco-to-label-divisor", *arguments, "--output", tmp_path / "one") == 0
    done = run([TOOL, "coco-to-label-divisor", *arguments, "--output", tmp_path / "two", "--workers", 2])
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_the_page_on_files_has_a_row_for_each_conversion():
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("|")]
    told = {name for row in rows for name in re.findall(r"[a-z0-9-]*coco[a-z0-9-]*", row)}
    listed = re.findall(r"^    ([a-z0-9]\S+)", run([TOOL, "--help"]).stdout, flags=re.MULTILINE)
    assert len(listed) == 14 and set(listed) <= told


def test_it_loads_nothing_heavy():
    assert help_of(TOOL)[1] == "[]"


def test_real_images_come_back(coco_sample, tmp_path):
    arguments = ["--panoptic-json", coco_sample / "panoptic.json", "--panoptic-root", coco_sample / "panoptic"]
    assert main("coco-to-instances-semantic", *arguments, "--output", tmp_path / "a") == 0
    back = ["--instances-json", tmp_path / "a" / "instances.json", "--semantic-root", tmp_path / "a" / "semantic"]
    known = ["--categories-json", coco_sample / "panoptic.json"]
    assert main("instances-semantic-to-coco", *back, *known, "--output", tmp_path / "b") == 0
    expected = segments_of(coco_sample / "panoptic.json", coco_sample / "panoptic")
    assert segments_of(tmp_path / "b" / "panoptic.json", tmp_path / "b" / "panoptic") == expected
