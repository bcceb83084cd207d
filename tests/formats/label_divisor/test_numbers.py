"""Numbers that forms disagree about: of stuff, and none of a thing. The divisor is 7, and void is 999."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_divisor import Fates, LabelDivisorForm, labels_to_panoptic, panoptic_to_labels
from tests.formats.panoptic_maps import CAT, CATEGORIES, GRASS, panoptic_maps, up_to_numbering

FORMS = ("plain", "cityscapes")
# Grass thrice, with numbers 0 (or none), 1 and 2, and a cat.
GRASSES = {"plain": [28, 29, 30, 22], "cityscapes": [4, 28, 29, 21]}


def read(values, form="plain", **fates):
    ids, segments = labels_to_panoptic(np.array([values]), CATEGORIES, LabelDivisorForm(7, 999, form, **fates))
    return {(s["category_id"], s["iscrowd"], tuple(np.flatnonzero(ids == s["id"]).tolist())) for s in segments}


class TestStuffNumbers:
    @pytest.mark.parametrize("form", FORMS)
    def test_ignored_they_make_one_segment(self, form):
        assert read(GRASSES[form], form, stuff_numbers="ignore") == {(GRASS, 0, (0, 1, 2)), (CAT, 0, (3,))}

    @pytest.mark.parametrize("form, value", [("plain", 29), ("cityscapes", 28)])
    def test_the_message_has_the_value_of_the_file(self, form, value):
        with pytest.raises(InputError) as error:
            read(GRASSES[form], form)
        said = str(error.value)
        assert said.startswith(f"the map holds {value}, which is category 4 (grass) with an instance number")
        assert "--stuff-numbers ignore" in said and "label_divisor 7" in said and " 8" not in said

    @pytest.mark.parametrize("fates", [{}, {"unlisted": "void"}])
    def test_void_has_no_number(self, fates):
        # 999 is category 142 with number 5.
        assert read([999, 28], **fates) == {(GRASS, 0, (1,))}

    def test_what_is_not_listed_is_no_stuff(self):
        assert read([9, 28], unlisted="void") == {(GRASS, 0, (1,))}

    @pytest.mark.parametrize("form", FORMS)
    @given(drawn=panoptic_maps(), data=st.data())
    def test_numbering_the_stuff_changes_nothing(self, form, drawn, data):
        rule = LabelDivisorForm(7, 999, form, stuff_numbers="ignore")
        labels = panoptic_to_labels(*drawn, CATEGORIES, rule)
        stuff = [labels == (category.id if form == "cityscapes" else category.id * 7) for category in CATEGORIES.stuff]
        numbers = data.draw(st.lists(st.integers(0, 6), min_size=labels.size, max_size=labels.size))
        numbers = np.array(numbers).reshape(labels.shape)
        # Category 0 has bare values only in the form "cityscapes".
        for category, pixels in zip(CATEGORIES.stuff, stuff, strict=True):
            if category.id or form == "plain":
                labels = np.where(pixels, category.id * 7 + numbers, labels)
        ids, segments = labels_to_panoptic(labels, CATEGORIES, rule)
        assert up_to_numbering(ids, segments) == up_to_numbering(*drawn)


class TestThingZero:
    # A cat without a number, its first cat, and grass.
    VALUES = {"plain": [21, 22, 28], "cityscapes": [3, 21, 4]}
    REST = {(CAT, 0, (1,)), (GRASS, 0, (2,))}

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(
        "fate, more", [("ignore", set()), ("crowd", {(CAT, 1, (0,))}), ("segment", {(CAT, 0, (0,))})]
    )
    def test_as_chosen(self, form, fate, more):
        assert read(self.VALUES[form], form, thing_zero=fate) == self.REST | more

    @pytest.mark.parametrize("form, value", [("plain", 21), ("cityscapes", 3)])
    def test_the_message_is_about_the_number(self, form, value):
        with pytest.raises(InputError) as error:
            read(self.VALUES[form], form, thing_zero="fail")
        said = str(error.value)
        assert said.startswith(f"the map holds {value}, which is category 3 (cat), a thing, with instance number 0")
        assert "--thing-zero" in said and "crowds" not in said

    def test_a_segment_joins_no_other_thing(self):
        """Its number is above all others, also where stuff has larger ones."""
        found = read([21, 27, 21, 34], thing_zero="segment", stuff_numbers="ignore")
        assert found == {(CAT, 0, (0, 2)), (CAT, 0, (1,)), (GRASS, 0, (3,))}

    @pytest.mark.parametrize("crowds, found", [("keep", {(CAT, 1, (0,))}), ("void", set())])
    def test_crowds_have_a_fate_of_their_own(self, crowds, found):
        assert read([21], crowds=crowds) == found
        assert read([21], crowds=crowds, thing_zero="segment") == {(CAT, 0, (0,))}


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"stuff_numbers": "void"}, "stuff_numbers must be one of fail, ignore, got 'void'"),
        ({"thing_zero": "void"}, "thing_zero must be one of fail, ignore, crowd, segment"),
    ],
)
@pytest.mark.parametrize("kind", [Fates, lambda **more: LabelDivisorForm(7, 999, **more)])
def test_fates_that_there_are_not(kind, arguments, match):
    with pytest.raises(InputError, match=match):
        kind(**arguments)
