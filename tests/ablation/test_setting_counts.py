from fractions import Fraction

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.regions import GtSegments
from panoptic_heuristic.ablation.regions.scoring import in_units
from panoptic_heuristic.ablation.setting_counts import SettingCounts, resample_settings
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    CountTables,
    add_counts,
    counts,
    groups_of,
    resample,
    summarize,
)
from tests.ablation.random_images import CATEGORIES

PLACES = len(CATEGORIES)


def random_counts(seed, settings=5, images=3):
    rng = np.random.default_rng(seed)
    tp, fp = rng.integers(0, 4, size=(2, PLACES, settings))
    segments = tp.max(axis=1) + rng.integers(0, 2, size=PLACES)
    silent = rng.integers(PLACES)
    tp[silent], fp[silent], segments[silent] = 0, 0, 0
    iou_sum = (tp * rng.uniform(0.5, 1, size=tp.shape) * IOU_UNIT).astype(np.int64)
    return SettingCounts(iou_sum, tp, fp, segments, images)


@pytest.mark.parametrize("seed", range(5))
def test_quality_is_that_of_the_summary(seed):
    counts = random_counts(seed)
    quality = counts.quality()
    for group, chosen in groups_of(CATEGORIES).items():
        for setting in range(5):
            expected = getattr(summarize(counts.of_setting(setting, CATEGORIES), CATEGORIES), group)
            for measure in ("pq", "sq", "rq"):
                found = quality.mean(measure, chosen)[setting]
                assert found == pytest.approx(getattr(expected, measure), abs=1e-12)


def test_a_group_without_a_segment_has_no_quality():
    nothing = SettingCounts.zeros(PLACES, 2)
    assert np.isnan(nothing.quality().mean("pq", groups_of(CATEGORIES)["all"])).all()
    assert nothing.of_setting(0, CATEGORIES) == {}


def test_a_false_positive_alone_makes_a_category_occur():
    one = SettingCounts.zeros(PLACES, 1)
    one.fp[2, 0] = 1
    assert one.of_setting(0, CATEGORIES) == {list(CATEGORIES)[2]: CategoryCounts(fp=1)}
    assert one.quality().pq[2, 0] == 0


def test_counts_add_and_survive_a_file():
    one, other = random_counts(1, images=4), random_counts(2, images=7)
    both = SettingCounts.zeros(PLACES, 5)
    both.add_arrays(one.to_arrays())
    both.add_arrays(other.to_arrays())
    assert both.tp.tolist() == (one.tp + other.tp).tolist()
    assert both.iou_sum.tolist() == (one.iou_sum + other.iou_sum).tolist()
    assert both.fp.tolist() == (one.fp + other.fp).tolist()
    assert both.segments.tolist() == (one.segments + other.segments).tolist()
    assert both.images == one.images + other.images
    assert (one + other).iou_sum.tolist() == both.iou_sum.tolist()


def test_some_settings_of_a_file_are_those_of_the_whole():
    whole = random_counts(3)
    some = SettingCounts.zeros(PLACES, 2)
    some.add_arrays(whole.to_arrays(), [4, 1])
    for counted in (some, whole.of_settings([4, 1])):
        for name in ("iou_sum", "tp", "fp"):
            assert getattr(counted, name).tolist() == getattr(whole, name)[:, [4, 1]].tolist()
        assert (counted.segments.tolist(), counted.images) == (whole.segments.tolist(), whole.images)


def test_a_crowd_of_the_ground_truth_is_no_segment():
    first, second = list(CATEGORIES)[:2]
    segments = [(1, first, 0), (2, second, 1), (3, first, 0)]
    gt = GtSegments.of_segments([dict(zip(("id", "category_id", "iscrowd"), one, strict=True)) for one in segments])
    total = SettingCounts.zeros(PLACES, 2)
    total.add_gt(gt, CATEGORIES)
    total.add_to_setting(1, {second: CategoryCounts(iou_sum=7, tp=0, fp=4, fn=0)}, CATEGORIES)
    assert (total.segments.tolist(), total.images) == ([2] + [0] * (PLACES - 1), 1)
    assert total.of_setting(0, CATEGORIES) == {first: CategoryCounts(fn=2)}
    assert total.of_setting(1, CATEGORIES)[second] == CategoryCounts(iou_sum=7, fp=4)


def same(one, other):
    groups = all(one.groups[group].tobytes() == values.tobytes() for group, values in other.groups.items())
    return groups and all(one.by_category[n].tobytes() == values.tobytes() for n, values in other.by_category.items())


def test_settings_are_resampled_in_percent_by_the_counts_of_their_parts():
    parts = [random_counts(seed) for seed in range(8)]
    units = [[part.of_setting(setting, CATEGORIES) for setting in range(5)] for part in parts]
    wanted = dict(settings=(4, 9, 2, 7, 5), by_category=(9, 5), replicates=30, seed=4)
    expected = resample(CountTables.of_counts(units, CATEGORIES), CATEGORIES, scale=100, **wanted)
    found = resample_settings(parts, (4, 9, 2, 7, 5), CATEGORIES, pair=(9, 5), replicates=30, seed=4)
    assert same(found, expected) and found.place_of == expected.place_of
    total = [summarize(add_counts(counts), CATEGORIES).all.pq for counts in zip(*units, strict=True)]
    assert np.median(found.groups["all"], axis=0) == pytest.approx(100 * np.array(total), abs=5)


def test_parts_without_images_are_not_drawn():
    empty = SettingCounts.zeros(PLACES, 5)
    parts = [random_counts(seed) for seed in (1, 2, 4)]
    with_empty, without = (
        resample_settings(some, range(5), CATEGORIES, pair=(0, 1), replicates=30)
        for some in ([empty, *parts, empty], parts)
    )
    assert same(with_empty, without)


def test_of_fewer_than_two_parts_nothing_can_be_said():
    part, empty = random_counts(1), SettingCounts.zeros(PLACES, 5)
    assert resample_settings([part, empty], range(5), CATEGORIES, pair=(0, 1)) is None
    assert resample_settings([], range(5), CATEGORIES, pair=(0, 1)) is None


def test_ious_are_rounded_as_in_quality():
    rng = np.random.default_rng(0)
    unions = np.concatenate([rng.integers(1, 10**6, size=500), rng.integers(1, 2**41, size=500), [1, 3, 2**40 + 1]])
    shares = np.concatenate([rng.random(1000), [1, 1 / 3, 0.5]])
    intersections = np.minimum((unions * shares).astype(np.int64), unions)
    expected = [counts.in_units(int(i), int(u)) for i, u in zip(intersections, unions, strict=True)]
    assert in_units(intersections, unions).tolist() == expected
    # Half a unit is rounded up.
    assert in_units(np.array([1]), np.array([2**41])).tolist() == [1]
    assert Fraction(1, 2**41) * IOU_UNIT == Fraction(1, 2)
