import re

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, Category
from tests.formats.tiny_panoptic import CATEGORIES


def test_keeps_ids_order_and_kinds():
    categories = Categories.from_coco(CATEGORIES)
    assert list(categories) == [0, 7, 9, 90]
    assert [category.name for category in categories.things] == ["cat", "dog"]
    assert [category.name for category in categories.stuff] == ["sky", "grass"]
    assert categories[0] == Category(0, "sky", False, (70, 130, 180))
    assert categories[7].isthing is True
    assert len(categories) == 4 and 8 not in categories
    assert repr(categories) == "Categories(2 things, 2 stuff)"


def test_order_is_the_files_not_the_ids():
    assert list(Categories.from_coco(CATEGORIES[::-1])) == [90, 9, 7, 0]


def test_stuff_follows_the_list_and_things_the_ids():
    categories = Categories.from_coco(CATEGORIES[::-1])
    assert [category.id for category in categories.stuff] == [9, 0]
    assert [category.id for category in categories.things] == [7, 90]


def test_round_trip_through_json():
    categories = Categories.from_coco(CATEGORIES)
    assert dict(Categories.from_coco(categories.to_coco())) == dict(categories)
    assert {type(value) for entry in categories.to_coco() for value in entry.values()} == {int, str, list}


def test_missing_colors_differ_and_depend_on_the_place_only():
    bare = [{"id": i, "name": str(i), "isthing": 1} for i in range(50)]
    other = [{"id": 500 + i, "name": "x", "isthing": 0} for i in range(50)]
    colors = [category.color for category in Categories.from_coco(bare).values()]
    assert colors == [category.color for category in Categories.from_coco(other).values()]
    assert len(set(colors)) == 50
    assert all(isinstance(c, int) and 0 <= c <= 255 for color in colors for c in color)


def test_from_lists_numbers_things_first_from_1():
    categories = Categories.from_lists(["cat", "dog"], ["sky"])
    assert [(c.id, c.name, c.isthing) for c in categories.values()] == [
        (1, "cat", True),
        (2, "dog", True),
        (3, "sky", False),
    ]
    assert len({c.color for c in categories.values()}) == 3


@pytest.mark.parametrize("things, stuff", [(["cat"], []), ([], ["sky"])])
def test_one_kind_is_enough(things, stuff):
    categories = Categories.from_lists(things, stuff)
    assert (len(categories.things), len(categories.stuff)) == (len(things), len(stuff))


def test_isthing_may_be_a_json_bool():
    entries = [{"id": 1, "name": "a", "isthing": True}, {"id": 2, "name": "b", "isthing": False}]
    assert [category.isthing for category in Categories.from_coco(entries).values()] == [True, False]


def _entry(**changes):
    entry = {"id": 1, "name": "cat", "isthing": 1, "color": [1, 2, 3], **changes}
    return [{key: value for key, value in entry.items() if value is not None}]


def test_colors_may_be_missing_null_or_hexadecimal():
    bare = [{"id": place, "name": "a", "isthing": 1} for place in range(3)]
    given = [bare[0], {**bare[1], "color": None}, {**bare[2], "color": "#fF0a00"}]
    colors = [category.color for category in Categories.from_coco(given).values()]
    assert colors == [*(category.color for category in Categories.from_coco(bare[:2]).values()), (255, 10, 0)]


@pytest.mark.parametrize(
    "entries, said",
    [
        ([], "at least one category"),
        (None, "f.json: expected a list of categories, got NoneType"),
        ("cat", "f.json: expected a list of categories, got str"),
        ({"id": 1}, "f.json: expected a list of categories, got dict"),
        ([7], "f.json: category 0 must be a mapping, got int"),
        (_entry(id=None), "f.json: category 0 has no 'id'"),
        (_entry(name=None), "f.json: category 0 has no 'name'"),
        (_entry(isthing=None), "f.json: category 0 has no 'isthing'"),
        (_entry(id=-1), "category 0 has id -1; expected an integer >= 0"),
        (_entry(id=1.5), "category 0 has id 1.5"),
        (_entry(id=True), "category 0 has id True"),
        (_entry(id="1"), "category 0 has id '1'"),
        (_entry(isthing=2), "category 1 has isthing 2; expected 0 or 1"),
        (_entry(isthing="yes"), "category 1 has isthing 'yes'"),
        (_entry(color=[1, 2]), "category 1 has color [1, 2]; expected three integers from 0 to 255"),
        (_entry(color=[1, 2, 256]), "has color [1, 2, 256]"),
        (_entry(color=[1, 2, -1]), "has color [1, 2, -1]"),
        (_entry(color=[0.1, 0.2, 0.3]), "has color [0.1, 0.2, 0.3]"),
        (_entry(color=7), "has color 7"),
        (_entry(color="red"), "has color 'red'"),
        (_entry() + _entry(name="dog"), "category id 1 occurs twice: 'cat' and 'dog'"),
    ],
)
def test_what_is_wrong_is_told(entries, said):
    with pytest.raises(InputError, match=re.escape(said)):
        Categories.from_coco(entries, "f.json")


def test_colors_at_the_ends_of_the_range():
    assert Categories.from_coco(_entry(color=[0, 255, 0]))[1].color == (0, 255, 0)


def test_places_and_labels_of_stuff():
    categories = Categories.from_coco(CATEGORIES)
    assert categories.place_of == {0: 0, 7: 1, 9: 2, 90: 3}
    # Two labels may mean one category; labels of things and of nothing are left out.
    assert categories.labels_of_stuff({5: 0, 4: 7, 3: None, 2: 9, 1: 9, 0: 90}) == [1, 2, 5]
    assert categories.labels_of_stuff({}) == []


def test_kinds_are_told_as_people_say_them():
    assert [category.kind for category in Categories.from_coco(CATEGORIES).values()] == [
        "stuff", "thing", "stuff", "thing",
    ]  # fmt: skip
