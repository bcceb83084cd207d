"""The problems of a panoptic JSON: one sentence for each wrong value, and no other."""

import re

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_panoptic_json
from panoptic_heuristic.formats.coco_panoptic import json_problems
from panoptic_heuristic.formats.coco_panoptic.problems import annotation_problems
from tests.formats.tiny_panoptic import write_tiny_panoptic


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


def _image(content):
    return content["images"][1]


def _annotation(content):
    return content["annotations"][1]


def _segment(content):
    return content["annotations"][1]["segments_info"][2]  # 256, a cat


@pytest.mark.parametrize(
    "part, change, said",
    [
        (_image, {"id": 2.0}, "image 1: 'id' must be an integer or a text, got 2.0"),
        (_image, {"id": "2"}, "annotation of image 2: 'images' has no image 2; there is '2', which is text: write"),
        (_image, {"id": 3}, "image 2: image id 3 occurs twice"),
        (_image, {"file_name": None}, "image 1: 'file_name' must be a string, got None"),
        (_image, {"height": 0}, "image 1: 'height' must be a positive integer, got 0"),
        (_image, {"width": 10.0}, "image 1: 'width' must be a positive integer, got 10.0"),
        (_annotation, {"image_id": 77}, "annotation of image 77: 'images' has no image 77"),
        (_annotation, {"image_id": 1}, "annotation of image 1: the image is annotated twice"),
        (
            _annotation,
            {"image_id": None},
            "annotation 1: expected an object with 'image_id', an integer or a text, got None",
        ),
        (
            _annotation,
            {"file_name": 3},
            "annotation of image 2: 'file_name' must be the name of a PNG, got 3",
        ),
        (_annotation, {"segments_info": None}, "annotation of image 2: 'segments_info' must be a list"),
        (_segment, {"id": 0}, "annotation of image 2: segment id 0 must be an integer from 1 to 16777215"),
        (_segment, {"id": 2**24}, "segment id 16777216 must be an integer from 1 to 16777215"),
        (_segment, {"id": "256"}, "segment id '256' must be an integer"),
        (_segment, {"id": 1}, "annotation of image 2: segment id 1 occurs twice"),
        (
            _segment,
            {"category_id": 8},
            "annotation of image 2, segment 256: category 8 is not among the categories",
        ),
        (_segment, {"category_id": None}, "segment 256: category None is not among the categories"),
        (_segment, {"category_id": [7]}, "segment 256: category [7] is not among the categories"),
        (_segment, {"category_id": False}, "segment 256: category False is not among the categories"),
        (_segment, {"iscrowd": 2}, "segment 256: iscrowd must be 0 or 1, got 2"),
    ],
)
def test_one_wrong_value_is_one_sentence_with_its_place(data, part, change, said):
    with data.edit("val") as content:
        part(content).update(change)
    path = data.json("val")
    with pytest.raises(
        InputError, match=re.escape(f"{path}, ") + ".*" + re.escape(said.split(": ", 1)[-1])
    ) as caught:
        read_panoptic_json(path)
    assert said in str(caught.value)
    others = [text for text in json_problems(data.read("val"), str(path)) if said not in text]
    # An image that lost its id leaves its annotation without an image; nothing else may follow.
    assert all("'images' has no image 2" in text for text in others)


def test_a_number_and_a_text_that_look_alike_are_told_and_not_taken_for_one(data):
    with data.edit("val") as content:
        _image(content)["id"] = "1"
        _annotation(content)["image_id"] = "1"
    data_of_val = data.read("val")
    told = "there are images 1 and '1', a number and a text that look alike"
    assert list(json_problems(data_of_val, "f")) == [f"f, image 1: {told}"]
    # Predictions have no list of images.
    found = list(annotation_problems(data_of_val["annotations"], "f", None))
    assert found == [f"f, annotation of image 1: {told}"]


def test_an_image_may_be_one_pixel_high_or_wide(data):
    with data.edit("val") as content:
        content["images"][0]["height"] = content["images"][1]["width"] = 1
    assert list(json_problems(data.read("val"), "f")) == []


def test_the_largest_segment_id_is_legal(data):
    with data.edit("val") as content:
        _segment(content)["id"] = 2**24 - 1
    assert list(json_problems(data.read("val"), "f")) == []


def test_iscrowd_area_and_bbox_may_be_absent(data):
    with data.edit("val") as content:
        for key in ("iscrowd", "area", "bbox"):
            del _segment(content)[key]
    assert list(json_problems(data.read("val"), "f")) == []


@pytest.mark.parametrize("content", [[], {}, {"images": {}}, None, "x"])
def test_other_json_is_refused(content):
    assert list(json_problems(content, "f.json")) == [
        "f.json is no COCO panoptic JSON: expected an object with the list 'images'"
    ]


@pytest.mark.parametrize(
    "key, value, said",
    [
        ("annotations", {}, "f: 'annotations' must be a list, got dict"),
        ("annotations", [3], "f, annotation 0: expected an object"),
        ("images", [3], "f, image 0: expected an object, got int"),
    ],
)
def test_lists_hold_objects(data, key, value, said):
    content = {**data.read("val"), "annotations": [], key: value}
    (problem,) = json_problems(content, "f")
    assert problem.startswith(said)


def test_every_problem_is_told_even_without_categories(data):
    with data.edit("val") as content:
        del content["categories"]
        _image(content)["height"] = -1
        _segment(content)["iscrowd"] = "no"
    assert [text.split(": ", 1)[1] for text in json_problems(data.read("val"), "f")] == [
        "expected a list of categories, got NoneType",
        "'height' must be a positive integer, got -1",
        "iscrowd must be 0 or 1, got 'no'",
    ]
