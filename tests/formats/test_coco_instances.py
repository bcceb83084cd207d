"""COCO instances JSON: its annotations by image, and one sentence for what is wrong."""

import json

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_instances import read_instances_json
from tests.formats.drawn_results import rle
from tests.formats.panoptic_maps import CAT, CATEGORIES, DOG, GRASS

IMAGE = {"id": 4, "file_name": "a.jpg", "height": 1, "width": 3}


def annotation(category_id):
    return {"image_id": 4, "category_id": category_id, "segmentation": rle("#..")}


def read(tmp_path, annotations, images=(IMAGE,), categories=CATEGORIES):
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": list(images), "annotations": annotations}))
    return read_instances_json(path, categories)


def test_annotations_by_image_in_file_order(tmp_path):
    entries = [annotation(c) for c in (DOG, CAT)]
    content = read(tmp_path, entries, [IMAGE, {**IMAGE, "id": 2}])
    assert content.annotations_of == {4: entries, 2: []}
    assert [(one.image_id, one.height, one.width) for one in content.images] == [(4, 1, 3), (2, 1, 3)]


@pytest.mark.parametrize(
    "wrong, match",
    [
        ({"image_id": 9}, "annotation 1: 'images' has no image 9"),
        ({"image_id": "4"}, "'images' has no image '4'"),
        ({"category_id": 77}, "category 77 is not among the categories"),
        ({"category_id": 3.0}, "category 3.0 is not among the categories"),
        ({"category_id": GRASS}, "category 4 is stuff; instances are things"),
        ({"iscrowd": 2}, "iscrowd must be 0 or 1, got 2"),
    ],
)
def test_a_wrong_value(tmp_path, wrong, match):
    sound = annotation(CAT)
    entries = [sound, {**sound, **wrong}]
    with pytest.raises(InputError, match=match):
        read(tmp_path, entries)


@pytest.mark.parametrize("missing", ["image_id", "category_id", "segmentation"])
def test_a_missing_key(tmp_path, missing):
    entry = annotation(CAT)
    del entry[missing]
    with pytest.raises(InputError, match=f"annotation 0: expected an object with '{missing}'"):
        read(tmp_path, [entry])


@pytest.mark.parametrize("content", ["[]", "{}", '{"annotations": 3}', '{"annotations": []}'])
def test_another_file(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match="x.json is no COCO (instances|panoptic) JSON"):
        read_instances_json(tmp_path / "x.json")


def test_an_image_twice(tmp_path):
    with pytest.raises(InputError, match="image id 4 occurs twice"):
        read(tmp_path, [], [IMAGE, IMAGE])
