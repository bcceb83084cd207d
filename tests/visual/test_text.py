"""Texts from files on pictures: one line, in whatever fonts, no wider than told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from panoptic_heuristic.visual.text import is_drawable, one_line, text_size, text_width, wrapped, write, write_outlined
from tests.visual.drawn_fonts import write_font

HOSTILE = ["a\nb", "a\r\n\tb", "\x1b[31mred\x1b[0m", "\u202egnp.exe", "\ud800", "a\x00b", "\u2028", "", " "]


@pytest.mark.parametrize("text, line", [
    ("cat", "cat"), ("a\nb", "a b"), ("a\r\n\tb", "a b"), ("\x1b[31mred\x1b[0m", "[31mred [0m"),
    ("\u202eevil", "evil"), ("x\ud800", "x"), (" cat  dog ", "cat dog"), ("猫\u3000犬", "猫 犬"),
])  # fmt: skip
def test_one_line(text, line):
    assert one_line(text) == line


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_stops_a_picture(text):
    draw = ImageDraw.Draw(Image.new("RGB", (50, 50)))
    write(draw, 0, 20, text, 12, (255, 255, 255))
    write_outlined(draw, text, 0, 0, 12)
    assert text_size(text, 12) >= (0, 0) and text_width(text, 12) >= 0
    assert wrapped(text, 12, 30)


class TestWrapped:
    def test_between_words(self):
        width = text_width("big cats on", 14)
        assert wrapped("big cats on mats", 14, width) == ["big cats on", "mats"]
        assert wrapped("big cats on mats", 14, width - 0.1) == ["big cats", "on mats"]

    def test_within_a_word_that_is_wider(self):
        assert wrapped("on elephants", 14, text_width("eleph", 14)) == ["on", "eleph", "ants"]

    def test_one_character_at_least(self):
        assert wrapped("cat", 14, 1) == ["c", "a", "t"]

    @settings(deadline=None)
    @given(st.text(max_size=40), st.integers(12, 200))
    def test_nothing_is_lost_and_no_line_is_too_wide(self, text, width):
        lines = wrapped(text, 11, width)
        assert "".join(lines).replace(" ", "") == one_line(text).replace(" ", "")
        assert all(text_width(line, 11) <= width or len(line) == 1 for line in lines)


class TestSeveralFonts:
    @pytest.fixture
    def squares(self, system_fonts, tmp_path):
        system_fonts(write_font(tmp_path / "Cats.ttf", "猫"))

    def test_a_text_is_as_wide_as_its_pieces(self, squares):
        assert text_width("猫", 20) == 20
        assert text_width("a猫b", 20) == text_width("a", 20) + 20 + text_width("b", 20)

    def test_the_pieces_stand_side_by_side(self, squares):
        image = Image.new("RGB", (120, 40))
        write(ImageDraw.Draw(image), 5, 20, "猫猫i", 20, (255, 255, 255))
        columns = np.flatnonzero(np.asarray(image).any(axis=(0, 2)))
        assert columns[0] == 5 and {5, 24, 25, 44} <= set(columns.tolist()) and columns[-1] > 45

    def test_outlined_it_fills_its_box(self, squares):
        width, height = text_size("猫猫", 20)
        image = Image.new("RGB", (90, 60), (127, 127, 127))
        write_outlined(ImageDraw.Draw(image), "猫猫", 10, 5, 20)
        rows, columns = np.where((np.asarray(image) != 127).any(axis=2))
        assert (rows.min(), columns.min()) == (5, 10)
        assert (rows.max() + 1 - 5, columns.max() + 1 - 10) == (height, width)

    def test_what_can_be_drawn(self, squares):
        assert is_drawable("a猫\n") and not is_drawable("a犬")
