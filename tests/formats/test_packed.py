"""Rows that lie packed, and come out as they went in, by key and in order."""

import marshal

import pytest

from panoptic_heuristic.formats import packed as module
from panoptic_heuristic.formats.coco_results import MaskEntry
from panoptic_heuristic.formats.packed import grouped, packed

VALUES = [None, True, 2**70, -0.5, float("inf"), "\ud800 ü", [], {"size": [1, 2], "counts": "02"}]


@pytest.fixture(params=[1, 3, 4096], ids="batches of {}".format)
def batch(request, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", request.param)
    return request.param


def test_values_come_out_as_they_went_in(batch):
    rows = packed(iter(VALUES))
    assert (len(rows), list(rows), rows[-1]) == (8, VALUES, VALUES[-1])


def test_no_values(batch):
    rows = packed([])
    assert (len(rows), list(rows), list(rows.taken_out())) == (0, [], [])


def test_rows_that_are_taken_out_are_gone(batch):
    rows = packed(VALUES)
    assert list(rows.taken_out()) == VALUES
    assert (len(rows), list(rows)) == (0, [])


def test_groups_are_ordered_by_their_first_row(batch):
    pairs = [("b", (0, 7, "x")), ("a", (1, 5, "y")), ("b", (2, 9, "z"))]
    found = grouped(pairs, MaskEntry._make)
    assert [(key, list(rows)) for key, rows in found.items()] == [
        ("b", [MaskEntry(0, 7, "x"), MaskEntry(2, 9, "z")]),
        ("a", [MaskEntry(1, 5, "y")]),
    ]


def test_chosen_rows(batch):
    rows = grouped([("a", (k, k, "")) for k in range(4)], MaskEntry._make)["a"]
    assert [row.place for row in rows.chosen([1, 3])] == [1, 3]
    assert list(rows.chosen([])) == []
    assert rows.chosen(range(4)) is rows
    assert len(rows) == 4


def test_nothing_is_kept_but_bytes():
    rows = packed([{"counts": "x" * 1000}] * 100)
    assert sum(map(len, rows._parts)) == len(marshal.dumps(list(rows)))


def test_values_that_are_nested_too_deep():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        packed([deep])
