"""--bad-annotations of the commands that read annotations with masks."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.cli.cache_predictions import main as cache_predictions
from tests.cli.converting import coco, convert, segments_in
from tests.cli.files_to_fuse import Files, stuff
from tests.formats.drawn_results import found
from tests.formats.test_bad_annotations import BAD
from tests.formats.tiny_panoptic import CATEGORIES


def without_mask(**entry):
    """An entry as tools write it for a mere box: it has no segmentation."""
    return {key: value for key, value in entry.items() if key != "segmentation"}


def bad_entries():
    bad = [{**found(7, "##.. ##.. ....", 0.9), "segmentation": one} for one in BAD.values()]
    return [*bad, without_mask(**found(7, "##.. ##.. ....", 0.9))]


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


class TestFusePredictions:
    @pytest.mark.parametrize("entry", bad_entries(), ids=[*BAD, "no key"])
    def test_they_fail_by_default(self, files, entry, capsys):
        files.instances(found(7, "#... .... ....", 0.8), entry)
        assert files.run() == 2
        error = capsys.readouterr().err
        assert "entry 1" in error and "--bad-annotations skip" in error and error.count("\n") == 1
        assert not files.output.exists() or not list(files.output.iterdir())

    def test_leaving_them_out_is_the_remedy_of_masks_alone(self, files, capsys):
        files.instances(found(7, "#... .... ....", 97), found(7, "..#. ..#. ....", 80))
        assert files.run() == 2
        error = capsys.readouterr().err
        assert "percentages" in error and "--bad-annotations" not in error
        # Neither does it help.
        assert files.run("--bad-annotations", "skip") == 2
        assert capsys.readouterr().err == error
        files.instances(found(7, "#... .... ....", 0.97), {**found(7, "..#. ..#. ....", 0.8), "segmentation": []})
        assert files.run() == 2
        assert "; --bad-annotations skip leaves such annotations out" in capsys.readouterr().err

    @pytest.mark.parametrize("entry", bad_entries(), ids=[*BAD, "no key"])
    def test_left_out_the_rest_is_as_without_them(self, files, entry, capsys):
        files.fill()
        good = json.loads((files.folder / "instances.json").read_text())
        files.instances(entry, *good, entry)
        assert files.run("--bad-annotations", "skip") == 0
        assert files.drawing() == "ccCs ccCg gggg"
        out = capsys.readouterr().out
        expected = "note: 2 annotations left out (--bad-annotations skip), the first: "
        assert f"{expected}{files.folder}/instances.json, entry 0" in out

    def test_of_an_image_all_of_whose_annotations_are_bad(self, files, capsys):
        files.instances(*bad_entries())
        assert files.run("--bad-annotations", "skip") == 0
        assert files.drawing() == ".... .... ...."
        assert "2 images, 2 of them without instances" in capsys.readouterr().out

    def test_semantic_masks_too(self, files, capsys):
        files.fill()
        files.semantics(*stuff("ssss gggg gggg"), {"image_id": 2, "category_id": 9, "segmentation": []})
        assert files.run() == 2
        assert "--bad-annotations skip" in capsys.readouterr().err
        assert files.run("--bad-annotations", "skip") == 0
        assert files.drawing() == "ccCs ccCg gggg"
        assert "1 annotations left out" in capsys.readouterr().out


def test_cache_predictions(files, tmp_path, capsys):
    files.fill()
    good = json.loads((files.folder / "instances.json").read_text())
    files.instances(*good, *bad_entries())
    known = ["--images", "images.json", "--categories", "categories.json", "--instances", "instances.json"]
    arguments = [one if one.startswith("--") else str(tmp_path / one) for one in known]
    arguments += ["--workers", "1", "--cache", str(tmp_path / "cache")]
    assert cache_predictions(arguments) == 2
    assert "--bad-annotations skip" in capsys.readouterr().err
    assert cache_predictions([*arguments, "--bad-annotations", "skip"]) == 0
    assert f"note: {len(bad_entries())} annotations left out" in capsys.readouterr().out


class TestConvertPanoptic:
    @pytest.fixture(params=["instances-semantic-to-coco", "detection-to-coco"])
    def arguments(self, request, data, tmp_path):
        back = request.param
        there = {"instances-semantic-to-coco": "coco-to-instances-semantic", "detection-to-coco": "coco-to-detection"}
        assert convert(there[back], *coco(data), "--output", tmp_path / "out") == 0
        self.json = tmp_path / "out" / ("detection.json" if "detection" in back else "instances.json")
        known = ["--categories-json", data.json("val"), "--output", tmp_path / "back"]
        if "detection" in back:
            return [back, "--detection-json", self.json, *known]
        return [back, "--instances-json", self.json, "--semantic-root", tmp_path / "out" / "semantic", *known]

    def test_left_out_the_rest_is_as_without_them(self, arguments, tmp_path, capsys):
        assert convert(*arguments) == 0
        expected = segments_in(tmp_path / "back")
        content = json.loads(self.json.read_text())
        bad = [
            {"id": 900 + k, "image_id": 2, "category_id": 7, "iscrowd": 0, "segmentation": one}
            for k, one in enumerate(BAD.values())
        ]
        bad.append(without_mask(**bad[0]))
        content["annotations"] = [*bad, *content["annotations"]]
        self.json.write_text(json.dumps(content))
        capsys.readouterr()
        assert convert(*arguments, "--overwrite") == 2
        assert "--bad-annotations skip leaves such annotations out" in capsys.readouterr().err
        assert convert(*arguments, "--overwrite", "--bad-annotations", "skip") == 0
        assert segments_in(tmp_path / "back") == expected
        assert f"note: {len(bad)} annotations left out" in capsys.readouterr().out

    def test_the_image_is_named(self, arguments, capsys):
        content = json.loads(self.json.read_text())
        content["annotations"].append(
            {"id": 99, "image_id": 2, "category_id": 7, "iscrowd": 0, "segmentation": [[1, 1, 2, 2]]}
        )
        self.json.write_text(json.dumps(content))
        assert convert(*arguments, "--overwrite", "--bad-annotations", "skip") == 0
        assert "the first: image 2 (0001.jpg): annotation 99: a polygon must be" in capsys.readouterr().out


def test_stuff_is_found_where_annotations_before_it_were_left_out(tmp_path):
    """The numbers that annotations have while they are painted have gaps then."""
    (tmp_path / "semantic").mkdir()
    Image.fromarray(np.array([[0, 9, 9]], dtype=np.uint8)).save(tmp_path / "semantic" / "a.png")
    annotations = [
        {"image_id": 1, "category_id": 7, "segmentation": []},
        {"image_id": 1, "category_id": 90, "segmentation": {"size": [1, 3], "counts": [2, 1]}},
    ]
    images = [{"id": 1, "file_name": "a.jpg", "height": 1, "width": 3}]
    (tmp_path / "i.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "c.json").write_text(json.dumps(CATEGORIES))
    arguments = ["--instances-json", tmp_path / "i.json", "--semantic-root", tmp_path / "semantic"]
    arguments += ["--categories-json", tmp_path / "c.json", "--output", tmp_path / "out", "--bad-annotations", "skip"]
    assert convert("instances-semantic-to-coco", *arguments) == 0
    (segments,) = segments_in(tmp_path / "out").values()
    assert segments == {(0, 0, (0,)), (9, 0, (1,)), (90, 0, (2,))}
