import numpy as np
import pytest

from panoptic_heuristic.formats import read_annotation, read_panoptic_json
from panoptic_heuristic.formats.coco_panoptic import segment_entries


def test_segments_of_a_drawing():
    ids = np.array(
        [
            [0, 7, 7, 0, 0],
            [0, 7, 0, 0, 300],
            [0, 0, 0, 0, 300],
            [9, 0, 0, 0, 9],  # in two parts: one box around both
        ]
    )
    assert segment_entries(ids, {300: 2, 7: 1, 9: 0, 11: 5}, crowds={9, 11}) == [
        {"id": 7, "category_id": 1, "area": 3, "bbox": [1, 0, 2, 2], "iscrowd": 0},
        {"id": 9, "category_id": 0, "area": 2, "bbox": [0, 3, 5, 1], "iscrowd": 1},
        {"id": 300, "category_id": 2, "area": 2, "bbox": [4, 1, 1, 2], "iscrowd": 0},
    ]


def test_no_segment_and_no_void():
    assert segment_entries(np.zeros((2, 3), int), {}) == []
    assert segment_entries(np.full((2, 3), 4), {4: 1}) == [
        {"id": 4, "category_id": 1, "area": 6, "bbox": [0, 0, 3, 2], "iscrowd": 0}
    ]


def test_an_id_without_a_category():
    with pytest.raises(KeyError):
        segment_entries(np.array([[3]]), {4: 1})


def test_entries_of_real_images_are_those_of_coco(coco_sample):
    content = read_panoptic_json(coco_sample / "panoptic.json")
    for image in content.images:
        ids = read_annotation(image, coco_sample / "panoptic")
        entries = segment_entries(
            ids,
            {segment["id"]: segment["category_id"] for segment in image.segments_info},
            {segment["id"] for segment in image.segments_info if segment["iscrowd"]},
        )
        assert entries == sorted(image.segments_info, key=lambda segment: segment["id"])
