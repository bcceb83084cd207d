from fractions import Fraction

import numpy as np
import pytest

from panoptic_heuristic.ablation.resampling import interval, resample
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT

CATEGORIES = Categories(
    (Category(3, "cat", True, (1, 1, 1)), Category(0, "sky", False, (2, 2, 2)), Category(7, "dog", True, (3, 3, 3)))
)


def part(rng, images=1, settings=3):
    """Random counts; the dog is in few buckets."""
    segments = rng.integers(1, 6, size=3) * (1, 1, rng.random() < 0.3)
    tp = rng.integers(0, segments[:, None] + 1, size=(3, settings))
    fp = rng.integers(0, 4, size=(3, settings)) * (segments[:, None] > 0)
    iou = (tp * rng.uniform(0.5, 1, size=tp.shape) * IOU_UNIT).astype(np.int64)
    return SettingCounts(iou, tp, fp, segments, images)


@pytest.fixture
def parts():
    rng = np.random.default_rng(5)
    return [part(rng) for _ in range(12)]


def pq_of(counts):
    """(all, things, stuff) of each setting in percent, with fractions."""
    rows = []
    for setting in range(counts.tp.shape[1]):
        each = []
        for place in range(3):
            tp, fp = int(counts.tp[place, setting]), int(counts.fp[place, setting])
            double = tp + fp + int(counts.segments[place])
            each.append(Fraction(200 * int(counts.iou_sum[place, setting]), double * IOU_UNIT) if double else None)

        def mean(places, each=each):
            found = [each[place] for place in places if each[place] is not None]
            return float(sum(found) / len(found)) if found else np.nan

        rows.append([mean((0, 1, 2)), mean((0, 2)), mean((1,))])
    return np.array(rows).T


def test_each_replicate_is_the_pq_of_the_drawn_buckets(parts):
    found = resample(parts, [40, 7, 9], CATEGORIES, pair=(7, 40), replicates=60, seed=3)
    rng = np.random.default_rng(3)
    drawn = np.concatenate([rng.integers(12, size=(number, 12)) for number in (25, 25, 10)])
    for replicate, buckets in enumerate(drawn):
        total = sum((parts[bucket] for bucket in buckets), SettingCounts.zeros(3, 3))
        expected = pq_of(total)
        for group, values in zip(("all", "things", "stuff"), expected, strict=True):
            np.testing.assert_allclose(found.groups[group][replicate], values, rtol=0, atol=1e-7)
        gain = 100 * (total.quality().pq[:, 0] - total.quality().pq[:, 1])
        np.testing.assert_allclose(found.class_gain[replicate], gain, rtol=0, atol=1e-7)


def test_counts_as_large_as_they_get_do_not_overflow():
    """5,000 images with a hundred matches each of one class, in two buckets."""
    tp = np.full((3, 1), 250_000)
    one = SettingCounts(tp * IOU_UNIT, tp, np.zeros_like(tp), tp[:, 0], 2500)
    found = resample([one, one], [0], CATEGORIES, pair=(0, 0), replicates=5)
    assert (found.groups["all"] == 100).all()


def test_a_setting_does_not_differ_from_itself_nor_from_its_like(parts):
    found = resample([part.of_settings([0, 0]) for part in parts], [2, 8], CATEGORIES, pair=(2, 8), replicates=50)
    assert found.difference(8, 2) == (0, 0)
    assert np.nanmax(np.abs(found.class_gain)) == 0


def test_pairing_is_what_makes_intervals_short(parts):
    """A setting with one false positive more in each bucket is worse for certain, however the buckets vary."""
    one_more = [part.of_settings([0, 0]) for part in parts]
    for part in one_more:
        part.fp[:, 1] += 1
    found = resample(one_more, [0, 1], CATEGORIES, pair=(0, 1), replicates=400)
    low, high = found.difference(1, 0)
    assert low < high < 0
    assert found.difference(0, 1) == pytest.approx((-high, -low))
    alone = interval(found.groups["all"][:, 0])
    assert high - low < (alone[1] - alone[0]) / 2


def test_equal_seeds_give_equal_results(parts):
    first, second, other = (
        resample(parts, [0, 1, 2], CATEGORIES, pair=(0, 1), replicates=30, seed=seed) for seed in (1, 1, 2)
    )
    assert first.groups["all"].tobytes() == second.groups["all"].tobytes()
    assert first.groups["all"].tobytes() != other.groups["all"].tobytes()


def test_buckets_without_images_are_not_drawn(parts):
    empty = SettingCounts.zeros(3, 3)
    with_empty = resample([empty, *parts, empty], [0, 1, 2], CATEGORIES, pair=(0, 1), replicates=30)
    without = resample(parts, [0, 1, 2], CATEGORIES, pair=(0, 1), replicates=30)
    assert with_empty.groups["all"].tobytes() == without.groups["all"].tobytes()


def test_of_fewer_than_two_buckets_nothing_can_be_said(parts):
    empty = SettingCounts.zeros(3, 3)
    assert resample([parts[0], empty], [0, 1, 2], CATEGORIES, pair=(0, 1)) is None
    assert resample([], [0, 1, 2], CATEGORIES, pair=(0, 1)) is None


def test_an_interval_holds_the_middle_95_percent():
    assert interval(np.arange(1001.0)) == (25.0, 975.0)
    assert interval(np.array([np.nan, 2.0, np.nan])) == (2.0, 2.0)
    assert interval(np.array([np.nan])) is None
