import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.report import sweep
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.ablation.sweeping.columns import row_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ClassAware, Greedy, PerPixel, Pipeline
from tests.ablation.grids import grid_of
from tests.ablation.report_sweeps import DETECTRON2, GREEDY, drawn_sweep

FOUR = grid_of((Greedy(0.5),), (0.3, 0.5), ((0.0, 0.0), (4096.0, 0.0)))


GREEDY_HALF = (Greedy(0.5),)


def grid(claims=GREEDY_HALF, thresholds=(0.5,), limits=((4096.0, 0.0),)):
    return grid_of(claims, thresholds, limits)


def default_of(overlap_threshold=0.5, **thresholds):
    return Pipeline(Greedy(overlap_threshold), **thresholds)


def nearest(a_grid, **thresholds):
    return a_grid.settings[sweep.nearest(sweep.setting_of(default_of(**thresholds), a_grid), a_grid)]


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

    def test_a_grid_of_fractions_has_the_share_of_the_models_images(self):
        fractions = grid(limits=[(0.0, 0.0), (0.0, 0.01), (0.0, 0.1)])
        default = Pipeline(stuff_area_thresh=200)
        assert sweep.setting_of(default, fractions, image_area=2000).stuff_area_fraction == 0.1
        assert sweep.setting_of(default, fractions, image_area=100).stuff_area_fraction == 1.0
        assert sweep.setting_of(default, fractions).stuff_area_fraction == 200 / 307200
        assert sweep.setting_of(default, grid()) == default

    def test_the_models_own_rules_come_first(self):
        claims = (Greedy(0.5), ClassAware(0.5, free_fraction=0.2), ClassAware(0.1, free_fraction=0.4))
        mixed = grid(claims=claims, thresholds=(0.5, 0.6))
        for wanted, found in (
            (Pipeline(ClassAware(0.5, free_fraction=0.4)), Pipeline(claims[2])),
            (Pipeline(ClassAware(0.2, free_fraction=0.2), 0.7), Pipeline(claims[1], 0.6)),
            (Pipeline(PerPixel(), 0.56), Pipeline(claims[0], 0.6)),
        ):
            assert mixed.settings[sweep.nearest(wanted, mixed)] == found

    def test_whether_the_grid_holds_it(self, tmp_path):
        fractions = grid(limits=[(0.0, 0.0), (0.0, 4096 / 307200)])
        others = grid(thresholds=(0.5000001,)), grid(limits=[(0.0, 0.1)])
        for number, (a_grid, held) in enumerate([(GREEDY, True), (fractions, True), *((one, False) for one in others)]):
            result = drawn_sweep(tmp_path / str(number), a_grid, [(0.5, 0.5)] * len(a_grid))
            assert ReportedSweep.of("a", result, DETECTRON2).has_default == held


class TestReportedSweep:
    @pytest.fixture
    def reported(self, tmp_path):
        # Settings: score 0.3 and limits 0 and 4096, then score 0.5.
        pq = [(0.2, 0.4), (0.8, 0.4), (0.2, 0.6), (0.4, 0.6)]
        return ReportedSweep.of("a", drawn_sweep(tmp_path, FOUR, pq), DETECTRON2)

    def test_best_default_and_gain(self, reported):
        assert (reported.best, reported.default, reported.has_default) == (1, 3, True)
        assert (reported.pq(1), reported.pq(1, "stuff"), reported.pq(1, "things")) == pytest.approx((60, 80, 40))
        assert reported.gain() == pytest.approx(10)
        assert reported.gain("things") == pytest.approx(-20)
        assert [reported.rank(number) for number in range(4)] == [4, 1, 3, 2]

    def test_images_that_are_all_alike_leave_no_doubt(self, reported):
        drawn = reported.resampled()
        assert drawn.difference(reported.best, reported.default) == pytest.approx((10, 10))
        differences = [drawn.category_difference(reported.best, reported.default, place) for place in range(2)]
        assert [one.low for one in differences] == [one.high for one in differences] == pytest.approx([40, -20])

    def test_all_settings_of_curves_are_resampled_and_more(self, tmp_path):
        result = drawn_sweep(tmp_path, GREEDY, [(0.1, 0.1)] * len(GREEDY))
        reported = ReportedSweep.of("a", result, Default(Pipeline(stuff_area_thresh=100), "drawn"))
        (family,) = reported.families
        lines = {number for axis in range(3) for number in family.line(axis, reported.best).tolist()}
        drawn = reported.resampled(more=[47])
        assert lines | {reported.default, 47} <= drawn.place_of.keys()
        assert drawn.groups["all"].shape[1] == len(drawn.place_of)

    def test_without_things(self, tmp_path):
        result = drawn_sweep(tmp_path, FOUR, [(0.2, 0.4)] * 4)
        counts = result.total()
        counts.segments[1] = 0
        counts.tp[1], counts.fp[1], counts.iou_sum[1] = 0, 0, 0
        result.total = lambda: counts
        reported = ReportedSweep.of("a", result, DETECTRON2)
        assert (reported.occurs("all"), reported.occurs("things"), reported.occurs("stuff")) == (True, False, True)
        assert np.isnan(reported.pq(0, "things"))

    def test_no_segment_at_all(self, tmp_path):
        with pytest.raises(InputError, match="counted no segment in 0 images"):
            ReportedSweep.of("a", drawn_sweep(tmp_path, FOUR, [(0.2, 0.4)] * 4, images=0), DETECTRON2)
