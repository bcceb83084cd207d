import json
import re

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import as_ids
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm
from panoptic_heuristic.formats.label_png import write_label_png
from panoptic_heuristic.formats.panoptic_pairs import (
    coco_ground_truth,
    label_divisor_ground_truth,
    read_map,
    with_coco_predictions,
    with_label_divisor_predictions,
)
from tests.formats.tiny_panoptic import CATEGORIES, DRAWINGS, draw, segments_info, write_tiny_panoptic
from tests.formats.tiny_predictions import write_predictions


@pytest.fixture
def data(tmp_path):
    return write_tiny_panoptic(tmp_path, splits=("val",))


@pytest.fixture
def predictions(data):
    return write_predictions(data)


@pytest.fixture
def gt(data):
    return coco_ground_truth(data.json("val"), data.root / "panoptic_val")


def test_coco_files_are_paired_by_image_id(data, gt, predictions):
    with predictions.edit() as content:
        content["annotations"].reverse()
        content["annotations"][0]["file_name"] = "0000.png"  # A name of its own, whatever the ground truth's is.
    pairs = with_coco_predictions(gt, predictions.json, predictions.folder, "error")
    assert [pair.image_id for pair in pairs.images] == [1, 2, 3]
    assert [pair.prediction.path for pair in pairs.images] == [predictions.png(place) for place in (0, 1, 0)]
    assert [pair.gt.path for pair in pairs.images] == [data.png("val", place) for place in range(3)]
    assert (pairs.skipped, pairs.surplus) == (0, 0)
    ids, segments = read_map(pairs.images[2].gt, pairs.images[2].size, gt.categories, None)
    np.testing.assert_array_equal(as_ids(ids), draw(DRAWINGS[2]))
    assert list(segments) == segments_info(DRAWINGS[2])


@pytest.mark.parametrize("missing, ids, skipped", [("empty", [1, 2, 3], 0), ("skip", [1, 3], 1)])
def test_an_image_without_a_prediction(gt, predictions, missing, ids, skipped):
    with predictions.edit() as content:
        content["annotations"][1]["image_id"] = 50
    pairs = with_coco_predictions(gt, predictions.json, predictions.folder, missing)
    assert [pair.image_id for pair in pairs.images] == ids
    assert [pair.image_id for pair in pairs.images if pair.prediction is None] == ([2] if missing == "empty" else [])
    assert (pairs.skipped, pairs.surplus) == (skipped, 1)


def test_images_without_annotation_are_counted(data):
    with data.edit("val") as content:
        del content["annotations"][0]
    gt = coco_ground_truth(data.json("val"), data.root / "panoptic_val")
    assert [image.image_id for image in gt.images] == [2, 3] and gt.unannotated == 1


@pytest.fixture
def labels(tmp_path):
    """Two cities with an image each; every pixel is the stuff category 9."""
    for folder, end in (("gt", "_gt.png"), ("pred", "_pred.png")):
        for city in "ab":
            write_label_png(tmp_path / folder / city / f"1{end}", np.full((2, 3), 90), 8)
    (tmp_path / "gt" / "a" / "1_other.png").touch()
    (tmp_path / "categories.json").write_text(json.dumps(CATEGORIES))
    return tmp_path


def test_label_pngs_are_paired_by_name(labels):
    gt = label_divisor_ground_truth(labels / "gt", labels / "categories.json", "_gt.png")
    assert [(image.image_id, image.name) for image in gt.images] == [(1, "a/1_gt.png"), (2, "b/1_gt.png")]
    pairs = with_label_divisor_predictions(gt, labels / "pred", ("_gt.png", "_pred.png"), "error")
    names = [pair.prediction.path.relative_to(labels).as_posix() for pair in pairs.images]
    assert names == ["pred/a/1_pred.png", "pred/b/1_pred.png"] and pairs.surplus == 0
    ids, segments = read_map(pairs.images[0].prediction, (2, 3), gt.categories, LabelDivisorForm(10, 255))
    assert ids.tolist() == [[1, 1, 1]] * 2
    assert segments == [{"id": 1, "category_id": 9, "iscrowd": 0}]


def test_label_pngs_of_another_size_are_refused(labels):
    gt = label_divisor_ground_truth(labels / "gt", labels / "categories.json", "_gt.png")
    with pytest.raises(InputError, match=re.escape("a/1_gt.png is 3x2 pixels")):
        read_map(gt.images[0].gt, (3, 2), gt.categories, LabelDivisorForm(10, 255))


def test_names_lead_nowhere_else(labels):
    gt = label_divisor_ground_truth(labels / "gt", labels / "categories.json", "_gt.png")
    # A name that leads out is none of the folder's, and so has no prediction.
    pairs = with_label_divisor_predictions(gt, labels / "pred", ("1_gt.png", "../../gt/a/1_gt.png"), "skip")
    assert pairs.images == () and pairs.skipped == 2


@pytest.mark.parametrize(
    "suffixes, said",
    [
        (("_no.png", ".png"), "the ground truth a/1_gt.png does not end in '_no.png'; set --gt-suffix"),
        (("_gt.png", ".png"), "has no prediction for 2 of 2 images, such as image 1 (a/1_gt.png)"),
    ],
)
def test_wrong_suffixes_are_told(labels, suffixes, said):
    gt = label_divisor_ground_truth(labels / "gt", labels / "categories.json", "_gt.png")
    with pytest.raises(InputError, match=re.escape(said)):
        with_label_divisor_predictions(gt, labels / "pred", suffixes, "error")


def test_a_folder_without_ground_truth_is_told(labels):
    with pytest.raises(InputError, match=re.escape(f"{labels / 'gt'} holds no file whose name ends in '.tif'")):
        label_divisor_ground_truth(labels / "gt", labels / "categories.json", ".tif")
