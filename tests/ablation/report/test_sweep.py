import numpy as np
import pytest

from panoptic_heuristic.ablation.report.sweep import Default, ReportedSweep
from panoptic_heuristic.ablation.sweeping.columns import row_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, PerPixel
from tests.ablation.grids import grid_of
from tests.ablation.report_sweeps import GREEDY, drawn_sweep

FOUR = grid_of((Greedy(0.5),), (0.3, 0.5), ((0.0, 0.0), (4096.0, 0.0)))


GREEDY_HALF = (Greedy(0.5),)


def grid(claims=GREEDY_HALF, thresholds=(0.5,), limits=((4096.0, 0.0),)):
    return grid_of(claims, thresholds, limits)


def nearest(a_grid, **thresholds):
    return a_grid.settings[Default(**thresholds).nearest(a_grid)]


class TestDefault:
    def test_a_grid_that_holds_it(self):
        setting = nearest(GREEDY)
        assert row_of(setting) == {
            "claim": "greedy", "overlap_threshold": 0.5, "instances_score_thresh": 0.5, "stuff_area_thresh": 4096,
            "stuff_area_fraction": 0,
        }  # fmt: skip

    @pytest.mark.parametrize(
        "thresholds, score, found",
        # The first of two as near.
        [((0.7, 0.45), 0.5, 0.45), ((0.6, 0.4), 0.5, 0.6), ((0.1, 0.2), 0.0, 0.1)],
    )
    def test_nearest_score(self, thresholds, score, found):
        assert nearest(grid(thresholds=thresholds), instances_score_thresh=score).instances_score_thresh == found

    def test_the_greedy_rule_comes_before_a_nearer_overlap_threshold(self):
        claims = (PerPixel(), Greedy(0.9), Greedy(0.8))
        assert nearest(grid(claims=claims)).claim == Greedy(0.8)
        assert nearest(grid(claims=claims[:1])).claim == PerPixel()

    @pytest.mark.parametrize(
        "limits, found",
        [
            # Limits in pixels come first, if there is one above 0.
            ([(0.0, 1 / 75), (3000.0, 0.0), (0.0, 0.0)], (3000, 0)),
            ([(0.0, 0.0), (0.0, 0.1), (0.0, 0.02)], (0, 0.02)),
            ([(0.0, 0.0)], (0, 0)),
        ],
    )
    def test_nearest_limit(self, limits, found):
        setting = nearest(grid(limits=limits))
        assert (setting.stuff_area_thresh, setting.stuff_area_fraction) == found

    def test_whether_the_grid_holds_it(self, tmp_path):
        fractions = grid(limits=[(0.0, 0.0), (0.0, 4096 / 307200)])
        others = grid(thresholds=(0.5000001,)), grid(limits=[(0.0, 0.1)])
        for number, (a_grid, held) in enumerate([(GREEDY, True), (fractions, True), *((one, False) for one in others)]):
            result = drawn_sweep(tmp_path / str(number), a_grid, [(0.5, 0.5)] * len(a_grid))
            assert ReportedSweep.of("a", result, Default()).has_default == held


class TestReportedSweep:
    @pytest.fixture
    def sweep(self, tmp_path):
        # Settings: score 0.3 and limits 0 and 4096, then score 0.5.
        pq = [(0.2, 0.4), (0.8, 0.4), (0.2, 0.6), (0.4, 0.6)]
        return ReportedSweep.of("a", drawn_sweep(tmp_path, FOUR, pq), Default())

    def test_best_default_and_gain(self, sweep):
        assert (sweep.best, sweep.default, sweep.has_default) == (1, 3, True)
        assert (sweep.pq(1), sweep.pq(1, "stuff"), sweep.pq(1, "things")) == pytest.approx((60, 80, 40))
        assert sweep.gain() == pytest.approx(10)
        assert sweep.gain("things") == pytest.approx(-20)
        assert [sweep.rank(number) for number in range(4)] == [4, 1, 3, 2]

    def test_images_that_are_all_alike_leave_no_doubt(self, sweep):
        drawn = sweep.resampled()
        assert drawn.difference(sweep.best, sweep.default) == pytest.approx((10, 10))
        differences = [drawn.category_difference(sweep.best, sweep.default, place) for place in range(2)]
        assert [one.low for one in differences] == [one.high for one in differences] == pytest.approx([40, -20])

    def test_all_settings_of_curves_are_resampled_and_more(self, tmp_path):
        result = drawn_sweep(tmp_path, GREEDY, [(0.1, 0.1)] * len(GREEDY))
        sweep = ReportedSweep.of("a", result, Default(stuff_area_thresh=100))
        (family,) = sweep.families
        lines = {number for axis in range(3) for number in family.line(axis, sweep.best).tolist()}
        drawn = sweep.resampled(more=[47])
        assert lines | {sweep.default, 47} <= drawn.place_of.keys()
        assert drawn.groups["all"].shape[1] == len(drawn.place_of)

    def test_without_things(self, tmp_path):
        result = drawn_sweep(tmp_path, FOUR, [(0.2, 0.4)] * 4)
        counts = result.total()
        counts.segments[1] = 0
        counts.tp[1], counts.fp[1], counts.iou_sum[1] = 0, 0, 0
        result.total = lambda: counts
        sweep = ReportedSweep.of("a", result, Default())
        assert (sweep.occurs("all"), sweep.occurs("things"), sweep.occurs("stuff")) == (True, False, True)
        assert np.isnan(sweep.pq(0, "things"))

    def test_no_segment_at_all(self, tmp_path):
        with pytest.raises(InputError, match="counted no segment in 0 images"):
            ReportedSweep.of("a", drawn_sweep(tmp_path, FOUR, [(0.2, 0.4)] * 4, images=0), Default())
