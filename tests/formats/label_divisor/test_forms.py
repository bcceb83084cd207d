"""Label-divisor values of panoptic maps with crowds, in both forms, and back. The divisor is 7: no power of
anything, so that a wrong modulo shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_divisor import LabelDivisorForm, labels_to_panoptic, panoptic_to_labels
from tests.formats.panoptic_maps import CAT, CATEGORIES, DOG, GRASS, SKY, panoptic_maps, up_to_numbering

VOID = 999
PLAIN = LabelDivisorForm(7, VOID)
CITYSCAPES = LabelDivisorForm(7, VOID, form="cityscapes")

# void, sky, two cats, grass, a crowd of cats, a dog.
IDS = np.array([[0, 9, 9, 20], [30, 40, 40, 50], [60, 60, 60, 0]])
SEGMENTS = [
    {"id": 60, "category_id": DOG, "iscrowd": 0},
    {"id": 9, "category_id": SKY, "iscrowd": 0},
    {"id": 20, "category_id": CAT, "iscrowd": 0},
    {"id": 30, "category_id": CAT, "iscrowd": 0},
    {"id": 40, "category_id": GRASS, "iscrowd": 0},
    {"id": 50, "category_id": CAT, "iscrowd": 1},
]


class TestValues:
    def test_plain(self):
        labels = panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, PLAIN)
        # CAT is 3: 3 * 7 = 21 is its crowd, 22 and 23 are its cats; GRASS 4 * 7; DOG 5 * 7 + 1.
        np.testing.assert_array_equal(labels, [[999, 0, 0, 22], [23, 28, 28, 21], [36, 36, 36, 999]])

    def test_cityscapes(self):
        labels = panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, CITYSCAPES)
        # Stuff and crowds are bare, things count from 0.
        np.testing.assert_array_equal(labels, [[999, 0, 0, 21], [22, 4, 4, 3], [35, 35, 35, 999]])

    def test_crowds_can_be_void(self):
        form = LabelDivisorForm(7, VOID, crowds="void")
        labels = panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, form)
        np.testing.assert_array_equal(labels, [[999, 0, 0, 22], [23, 28, 28, 999], [36, 36, 36, 999]])

    def test_cityscapes_own_values(self):
        """A road, a bare car (a group), the first car (which Cityscapes numbers 0) and a label it does not score."""
        form = LabelDivisorForm(1000, 0, form="cityscapes", unlisted="void")
        ids, segments = labels_to_panoptic(np.array([[4, 3, 3000, 3001, 2, 0]]), CATEGORIES, form)
        found = {(s["category_id"], s["iscrowd"]): np.flatnonzero(ids == s["id"]).tolist() for s in segments}
        assert len(segments) == 4 and found[GRASS, 0] == [0] and found[CAT, 1] == [1]
        assert ids[0, 4:].tolist() == [0, 0] and ids[0, 2] != ids[0, 3]


@pytest.mark.parametrize("form", [PLAIN, CITYSCAPES])
@given(drawn=panoptic_maps())
def test_there_and_back_is_the_same_map(form, drawn):
    ids, segments = drawn
    labels = panoptic_to_labels(ids, segments, CATEGORIES, form)
    again, found = labels_to_panoptic(labels, CATEGORIES, form)
    assert up_to_numbering(again, found) == up_to_numbering(ids, segments)
    assert sorted(segment["id"] for segment in found) == list(range(1, len(found) + 1))


@pytest.mark.parametrize("form", [PLAIN, CITYSCAPES])
@given(drawn=panoptic_maps(), seed=st.integers(0, 99))
def test_back_and_there_is_the_same_image(form, drawn, seed):
    """Values that were read are written again the same: they do not depend on numbers or order of segments."""
    labels = panoptic_to_labels(*drawn, CATEGORIES, form)
    ids, segments = labels_to_panoptic(labels, CATEGORIES, form)
    again = panoptic_to_labels(ids, segments, CATEGORIES, form)
    np.testing.assert_array_equal(again, labels)


def test_nothing_given_is_changed():
    ids, segments = IDS.copy(), [dict(segment) for segment in SEGMENTS]
    for form in (PLAIN, LabelDivisorForm(7, VOID, crowds="void")):
        panoptic_to_labels(ids, segments, CATEGORIES, form)
    np.testing.assert_array_equal(ids, IDS)
    assert segments == SEGMENTS


def things(number):
    """One cat per pixel."""
    ids = np.arange(1, number + 1)[None]
    return ids, [{"id": i, "category_id": CAT, "iscrowd": 0} for i in range(1, number + 1)]


class TestWhatTheFormCannotHold:
    @pytest.mark.parametrize("form, most", [(PLAIN, 6), (CITYSCAPES, 7)])
    def test_more_things_than_numbers(self, form, most):
        labels = panoptic_to_labels(*things(most), CATEGORIES, form)
        assert len(np.unique(labels)) == most and labels.max() == CAT * 7 + 6
        with pytest.raises(InputError, match=f"category 3 has more than {most} instances"):
            panoptic_to_labels(*things(most + 1), CATEGORIES, form)

    def test_two_crowds_of_a_category(self):
        segments = [{"id": i, "category_id": CAT, "iscrowd": 1} for i in (1, 2)]
        with pytest.raises(InputError, match="category 3 has several crowd segments"):
            panoptic_to_labels(np.array([[1, 2]]), segments, CATEGORIES, PLAIN)

    def test_crowds_that_are_to_fail(self):
        form = LabelDivisorForm(7, VOID, crowds="fail")
        with pytest.raises(InputError, match="segment 50 of category 3 is a crowd"):
            panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, form)
        with pytest.raises(InputError, match="the map holds a crowd of category 3"):
            labels_to_panoptic(np.array([[21]]), CATEGORIES, form)

    def test_a_crowd_of_stuff(self):
        segments = [{"id": 1, "category_id": GRASS, "iscrowd": 1}]
        with pytest.raises(InputError, match="stuff category 4 is a crowd"):
            panoptic_to_labels(np.array([[1]]), segments, CATEGORIES, PLAIN)

    def test_stuff_twice(self):
        segments = [{"id": i, "category_id": GRASS, "iscrowd": 0} for i in (1, 2)]
        with pytest.raises(InputError, match="stuff category 4 occurs twice"):
            panoptic_to_labels(np.array([[1, 2]]), segments, CATEGORIES, PLAIN)

    @pytest.mark.parametrize("void, form", [(0, "plain"), (22, "plain"), (0, "cityscapes"), (3, "cityscapes")])
    def test_void_that_is_a_segments_value(self, void, form):
        with pytest.raises(InputError, match=f"void is {void}, which is also the value of category [03]"):
            panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, LabelDivisorForm(7, void, form))

    def test_bare_categories_must_be_below_the_divisor(self):
        with pytest.raises(InputError, match="category 5 is not below label_divisor 5"):
            panoptic_to_labels(IDS, SEGMENTS, CATEGORIES, LabelDivisorForm(5, VOID, "cityscapes"))


class TestWhatCannotBeRead:
    def test_a_category_that_is_not_listed(self):
        labels = np.array([[1 * 7, VOID]])
        with pytest.raises(InputError, match="the map holds 7, which means category 1, .*not among the categories"):
            labels_to_panoptic(labels, CATEGORIES, PLAIN)
        ids, segments = labels_to_panoptic(labels, CATEGORIES, LabelDivisorForm(7, VOID, unlisted="void"))
        assert segments == [] and not ids.any()

    def test_stuff_with_a_number(self):
        with pytest.raises(InputError, match=r"holds 29, which is category 4 \(grass\) with an instance number"):
            labels_to_panoptic(np.array([[4 * 7 + 1]]), CATEGORIES, PLAIN)

    @pytest.mark.parametrize(
        "arguments, match",
        [
            ({"label_divisor": 1}, "label_divisor must be at least 2, got 1"),
            ({"void": -1}, "void must be at least 0"),
            ({"form": "coco"}, "form must be one of plain, cityscapes, got 'coco'"),
            ({"crowds": "zero"}, "crowds must be one of keep, void, fail"),
            ({"unlisted": "skip"}, "unlisted must be one of fail, void"),
        ],
    )
    def test_wrong_settings(self, arguments, match):
        with pytest.raises(InputError, match=match):
            LabelDivisorForm(**{"label_divisor": 7, "void": VOID, **arguments})


def test_all_crowds_void_leaves_no_segment():
    labels = np.array([[21, VOID]])
    ids, segments = labels_to_panoptic(labels, CATEGORIES, LabelDivisorForm(7, VOID, crowds="void"))
    assert segments == [] and not ids.any()
