import importlib

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, read_annotation, read_panoptic_json
from panoptic_heuristic.formats.semantic_targets import IGNORE_LABEL, semantic_label_of, semantic_labels

# Stuff before things, ids out of order, and a category 0: labels follow the list, not the ids.
CATEGORIES = Categories.from_coco(
    [
        {"id": 90, "name": "sky", "isthing": 0},
        {"id": 7, "name": "cat", "isthing": 1},
        {"id": 0, "name": "grass", "isthing": 0},
        {"id": 3, "name": "dog", "isthing": 1},
    ]
)


def test_things_are_0_and_stuff_counts_in_the_order_of_the_list():
    ids = np.array(
        [
            [0, 5, 5, 300],
            [0, 8, 8, 300],
            [70000, 70000, 9, 9],
        ]
    )
    segments = [
        {"id": 5, "category_id": 90},
        {"id": 300, "category_id": 7},
        {"id": 8, "category_id": 3, "iscrowd": 1},  # a crowd of things is things
        {"id": 70000, "category_id": 0, "iscrowd": 0},
        # 9 is not listed: nobody knows what it is
    ]
    expected = [
        [255, 1, 1, 0],
        [255, 0, 0, 0],
        [2, 2, 255, 255],
    ]
    labels = semantic_labels(ids, segments, CATEGORIES)
    assert labels.dtype == np.uint8
    assert labels.tolist() == expected


def test_inputs_are_not_changed():
    ids, segments = (
        np.array([[1, 2]], dtype=np.int32),
        [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 90}],
    )
    semantic_labels(ids, segments, CATEGORIES)
    assert ids.tolist() == [[1, 2]]
    assert segments == [{"id": 1, "category_id": 7}, {"id": 2, "category_id": 90}]


def test_nothing_but_void_and_nothing_at_all():
    assert semantic_labels(np.zeros((2, 2), np.int32), [], CATEGORIES).tolist() == [[255, 255], [255, 255]]
    assert semantic_labels(np.zeros((0, 3), np.int32), [], CATEGORIES).shape == (0, 3)


def test_a_listed_segment_without_a_pixel_changes_nothing():
    segments = [{"id": 1, "category_id": 90}, {"id": 16777215, "category_id": 7}]
    assert semantic_labels(np.array([[1, 0]]), segments, CATEGORIES).tolist() == [[1, 255]]


def test_the_largest_id_a_png_can_hold():
    labels = semantic_labels(np.array([[16777215, 1]]), [{"id": 16777215, "category_id": 0}], CATEGORIES)
    assert labels.tolist() == [[2, 255]]


@pytest.mark.parametrize("wrong", [-1, 2**24])
def test_an_id_no_png_can_hold(wrong):
    with pytest.raises(InputError, match=r"segment ids must be in \[0, 16777215\]"):
        semantic_labels(np.array([[wrong, 1]]), [], CATEGORIES)


def test_an_unknown_category():
    with pytest.raises(InputError, match="segment 4: category 91 is not among the categories"):
        semantic_labels(np.array([[4]]), [{"id": 4, "category_id": 91}], CATEGORIES)


def test_254_stuff_categories_fit_and_255_do_not():
    most = Categories.from_lists(["cat"], [f"stuff{i}" for i in range(254)])
    assert max(semantic_label_of(most).values()) == 254 < IGNORE_LABEL
    with pytest.raises(InputError, match="at most 254 stuff categories.*got 255"):
        semantic_labels(
            np.array([[0]]), [], Categories.from_lists(["cat"], [f"stuff{i}" for i in range(255)])
        )


def test_coco_labels_are_those_of_detectron2(coco_sample):
    pytest.importorskip("detectron2")
    importlib.import_module("panoptic_heuristic.detectron")  # makes older builds of Detectron2 importable
    from detectron2.data.datasets.builtin_meta import _get_builtin_metadata

    meta = _get_builtin_metadata("coco_panoptic_separated")
    label_of = semantic_label_of(read_panoptic_json(coco_sample / "panoptic.json").categories)
    stuff = {category_id: label for category_id, label in label_of.items() if label}
    # Detectron2's key 0 stands for all things; it is no category.
    assert {**stuff, 0: 0} == meta["stuff_dataset_id_to_contiguous_id"]
    assert sorted(set(label_of) - set(stuff)) == sorted(meta["thing_dataset_id_to_contiguous_id"])


def test_real_images_against_a_loop_over_segments(coco_sample):
    content = read_panoptic_json(coco_sample / "panoptic.json")
    stuff_ids = [category.id for category in content.categories.values() if not category.isthing]
    for image in content.images:
        rgb = np.asarray(Image.open(coco_sample / "panoptic" / image.png_name)).astype(int)
        slow = np.full(rgb.shape[:2], 255)
        for segment in image.segments_info:
            color = [segment["id"] % 256, segment["id"] // 256 % 256, segment["id"] // 65536]
            category_id = segment["category_id"]
            slow[(rgb == color).all(-1)] = stuff_ids.index(category_id) + 1 if category_id in stuff_ids else 0
        ids = read_annotation(image, coco_sample / "panoptic")
        labels = semantic_labels(ids, image.segments_info, content.categories)
        assert np.array_equal(labels, slow)
        assert {0, 255} < set(np.unique(labels).tolist())  # things, void and stuff all occur
