"""convert-panoptic between COCO panoptic and the public panoptic JSONs of Cityscapes and Mapillary Vistas."""

import json

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.cli.prepare_cityscapes_panoptic import CATEGORIES as CITYSCAPES
from panoptic_heuristic.formats import read_panoptic_json
from tests.cli.converting import convert, segments_in, segments_of
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info, write_png

PREFIXES = ("aachen_000001_000019", "aachen_000000_000019", "zurich_000121_000019")


def write_json(folder, name, images, categories):
    """A panoptic JSON and its PNGs: images are (id, file name, PNG name, ids, segments)."""
    (folder / name).mkdir(parents=True)
    content = {"images": [], "annotations": [], "categories": categories}
    for image_id, file_name, png, ids, segments in images:
        write_png(folder / name / png, ids)
        size = {"height": ids.shape[0], "width": ids.shape[1]}
        content["images"].append({"id": image_id, "file_name": file_name, **size})
        content["annotations"].append({"image_id": image_id, "file_name": png, "segments_info": segments})
    (folder / f"{name}.json").write_text(json.dumps(content))
    return ["--panoptic-json", folder / f"{name}.json", "--panoptic-root", folder / name]


def instance_ids():
    """Road, two cars, a group of persons, a pole, and a label that is not evaluated, as instanceIds have them."""
    values = np.full((8, 10), 7)
    values[1:3, 1:4], values[4:6, 1:4], values[1:6, 6], values[6:, 6:], values[7, 0] = 26000, 26001, 17, 24, 3
    return values


@pytest.fixture
def cityscapes(tmp_path):
    """As cityscapesScripts writes them: a segment's id is its value in instanceIds."""
    images = []
    for prefix in PREFIXES:
        values = instance_ids()
        values[values == 3] = 0
        segments = [
            {"id": value, "category_id": value if value < 1000 else value // 1000, "area": 1, "bbox": [0, 0, 1, 1],
             "iscrowd": int(value == 24)}
            for value in np.unique(values).tolist() if value
        ]  # fmt: skip
        images.append((prefix, f"{prefix}_gtFine_leftImg8bit.png", f"{prefix}_gtFine_panoptic.png", values, segments))
    return write_json(tmp_path, "cityscapes_panoptic_val", images, CITYSCAPES.to_coco())


@pytest.fixture
def mapillary(tmp_path):
    images = [
        (name, f"{name}.jpg", f"{name}.png", draw(drawing), segments_info(drawing))
        for name, drawing in zip(("zK_-9", "--jRsD9anHdGxv4ZOCQktA", "A0"), DRAWINGS, strict=True)
    ]
    return write_json(tmp_path, "panoptic_2020", images, list(CATEGORIES))


def content_of(path):
    return json.loads(path.read_text())


class TestCityscapes:
    def test_to_coco(self, cityscapes, tmp_path):
        assert convert("cityscapes-to-coco", *cityscapes, "--output", tmp_path / "out") == 0
        content = content_of(tmp_path / "out" / "panoptic.json")
        assert [(one["id"], one["file_name"], one["dataset_image_id"]) for one in content["images"]] == [
            (number, f"{prefix.split('_')[0]}/{prefix}_leftImg8bit.png", prefix)
            for number, prefix in enumerate(PREFIXES, start=1)
        ]
        original = segments_of(cityscapes[1], cityscapes[3])
        assert list(segments_in(tmp_path / "out").values()) == list(original.values())
        # Boxes are the PNG's.
        assert content["annotations"][0]["segments_info"][3]["bbox"] == [1, 1, 3, 2]

    def test_it_is_what_instance_ids_are_prepared_to(self, cityscapes, tmp_path):
        """By prepare-cityscapes-panoptic, from the files that both come from."""
        from panoptic_heuristic.cli.prepare_cityscapes_panoptic import prepare

        for prefix in PREFIXES:
            for folder, name in (("leftImg8bit", "_leftImg8bit.png"), ("gtFine", "_gtFine_instanceIds.png")):
                path = tmp_path / "root" / folder / "val" / prefix.split("_")[0] / (prefix + name)
                path.parent.mkdir(parents=True, exist_ok=True)
                values = instance_ids().astype(np.uint16) if folder == "gtFine" else np.zeros((8, 10, 3), np.uint8)
                Image.fromarray(values).save(path)
        prepare(tmp_path / "root", tmp_path / "prepared", "val")
        assert convert("cityscapes-to-coco", *cityscapes, "--output", tmp_path / "out") == 0
        prepared = segments_of(tmp_path / "prepared" / "panoptic_val.json", tmp_path / "prepared" / "panoptic_val")
        by_name = {key[1:]: segments for key, segments in prepared.items()}
        assert {key[1:]: segments for key, segments in segments_in(tmp_path / "out").items()} == by_name

    def test_there_and_back(self, cityscapes, tmp_path):
        assert convert("cityscapes-to-coco", *cityscapes, "--output", tmp_path / "out") == 0
        coco = ["--panoptic-json", tmp_path / "out" / "panoptic.json", "--panoptic-root", tmp_path / "out" / "panoptic"]
        assert convert("coco-to-cityscapes", *coco, "--output", tmp_path / "back") == 0
        back = tmp_path / "back" / "cityscapes_panoptic.json"
        assert segments_of(back, tmp_path / "back" / "cityscapes_panoptic") == segments_of(cityscapes[1], cityscapes[3])
        for key in ("images", "annotations"):
            names = [[{k: one[k] for k in one if k in ("id", "image_id", "file_name")} for one in content_of(path)[key]]
                     for path in (back, cityscapes[1])]  # fmt: skip
            assert names[0] == names[1]

    def test_other_names(self, mapillary, tmp_path, capsys):
        assert convert("cityscapes-to-coco", *mapillary, "--output", tmp_path / "out") == 2
        assert "names end in _gtFine_leftImg8bit.png" in capsys.readouterr().err
        assert convert("coco-to-cityscapes", *mapillary, "--output", tmp_path / "out") == 2
        assert "Cityscapes' images end in _leftImg8bit.png" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


class TestMapillary:
    def test_to_coco_in_file_order(self, mapillary, tmp_path):
        assert convert("mapillary-to-coco", *mapillary, "--output", tmp_path / "out") == 0
        images = content_of(tmp_path / "out" / "panoptic.json")["images"]
        assert [(one["id"], one["file_name"], one["dataset_image_id"]) for one in images] == [
            (1, "zK_-9.jpg", "zK_-9"),
            (2, "--jRsD9anHdGxv4ZOCQktA.jpg", "--jRsD9anHdGxv4ZOCQktA"),
            (3, "A0.jpg", "A0"),
        ]
        original = segments_of(mapillary[1], mapillary[3])
        assert list(segments_in(tmp_path / "out").values()) == list(original.values())

    def test_there_and_back(self, mapillary, tmp_path):
        assert convert("mapillary-to-coco", *mapillary, "--output", tmp_path / "out") == 0
        coco = ["--panoptic-json", tmp_path / "out" / "panoptic.json", "--panoptic-root", tmp_path / "out" / "panoptic"]
        assert convert("coco-to-mapillary", *coco, "--output", tmp_path / "back") == 0
        back = segments_of(tmp_path / "back" / "panoptic_2020.json", tmp_path / "back" / "panoptic")
        assert back == segments_of(mapillary[1], mapillary[3])
        pngs = [image.png_name for image in read_panoptic_json(tmp_path / "back" / "panoptic_2020.json").images]
        assert pngs == ["zK_-9.png", "--jRsD9anHdGxv4ZOCQktA.png", "A0.png"]

    def test_an_image_without_annotation(self, mapillary, tmp_path, capsys):
        content = content_of(mapillary[1])
        del content["annotations"][1]
        mapillary[1].write_text(json.dumps(content))
        assert convert("mapillary-to-coco", *mapillary, "--output", tmp_path / "out") == 2
        assert "--jRsD9anHdGxv4ZOCQktA" in capsys.readouterr().err
        assert not (tmp_path / "out" / "panoptic.json").exists()
