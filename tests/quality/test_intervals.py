"""Intervals of one evaluation's PQ."""

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import CategoryCounts, Interval, Intervals, bootstrap_intervals, summarize
from tests.quality.drawings import CAT, CATEGORIES, DOG, GRASS, SKY, counts, random_result, result_of

RANDOM = random_result()


def test_equal_images_leave_no_doubt():
    image = {CAT: counts(0.6, 1, 2, 0), SKY: counts(0.7, 1, 0, 0), DOG: counts(0, 0, 0, 3)}
    intervals = bootstrap_intervals(result_of([image] * 30), CATEGORIES)
    summary = summarize(image, CATEGORIES)
    for group in ("all", "things", "stuff"):
        found = getattr(intervals, group)
        assert found.low == found.high == pytest.approx(getattr(summary, group).pq, abs=1e-9)
    assert list(intervals.by_category) == [CAT, SKY, DOG]
    assert intervals.by_category[DOG] == Interval(0, 0)


def test_it_is_the_pq_of_sums_and_not_the_mean_of_pqs():
    # One image of a hundred cats found well, and one of one cat that is missed: images' PQs are
    # 0.9 and 0. A sum of n draws has k of the first and n - k of the second.
    images = [{CAT: counts(90, 100, 0, 0)}, {CAT: counts(0, 0, 0, 1)}]
    intervals = bootstrap_intervals(result_of(images), CATEGORIES, confidence=0.4)
    # The draws 00, 01, 10 and 11 are equally likely, so both quartiles' neighbours are 01 or 10.
    assert intervals.all.low == intervals.all.high == pytest.approx(90 / 100.5, abs=1e-9)


def test_the_bounds_are_percentiles():
    # Half of the images are right; the share of right ones among 100 draws is binomial, with a
    # standard deviation of 0.05.
    images = [{CAT: counts(1, 1, 0, 0)}, {CAT: counts(0, 0, 1, 1)}] * 50
    intervals = bootstrap_intervals(result_of(images), CATEGORIES, replicates=5000)
    assert intervals.all == intervals.things == intervals.by_category[CAT]
    assert (intervals.all.low, intervals.all.high) == pytest.approx((0.402, 0.598), abs=0.011)
    narrow = bootstrap_intervals(result_of(images), CATEGORIES, replicates=5000, confidence=0.5).all
    assert (narrow.low, narrow.high) == pytest.approx((0.466, 0.534), abs=0.011)


def test_more_images_narrow_them():
    widths = []
    for times in (1, 4, 16):
        images = [{CAT: counts(1, 1, 0, 0)}, {CAT: counts(0, 0, 1, 1)}] * (25 * times)
        found = bootstrap_intervals(result_of(images), CATEGORIES).all
        widths.append(found.high - found.low)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.15)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("measure", ["pq", "pq_dagger"])
def test_the_estimate_is_inside(measure):
    intervals = bootstrap_intervals(RANDOM, CATEGORIES, measure=measure)
    summary = summarize(RANDOM.counts[measure], CATEGORIES)
    for group in ("all", "things", "stuff"):
        found = getattr(intervals, group)
        assert found.low < getattr(summary, group).pq < found.high


def test_the_seed_decides():
    first, second, other = (bootstrap_intervals(RANDOM, CATEGORIES, seed=seed) for seed in (3, 3, 4))
    assert first == second != other


def test_a_category_that_a_replicate_lacks_is_not_in_its_mean():
    # Cats are all right wherever they are; with zeros for those replicates the lower bound were less.
    images = [{CAT: counts(1, 1, 0, 0)}] + [{SKY: counts(1, 1, 0, 0)}] * 4
    intervals = bootstrap_intervals(result_of(images), CATEGORIES)
    assert intervals.all == intervals.things == intervals.stuff == Interval(1, 1)


def test_what_does_not_occur_has_none():
    images = [{SKY: counts(0.6, 1, 0, 0)}, {SKY: counts(0, 0, 1, 0), GRASS: CategoryCounts()}]
    intervals = bootstrap_intervals(result_of(images), CATEGORIES)
    assert intervals.things is None
    assert list(intervals.by_category) == [SKY]
    assert intervals.all == intervals.stuff == intervals.by_category[SKY]


@pytest.mark.parametrize("images", [[], [{}, {}]], ids=["no image", "nothing in them"])
def test_nothing_at_all(images):
    assert bootstrap_intervals(result_of(images), CATEGORIES) == Intervals(None, None, None, {})


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
def test_wrong_arguments(arguments, problem):
    with pytest.raises(InputError, match=problem):
        bootstrap_intervals(RANDOM, CATEGORIES, **arguments)
