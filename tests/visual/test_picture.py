"""Pictures of panoptic maps, pixel by pixel; of the comparison sheet that it is one."""

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.visual import color_panoptic, save_comparison

SKY, CAT = 0, 7
CATEGORIES = Categories([Category(SKY, "sky", False, (10, 20, 200)), Category(CAT, "cat", True, (200, 30, 40))])
COLOR = {".": (0, 0, 0), "s": (10, 20, 200), "c": (200, 30, 40), "W": (255, 255, 255)}


def colored(drawing):
    return np.array([[COLOR[pixel] for pixel in row] for row in drawing.split()], dtype=np.uint8)


def ids(drawing):
    return np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in drawing.split()])


SEGMENTS = [{"id": 1, "category_id": SKY}, {"id": 2, "category_id": CAT}, {"id": 3, "category_id": CAT}]


class TestColors:
    def test_segments_have_their_categorys_color_and_a_white_border(self):
        picture = color_panoptic(ids("11111 11222 11222 ..222"), SEGMENTS, CATEGORIES)
        # A pixel is border if the one above or to the left belongs to another segment.
        np.testing.assert_array_equal(picture, colored("sssss ssWWW ssWcc WWWcc"))
        assert picture.dtype == np.uint8

    def test_two_things_of_one_category_are_told_apart(self):
        picture = color_panoptic(ids("2233 2233"), SEGMENTS, CATEGORIES)
        np.testing.assert_array_equal(picture, colored("ccWc ccWc"))

    def test_one_segment_has_no_border(self):
        np.testing.assert_array_equal(color_panoptic(ids("22 22"), SEGMENTS, CATEGORIES), colored("cc cc"))

    def test_void_is_black(self):
        assert not color_panoptic(ids("... ..."), [], CATEGORIES).any()

    def test_nothing_given_is_changed(self):
        given = ids("11222 11222")
        color_panoptic(given, SEGMENTS, CATEGORIES)
        np.testing.assert_array_equal(given, ids("11222 11222"))


class TestSheet:
    @pytest.fixture
    def rows(self):
        rng = np.random.default_rng(0)
        return [[rng.integers(0, 256, (24, 32, 3), dtype=np.uint8) for _ in range(3)] for _ in range(2)]

    def test_it_is_a_picture_with_the_colors_given_and_the_legend(self, tmp_path):
        path = tmp_path / "deep" / "sheet.png"
        plain = [[np.full((12, 16, 3), color, dtype=np.uint8) for color in ((1, 130, 2), (250, 240, 3))]]
        save_comparison(path, plain, ["image", "prediction"], CATEGORIES)
        found = {tuple(color) for color in np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3).tolist()}
        assert {(1, 130, 2), (250, 240, 3), *(category.color for category in CATEGORIES.values())} <= found

    def test_equal_pictures_give_equal_bytes(self, tmp_path, rows):
        for name in ("a.png", "b.png"):
            save_comparison(tmp_path / name, rows, ["x", "y", "z"], CATEGORIES)
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()

    def test_more_rows_make_it_higher_and_more_columns_wider(self, tmp_path, rows):
        def size(rows, titles):
            save_comparison(tmp_path / "sheet.png", rows, titles, CATEGORIES)
            return Image.open(tmp_path / "sheet.png").size

        one_row, two_rows = size(rows[:1], "xyz"), size(rows, "xyz")
        two_columns = size([row[:2] for row in rows], "xy")
        assert two_rows[0] == one_row[0] and two_rows[1] > one_row[1]
        assert two_columns[0] < two_rows[0]

    def test_when_it_fails_nothing_is_left(self, tmp_path, rows):
        with pytest.raises(IndexError):
            save_comparison(tmp_path / "sheet.png", rows, ["x", "y"], CATEGORIES)
        assert list(tmp_path.iterdir()) == []

    def test_a_users_own_plots_are_left_alone(self, tmp_path, rows):
        from matplotlib import get_backend, pyplot

        before = get_backend(), pyplot.get_fignums()
        save_comparison(tmp_path / "sheet.png", rows, ["x", "y", "z"], CATEGORIES)
        assert (get_backend(), pyplot.get_fignums()) == before
