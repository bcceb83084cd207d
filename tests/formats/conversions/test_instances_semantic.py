"""Panoptic maps as instances and semantic labels, and back; what overlapping instances become."""

import json

import numpy as np
import pytest
from hypothesis import given
from pycocotools import mask as rle_codec

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.conversions.instances_semantic import (
    merge_instances,
    panoptic_to_instances,
    panoptic_to_semantic,
    semantic_numbering,
)
from tests.formats.drawn_results import rle
from tests.formats.panoptic_maps import CAT, CATEGORIES, DOG, GRASS, SKY, panoptic_maps, up_to_numbering

VOID = 255
BY_ID = semantic_numbering(CATEGORIES, "category-ids")
SEPARATED = semantic_numbering(CATEGORIES, "separated")


def annotation(category_id, drawing, **more):
    """An instance; "#" is in its mask."""
    return {"category_id": category_id, "segmentation": rle(drawing), **more}


def labels(drawing):
    """s sky, g grass, c cat, d dog, . void."""
    value = {"s": SKY, "g": GRASS, "c": CAT, "d": DOG, ".": VOID}
    return np.array([[value[pixel] for pixel in row] for row in drawing.split()])


def merge(annotations, drawing, **more):
    return merge_instances(annotations, labels(drawing), CATEGORIES, label_of=BY_ID, void=VOID, **more)


class TestNumbering:
    def test_category_ids(self):
        assert BY_ID == {SKY: SKY, CAT: CAT, GRASS: GRASS, DOG: DOG}

    def test_separated_is_detectron2s(self):
        assert SEPARATED == {SKY: 1, CAT: 0, GRASS: 2, DOG: 0}

    def test_unknown(self):
        with pytest.raises(InputError, match="numbering must be one of category-ids, separated"):
            semantic_numbering(CATEGORIES, "contiguous")


@pytest.mark.parametrize("label_of", [BY_ID, SEPARATED], ids=["category-ids", "separated"])
@given(drawn=panoptic_maps())
def test_there_and_back_is_the_same_map(label_of, drawn):
    ids, segments = drawn
    instances = panoptic_to_instances(ids, segments, CATEGORIES)
    semantic = panoptic_to_semantic(ids, segments, CATEGORIES, label_of=label_of, void=VOID)
    merged = merge_instances(instances, semantic, CATEGORIES, label_of=label_of, void=VOID)
    assert up_to_numbering(merged.ids, merged.segments_info) == up_to_numbering(ids, segments)
    assert [segment["id"] for segment in merged.segments_info] == list(range(1, len(segments) + 1))
    assert (merged.contested_pixels, merged.lost_instances, merged.bare_pixels) == (0, 0, 0)


def test_instances_and_labels_of_a_drawing():
    ids = np.array([[1, 1, 2], [3, 4, 0]])
    segments = [
        {"id": i, "category_id": category_id, "iscrowd": crowd}
        for i, category_id, crowd in ((1, SKY, 0), (2, CAT, 0), (3, DOG, 1), (4, GRASS, 0))
    ]
    cat, dog = panoptic_to_instances(ids, segments, CATEGORIES)
    assert (cat["category_id"], cat["iscrowd"], cat["area"], cat["bbox"]) == (CAT, 0, 1, [2, 0, 1, 1])
    assert (dog["category_id"], dog["iscrowd"], dog["area"], dog["bbox"]) == (DOG, 1, 1, [0, 1, 1, 1])
    np.testing.assert_array_equal(rle_codec.decode(dog["segmentation"]), [[0, 0, 0], [1, 0, 0]])
    json.dumps([cat, dog])
    semantic = panoptic_to_semantic(ids, segments, CATEGORIES, label_of=BY_ID, void=VOID)
    np.testing.assert_array_equal(semantic, labels("ssc dg."))
    separated = panoptic_to_semantic(ids, segments, CATEGORIES, label_of=SEPARATED, void=VOID)
    np.testing.assert_array_equal(separated, [[1, 1, 0], [0, 2, VOID]])


class TestOverlap:
    """A cat and, listed after it, a dog, which share the middle column."""

    INSTANCES = [annotation(CAT, "##. ##.", id=71), annotation(DOG, ".## .##", id=72)]

    def test_fails_and_names_both(self):
        with pytest.raises(InputError, match="annotation 72 overlaps annotation 71 in 2 pixels"):
            merge(self.INSTANCES, "... ...")

    def test_skip_leaves_the_pixels_to_the_first(self):
        merged = merge(self.INSTANCES, "... ...", overlap="skip")
        np.testing.assert_array_equal(merged.ids, [[1, 1, 2], [1, 1, 2]])
        assert [(s["category_id"], s["area"]) for s in merged.segments_info] == [(CAT, 4), (DOG, 2)]
        assert (merged.contested_pixels, merged.lost_instances) == (2, 0)

    def test_overwrite_gives_them_to_the_last(self):
        merged = merge(self.INSTANCES, "... ...", overlap="overwrite")
        np.testing.assert_array_equal(merged.ids, [[1, 2, 2], [1, 2, 2]])
        assert [s["bbox"] for s in merged.segments_info] == [[0, 0, 1, 2], [1, 0, 2, 2]]

    def test_an_instance_without_a_pixel_left_is_left_out_and_counted(self):
        covering = [annotation(CAT, ".#. .#."), annotation(DOG, "### ###")]
        merged = merge(covering, "... ...", overlap="overwrite")
        assert [(s["id"], s["category_id"]) for s in merged.segments_info] == [(1, DOG)]
        assert (merged.contested_pixels, merged.lost_instances) == (2, 1)
        merged = merge(covering[::-1], "... ...", overlap="skip")
        assert [(s["id"], s["category_id"]) for s in merged.segments_info] == [(1, DOG)]

    def test_touching_is_no_overlap(self):
        merged = merge([annotation(CAT, "#.. #.."), annotation(DOG, ".## .##")], "... ...")
        np.testing.assert_array_equal(merged.ids, [[1, 2, 2], [1, 2, 2]])

    def test_an_unknown_choice(self):
        with pytest.raises(InputError, match="overlap must be one of fail, skip, overwrite, got 'drop'"):
            merge([], "...", overlap="drop")


class TestMerge:
    def test_instances_come_before_stuff(self):
        merged = merge([annotation(CAT, ".#. ...", iscrowd=1)], "sss gg.")
        np.testing.assert_array_equal(merged.ids, [[2, 1, 2], [3, 3, 0]])
        found = [(s["category_id"], s["iscrowd"], s["area"]) for s in merged.segments_info]
        assert found == [(CAT, 1, 1), (SKY, 0, 2), (GRASS, 0, 2)]

    def test_thing_labels_that_no_instance_covers_are_void_and_counted(self):
        merged = merge([annotation(CAT, "#...")], "ccds")
        np.testing.assert_array_equal(merged.ids, [[1, 0, 0, 2]])
        assert merged.bare_pixels == 2

    def test_nothing_at_all(self):
        merged = merge([], "... ...")
        assert not merged.ids.any() and merged.segments_info == ()

    def test_polygons(self):
        box = {"category_id": CAT, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
        np.testing.assert_array_equal(merge([box], "... ... ...").ids, [[1, 1, 0], [1, 1, 0], [0, 0, 0]])

    def test_an_empty_mask(self):
        merged = merge([annotation(CAT, "..."), annotation(DOG, "#..")], "...")
        assert [(s["id"], s["category_id"]) for s in merged.segments_info] == [(1, DOG)]
        assert merged.lost_instances == 1

    def test_a_label_that_means_nothing(self):
        with pytest.raises(InputError, match="labels hold 8, which is neither a category nor void .255."):
            merge_instances([], np.array([[8]]), CATEGORIES, label_of=BY_ID, void=VOID)

    def test_a_mask_of_another_size(self):
        with pytest.raises(InputError, match="annotation 1 of the image"):
            merge([annotation(CAT, "##")], "...")

    def test_runs_that_do_not_fill_the_image(self):
        """pycocotools would hand out uninitialised memory."""
        short = {"category_id": CAT, "id": 5, "segmentation": {"size": [1, 3], "counts": ""}}
        with pytest.raises(InputError, match="annotation 5: counts must be run lengths"):
            merge([short], "...")

    def test_nothing_given_is_changed(self):
        given_labels = labels("ccs")
        merge_instances([annotation(CAT, "##.")], given_labels, CATEGORIES, label_of=BY_ID, void=VOID)
        np.testing.assert_array_equal(given_labels, labels("ccs"))


class TestWhatLabelsCannotHold:
    @pytest.mark.parametrize(
        "segments, match",
        [
            ([(1, GRASS, 0), (2, GRASS, 0)], "stuff category 4 has several segments"),
            ([(1, GRASS, 1), (2, CAT, 0)], "segment 1 of stuff category 4 is a crowd"),
        ],
    )
    def test_stuff(self, segments, match):
        segments = [{"id": i, "category_id": c, "iscrowd": crowd} for i, c, crowd in segments]
        with pytest.raises(InputError, match=match):
            panoptic_to_semantic(np.array([[1, 2]]), segments, CATEGORIES, label_of=BY_ID, void=VOID)

    @pytest.mark.parametrize("void", [SKY, DOG])
    def test_void_that_is_a_label(self, void):
        with pytest.raises(InputError, match=f"void is {void}, which is also the label of category {void}"):
            panoptic_to_semantic(np.array([[0]]), [], CATEGORIES, label_of=BY_ID, void=void)
        with pytest.raises(InputError, match=f"void is {void}"):
            merge_instances([], np.array([[0]]), CATEGORIES, label_of=BY_ID, void=void)


def test_things_only():
    categories = Categories.from_lists(["cat"], [])
    ids = np.array([[1, 0]])
    segments = [{"id": 1, "category_id": 1, "iscrowd": 0}]
    label_of = semantic_numbering(categories, "separated")
    semantic = panoptic_to_semantic(ids, segments, categories, label_of=label_of, void=VOID)
    np.testing.assert_array_equal(semantic, [[0, VOID]])
