"""Sheets of pictures: whatever is given is on them, and they grow with it."""

import numpy as np
import pytest
from PIL import Image

from panoptic_heuristic.visual import Row, make_sheet, save_picture
from panoptic_heuristic.visual.sheet import swatch


def plain(color, height=24, width=32):
    return np.full((height, width, 3), color, dtype=np.uint8)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    pictures = [tuple(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(3)) for _ in range(2)]
    return [Row(f"row {number}", row) for number, row in enumerate(pictures)]


def test_it_has_the_pictures_given_and_the_legends_colors():
    colors = [(1, 130, 2), (250, 240, 3), (9, 8, 200), (70, 0, 70)]
    row = Row("image 1", (plain(colors[0]), plain(colors[1])))
    sheet = make_sheet([row], ["image", "prediction"], [[swatch(color, "a class") for color in colors[2:]]])
    assert sheet.dtype == np.uint8
    assert set(colors) <= {tuple(color) for color in sheet.reshape(-1, 3).tolist()}


def test_equal_pictures_give_equal_bytes(tmp_path, rows):
    for name in ("a.png", "b.png"):
        save_picture(tmp_path / "deep" / name, make_sheet(rows, ["x", "y", "z"], []))
    assert (tmp_path / "deep" / "a.png").read_bytes() == (tmp_path / "deep" / "b.png").read_bytes()
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "deep" / "a.png")), make_sheet(rows, ["x", "y", "z"], [])
    )


def test_more_rows_make_it_higher_and_more_columns_wider(rows):
    one_row, two_rows = (make_sheet(some, ["x", "y", "z"], []).shape for some in (rows[:1], rows))
    two_columns = make_sheet([Row(row.caption, row.pictures[:2]) for row in rows], ["x", "y"], []).shape
    assert two_rows[1] == one_row[1] and two_rows[0] >= one_row[0] + 240
    assert two_columns[1] <= two_rows[1] - 320


def test_a_long_legend_takes_more_lines(rows):
    few, many = ([swatch((1, 2, 3), "a rather long name")] * number for number in (1, 30))
    heights = [make_sheet(rows, ["x", "y", "z"], [legend]).shape[0] for legend in ([], few, many)]
    assert heights == sorted(set(heights))


class TestNarrowPictures:
    """Texts have the room they need: what is dark on the white of the sheet's edges is cut off."""

    TITLES = ("image", "ground truth", "prediction", "difference")
    CAPTION = "image 1, img_0.png: PQ 100.0, 12 matched, 0 missed, 0 false"

    @pytest.mark.parametrize("width", [1, 6, 72, 110])
    def test_nothing_reaches_the_edges(self, width):
        row = Row(self.CAPTION, (plain((90, 90, 90), 200, width),) * 4)
        legend = [swatch((1, 2, 3), f"construction--barrier--{number}") for number in range(12)]
        sheet = make_sheet([row], self.TITLES, [legend])
        assert (sheet[:, -8:] == 255).all() and (sheet[:, :8] == 255).all()

    def test_titles_have_a_gap_between_them(self):
        sheet = make_sheet([Row("", (plain((90, 0, 90), 200, 6),) * 4)], self.TITLES, [])
        top = int(np.flatnonzero((sheet == (90, 0, 90)).all(axis=2).any(axis=1))[0])
        gaps = runs_of_white((sheet[top - 28 : top] < 128).any(axis=(0, 2)))
        # Between letters and between two words there are fewer.
        assert sum(gap >= 9 for gap in gaps[1:-1]) == 3

    def test_a_long_caption_and_a_long_name_take_more_lines(self):
        pictures = (plain((90, 90, 90), 50, 300),)
        few = make_sheet([Row("a", pictures)], ["x"], [[swatch((1, 2, 3), "cat")]])
        many = make_sheet([Row("a " * 90, pictures)], ["x"], [[swatch((1, 2, 3), "cat" * 90)]])
        assert many.shape[1] == few.shape[1] and many.shape[0] > few.shape[0] + 150
        assert (many[:, -8:] == 255).all()

    def test_wide_pictures_leave_the_width_alone(self):
        assert make_sheet([Row("a", (plain((9, 9, 9), 5, 720),) * 2)], ["image", "ground truth"], []).shape[1] == 1470


def runs_of_white(dark):
    """Lengths of the runs without ink, left and right edge included."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], dark, [True]]).astype(int)))
    return np.diff(edges)[::2].tolist()


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "\ud800", "", "\u202e"])
def test_no_name_stops_a_sheet(text):
    sheet = make_sheet([Row(text, (plain((1, 2, 3)),))], [text], [[swatch((4, 5, 6), text)]])
    assert sheet.dtype == np.uint8


def test_when_it_cannot_be_saved_nothing_is_left(tmp_path):
    with pytest.raises(TypeError):
        save_picture(tmp_path / "sheet.png", np.zeros((2, 2, 3), dtype=complex))
    assert list(tmp_path.iterdir()) == []


def test_a_users_own_plots_are_left_alone(rows):
    from matplotlib import get_backend, pyplot

    before = get_backend(), pyplot.get_fignums()
    make_sheet(rows, ["x", "y", "z"], [])
    assert (get_backend(), pyplot.get_fignums()) == before
