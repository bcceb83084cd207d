"""convert-panoptic between COCO panoptic and one COCO detection file with things and stuff, or with things only."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from panoptic_heuristic.formats import read_annotation, read_panoptic_json
from tests.cli.converting import coco, convert, segments_in, segments_of


def painted_by_pycocotools(detection, categories):
    """Of each image, (category, crowd, pixels) of each annotation, as panopticapi's converter takes them."""
    api = COCO(str(detection))
    found = {}
    for image_id in api.getImgIds():
        image = api.loadImgs(image_id)[0]
        segments = set()
        for annotation in api.loadAnns(api.getAnnIds(image_id)):
            assert annotation["category_id"] in categories
            pixels = tuple(np.flatnonzero(api.annToMask(annotation)).tolist())
            segments.add((annotation["category_id"], annotation["iscrowd"], pixels))
        found[image_id, image["file_name"], image["height"], image["width"]] = segments
    return found


class TestThereAndBack:
    def test_things_and_stuff(self, data, segments_before, tmp_path):
        assert convert("coco-to-detection", *coco(data), "--output", tmp_path / "out") == 0
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["detection.json"]
        back = ["--detection-json", tmp_path / "out" / "detection.json", "--output", tmp_path / "back"]
        assert convert("detection-to-coco", *back) == 0
        assert segments_in(tmp_path / "back") == segments_before

    def test_things_only(self, data, segments_before, tmp_path):
        assert convert("coco-to-detection", *coco(data), "--things-only", "--output", tmp_path / "out") == 0
        content = json.loads((tmp_path / "out" / "detection.json").read_text())
        assert [category["id"] for category in content["categories"]] == [7, 90]
        back = ["--detection-json", tmp_path / "out" / "detection.json", "--output", tmp_path / "back"]
        assert convert("detection-to-coco", *back) == 0
        things = {key: {one for one in segments if one[0] in (7, 90)} for key, segments in segments_before.items()}
        assert segments_in(tmp_path / "back") == things

    def test_panopticapis_sample(self, coco_sample, tmp_path):
        """Its detection file becomes its panoptic file."""
        arguments = ["--detection-json", coco_sample / "detection_format.json"]
        arguments += ["--categories-json", coco_sample / "categories.json", "--output", tmp_path / "out"]
        assert convert("detection-to-coco", *arguments) == 0
        assert segments_in(tmp_path / "out") == segments_of(coco_sample / "panoptic.json", coco_sample / "panoptic")


@pytest.mark.parity
def test_pycocotools_reads_the_same_masks(tmp_path):
    """Polygons, several of one annotation, and both kinds of RLE, on random scenes."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for image_id in range(1, 31):
        height, width = (int(one) for one in rng.integers(40, 90, 2))
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", "height": height, "width": width})
        # Strips that do not touch, so that nothing overlaps.
        for place, x in enumerate(range(0, width - 8, 9)):
            shapes = [
                [[x + 0.5, 2.5, x + 6.1, 3.0, x + 5, 19.2], [x, 25, x + 5, 25, x + 2, 31.7]],
                [[x, 1, x + 7, 1, x + 7, height - 1, x, height - 1]],
                {"size": [height, width], "counts": [x * height, 7 * height, (width - x - 7) * height]},
            ]
            kind = int(rng.integers(3))
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": int(rng.choice([3, 4, 8])),
                 "iscrowd": int(kind == 2), "area": 1.5, "bbox": [0, 0, 1, 1], "segmentation": shapes[kind]}
            )  # fmt: skip
            assert place < 10
    categories = [{"id": 3, "name": "car"}, {"id": 4, "name": "cat"}, {"id": 8, "name": "sky"}]
    path = tmp_path / "detection.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    assert convert("detection-to-coco", "--detection-json", path, "--stuff", "sky", "--output", tmp_path / "out") == 0
    assert segments_in(tmp_path / "out") == painted_by_pycocotools(path, {3, 4, 8})


class TestExports:
    """labelme's and CVAT's COCO exports: polygons and RLEs of floats and lists, categories without a kind."""

    @pytest.fixture
    def export(self, tmp_path):
        content = {
            "info": {"description": None, "contributor": ""},
            "licenses": [{"name": "", "id": 0, "url": ""}],
            "images": [
                {"license": 0, "url": None, "file_name": "JPEGImages/a.jpg", "height": 4, "width": 6,
                 "date_captured": None, "id": 0}
            ],
            "type": "instances",
            "annotations": [
                {"id": 0, "image_id": 0, "category_id": 2, "segmentation": [[0, 0, 6, 0, 6, 2, 0, 2]], "area": 12.0,
                 "bbox": [0.0, 0.0, 6.0, 2.0], "iscrowd": 0, "attributes": {"occluded": False}},
                {"id": 1, "image_id": 0, "category_id": 2, "segmentation": [[0, 3, 6, 3, 6, 4, 0, 4]], "area": 6.0,
                 "bbox": [0.0, 3.0, 6.0, 1.0], "iscrowd": 0},
                {"id": 2, "image_id": 0, "category_id": 1, "iscrowd": 0, "area": 4,
                 "segmentation": {"size": [4, 6], "counts": [0, 2, 2, 2, 18]}, "bbox": [0, 0, 2, 2]},
            ],
            "categories": [
                {"supercategory": None, "id": 0, "name": "_background_"},
                {"supercategory": "", "id": 1, "name": "cat"},
                {"supercategory": "", "id": 2, "name": "sky"},
            ],
        }  # fmt: skip
        (tmp_path / "export.json").write_text(json.dumps(content))
        return ["detection-to-coco", "--detection-json", tmp_path / "export.json", "--output", tmp_path / "out"]

    def segments(self, tmp_path):
        (image,) = read_panoptic_json(tmp_path / "out" / "panoptic.json").images
        ids = read_annotation(image, tmp_path / "out" / "panoptic")
        return sorted((one["category_id"], int((ids == one["id"]).sum())) for one in image.segments_info)

    def test_overlaps_fail_and_name_the_flag(self, export, capsys):
        assert convert(*export) == 2
        assert "annotation 2 overlaps annotation 0 in 4 pixels" in capsys.readouterr().err

    def test_categories_without_a_kind_are_things(self, export, tmp_path, capsys):
        assert convert(*export, "--overlap", "overwrite") == 0
        assert self.segments(tmp_path) == [(1, 4), (2, 6), (2, 8)]
        content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
        assert [one["isthing"] for one in content["categories"]] == [1, 1, 1]
        assert (tmp_path / "out" / "panoptic" / "JPEGImages" / "a.png").is_file()
        assert "several segments of one stuff" not in capsys.readouterr().out

    def test_stuff_is_named_and_joined_if_asked(self, export, tmp_path, capsys):
        flags = ["--overlap", "overwrite", "--stuff", "sky"]
        assert convert(*export, *flags) == 0
        assert self.segments(tmp_path) == [(1, 4), (2, 6), (2, 8)]  # As panopticapi's converter has it.
        assert "note: 1 images have several segments of one stuff category" in capsys.readouterr().out
        assert convert(*export, *flags, "--stuff-segments", "join", "--overwrite") == 0
        assert self.segments(tmp_path) == [(1, 4), (2, 14)]
        assert "several segments" not in capsys.readouterr().out

    def test_stuff_that_is_not_there(self, export, capsys):
        assert convert(*export, "--stuff", "sky", "see") == 2
        assert "export.json has no category 'see', which --stuff names" in capsys.readouterr().err


class TestRefused:
    @pytest.mark.parametrize(
        "change, match",
        [
            ({"category_id": 8}, "annotation 0: category 8 is not among the categories"),
            ({"image_id": 8}, "annotation 0: 'images' has no image 8"),
            ({"iscrowd": 2}, "annotation 0: iscrowd must be 0 or 1"),
        ],
    )
    def test_a_wrong_annotation(self, data, tmp_path, change, match, capsys):
        assert convert("coco-to-detection", *coco(data), "--output", tmp_path / "out") == 0
        path = tmp_path / "out" / "detection.json"
        content = json.loads(path.read_text())
        content["annotations"][0].update(change)
        path.write_text(json.dumps(content))
        assert convert("detection-to-coco", "--detection-json", path, "--output", tmp_path / "back") == 2
        assert match in capsys.readouterr().err
        assert not (tmp_path / "back").exists()

    def test_two_kinds_of_categories(self, data, tmp_path, capsys):
        arguments = ["--detection-json", data.json("val"), "--categories-json", data.json("val"), "--stuff", "sky"]
        assert convert("detection-to-coco", *arguments, "--output", tmp_path / "out") == 2
        assert "leave it out with --categories-json" in capsys.readouterr().err

    def test_what_is_there_is_kept(self, data, tmp_path, capsys):
        arguments = ["coco-to-detection", *coco(data), "--output", tmp_path / "out"]
        assert convert(*arguments) == 0
        assert convert(*arguments) == 2
        assert "detection.json is there already" in capsys.readouterr().err
        assert convert(*arguments, "--overwrite") == 0
