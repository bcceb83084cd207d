import math
import os
import re
from pathlib import Path

import pytest
import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.files import write_json
from tests.formats.tiny_panoptic import CATEGORIES, write_tiny_panoptic

SPLIT = {"image_root": "images", "panoptic_json": "p.json", "panoptic_root": "png"}


def write(tmp_path: Path, content) -> Path:
    path = tmp_path / "data.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_paths_are_relative_to_the_yaml_file(tmp_path, monkeypatch):
    path = write(tmp_path, {"name": "balloons", "splits": {"train": SPLIT}})
    monkeypatch.chdir("/")
    data = read_dataset_yaml(path)
    split = data.splits["train"]
    assert (data.name, data.label_divisor, split.name) == ("balloons", 1000, "balloons_train")
    assert split.image_root == tmp_path / "images"
    assert split.panoptic_json == tmp_path / "p.json"
    assert split.panoptic_root == tmp_path / "png"
    assert split.categories_json is None


def test_absolute_paths_home_and_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("MY_DATA", "/data")
    split = {
        "image_root": "/elsewhere/images",
        "panoptic_json": "~/p.json",
        "panoptic_root": "${MY_DATA}/png",
    }
    split = read_dataset_yaml(write(tmp_path, {"name": "d", "splits": {"val": split}})).splits["val"]
    assert split.image_root == Path("/elsewhere/images")
    assert split.panoptic_json == Path("/home/somebody/p.json")
    assert split.panoptic_root == Path("/data/png")


@pytest.mark.parametrize("value, expected", [("/sets", "/sets"), (None, "datasets")])
def test_detectron2_datasets_is_what_it_is_to_detectron2(tmp_path, monkeypatch, value, expected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DETECTRON2_DATASETS", raising=False)
    if value:
        monkeypatch.setenv("DETECTRON2_DATASETS", value)
    (tmp_path / "configs").mkdir()
    split = {**SPLIT, "image_root": "$DETECTRON2_DATASETS/coco/val2017"}
    path = write(tmp_path / "configs", {"name": "d", "splits": {"val": split}})
    assert read_dataset_yaml(path).splits["val"].image_root == tmp_path / expected / "coco/val2017"


def test_a_dollar_sign_in_a_path_is_never_dropped(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    path = write(
        tmp_path, {"name": "d", "splits": {"val": {**SPLIT, "image_root": "$NO_SUCH_VARIABLE/images"}}}
    )
    said = f"{path}, split val, image_root: '$NO_SUCH_VARIABLE/images' names a variable that is not set"
    with pytest.raises(InputError, match=re.escape(said)):
        read_dataset_yaml(path)


def _changed(**changes):
    return {"name": "d", "splits": {"val": SPLIT}, **changes}


def _split(**changes):
    split = {key: value for key, value in {**SPLIT, **changes}.items() if value != "absent"}
    return _changed(splits={"val": split})


@pytest.mark.parametrize(
    "content, said",
    [
        ("name: [", "is not valid YAML: "),
        ("- a\n- b\n", "expected a mapping with the keys name, splits"),
        ("", "expected a mapping with the keys name, splits"),
        (
            _changed(extra=1),
            "unknown key 'extra'; known keys are class_order, image_range, label_divisor, name, splits",
        ),
        ({"splits": {"val": SPLIT}}, "the key 'name' is missing"),
        ({"name": "d"}, "the key 'splits' is missing"),
        (_changed(name=3), "'name' must be a word, got 3"),
        (_changed(name=""), "'name' must be a word, got ''"),
        (_changed(splits=[]), "'splits' must map names"),
        (_changed(splits={}), "'splits' must map names"),
        (
            _changed(splits={"val": None}),
            "split val: expected a mapping with the keys image_root, panoptic_json",
        ),
        (_changed(label_divisor=1), "label_divisor must be an integer >= 2, got 1"),
        (_changed(label_divisor=True), "label_divisor must be an integer >= 2, got True"),
        (_changed(label_divisor=10.5), "label_divisor must be an integer >= 2, got 10.5"),
        (_changed(image_range=4095), "image_range must be two numbers such as [0, 4095], got 4095"),
        (_changed(image_range=[0, True]), "image_range must be two numbers such as [0, 4095], got [0, True]"),
        (_changed(image_range=[0, 1, 2]), "image_range must be two numbers such as [0, 4095], got [0, 1, 2]"),
        (_changed(image_range=[5, 5]), "image_range must be two finite numbers, the smaller first, got [5, 5]"),
        (_changed(image_range=[0, math.inf]), "image_range must be two finite numbers, the smaller first"),
        (_changed(image_range=[math.nan, 1]), "image_range must be two finite numbers, the smaller first"),
        (_split(panoptic_roots="x"), "split val: unknown key 'panoptic_roots'"),
        (_split(image_root="absent"), "split val: the key 'image_root' is missing"),
        (_split(panoptic_json="absent"), "split val: the key 'panoptic_json' is missing"),
        (_split(image_root=7), "split val: image_root must be a path, got 7"),
        (_split(panoptic_root=None), "split val: panoptic_root must be a path, got None"),
        (_split(panoptic_root=""), "split val: panoptic_root must be a path, got ''"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, content, said):
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_dataset_yaml(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_smallest_label_divisor(tmp_path):
    assert read_dataset_yaml(write(tmp_path, _changed(label_divisor=2))).label_divisor == 2


def test_a_missing_yaml_file_is_named(tmp_path):
    with pytest.raises(
        InputError, match=re.escape(f"cannot read the data set file {tmp_path / 'no.yaml'}: No such")
    ):
        read_dataset_yaml(tmp_path / "no.yaml")


def test_reads_the_splits_content(tmp_path):
    data = write_tiny_panoptic(tmp_path)
    content = read_dataset_yaml(data.yaml).splits["val"].read()
    assert content.path == data.json("val")
    assert list(content.categories) == [0, 7, 9, 90]
    assert [(image.image_id, image.height, image.width) for image in content.images] == [
        (101, 8, 10),
        (102, 8, 10),
        (103, 8, 10),
    ]
    assert [image.png_name for image in content.images] == ["0000.png", "0001.png", "0002.png"]


def test_a_split_with_pngs_needs_every_annotation(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",))
    with data.edit("val") as content:
        del content["annotations"][1]
    with pytest.raises(
        InputError, match=re.escape(f"{data.json('val')}: image 2 has no annotation; annotate it")
    ):
        read_dataset_yaml(data.yaml).splits["val"].read()


@pytest.mark.parametrize("whole_json", [True, False])
def test_a_test_set_has_images_only_and_its_categories_elsewhere(tmp_path, whole_json):
    images = [{"id": 1, "file_name": "a.jpg", "height": 2, "width": 3}]
    write_json(tmp_path / "test.json", {"images": images})
    write_json(tmp_path / "c.json", {"categories": CATEGORIES} if whole_json else CATEGORIES)
    split = {"image_root": "i", "panoptic_json": "test.json", "categories_json": "c.json"}
    content = (
        read_dataset_yaml(write(tmp_path, {"name": "d", "splits": {"test": split}})).splits["test"].read()
    )
    assert list(content.categories) == [0, 7, 9, 90]
    assert content.images[0].png_name is None and content.images[0].segments_info == ()


def test_categories_json_replaces_the_files_own(tmp_path):
    data = write_tiny_panoptic(tmp_path, splits=("val",))
    renamed = [{**category, "name": category["name"].upper()} for category in CATEGORIES]
    write_json(tmp_path / "c.json", renamed)
    text = data.yaml.read_text().replace("}", ", categories_json: c.json}")
    data.yaml.write_text(text)
    split = read_dataset_yaml(data.yaml).splits["val"]
    assert split.read().categories[7].name == "CAT"
    os.remove(tmp_path / "c.json")
    with pytest.raises(InputError, match=re.escape(f"cannot read {tmp_path / 'c.json'}")):
        split.read()
