"""The paths in a data set's YAML file lead to the same files from any folder."""

from pathlib import Path

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import read_dataset_yaml
from panoptic_heuristic.formats.dataset_yaml import datasets_root

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


def image_root(folder, value):
    folder.mkdir(exist_ok=True)
    (folder / "set.yaml").write_text(
        f"name: x\nsplits: {{val: {{image_root: {value!r}, panoptic_json: a.json}}}}\n"
    )
    return read_dataset_yaml(folder / "set.yaml").splits["val"].image_root


def test_relative_to_the_file_and_absolute(tmp_path):
    assert image_root(tmp_path / "set", "../images") == tmp_path / "set" / "../images"
    assert image_root(tmp_path / "set", "/images") == Path("/images")


def test_home_and_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("PICTURES", "/pictures")
    assert image_root(tmp_path, "~/images") == Path("/home/someone/images")
    assert image_root(tmp_path, "${PICTURES}/$PICTURES") == Path("/pictures//pictures")
    assert image_root(tmp_path, "/a$$b") == Path("/a$b")


@pytest.mark.parametrize("value", ["$SURELY_NOT_SET/images", "${SURELY_NOT_SET}", "a$", "a$/b"])
def test_a_variable_that_is_not_set(tmp_path, value):
    with pytest.raises(InputError, match="names a variable that is not set"):
        image_root(tmp_path, value)


@pytest.mark.parametrize(
    "setting, expected",
    [(None, "work/datasets"), ("data", "work/data"), ("../data", "data"), ("/data", "/data")],
)
def test_detectron2s_folder_is_where_detectron2_looks(tmp_path, monkeypatch, setting, expected):
    # Relative to the working directory, although other paths are relative to the YAML file.
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("DETECTRON2_DATASETS", raising=False)
    if setting is not None:
        monkeypatch.setenv("DETECTRON2_DATASETS", setting)
    assert datasets_root() == tmp_path / expected
    assert image_root(tmp_path / "set", "$DETECTRON2_DATASETS/coco") == tmp_path / expected / "coco"


@pytest.mark.parametrize("name", ["ade20k_panoptic", "cityscapes_panoptic", "coco_panoptic_test-dev"])
def test_every_yaml_file_we_bring_can_be_read(name, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    data = read_dataset_yaml(DATASETS / f"{name}.yaml")
    for split in data.splits.values():
        assert tmp_path in split.image_root.parents and tmp_path in split.panoptic_json.parents


def test_test_dev_takes_its_categories_from_val2017(tmp_path, monkeypatch, coco_sample):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    annotations = tmp_path / "coco" / "annotations"
    annotations.mkdir(parents=True)
    (annotations / "panoptic_val2017.json").symlink_to(coco_sample / "panoptic.json")
    # As COCO's list is: things only, and they do not say that they are things.
    (annotations / "image_info_test-dev2017.json").write_text(
        '{"images": [{"id": 1, "file_name": "000000000001.jpg", "height": 480, "width": 640}],'
        ' "categories": [{"id": 1, "name": "person", "supercategory": "person"}]}'
    )
    split = read_dataset_yaml(DATASETS / "coco_panoptic_test-dev.yaml").splits["test-dev"]
    content = split.read()
    assert (len(content.categories.things), len(content.categories.stuff)) == (80, 53)
    assert content.images[0].png_name is None
