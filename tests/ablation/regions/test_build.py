import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, SemanticRuns
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import NO_LABEL, NOTHING_SAID, GtSegments, packed_sets
from panoptic_heuristic.errors import InputError
from tests.ablation.random_images import CATEGORIES, LABELS, predictions_of, random_image

# Places in CATEGORIES.
STUFF_9, STUFF_4, THING_31, NONE = 0, 3, 2, -1


def draw(picture):
    return np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in picture.split()])


def regions_of(masks, labels, gt, segments):
    count = len(masks)
    masks = np.stack([draw(mask) > 0 for mask in masks]) if count else np.zeros((0, *draw(labels).shape), bool)
    predictions = predictions_of(5, masks, np.linspace(0.9, 0.1, count), [0] * count, draw(labels))
    return build_regions(predictions, LABELS, CATEGORIES, draw(gt), segments)


def as_rows(regions):
    """pixels, semantic, gt place, covering instances of each region, sorted."""
    covering = [tuple(np.flatnonzero(column).tolist()) for column in regions.covered.T]
    columns = (regions.pixels.tolist(), regions.semantic.tolist(), regions.gt_place.tolist(), covering)
    return sorted(zip(*columns, strict=True), key=lambda row: (row[1:], row[0]))


def test_pixels_with_all_in_common_are_one_region_wherever_they_are():
    regions = regions_of(
        ["11..\n11.."],
        "1122\n1122",
        "5..5\n5..5",
        [{"id": 5, "category_id": 9, "iscrowd": 0}],
    )
    assert as_rows(regions) == [
        (2, STUFF_9, 0, (0,)),
        (2, STUFF_9, 1, (0,)),
        (2, STUFF_4, 0, ()),
        (2, STUFF_4, 1, ()),
    ]


def test_labels_of_one_category_are_one_and_labels_of_none_are_none():
    # 2 and 4 both mean stuff 4; 0 means nothing; 7 means a thing.
    regions = regions_of([], "2407", "....", [])
    assert as_rows(regions) == [(1, NONE, 0, ()), (1, THING_31, 0, ()), (2, STUFF_4, 0, ())]


def test_pixels_of_an_unlisted_id_are_neither_void_nor_a_segment():
    regions = regions_of([], "0000", ".556", [{"id": 5, "category_id": 0, "iscrowd": 0}])
    assert as_rows(regions) == [(1, NONE, 0, ()), (2, NONE, 1, ()), (1, NONE, 2, ())]
    assert regions.gt_areas.tolist() == [1, 2, 1]


def test_the_first_label_of_each_category_that_occurs():
    # Stuff 4 has the labels 2 and 4; by place: 9, 0, 31, 4, 5, 2.
    drawn = {"0427": [NO_LABEL, NO_LABEL, 7, 2, NO_LABEL, NO_LABEL], "4444": [NO_LABEL] * 3 + [4] + [NO_LABEL] * 2}
    for labels, expected in drawn.items():
        assert regions_of([], labels, "....", []).first_labels.tolist() == expected


def test_regions_are_told_apart_by_what_they_are_left_to_only_if_asked():
    labels = draw("0000017")
    # Best stuff counts where the label means none, it is above the floor, and it is stuff.
    best, above = np.array([[1, 1, 2, NO_STUFF, 7, 2, 1]]), draw("1011111") > 0
    predictions = predictions_of(5, np.zeros((0, 1, 7), bool), [], [], labels)
    predictions = dataclasses.replace(predictions, semantics=SemanticRuns.of_maps(labels, best, above))
    arguments = predictions, LABELS, CATEGORIES, np.zeros((1, 7), np.int32), []
    assert build_regions(*arguments).best_stuff is None
    assert as_rows(build_regions(*arguments)) == [(5, NONE, 0, ()), (1, STUFF_9, 0, ()), (1, THING_31, 0, ())]
    regions = build_regions(*arguments, with_best_stuff=True)
    found = sorted(zip(*(one.tolist() for one in (regions.semantic, regions.best_stuff, regions.pixels)), strict=True))
    of_none = [(NONE, NONE, 3), (NONE, STUFF_9, 1), (NONE, STUFF_4, 1)]
    assert found == [*of_none, (STUFF_9, NONE, 1), (THING_31, STUFF_9, 1)]


def test_regions_are_told_apart_by_a_fused_map():
    predictions = predictions_of(5, np.ones((1, 1, 6), bool), np.array([0.9]), [0], draw("112222"))
    arguments = predictions, LABELS, CATEGORIES, draw("5.5..."), [{"id": 5, "category_id": 9}]
    assert build_regions(*arguments).segment_ids is None
    regions = build_regions(*arguments, fused_ids=draw("2222.2"))
    columns = (regions.semantic, regions.gt_place, regions.segment_ids, regions.pixels)
    found = sorted(zip(*(one.tolist() for one in columns), strict=True))
    assert found == [(STUFF_9, 0, 2, 1), (STUFF_9, 1, 2, 1), (STUFF_4, 0, 0, 1), (STUFF_4, 0, 2, 2), (STUFF_4, 1, 2, 1)]


def test_a_segment_without_a_pixel_is_listed():
    regions = regions_of([], "00", "..", [{"id": 5, "category_id": 0, "iscrowd": 1}])
    assert (regions.gt.ids.tolist(), regions.gt.iscrowd.tolist()) == ([5], [True])
    assert regions.gt_areas.tolist() == [2, 0, 0]


def test_of_two_segments_with_one_id_the_last_one_counts():
    gt = GtSegments.of_segments([{"id": 5, "category_id": 0}, {"id": 6, "category_id": 4}, {"id": 5, "category_id": 9}])
    assert (gt.ids.tolist(), gt.category_ids.tolist()) == ([5, 6], [9, 4])


@pytest.mark.parametrize("seed", range(60))
def test_regions_are_the_pixels_of_the_image(seed):
    """Each region is a set of (label, gt, masks) that occurs, with as many pixels as it has."""
    image = random_image(seed)
    regions = build_regions(image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
    assert regions.pixels.sum() == image.gt_ids.size
    rows = as_rows(regions)
    assert len({row[1:] for row in rows}) == len(rows)

    instances, semantics = image.predictions.to_instances(), image.predictions.to_semantics(LABELS)
    masks = np.zeros((len(instances), *image.gt_ids.shape), dtype=bool)
    for index in range(len(instances)):
        crop = instances.crop(index)
        masks[index][crop.window] = crop.mask.numpy()
    assert regions.areas.tolist() == masks.sum(axis=(1, 2)).tolist()
    places = list(CATEGORIES)
    listed = [segment["id"] for segment in image.gt_segments]
    expected = {}
    for y, x in np.ndindex(image.gt_ids.shape):
        category_id = None if semantics is None else LABELS[int(semantics.labels[y, x])]
        gt_id = int(image.gt_ids[y, x])
        key = (
            NONE if category_id is None else places.index(category_id),
            0 if gt_id == 0 else listed.index(gt_id) + 1 if gt_id in listed else len(listed) + 1,
            tuple(np.flatnonzero(masks[:, y, x]).tolist()),
        )
        expected[key] = expected.get(key, 0) + 1
    assert {row[1:]: row[0] for row in rows} == expected


def test_ground_truth_of_another_size_is_told():
    image = random_image(1)
    with pytest.raises(InputError, match="image 1: the predictions are .* the ground truth 3x3"):
        build_regions(image.predictions, LABELS, CATEGORIES, np.zeros((3, 3), np.int32), [])


@pytest.mark.parametrize("count", [0, 1, 64, 65, 130])
def test_packed_sets_are_as_the_cover_has_them(count):
    image = next(one for one in map(random_image, range(200)) if len(one.predictions.scores) == count)
    regions = build_regions(image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
    packed = packed_sets(regions.covered.T)
    assert packed.dtype == regions.cover.dtype
    np.testing.assert_array_equal(packed, regions.cover)


def test_which_labels_agree_with_an_instance():
    # Things of category 31 have a label, those of 0 and 5 have not, whatever occurs in the image.
    masks, ids = np.ones((3, 1, 2), bool), [31, 0, 5]
    gt = np.zeros((1, 2), np.int32)
    for labels, agreeing in ((draw("11"), [THING_31, NONE, NONE]), (None, [NOTHING_SAID] * 3)):
        predictions = predictions_of(5, masks, [0.9, 0.8, 0.7], ids, labels)
        regions = build_regions(predictions, LABELS, CATEGORIES, gt, [])
        assert regions.agreeing.tolist() == agreeing
