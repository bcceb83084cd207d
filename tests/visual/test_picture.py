"""Pictures of panoptic maps, pixel by pixel."""

import numpy as np

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.visual import color_panoptic

SKY, CAT = 0, 7
CATEGORIES = Categories([Category(SKY, "sky", False, (10, 20, 200)), Category(CAT, "cat", True, (200, 30, 40))])
COLOR = {".": (0, 0, 0), "s": (10, 20, 200), "c": (200, 30, 40), "W": (255, 255, 255)}


def colored(drawing):
    return np.array([[COLOR[pixel] for pixel in row] for row in drawing.split()], dtype=np.uint8)


def ids(drawing):
    return np.array([[int(pixel) for pixel in row.replace(".", "0")] for row in drawing.split()])


SEGMENTS = [{"id": 1, "category_id": SKY}, {"id": 2, "category_id": CAT}, {"id": 3, "category_id": CAT}]


def test_segments_have_their_categorys_color_and_a_white_border():
    picture = color_panoptic(ids("11111 11222 11222 ..222"), SEGMENTS, CATEGORIES)
    # A pixel is border if the one above or to the left belongs to another segment.
    np.testing.assert_array_equal(picture, colored("sssss ssWWW ssWcc WWWcc"))
    assert picture.dtype == np.uint8


def test_outlines_are_black_on_light_colors():
    light = Categories([Category(SKY, "sky", False, (255, 255, 220)), Category(CAT, "cat", True, (200, 30, 40))])
    picture = color_panoptic(ids("2211 2211"), SEGMENTS, light)
    assert (picture[:, 2] == 0).all() and (picture[:, 3] == (255, 255, 220)).all()
    # On the darker side they are white.
    picture = color_panoptic(ids("1122 1122"), SEGMENTS, light)
    assert (picture[:, 2] == 255).all() and (picture[:, 1] == (255, 255, 220)).all()


def test_two_things_of_one_category_are_told_apart():
    picture = color_panoptic(ids("2233 2233"), SEGMENTS, CATEGORIES)
    np.testing.assert_array_equal(picture, colored("ccWc ccWc"))


def test_one_segment_has_no_border():
    np.testing.assert_array_equal(color_panoptic(ids("22 22"), SEGMENTS, CATEGORIES), colored("cc cc"))


def test_void_is_black():
    assert not color_panoptic(ids("... ..."), [], CATEGORIES).any()


def test_nothing_given_is_changed():
    given = ids("11222 11222")
    color_panoptic(given, SEGMENTS, CATEGORIES)
    np.testing.assert_array_equal(given, ids("11222 11222"))
