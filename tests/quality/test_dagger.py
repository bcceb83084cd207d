"""PQ-dagger worked out by hand."""

import pytest

from panoptic_heuristic.quality import CategoryCounts, MeasureSettings, add_counts, category_quality, measure_image
from tests.quality.drawings import CAT, CATEGORIES, GRASS, SKY, iou, random_pair, read


def dagger(gt, prediction):
    counts = measure_image(*read(gt, 300), *read(prediction, 1), CATEGORIES).counts
    return counts["pq_dagger"]


@pytest.mark.parametrize("found", [1, 4, 5, 8])
def test_the_iou_of_stuff_counts_below_a_half_as_above(found):
    prediction = "s" * found + "." * (8 - found)
    assert dagger("ssssssss", prediction) == {SKY: CategoryCounts(iou((found, 8)), 1)}


def test_stuff_that_is_missed_counts_with_0():
    assert dagger("ssgg", "gggg") == {SKY: CategoryCounts(0, 1), GRASS: CategoryCounts(iou((2, 4)), 1)}


def test_stuff_that_the_image_does_not_have_costs_nothing():
    assert dagger("cccc", "ggcc") == {CAT: CategoryCounts(fp=1, fn=1)}


def test_things_are_as_in_pq():
    assert dagger("cccccsss", "ccc.....")[CAT] == CategoryCounts(iou((3, 5)), 1)
    assert dagger("cccccsss", "cc......")[CAT] == CategoryCounts(fp=1, fn=1)


def test_the_predictions_pixels_on_void_do_not_count():
    assert dagger("ss......", "ssssssss") == {SKY: CategoryCounts(iou((2, 2)), 1)}
    assert dagger("ssgg....", ".sssssss")[SKY] == CategoryCounts(iou((1, 4)), 1)


def test_several_segments_of_a_stuff_category_are_one():
    # s and S are two segments of sky, on one side and on the other.
    assert dagger("ssSS", "ssss") == {SKY: CategoryCounts(iou((4, 4)), 1)}
    assert dagger("ssss", "ssSS") == {SKY: CategoryCounts(iou((4, 4)), 1)}
    assert dagger("sSgg", ".sSS") == {SKY: CategoryCounts(iou((1, 4)), 1), GRASS: CategoryCounts(0, 1)}


def test_a_listed_segment_without_a_pixel_is_missed():
    ids, segments = read("cccc", 300)
    more = [*segments, {"id": 9999, "category_id": GRASS, "iscrowd": 0}]
    counts = measure_image(ids, more, *read("cccc", 1), CATEGORIES).counts
    assert counts["pq_dagger"][GRASS] == CategoryCounts(0, 1)


def test_a_crowd_of_stuff_is_not_something_the_image_has():
    ids, segments = read("ssgg", 300)
    crowd = [{**segments[0], "iscrowd": 1}, segments[1]]
    counts = measure_image(ids, crowd, *read("ssgg", 1), CATEGORIES).counts
    assert counts["pq_dagger"] == {GRASS: CategoryCounts(iou((1, 1)), 1)}


def test_a_category_that_is_not_among_the_categories_is_missed_as_in_pq():
    ids, segments = read("cc", 300)
    counts = measure_image(ids, [{**segments[0], "category_id": 999}], *read("..", 1), CATEGORIES).counts
    assert counts["pq_dagger"] == counts["pq"] == {999: CategoryCounts(fn=1)}


def test_the_sum_over_images_is_the_mean_iou_of_those_that_have_it():
    images = [("ssss", "ss.."), ("sscc", "gscc"), ("ssss", "gggg"), ("cccc", "sscc")]
    quality = category_quality(add_counts(dagger(*image) for image in images)[SKY])
    assert quality.pq == pytest.approx((1 / 2 + 1 / 2 + 0) / 3, abs=1e-11)


def test_stuff_whose_segments_all_match_is_as_in_pq():
    """With a match in every image that has it, and no other prediction of it, both are a mean of IoUs."""
    met = 0
    for seed in range(60):
        pair = random_pair(seed)
        counts = measure_image(*pair, CATEGORIES, MeasureSettings()).counts
        for category in CATEGORIES.values():
            one = counts["pq"].get(category.id)
            listed = [segment["category_id"] for side in (pair[1], pair[3]) for segment in side]
            if category.isthing:
                assert counts["pq_dagger"].get(category.id) == one
            elif one is not None and (one.tp, one.fp, one.fn) == (1, 0, 0) and listed.count(category.id) == 2:
                assert counts["pq_dagger"][category.id] == one
                met += 1
    assert met > 5
