"""The scenes have what they are for; otherwise tests and benchmarks on them would say little."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.formats import read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.coco_panoptic import segment_entries
from panoptic_heuristic.testing.scene_gt import ground_truth
from panoptic_heuristic.testing.scenes import fingerprint, make_scene, write_ground_truth


def test_equal_arguments_give_equal_scenes():
    first, second = (make_scene(3, image_size=(60, 81), instances=20, empty=2) for _ in range(2))
    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    assert first.gt_segments == second.gt_segments
    other = make_scene(4, image_size=(60, 81), instances=20, empty=2)
    assert not np.array_equal(first.scores, other.scores)
    assert not np.array_equal(first.gt_ids, other.gt_ids)


@pytest.mark.parametrize("count, empty", [(0, 0), (1, 0), (1, 1), (25, 5)])
def test_instances_and_empty_masks_are_as_many_as_asked_for(count, empty):
    scene = make_scene(0, image_size=(60, 81), instances=count, empty=empty)
    assert len(scene.masks) == len(scene.scores) == len(scene.boxes) == len(scene.instances()) == count
    assert np.count_nonzero(~scene.probabilities.any(axis=(1, 2))) == empty
    assert np.count_nonzero(~scene.masks.any(axis=(1, 2))) >= empty


def test_scores_are_different_unless_ties_are_asked_for():
    for seed in range(20):
        assert len(set(make_scene(seed, image_size=(8, 8)).scores.tolist())) == 100
        assert len(set(make_scene(seed, image_size=(8, 8), tied_scores=True).scores.tolist())) <= 11


def test_a_scene_is_as_large_and_as_rough_as_real_ones():
    for seed in range(3):
        scene = make_scene(seed)
        assert scene.masks.shape == (100, 480, 640)
        # Pixels with the same label and the same covering instances: about 1,600 on real images.
        keys = np.concatenate([np.packbits(scene.masks, axis=0), scene.semantic_labels[None].astype(np.uint8)])
        regions = {pixel.tobytes() for pixel in np.ascontiguousarray(keys.reshape(len(keys), -1).T)}
        assert 800 < len(regions) < 4000
        gt = np.unique(scene.gt_ids, return_inverse=True)[1].astype(np.uint8).reshape(1, 480, 640)
        keys = np.concatenate([keys, gt])
        assert len(regions) < len({pixel.tobytes() for pixel in keys.reshape(len(keys), -1).T.copy()}) < 6000
        assert 5 <= np.count_nonzero(scene.scores >= 0.5) <= 35
        assert (scene.semantic_labels == 0).any() and len(np.unique(scene.semantic_labels)) >= 4


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (60, 81)])
@pytest.mark.parametrize("count", [0, 1, 25])
@pytest.mark.parametrize("stuff", [0, 1, 53])
def test_gt_is_a_sound_coco_annotation(size, count, stuff):
    for seed in range(4):
        scene = make_scene(seed, image_size=size, instances=count, stuff=stuff)
        assert scene.gt_ids.shape == size and scene.gt_ids.dtype == np.int32
        assert scene.gt_ids.min() >= 0 and scene.gt_ids.max() < 2**24
        category_of = {segment["id"]: segment["category_id"] for segment in scene.gt_segments}
        assert set(category_of.values()) <= set(scene.categories)
        crowds = [segment["id"] for segment in scene.gt_segments if segment["iscrowd"]]
        described = segment_entries(scene.gt_ids, category_of, crowds)
        assert sorted(scene.gt_segments, key=lambda segment: segment["id"]) == described
        of_stuff = [category_id for category_id in category_of.values() if not scene.categories[category_id].isthing]
        assert len(of_stuff) == len(set(of_stuff))


def test_gt_has_about_ten_segments_some_void_and_a_few_crowds():
    scenes = [make_scene(seed, image_size=(120, 160)) for seed in range(40)]
    assert 8 < np.mean([len(scene.gt_segments) for scene in scenes]) < 15
    void = np.array([np.mean(scene.gt_ids == 0) for scene in scenes])
    assert np.count_nonzero(void) > 20 and np.count_nonzero(void == 0) > 0 and void.max() < 0.1
    crowds = [sum(segment["iscrowd"] for segment in scene.gt_segments) for scene in scenes]
    assert 2 < sum(crowds) < 20 and max(crowds) == 1
    things = {category.id for category in scenes[0].categories.things}
    assert {s["category_id"] in things for scene in scenes for s in scene.gt_segments if s["iscrowd"]} == {True}


def test_detections_are_right_twice_wrong_and_imagined():
    outcomes = {"right": 0, "again": 0, "misnamed": 0, "wrong": 0}
    objects = 0
    for seed in range(10):
        scene = make_scene(seed, image_size=(240, 320))
        things = [s for s in scene.gt_segments if scene.categories[s["category_id"]].isthing]
        objects += len(things)
        found = set()
        for index in np.argsort(-scene.scores):
            mask = scene.masks[index]
            overlap = [(iou(mask, scene.gt_ids == segment["id"]), segment) for segment in things]
            best, segment = max(overlap, key=lambda pair: pair[0])
            if best <= 0.5:
                outcomes["wrong"] += 1
            elif segment["category_id"] != scene.category_ids[index]:
                outcomes["misnamed"] += 1
            else:
                outcomes["again" if segment["id"] in found else "right"] += 1
                found.add(segment["id"])
    # Of 1,000; a real detector's hundred are mostly duplicates and wrong ones, too.
    assert 0.7 * objects < outcomes["right"] <= objects
    assert 200 < outcomes["again"] < 500 and 30 < outcomes["misnamed"] < 150 and 300 < outcomes["wrong"] < 700


def iou(first, second):
    return np.count_nonzero(first & second) / np.count_nonzero(first | second)


def test_semantic_labels_mostly_name_the_true_stuff():
    for seed in range(5):
        scene = make_scene(seed, image_size=(240, 320))
        category_of = {s["id"]: s["category_id"] for s in scene.gt_segments}
        stuff = {i: category_id for i, category_id in category_of.items() if not scene.categories[category_id].isthing}
        gt = np.full(scene.image_size, -1)
        for segment_id, category_id in stuff.items():
            gt[scene.gt_ids == segment_id] = category_id
        named = np.array([-2, *scene.label_to_category[1:]])[scene.semantic_labels]
        assert 0.6 < np.mean((gt == named)[gt >= 0]) < 0.98


class Chance:
    """Stands in for the generator: ids are 1, 2, ...; one decision for borders and one for the rest."""

    def __init__(self, borders, others):
        self.borders, self.others = borders, others

    def random(self, size=None):
        return np.full(1, 1 - self.others)[0] if size is None else np.full(size, 1 - self.borders)

    def choice(self, values, size=None, replace=True):
        return values[-1] if size is None else np.arange(size)

    def normal(self, size):
        return np.arange(np.prod(size), dtype=float).reshape(size)


LARGE = np.array([[0, 1, 1, 1, 0]] * 3 + [[0] * 5]) > 0
SMALL = np.array([[0] * 5, [0, 0, 1, 0, 0], [0] * 5, [0] * 5]) > 0
LEFT, RIGHT = np.array([[[1, 1, 0, 0, 0]] * 4, [[0, 0, 1, 1, 1]] * 4], dtype=np.float32)


def drawn(chance, objects, fields=(LEFT, RIGHT)):
    """The map, and id, category and crowd flag of its segments; objects are (mask, category)."""
    masks = np.array([mask for mask, _ in objects], dtype=bool).reshape(-1, 4, 5)
    categories = np.array([category for _, category in objects], dtype=int)
    fields = np.array(fields, dtype=np.float32).reshape(-1, 4, 5)
    ids, segments = ground_truth(chance, masks, categories, fields, np.array([21, 23][: len(fields)], dtype=int))
    assert ids.dtype == np.int32
    return ids.tolist(), [(segment["id"], segment["category_id"], segment["iscrowd"]) for segment in segments]


def test_small_objects_lie_before_large_ones_and_stuff_behind():
    stuff = [(1, 21, 0), (2, 23, 0)]
    ids, segments = drawn(Chance(borders=0, others=0), [(LARGE, 10), (SMALL, 12)])
    assert ids == [[1, 3, 3, 3, 2], [1, 3, 4, 3, 2], [1, 3, 3, 3, 2], [1, 1, 2, 2, 2]]
    assert segments == [*stuff, (3, 10, 0), (4, 12, 0)]
    ids, segments = drawn(Chance(borders=0, others=0), [(SMALL, 12), (LARGE, 10)])
    assert ids == [[1, 4, 4, 4, 2], [1, 4, 3, 4, 2], [1, 4, 4, 4, 2], [1, 1, 2, 2, 2]]
    assert segments == [*stuff, (3, 12, 0), (4, 10, 0)]


def test_void_borders_hide_what_is_behind_them():
    ids, segments = drawn(Chance(borders=1, others=0), [(LARGE, 10)])
    assert ids == [[0, 3, 3, 3, 0], [0, 3, 3, 3, 0], [0, 3, 3, 3, 0], [0, 0, 0, 0, 0]]
    assert segments == [(3, 10, 0)]
    ids, segments = drawn(Chance(borders=1, others=0), [(LARGE, 10), (SMALL, 12)])
    assert ids == [[0] * 5, [0, 0, 4, 0, 0], [0] * 5, [0] * 5]
    assert segments == [(4, 12, 0)]


def test_a_patch_of_void_and_a_crowd():
    ids, segments = drawn(Chance(borders=0, others=1), [(LARGE, 10), (SMALL, 12)])
    # Of 20 pixels, 3 % are the one where the patch's field is largest.
    assert ids == [[1, 3, 3, 3, 2], [1, 3, 4, 3, 2], [1, 3, 3, 3, 2], [1, 1, 2, 2, 0]]
    assert segments == [(1, 21, 0), (2, 23, 0), (3, 10, 0), (4, 12, 1)]


def test_gt_without_objects_or_stuff():
    never = Chance(borders=0, others=0)
    assert drawn(never, []) == ([[1, 1, 2, 2, 2]] * 4, [(1, 21, 0), (2, 23, 0)])
    assert drawn(never, [(LARGE, 10)], []) == ([[0, 1, 1, 1, 0]] * 3 + [[0] * 5], [(1, 10, 0)])
    assert drawn(Chance(borders=1, others=1), [], []) == ([[0] * 5] * 4, [])


def small(seed=0):
    return make_scene(seed, image_size=(20, 30), instances=10)


def changed(scene, name):
    value = getattr(scene, name)
    if name == "gt_segments":
        value = [{**value[0], "iscrowd": 1 - value[0]["iscrowd"]}, *value[1:]]
    else:
        value = value.copy()
        value.flat[-1] = not value.flat[-1] if value.dtype == bool else value.flat[-1] + 1
    return dataclasses.replace(scene, **{name: value})


def test_equal_scenes_have_equal_fingerprints():
    assert fingerprint([small(0), small(1)]) == fingerprint(small(seed) for seed in (0, 1))
    assert len(fingerprint([])) == 64


@pytest.mark.parametrize("name", ["masks", "scores", "category_ids", "semantic_labels", "gt_ids", "gt_segments"])
def test_every_change_gives_another_fingerprint(name):
    assert fingerprint([changed(small(), name)]) != fingerprint([small()])


def test_dtype_shape_and_order_are_part_of_the_fingerprint():
    scene = small()
    flat = dataclasses.replace(scene, gt_ids=scene.gt_ids.reshape(30, 20))
    unsigned = dataclasses.replace(scene, gt_ids=scene.gt_ids.view(np.uint32))
    prints = {fingerprint(scenes) for scenes in ([scene], [flat], [unsigned], [scene, small(1)], [small(1), scene])}
    assert len(prints) == 5
    assert fingerprint([dataclasses.replace(scene, masks=np.asfortranarray(scene.masks))]) == fingerprint([scene])


def test_ground_truth_reads_back_from_coco_files(tmp_path):
    scenes = [make_scene(seed, image_size=(20 + seed, 30), instances=30) for seed in range(3)]
    write_ground_truth(tmp_path / "new", scenes)
    content = read_panoptic_json(tmp_path / "new" / "panoptic.json")
    assert content.categories == scenes[0].categories
    assert [image.image_id for image in content.images] == [0, 1, 2]
    for image, scene in zip(content.images, scenes, strict=True):
        ids = read_panoptic_png(
            tmp_path / "new" / "panoptic" / image.png_name, height=image.height, width=image.width
        )
        np.testing.assert_array_equal(ids, scene.gt_ids)
        assert list(image.segments_info) == scene.gt_segments
