"""``class_order`` of a data set's YAML file."""

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, Category, read_dataset_yaml
from panoptic_heuristic.formats.class_order import DEFAULT_ORDER, ClassOrder
from tests.formats.tiny_panoptic import CATEGORIES, write_tiny_panoptic

# By their ids: sky 0 and grass 9 are stuff, cat 7 and dog 90 are things.
TINY = Categories.from_coco(CATEGORIES)


def ids(order):
    return tuple([category.id for category in kind] for kind in order.applied(TINY, "tiny.yaml"))


def test_without_an_order_things_go_by_id_and_stuff_by_the_list():
    assert ids(DEFAULT_ORDER) == ([7, 90], [0, 9])


@pytest.mark.parametrize(
    "order, expected",
    [
        (ClassOrder(things=("dog", "cat")), ([90, 7], [0, 9])),
        (ClassOrder(things=(90, "cat")), ([90, 7], [0, 9])),
        (ClassOrder(stuff=(9, 0)), ([7, 90], [9, 0])),
        (ClassOrder(things=("cat", "dog"), stuff=("grass", "sky")), ([7, 90], [9, 0])),
    ],
)
def test_names_and_ids_may_be_mixed_and_either_kind_left_out(order, expected):
    assert ids(order) == expected


@pytest.mark.parametrize(
    "order, message",
    [
        (ClassOrder(things=("dog",)), r"tiny.yaml: class_order.things lacks 'cat' \(id 7\); it must name all"),
        (ClassOrder(things=("dog", "cat", "cow")), "class_order.things names 'cow'; there are cat, dog"),
        (ClassOrder(things=("dog", "cat", "sky")), "class_order.things names 'sky'; there are cat, dog"),
        (ClassOrder(stuff=("sky", 0, "grass")), "class_order.stuff names 'sky' twice"),
        (ClassOrder(stuff=(8,)), "class_order.stuff names 8; there are sky, grass"),
    ],
)
def test_it_must_name_each_category_of_a_kind_once(order, message):
    with pytest.raises(InputError, match=message):
        order.applied(TINY, "tiny.yaml")


def test_a_name_of_two_categories_is_not_enough():
    twins = Categories([Category(1, "cat", True, (0, 0, 0)), Category(2, "cat", True, (0, 0, 0))])
    with pytest.raises(InputError, match="names 'cat', which is the name of 1 and 2; write their ids"):
        ClassOrder(things=("cat", "cat")).applied(twins, "twins.yaml")
    things, _ = ClassOrder(things=(2, 1)).applied(twins, "twins.yaml")
    assert [one.id for one in things] == [2, 1]


class TestInTheFile:
    def read(self, tmp_path, text):
        data = write_tiny_panoptic(tmp_path)
        data.yaml.write_text(data.yaml.read_text() + text)
        return read_dataset_yaml(data.yaml).class_order

    def test_it_is_read(self, tmp_path):
        assert self.read(tmp_path, "class_order: {things: [dog, 7]}\n") == ClassOrder(things=("dog", 7))

    def test_it_may_be_left_out(self, tmp_path):
        assert self.read(tmp_path, "") == DEFAULT_ORDER

    @pytest.mark.parametrize(
        "value, message",
        [
            ("[dog, cat]", r"tiny.yaml: class_order must be a mapping like .*, got \['dog', 'cat'\]"),
            ("{thing: [dog, cat]}", "class_order must be a mapping like"),
            ("{things: dog}", "class_order.things must be a list of names or ids of categories, got 'dog'"),
            ("{stuff: [1.5]}", "class_order.stuff must be a list of names or ids"),
            ("{stuff: [true]}", "class_order.stuff must be a list of names or ids"),
        ],
    )
    def test_another_form(self, tmp_path, value, message):
        with pytest.raises(InputError, match=message):
            self.read(tmp_path, f"class_order: {value}\n")
