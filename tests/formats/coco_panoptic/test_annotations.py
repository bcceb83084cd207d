"""The JSON of panoptic annotations and predictions, and PNGs held against it, on the tiny data set."""

import json
import re

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, read_annotation, read_panoptic_json
from panoptic_heuristic.formats.coco_panoptic import read_predictions
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info, write_png, write_tiny_panoptic
from tests.formats.tiny_predictions import write_predictions

KNOWN = Categories.from_coco(CATEGORIES)


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


def test_reads_images_annotations_and_categories(data):
    content = read_panoptic_json(data.json("val"))
    first = content.images[0]
    assert content.path == data.json("val")
    assert (first.image_id, first.file_name, first.png_name) == (1, "0000.jpg", "0000.png")
    assert (first.height, first.width) == (8, 10)
    assert first.segments_info == tuple(segments_info(DRAWINGS[0]))
    assert [category.name for category in content.categories.values()] == ["sky", "cat", "grass", "dog"]


def test_images_keep_file_order_whatever_the_order_of_annotations(data):
    with data.edit("val") as content:
        content["images"].reverse()
    images = read_panoptic_json(data.json("val")).images
    assert [(image.image_id, image.png_name) for image in images] == [
        (3, "0002.png"),
        (2, "0001.png"),
        (1, "0000.png"),
    ]


def test_a_test_set_has_no_annotations(data):
    with data.edit("val") as content:
        del content["annotations"], content["categories"]
    with pytest.raises(InputError, match="categories: expected a list of categories, got NoneType"):
        read_panoptic_json(data.json("val"))
    content = read_panoptic_json(data.json("val"), KNOWN)
    assert {(image.png_name, image.segments_info) for image in content.images} == {(None, ())}


@pytest.mark.parametrize("place", range(3))
def test_reads_the_ids_of_a_png(data, place):
    image = read_panoptic_json(data.json("val")).images[place]
    ids = read_annotation(image, data.root / "panoptic_val")
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, draw(DRAWINGS[place]))


def test_ids_in_the_png_only_and_in_the_json_only(data):
    image = read_panoptic_json(data.json("val")).images[1]
    ids = draw(DRAWINGS[1])
    ids[0, 0] = 77
    write_png(data.png("val", 1), ids)
    said = f"{data.png('val', 1)}: the PNG holds segment 77, which the JSON does not list for image 2"
    with pytest.raises(InputError, match=re.escape(said)):
        read_annotation(image, data.root / "panoptic_val")
    ids[0, 0] = 1
    ids[ids == 65536] = 1
    write_png(data.png("val", 1), ids)
    said = f"{data.png('val', 1)}: the JSON lists segment 65536 for image 2, which has no pixel in the PNG"
    with pytest.raises(InputError, match=re.escape(said)):
        read_annotation(image, data.root / "panoptic_val")


def test_void_needs_no_listing(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",), drawings=["....\n...."])
    image = read_panoptic_json(data.json("val")).images[0]
    assert read_annotation(image, data.root / "panoptic_val").tolist() == [[0] * 4] * 2


@pytest.mark.parametrize("name", ["../panoptic_val/0001.png", "/0001.png"])
def test_png_names_stay_in_their_folder(data, name):
    with data.edit("val") as content:
        content["annotations"][1]["file_name"] = name
    image = read_panoptic_json(data.json("val")).images[1]
    with pytest.raises(InputError, match="leads out of its folder"):
        read_annotation(image, data.root / "panoptic_val")


def test_real_coco_images(coco_sample):
    content = read_panoptic_json(coco_sample / "panoptic.json")
    assert len(content.categories.things) == 80 and len(content.categories.stuff) == 53
    for image in content.images:
        ids = read_annotation(image, coco_sample / "panoptic")
        assert ids.shape == (image.height, image.width)
        for segment in image.segments_info:
            assert (ids == segment["id"]).sum() == segment["area"]


class TestPredictions:
    @pytest.fixture
    def predictions(self, tmp_path):
        return write_predictions(write_tiny_panoptic(tmp_path, splits=("val",)))

    def test_reads_what_evaluators_write(self, predictions):
        read = read_predictions(predictions.json, KNOWN)
        assert list(read) == [1, 2, 3]
        assert read[3].png_name == "0002.png"
        assert read[3].segments_info == ({"id": 252, "category_id": 9}, {"id": 259, "category_id": 7})

    def test_other_lists_in_the_file_are_not_looked_at(self, predictions):
        with predictions.edit() as content:
            content.update(images=None, categories=5, licenses=[])
        assert len(read_predictions(predictions.json, KNOWN)) == 3

    def test_no_predictions_are_no_error(self, predictions):
        with predictions.edit() as content:
            content["annotations"] = []
        assert read_predictions(predictions.json, KNOWN) == {}

    @pytest.mark.parametrize("content", [[], {}, None, 5, {"annotations": {}}, [{"image_id": 1, "segmentation": {}}]])
    def test_another_file_is_told(self, predictions, content):
        predictions.json.write_text(json.dumps(content))
        said = f"{predictions.json} is no COCO panoptic result file: expected an object with the list 'annotations'"
        with pytest.raises(InputError, match=re.escape(said)):
            read_predictions(predictions.json, KNOWN)

    def test_the_place_of_what_is_wrong_is_told(self, predictions):
        with predictions.edit() as content:
            content["annotations"][1]["segments_info"][0]["category_id"] = 5
        said = f"{predictions.json}, annotation of image 2, segment 2: category 5 is not among the categories"
        with pytest.raises(InputError, match=f"^{re.escape(said)}$"):
            read_predictions(predictions.json, KNOWN)
