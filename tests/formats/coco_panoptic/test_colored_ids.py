import numpy as np
import pytest

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.formats.coco_panoptic import colored_ids, ids_to_rgb

CATEGORIES = Categories(
    [
        Category(0, "black", True, (0, 0, 0)),
        Category(3, "red", True, (200, 10, 0)),
        Category(4, "red too", False, (200, 10, 0)),
        Category(9, "white", True, (255, 255, 255)),
    ]
)


def test_the_first_segment_has_its_categorys_colour():
    assert colored_ids([9, 3], CATEGORIES) == [2**24 - 1, 200 + 256 * 10]


def test_the_others_have_one_close_to_it():
    ids = colored_ids([3, 9, 3, 4, 9, 3, 0], CATEGORIES)
    colors = ids_to_rgb(np.array([ids]))[0].astype(int)
    base = [CATEGORIES[c].color for c in (3, 9, 3, 4, 9, 3, 0)]
    assert np.abs(colors - base).max() <= 30
    assert len(set(ids)) == 7


def test_black_is_void_and_no_segment():
    assert 0 not in colored_ids([0, 0, 0], CATEGORIES)


def test_equal_input_gives_equal_ids():
    assert colored_ids([3, 4, 3, 0], CATEGORIES) == colored_ids([3, 4, 3, 0], CATEGORIES)


@pytest.mark.parametrize("category_id", [0, 3, 9])
def test_more_segments_than_close_colours(category_id):
    # At a corner of the cube there are 31 ** 3 of them.
    ids = colored_ids([category_id] * 60_000, CATEGORIES)
    assert len(set(ids)) == 60_000
    assert min(ids) > 0 and max(ids) < 2**24


def test_no_segments():
    assert colored_ids([], CATEGORIES) == []
