"""Ids of images are keys: numbers as before, and any text."""

import random
import re

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import (
    check_no_twins,
    id_file_stem,
    id_meant,
    id_of_key,
    id_order,
    id_to_key,
    is_image_id,
    twin_note,
    twin_of,
)
from tests.formats.text_ids import ODD

NUMBERS = (0, 1, 7, -5, 10, 2**63, 10**30)
ALL = (*NUMBERS, *map(str, NUMBERS), *ODD)


@pytest.mark.parametrize("value", ALL)
def test_numbers_and_texts_are_ids(value):
    assert is_image_id(value)


@pytest.mark.parametrize("value", [None, True, False, 1.0, float("nan"), b"1", [1], {}, (1,), "a\ud800", "\udc80"])
def test_nothing_else_is(value):
    assert not is_image_id(value)


class TestOrder:
    def test_numbers_come_first_by_size_and_then_texts_by_their_characters(self):
        shuffled = random.Random(0).sample(ALL, len(ALL))
        numbers, texts = ([one for one in shuffled if isinstance(one, kind)] for kind in (int, str))
        assert sorted(shuffled, key=id_order) == [*sorted(numbers), *sorted(texts)]

    def test_drawn(self):
        assert sorted(["10", 10, "B", 9, "a", "9", ""], key=id_order) == [9, 10, "", "10", "9", "B", "a"]


class TestFileStem:
    @pytest.mark.parametrize("number", NUMBERS)
    def test_of_a_number_it_is_the_number(self, number):
        assert id_file_stem(number) == str(number)

    @pytest.mark.parametrize("text", [one for one in ALL if isinstance(one, str)])
    def test_of_a_text_it_names_a_file_everywhere(self, text):
        assert re.fullmatch(r"text-[a-z0-9_-]{0,41}[0-9a-f]{32}", id_file_stem(text))

    def test_no_two_are_the_same_where_capitals_do_not_count(self):
        assert len({id_file_stem(one).casefold() for one in ALL}) == len(ALL)

    def test_it_can_be_read_and_stays(self):
        stem = id_file_stem("Frankfurt/frankfurt_000000_000294")
        assert stem == "text-frankfurt-frankfurt_000000_000294-" + stem[-32:]
        # The names of caches that lie on disks.
        assert stem[-32:] == "2e1e29dc378056181dad90d34f20affa"


class TestKeys:
    @pytest.mark.parametrize("image_id", ALL)
    def test_a_key_gives_its_id_back(self, image_id):
        back = id_of_key(id_to_key(image_id))
        assert (type(back), back) == (type(image_id), image_id)

    def test_of_a_number_it_is_the_number(self):
        assert [id_to_key(number) for number in (0, 7, -5)] == ["0", "7", "-5"]

    def test_a_number_and_a_text_have_two(self):
        assert (id_to_key(1), id_to_key("1"), id_to_key("é")) == ("1", '"1"', '"é"')

    @pytest.mark.parametrize("key", ["x", "", "07", " 7", "7_0", "+7", "7.0", "-0", "1e2", "true", "null", "NaN"])
    def test_another_spelling_is_none(self, key):
        with pytest.raises(ValueError, match=f"^{re.escape(repr(key))} is no key of an image id$"):
            id_of_key(key)

    @pytest.mark.parametrize("key", ['"\\u0061"', '"\\ud800"', '"a" ', "'a'", '"a', "[" * 10**5, "9" * 5000, None, 7])
    def test_nor_is_anything_else(self, key):
        with pytest.raises(ValueError, match="is no key of an image id$"):
            id_of_key(key)


class TestWords:
    @pytest.mark.parametrize(
        "word, known, meant",
        [
            ("7", {7, 8}, 7),
            ("007", {7}, 7),
            ("-5", {-5}, -5),
            ("7", {"7", "8"}, "7"),
            ("007", {"007", 7}, "007"),
            ("a b", {"a b"}, "a b"),
            ("9", {7}, 9),
            ("9", {"a"}, 9),
            ("a", {7}, "a"),
            ("", {7}, ""),
        ],
    )
    def test_a_word_means_the_id_that_is_there(self, word, known, meant):
        found = id_meant(word, known)
        assert (type(found), found) == (type(meant), meant)


class TestTwins:
    @pytest.mark.parametrize(
        "image_id, twin",
        [(1, "1"), ("1", 1), (0, "0"), ("0", 0), (-5, "-5"), ("-5", -5), (10**30, str(10**30)), (str(10**30), 10**30)],
    )
    def test_a_number_and_its_text_look_alike(self, image_id, twin):
        found = twin_of(image_id, {twin, image_id})
        assert (type(found), found) == (type(twin), twin)
        assert twin_of(image_id, {image_id}) is None

    @pytest.mark.parametrize("text", [*ODD, "01", "-0", "+1", "1 ", "١", "1_0", "9" * 5000])
    def test_other_texts_look_like_no_number(self, text):
        assert twin_of(text, range(-100, 10**6)) is None

    def test_a_note(self):
        assert twin_note(1, {"1"}) == "; there is '1', which is text: write the id alike in both files"
        assert twin_note("1", {1}) == "; there is 1, which is a number: write the id alike in both files"
        assert twin_note(1, {1, 2}) == twin_note("a", {1}) == ""

    def test_two_files(self):
        check_no_twins([1, "a", "2"], {1, "b", "2"}, "pred.json", "gt.json")
        with pytest.raises(InputError, match="^pred.json has image '2' and gt.json has 2: a number and a text are"):
            check_no_twins([1, "2"], {1, 2}, "pred.json", "gt.json")
