"""A difference, pixel by pixel, drawn with letters."""

import numpy as np
import pytest

from panoptic_heuristic.visual.difference import (
    COLORS,
    ELSEWHERE,
    FALSE,
    MATCHED,
    MISSED,
    MISSED_AND_FALSE,
    VOID,
    colors_of,
    difference_map,
    paint_difference,
)

LETTERS = {".": VOID, "m": MATCHED, "e": ELSEWHERE, "-": MISSED, "+": FALSE, "x": MISSED_AND_FALSE}


def ids(drawing):
    return np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in drawing.split()])


def check(gt, pred, expected, **matching):
    found = difference_map(ids(gt), ids(pred), **{"matched": (), "missed": (), "false": (), **matching})
    np.testing.assert_array_equal(found, [[LETTERS[pixel] for pixel in row] for row in expected.split()])


class TestMeaning:
    def test_a_match_and_its_edges(self):
        # Ground truth 1 reaches one pixel farther to the left, and the prediction one farther to the right.
        check("1111..", ".2222.", "emmm..", matched=[(1, 2)])

    def test_two_neighbours_that_match_but_disagree_about_a_pixel(self):
        check("1122", "5556", "mmem", matched=[(1, 5), (2, 6)])

    def test_missed(self):
        check("11..", "....", "--..", missed=[1])

    def test_false_where_the_ground_truth_has_other_segments(self):
        check("1111", "2233", "mm++", matched=[(1, 2)], false=[3])

    def test_the_wrong_class(self):
        check("1111", "222.", "xxx-", missed=[1], false=[2])

    def test_missed_under_what_matches_another(self):
        check("1122", "5555", "mm--", matched=[(1, 5)], missed=[2])

    def test_void_is_not_counted_whatever_is_predicted(self):
        check("..11", "2222", "..mm", matched=[(1, 2)])
        check("..11", "222.", "..x-", missed=[1], false=[2])

    def test_a_crowd_is_not_counted_unless_a_false_positive_is_on_it(self):
        check("1111", "2.33", "..++", crowds=[1], false=[3])

    def test_a_prediction_that_is_ignored_is_as_good_as_none(self):
        check("11..", "2222", "--..", missed=[1])

    def test_empty(self):
        assert difference_map(np.zeros((0, 3), int), np.zeros((0, 3), int), matched=[], missed=[], false=[]).shape == (
            0,
            3,
        )


class TestPaint:
    @pytest.mark.parametrize("kind", [VOID, MATCHED, ELSEWHERE, MISSED, FALSE])
    def test_the_legends_color_shows_through(self, kind):
        plain = np.zeros((4, 4), int)
        picture = paint_difference(np.full((4, 4), kind), plain, plain)
        nearest = np.abs(np.array(COLORS[:5], dtype=int) - picture[0, 0]).sum(axis=1).argmin()
        # The grey of the picture draws matches, which are to stay in the background, towards void.
        assert nearest == kind or kind == MATCHED and nearest == VOID
        assert (picture == picture[0, 0]).all()

    def test_both_is_striped(self):
        colors = {tuple(color) for color in colors_of(np.full((20, 20), MISSED_AND_FALSE)).reshape(-1, 3).tolist()}
        assert colors == {COLORS[MISSED], COLORS[FALSE]}

    def test_the_photo_is_seen(self):
        photo = np.zeros((2, 2, 3), np.uint8)
        photo[:, 1] = 255
        plain = np.zeros((2, 2), int)
        picture = paint_difference(np.full((2, 2), MATCHED), plain, plain, photo)
        assert picture[0, 1].sum() > picture[0, 0].sum() + 200

    def test_borders_around_ground_truth_and_false_positives(self):
        gt, false = ids("1122 1122"), ids("3... 3...")
        picture = paint_difference(np.full((2, 4), FALSE), gt, false)
        assert (picture == 255).all(axis=2).tolist() == [[False, True, True, False]] * 2
