import numpy as np
import pytest

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport, recommended, stage_reports
from panoptic_heuristic.ablation.tuning.groups import sums_of_groups
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT, Interval


def report(name, pq, over_default, to_best=None):
    """Of a pipeline with intervals of its gain over the default and of its difference to the best, which has 50."""
    gains = () if name == "default" else (Gain("default", pq - 45, over_default and Interval(*over_default), 0.0),)
    below = None if pq == 50 else Gain("per_class", pq - 50, to_best and Interval(*to_best), 0.0)
    return StageReport(name, {"all": pq}, gains, below)


SURE, TOUCHING, NONE = (0.01, 9.0), (0.0, 9.0), None


@pytest.mark.parametrize(
    "scaled, global_, per_class, calibrated, chosen",
    [
        (NONE, NONE, NONE, NONE, "default"),  # Nothing is sure without intervals.
        (TOUCHING, TOUCHING, TOUCHING, TOUCHING, "default"),  # Intervals that reach 0.
        (SURE, SURE, SURE, SURE, "global"),  # scaled is too far below the best.
        (SURE, TOUCHING, SURE, SURE, "per_class"),
        (SURE, TOUCHING, TOUCHING, SURE, "calibrated"),  # The best itself is not sure, this is close to it.
        (SURE, TOUCHING, TOUCHING, TOUCHING, "scaled"),  # The best of those that are sure, however far below.
        (TOUCHING, SURE, TOUCHING, TOUCHING, "global"),
    ],
)
def test_the_recommendation_is_sure_close_to_the_best_and_simple(scaled, global_, per_class, calibrated, chosen):
    # Intervals 3.92 wide: their standard error is 1, and global is exactly so much below the best.
    wide = (-2.96, 0.96)
    reports = [
        report("default", 45.0, None, (-6.0, -4.0)),
        report("scaled", 48.0, scaled, wide),
        report("global", 49.0, global_, wide),
        report("per_class", 50.0, per_class),
        report("calibrated", 49.5, calibrated, wide),
    ]
    assert recommended(reports) == chosen


def test_below_a_standard_error_is_not_close():
    assert report("global", 49.0, SURE, (-2.96, 0.96)).is_close_to_best
    assert not report("global", 48.99, SURE, (-2.96, 0.96)).is_close_to_best
    reports = [report("default", 45.0, None), report("global", 48.99, SURE, (-2.96, 0.96))]
    assert recommended([*reports, report("per_class", 50.0, SURE)]) == "per_class"


def counts_of_thing(*matched, segments=4):
    """One image with so many segments of one thing, and so many of them matched wholly under each setting."""
    tp = np.array([matched])
    return SettingCounts(tp * IOU_UNIT, tp, 0 * tp, np.array([segments]), 1)


ONE_THING = Categories([Category(7, "cat", True, (1, 2, 3))])


def test_the_best_is_the_earlier_of_equal_ones():
    """Half of the segments are found by the default; all but one by both others."""
    images = [counts_of_thing(2, 4, 3), counts_of_thing(2, 3, 4)]
    default, best, other = stage_reports(("default", "global", "per_class"), images, images, ONE_THING)
    # 7 of 8 found is 7 / 7.5, 4 of 8 is 4 / 6.
    assert best.pq["all"] == other.pq["all"] == pytest.approx(100 * 7 / 7.5)
    assert best.to_best is None and (other.to_best.against, other.to_best.held_out) == ("global", 0)
    # Images drawn twice: 6 of 8 and 8 of 8 for the one, the reverse for the other.
    assert other.to_best.interval == pytest.approx((100 * (6 / 7 - 1), 100 * (1 - 6 / 7)))
    assert default.to_best.held_out == pytest.approx(100 * (4 / 6 - 7 / 7.5)) and default.to_best.interval.high < 0
    assert best.gain("default").is_sure and recommended((default, best, other)) == "global"


def test_frames_of_a_video_are_one_draw():
    """Five alike images say the same as one: what two videos differ by stays unsure, however many frames they have."""
    good, bad = [counts_of_thing(2, 4)] * 5, [counts_of_thing(3, 2)] * 5
    apart = stage_reports(("default", "global"), [*good, *bad], good, ONE_THING)[0]
    grouped = stage_reports(("default", "global"), sums_of_groups([*good, *bad], [0] * 5 + [1] * 5), good, ONE_THING)[0]
    assert apart.to_best.held_out == grouped.to_best.held_out < 0
    # One video drawn twice: 20 of 20 against 10, or 10 against 15.
    assert grouped.to_best.interval == pytest.approx((100 * (2 / 3 - 1), 100 * (3 / 3.5 - 2 / 3)))
    width = apart.to_best.interval.high - apart.to_best.interval.low
    assert width < 0.7 * (grouped.to_best.interval.high - grouped.to_best.interval.low)
