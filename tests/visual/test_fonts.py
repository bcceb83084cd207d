"""Fonts: the same one everywhere, and the system's for characters that it lacks."""

import pytest

from panoptic_heuristic.visual import fonts
from tests.visual.drawn_fonts import write_font


@pytest.fixture
def cat_font(tmp_path):
    return write_font(tmp_path / "Cats.ttf", "猫ね")


@pytest.fixture
def dog_font(tmp_path):
    return write_font(tmp_path / "Dogs.ttf", "개猫")


def names_of(pieces):
    return [(piece, path.rpartition("/")[2]) for piece, path in pieces]


def test_latin_greek_and_cyrillic_need_no_font_of_the_system(system_fonts):
    system_fonts()
    assert names_of(fonts.in_fonts("cat γάτα кошка")) == [("cat γάτα кошка", "DejaVuSans-Bold.ttf")]


def test_each_character_is_in_the_first_font_that_has_it(system_fonts, cat_font, dog_font):
    system_fonts(cat_font, dog_font)
    pieces = fonts.in_fonts("a猫ね개 b")
    assert names_of(pieces) == [
        ("a", "DejaVuSans-Bold.ttf"),
        ("猫ね", "Cats.ttf"),
        ("개", "Dogs.ttf"),
        (" b", "DejaVuSans-Bold.ttf"),
    ]


def test_what_no_font_has(system_fonts, cat_font):
    system_fonts(cat_font)
    assert fonts.font_with("개") is None
    assert names_of(fonts.in_fonts("개")) == [("개", "DejaVuSans-Bold.ttf")]


def test_a_damaged_font_and_one_that_has_all_characters_as_boxes_are_passed_over(system_fonts, tmp_path, cat_font):
    damaged = tmp_path / "Aaa.ttf"
    damaged.write_bytes(b"no font")
    boxes = write_font(tmp_path / "LastResort.ttf", "猫")
    system_fonts(str(damaged), boxes, str(tmp_path / "gone.ttf"), cat_font)
    assert fonts.font_with("猫") == cat_font


def test_the_systems_fonts_come_in_one_order_and_sans_before_others(monkeypatch):
    from matplotlib import font_manager

    found = ["/f/Serif.otf", "/f/Sans-Regular.ttf", "/f/Sans-Bold.ttc", "/f/Abc.ttf"]
    for paths in (found, found[::-1]):
        fonts.system_fonts.cache_clear()
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda paths=paths: paths)
        assert fonts.system_fonts() == ("/f/Sans-Bold.ttc", "/f/Sans-Regular.ttf", "/f/Abc.ttf", "/f/Serif.otf")
    fonts.system_fonts.cache_clear()


def test_a_real_font_of_this_system_writes_chinese():
    if fonts.font_with("猫") is None:
        pytest.skip("no font with Chinese characters is installed")
    assert fonts.in_fonts("猫") == [("猫", fonts.font_with("猫"))]
