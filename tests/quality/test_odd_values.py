"""What is no map, no segment or no category is refused in one sentence."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import count_image

CATEGORIES = Categories.from_lists(["cat"], ["sky"])
IDS = np.ones((2, 3), np.int64)
SEGMENTS = [{"id": 1, "category_id": 1}]


def counted(**changes):
    values = {
        "gt_ids": IDS, "gt_segments": SEGMENTS, "pred_ids": IDS, "pred_segments": SEGMENTS, "categories": CATEGORIES,
        **changes,
    }  # fmt: skip
    return count_image(**values)


@pytest.mark.parametrize("whose", ["gt", "pred"])
@pytest.mark.parametrize(
    "segment, message",
    [
        ({"id": 1}, "has no 'category_id'"),
        ({"category_id": 1}, "has no 'id'"),
        ({"id": 2**63, "category_id": 1}, "has id 9223372036854775808; expected one below"),
        ({"id": 1, "category_id": 2**70}, "has category_id 1180591620717411303424; expected one below"),
        ({"id": "1", "category_id": 1}, "has id '1'; expected an integer"),
        ({"id": 1, "category_id": 1, "iscrowd": "no"}, "has iscrowd 'no'; expected 0 or 1"),
    ],
)
def test_segments(whose, segment, message):
    with pytest.raises(InputError, match=message):
        counted(**{f"{whose}_segments": [segment]})


@pytest.mark.parametrize("whose", ["gt", "pred"])
@pytest.mark.parametrize(
    "ids, message",
    [
        (np.full((2, 3), 2**63, np.uint64), r"must be below 2\*\*63, got 9223372036854775808"),
        (np.ones((2, 3), np.longdouble), "must be integers"),
        (None, "must be integers"),
    ],
)
def test_maps(whose, ids, message):
    with pytest.raises(InputError, match=message):
        counted(**{f"{whose}_ids": ids})


def test_categories_as_a_file_has_them():
    with pytest.raises(InputError, match="categories must be a Categories, such as .*; got list"):
        counted(categories=[{"id": 1, "name": "cat", "isthing": 1}])


@pytest.mark.parametrize(
    "categories, message",
    [
        ([{"id": 1, "name": "cat", "isthing": 1}], "one of the categories must be a Category, such as those that"),
        (None, "categories must be a list"),
        ([Category("1", "cat", True, (0, 0, 0))], "the id of a category must be a whole number, got '1'"),
        ([Category(-1, "cat", True, (0, 0, 0))], "the id of a category must be in"),
        ([Category(2**63, "cat", True, (0, 0, 0))], "the id of a category must be in"),
    ],
)
def test_what_categories_are_made_of(categories, message):
    with pytest.raises(InputError, match=message):
        Categories(categories)
