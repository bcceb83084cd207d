"""The ranking of images."""

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import CategoryCounts, ImageQuality, summarize, worst_images
from tests.quality.drawings import CAT, CATEGORIES, SKY, counts, random_result, result_of

IMAGES = {
    # Half a point each from two categories.
    31: {CAT: counts(0.8, 1, 0, 0), SKY: counts(0, 0, 0, 1)},
    7: {CAT: counts(0, 0, 1, 0)},
    5: {CAT: counts(0, 0, 2, 3)},
    9: {CAT: counts(0, 0, 0, 1)},
    2: {SKY: counts(1, 1, 0, 0)},
    4: {},
    6: {CAT: CategoryCounts()},
}


def test_worst_first():
    assert worst_images(result_of(IMAGES)) == (
        # Of those of 0 the one with most errors, then the others by id.
        ImageQuality(5, 0.0, 5),
        ImageQuality(7, 0.0, 1),
        ImageQuality(9, 0.0, 1),
        ImageQuality(31, pytest.approx(0.4), 1),
        ImageQuality(2, 1.0, 0),
    )


@pytest.mark.parametrize("n, ids", [(0, []), (2, [5, 7]), (99, [5, 7, 9, 31, 2])])
def test_so_many(n, ids):
    assert [image.image_id for image in worst_images(result_of(IMAGES), n)] == ids


def test_the_order_of_the_result_does_not_matter():
    backwards = dict(reversed(IMAGES.items()))
    assert worst_images(result_of(backwards)) == worst_images(result_of(IMAGES))


def test_of_equals_numbers_come_before_texts():
    images = {image_id: {CAT: counts(0, 0, 0, 1)} for image_id in ("b", 10, "10", 9, "B")}
    assert [image.image_id for image in worst_images(result_of(images))] == [9, 10, "10", "B", "b"]


def test_pq_of_an_image_is_that_of_a_data_set_of_it_alone():
    result = random_result()
    images = worst_images(result)
    for image in images:
        alone = summarize(result.images[image.image_id].counts["pq"], CATEGORIES)
        assert image.pq == pytest.approx(alone.all.pq, abs=1e-12)
    assert len(images) > 40


def test_another_measure():
    assert worst_images(result_of(IMAGES, "pq_dagger"), 1, measure="pq_dagger")[0].image_id == 5
    with pytest.raises(InputError, match="the result has no 'pq' of image 31; measures kept per image: pq_dagger"):
        worst_images(result_of(IMAGES, "pq_dagger"))
