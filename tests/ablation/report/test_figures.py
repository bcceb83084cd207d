import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from panoptic_heuristic.ablation.report.curves import curve_names, draw_curves, family_name
from panoptic_heuristic.ablation.report.document import Figure, Text
from panoptic_heuristic.ablation.report.figures import curves, heat_maps, things_against_stuff
from panoptic_heuristic.ablation.report.heatmaps import color_range, draw_heat_maps
from panoptic_heuristic.ablation.report.plots import BEST, Form, spaced
from panoptic_heuristic.ablation.report.slices import families_of
from panoptic_heuristic.ablation.report.sweep import ReportedSweep
from panoptic_heuristic.fusion import Greedy
from tests.ablation.grids import grid_of
from tests.ablation.report_sweeps import DETECTRON2, GREEDY, MIXED, drawn_sweep


def reported(folder, grid, pq=None, **options):
    pq = pq or [((k % 7) / 10, (k % 5) / 10) for k in range(len(grid))]
    return ReportedSweep.of("a", drawn_sweep(folder, grid, pq, **options), DETECTRON2)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def names(blocks):
    return [picture.name for block in blocks if isinstance(block, Figure) for picture in block.pictures]


def texts(blocks):
    return [block.text for block in blocks if isinstance(block, Text)]


def single(thresholds=(0.5,), overlaps=(0.5,), limits=(4096.0,)):
    return grid_of(
        tuple(Greedy(value) for value in overlaps),
        thresholds,
        tuple((value, 0.0) for value in limits),
    )


class TestHeatMaps:
    def test_one_for_each_pair_of_thresholds_in_each_family(self, tmp_path):
        assert names(heat_maps(reported(tmp_path / "a", GREEDY), "a", 2)) == [
            "a_heat_instances_score_thresh_overlap_threshold.png",
            "a_heat_instances_score_thresh_stuff_area_thresh.png",
            "a_heat_overlap_threshold_stuff_area_thresh.png",
        ]
        found = names(heat_maps(reported(tmp_path / "b", MIXED), "b", 2))
        assert [name[: len("b_heat1")] for name in found] == ["b_heat1"] * 3 + ["b_heat2"] * 3 + ["b_heat3", "b_heat4"]
        assert "b_heat4_instances_score_thresh_stuff_area_fraction.png" in found

    def test_a_threshold_with_one_value_is_left_out_with_a_sentence(self, tmp_path):
        sweep = reported(tmp_path, single(thresholds=(0.3, 0.5), overlaps=(0.4, 0.5)))
        blocks = heat_maps(sweep, "a", 2)
        assert names(blocks) == ["a_heat_instances_score_thresh_overlap_threshold.png"]
        assert texts(blocks) == ["Left out, for the grid has one value of it: stuff_area_thresh (4096)."]

    def test_a_grid_with_no_two_thresholds(self, tmp_path):
        blocks = heat_maps(reported(tmp_path, single(thresholds=(0.3, 0.5))), "a", 2)
        assert names(blocks) == []
        assert texts(blocks) == ["No two thresholds have several values in this grid."]

    @pytest.mark.parametrize(
        "pq, expected",
        [
            ((50, 55), (50, 55)),
            # Far below the best there are no colours, and next to nothing is not blown up.
            ((3, 55), (45, 55)),
            ((54.9, 55), (54.5, 55)),
            ((np.nan, 55), (54.5, 55)),
        ],
    )
    def test_the_range_of_colours(self, pq, expected):
        (family,) = families_of(single(thresholds=(0.3, 0.5)))
        assert color_range(family, np.array(pq, dtype=float)) == pytest.approx(expected)

    def test_the_best_is_outlined_where_it_is(self):
        (family,) = families_of(single(thresholds=(0.2, 0.4, 0.6), overlaps=(0.1, 0.3, 0.5)))
        corners = {}
        for threshold in (0, 2):
            for overlap in (0, 2):
                pq = np.linspace(50, 51, 9)
                pq[family.numbers[threshold, overlap, 0]] = 55
                (one,) = draw_heat_maps(family, pq, None, "best")
                image = pixels(one.draw(Form.PNG))
                # Below the legend, which has the colour, too.
                image = image[60:]
                ys, xs = np.nonzero((abs(image - 255 * np.array(to_rgb(BEST))) < 3).all(axis=2))
                corners[threshold, overlap] = (xs.mean() / image.shape[1], 1 - ys.mean() / image.shape[0])
        left, right = corners[0, 0][0], corners[2, 0][0]
        low, high = corners[0, 0][1], corners[0, 2][1]
        assert left < 0.35 and right > 0.6 and low < 0.5 and high > 0.6
        assert corners[2, 2] == pytest.approx((right, high), abs=0.02)

    def test_a_map_with_gaps(self):
        (family,) = families_of(single(thresholds=(0.2, 0.4), overlaps=(0.1, 0.3)))
        (one,) = draw_heat_maps(family, np.array([np.nan, 50, np.nan, 51]), 0, "best")
        assert (pixels(one.draw(Form.PNG)) == 0xD0).all(axis=2).sum() > 1000


class TestCurves:
    def test_thresholds_with_several_values_have_a_column(self, tmp_path):
        assert curve_names(reported(tmp_path / "a", MIXED)) == (
            "instances_score_thresh", "overlap_threshold", "stuff_area_thresh", "stuff_area_fraction",
        )  # fmt: skip
        assert curve_names(reported(tmp_path / "b", single(overlaps=(0.2, 0.5)))) == ("overlap_threshold",)

    def test_without_any(self, tmp_path):
        sweep = reported(tmp_path, single())
        blocks = curves(sweep, sweep.resampled(), "a", 2)
        assert (names(blocks), texts(blocks)) == ([], ["No threshold has several values in this grid."])

    def test_families_are_named_by_what_differs(self):
        families = families_of(MIXED)
        assert [family_name(family, families) for family in families] == [
            "greedy, stuff_area_thresh", "greedy, stuff_area_fraction", "per_pixel, stuff_area_thresh",
            "per_pixel, stuff_area_fraction",
        ]  # fmt: skip
        assert [family_name(family, families[:2]) for family in families[:2]] == [
            "stuff_area_thresh", "stuff_area_fraction",
        ]  # fmt: skip
        assert family_name(families[0], families[:1]) == ""

    def test_one_image_has_no_band_and_no_word_of_it(self, tmp_path):
        sweep = reported(tmp_path, GREEDY, images=1)
        assert sweep.resampled() is None
        _, figure = curves(sweep, None, "a", 2)
        assert "95 %" not in figure.caption
        _, figure = curves(sweep, reported(tmp_path / "b", GREEDY).resampled(), "a", 2)
        assert "95 %" in figure.caption

    def test_equal_sweeps_give_equal_bytes(self, tmp_path):
        first, second = (reported(tmp_path / name, MIXED) for name in "ab")
        names = curve_names(first)
        assert draw_curves(first, first.resampled(), names) == draw_curves(second, second.resampled(), names)


@pytest.mark.parametrize("group, sentence", [("things", "There are no things"), ("stuff", "There is no stuff")])
def test_one_kind_alone_has_nothing_to_be_set_against(tmp_path, group, sentence):
    sweep = reported(tmp_path, GREEDY)
    sweep.columns[f"pq_{group}"][:] = np.nan
    blocks = things_against_stuff(sweep, "a", 2)
    assert (names(blocks), texts(blocks)) == ([], [f"{sentence} in these images, so there is nothing to draw."])


@pytest.mark.parametrize(
    "values, least, expected",
    [
        ([5], 0.1, [5]),
        ([0, 1, 2, 10], 0.2, [0, 2, 10]),
        # The last one always has its label, so the one before may lose it.
        ([0, 5, 9, 10], 0.2, [0, 5, 10]),
        ([0, 5, 10], 0.5, [0, 5, 10]),
    ],
)
def test_labels_keep_their_distance(values, least, expected):
    assert spaced(values, lambda value: value, least) == expected
