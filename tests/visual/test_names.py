"""Names of categories on pictures: as they are, or the id and a note."""

import numpy as np

from panoptic_heuristic.formats import Categories
from panoptic_heuristic.visual.names import drawn_names, names_note
from panoptic_heuristic.visual.panels import SegmentMap, class_legend
from tests.visual.drawn_fonts import write_font

CATEGORIES = Categories.from_lists(["cat", "猫"], ["고양이", "a\nroad"])


def test_with_a_font(system_fonts, tmp_path):
    system_fonts(write_font(tmp_path / "Cats.ttf", "猫고양이"))
    assert drawn_names(CATEGORIES) == {1: "cat", 2: "猫", 3: "고양이", 4: "a road"}
    assert names_note(CATEGORIES) == ""


def test_without_one(system_fonts):
    system_fonts()
    assert drawn_names(CATEGORIES) == {1: "cat", 2: "category 2", 3: "category 3", 4: "a road"}
    note = "no font of this system can write 2 of the 4 class names, such as that of category 2; pictures have the id"
    assert names_note(CATEGORIES).startswith(note)


def test_legends_have_them(system_fonts, tmp_path):
    one = SegmentMap(np.array([[1, 2, 3]]), [{"id": i, "category_id": i + 1} for i in (1, 2, 3)])
    system_fonts(write_font(tmp_path / "Cats.ttf", "猫"))
    assert [entry.text for entry in class_legend([one], CATEGORIES)] == ["猫", "category 3", "a road"]
