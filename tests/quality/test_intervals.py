"""Bootstrap intervals and the ranking of images."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    ImageMeasures,
    ImageQuality,
    Interval,
    Intervals,
    Result,
    bootstrap_intervals,
    image_qualities,
    measure_image,
    summarize,
    worst_images,
)
from tests.quality.drawings import CAT, CATEGORIES, DOG, GRASS, SKY, random_pair


def counts(iou_sum, tp, fp, fn):
    return CategoryCounts(round(iou_sum * IOU_UNIT), tp, fp, fn)


def result_of(images, measure="pq"):
    """A result of one measure; ``images`` by id, or a list that is numbered from 0."""
    images = images if isinstance(images, dict) else dict(enumerate(images))
    measured = ((image_id, ImageMeasures({measure: value}, 1, 0)) for image_id, value in images.items())
    return Result.of_images(measured, params={}, keep=(measure,))


RANDOM = Result.of_images(
    ((seed, measure_image(*random_pair(seed), CATEGORIES)) for seed in range(60)), params={}, keep=("pq", "pq_dagger")
)


class TestIntervals:
    def test_equal_images_leave_no_doubt(self):
        image = {CAT: counts(0.6, 1, 2, 0), SKY: counts(0.7, 1, 0, 0), DOG: counts(0, 0, 0, 3)}
        intervals = bootstrap_intervals(result_of([image] * 30), CATEGORIES)
        summary = summarize(image, CATEGORIES)
        for group in ("all", "things", "stuff"):
            found = getattr(intervals, group)
            assert found.low == found.high == pytest.approx(getattr(summary, group).pq, abs=1e-9)
        assert list(intervals.by_category) == [CAT, SKY, DOG]
        assert intervals.by_category[DOG] == Interval(0, 0)

    def test_it_is_the_pq_of_sums_and_not_the_mean_of_pqs(self):
        # One image of a hundred cats found well, and one of one cat that is missed: images' PQs are
        # 0.9 and 0. A sum of n draws has k of the first and n - k of the second.
        images = [{CAT: counts(90, 100, 0, 0)}, {CAT: counts(0, 0, 0, 1)}]
        intervals = bootstrap_intervals(result_of(images), CATEGORIES, confidence=0.4)
        # The draws 00, 01, 10 and 11 are equally likely, so both quartiles' neighbours are 01 or 10.
        assert intervals.all.low == intervals.all.high == pytest.approx(90 / 100.5, abs=1e-9)

    def test_the_bounds_are_percentiles(self):
        # Half of the images are right; the share of right ones among 100 draws is binomial, with a
        # standard deviation of 0.05.
        images = [{CAT: counts(1, 1, 0, 0)}, {CAT: counts(0, 0, 1, 1)}] * 50
        intervals = bootstrap_intervals(result_of(images), CATEGORIES, replicates=5000)
        assert intervals.all == intervals.things == intervals.by_category[CAT]
        assert (intervals.all.low, intervals.all.high) == pytest.approx((0.402, 0.598), abs=0.011)
        narrow = bootstrap_intervals(result_of(images), CATEGORIES, replicates=5000, confidence=0.5).all
        assert (narrow.low, narrow.high) == pytest.approx((0.466, 0.534), abs=0.011)

    def test_more_images_narrow_them(self):
        widths = []
        for times in (1, 4, 16):
            images = [{CAT: counts(1, 1, 0, 0)}, {CAT: counts(0, 0, 1, 1)}] * (25 * times)
            found = bootstrap_intervals(result_of(images), CATEGORIES).all
            widths.append(found.high - found.low)
        assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)
        assert widths[1] / widths[2] == pytest.approx(2, rel=0.15)

    @pytest.mark.parametrize("measure", ["pq", "pq_dagger"])
    def test_the_estimate_is_inside(self, measure):
        intervals = bootstrap_intervals(RANDOM, CATEGORIES, measure=measure)
        summary = summarize(RANDOM.counts[measure], CATEGORIES)
        for group in ("all", "things", "stuff"):
            found = getattr(intervals, group)
            assert found.low < getattr(summary, group).pq < found.high

    def test_against_a_plain_loop(self):
        images = [image.counts["pq"] for image in RANDOM.images.values()]
        found = bootstrap_intervals(RANDOM, CATEGORIES, replicates=230, seed=5, confidence=0.9)
        rng = np.random.default_rng(5)
        # As many at a time as there: 230 draws are more than two chunks.
        drawn = np.concatenate([rng.integers(len(images), size=(n, len(images))) for n in (100, 100, 30)])
        samples = []
        for row in drawn:
            total = {}
            for place in row:
                for category_id, value in images[place].items():
                    total[category_id] = total.get(category_id, CategoryCounts()) + value
            samples.append(summarize(total, CATEGORIES))
        for group in ("all", "things", "stuff"):
            values = [getattr(sample, group).pq for sample in samples]
            bounds = getattr(found, group)
            assert (bounds.low, bounds.high) == pytest.approx(np.percentile(values, (5, 95)), abs=1e-9)

    def test_the_seed_decides(self):
        first, second, other = (bootstrap_intervals(RANDOM, CATEGORIES, seed=seed) for seed in (3, 3, 4))
        assert first == second != other

    def test_a_category_that_a_replicate_lacks_is_not_in_its_mean(self):
        # Cats are all right wherever they are; with zeros for those replicates the lower bound were less.
        images = [{CAT: counts(1, 1, 0, 0)}] + [{SKY: counts(1, 1, 0, 0)}] * 4
        intervals = bootstrap_intervals(result_of(images), CATEGORIES)
        assert intervals.all == intervals.things == intervals.stuff == Interval(1, 1)

    def test_what_does_not_occur_has_none(self):
        images = [{SKY: counts(0.6, 1, 0, 0)}, {SKY: counts(0, 0, 1, 0), GRASS: CategoryCounts()}]
        intervals = bootstrap_intervals(result_of(images), CATEGORIES)
        assert intervals.things is None
        assert list(intervals.by_category) == [SKY]
        assert intervals.all == intervals.stuff == intervals.by_category[SKY]

    @pytest.mark.parametrize("images", [[], [{}, {}]], ids=["no image", "nothing in them"])
    def test_nothing_at_all(self, images):
        assert bootstrap_intervals(result_of(images), CATEGORIES) == Intervals(None, None, None, {})

    def test_great_sums_stay_exact(self):
        """Equal up to the last bit, in whatever order a matrix product adds."""
        images = [{CAT: counts(1000 / 3, 400, 7, 5)}] * 500
        found = bootstrap_intervals(result_of(images), CATEGORIES, replicates=50).all
        assert found.low == found.high

    @pytest.mark.parametrize(
        "arguments, problem",
        [
            ({"confidence": 0}, r"confidence must be in \(0, 1\), got 0"),
            ({"confidence": 1}, r"got 1"),
            ({"confidence": 95}, "got 95"),
            ({"replicates": 1}, "replicates must be an integer of at least 2, got 1"),
            ({"replicates": 10.0}, "got 10.0"),
            ({"measure": "pq_small"}, "the result has no 'pq_small' of image 0; measures kept per image: pq, "),
        ],
    )
    def test_wrong_arguments(self, arguments, problem):
        with pytest.raises(InputError, match=problem):
            bootstrap_intervals(RANDOM, CATEGORIES, **arguments)


class TestRanking:
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

    def test_worst_first(self):
        assert worst_images(result_of(self.IMAGES)) == (
            # Of those of 0 the one with most errors, then the others by id.
            ImageQuality(5, 0.0, 5),
            ImageQuality(7, 0.0, 1),
            ImageQuality(9, 0.0, 1),
            ImageQuality(31, pytest.approx(0.4), 1),
            ImageQuality(2, 1.0, 0),
        )

    @pytest.mark.parametrize("n, ids", [(0, []), (2, [5, 7]), (99, [5, 7, 9, 31, 2])])
    def test_so_many(self, n, ids):
        assert [image.image_id for image in worst_images(result_of(self.IMAGES), n)] == ids

    def test_the_order_of_the_result_does_not_matter(self):
        backwards = dict(reversed(self.IMAGES.items()))
        assert worst_images(result_of(backwards)) == worst_images(result_of(self.IMAGES))

    def test_pq_of_an_image_is_that_of_a_data_set_of_it_alone(self):
        qualities = image_qualities(RANDOM)
        assert [quality.image_id for quality in qualities] == sorted(quality.image_id for quality in qualities)
        for quality in qualities:
            alone = summarize(RANDOM.images[quality.image_id].counts["pq"], CATEGORIES)
            assert quality.pq == pytest.approx(alone.all.pq, abs=1e-12)
        assert len(qualities) > 40

    def test_another_measure(self):
        assert worst_images(result_of(self.IMAGES, "pq_dagger"), 1, measure="pq_dagger")[0].image_id == 5
        with pytest.raises(InputError, match="the result has no 'pq' of image 31; measures kept per image: pq_dagger"):
            worst_images(result_of(self.IMAGES, "pq_dagger"))
