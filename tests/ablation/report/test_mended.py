import pytest

from panoptic_heuristic.ablation.attribution.attribute import attribute
from panoptic_heuristic.ablation.attribution.causes import SegmentError
from panoptic_heuristic.ablation.report.document import Table, Text
from panoptic_heuristic.ablation.report.mended import Tally, error_blocks, tally
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.report_sweeps import small_store

CATEGORIES = Categories([Category(9, "sky", False, (0, 0, 9)), Category(4, "cat", True, (9, 0, 0))])


def missed(segment_id, cause, group="missed_thing", category_id=4):
    return SegmentError(group, cause, segment_id, category_id, 10, 0, 10)


def false_thing(segment_id, instance_id, cause="background"):
    return SegmentError("false_thing", cause, segment_id, 4, 10, 0, 10, instance_id, 0.5)


def false_stuff(segment_id, cause="background"):
    return SegmentError("false_stuff", cause, segment_id, 9, 10, 0, 10)


BEFORE = [
    (1, missed(5, "score")),  # Mended.
    (1, missed(6, "score")),  # Stays, for another cause.
    (1, false_thing(1, 7)),  # Stays: the same instance, numbered otherwise in the map.
    (2, missed(5, "not_detected")),  # Stays; segment 5 of image 1 is another one.
    (2, false_stuff(3, "poor_labels")),  # Stays: the labels of the same category.
    (3, missed(8, "stuff_area", "missed_stuff", 9)),  # Mended.
]
AFTER = [
    (1, missed(6, "overlap")),
    (1, false_thing(4, 7)),
    (1, false_thing(1, 8)),  # New: another instance has the number that 7 had.
    (2, missed(5, "not_detected")),
    (2, false_stuff(9, "poor_labels")),
    (3, false_stuff(1)),  # New.
]


def test_each_error_is_fixed_broken_or_unchanged():
    assert tally(BEFORE, AFTER, lambda error: None) == {None: Tally(before=6, after=6, fixed=2, broken=2, unchanged=4)}
    assert tally(BEFORE, AFTER, lambda error: (error.group, error.cause)) == {
        ("missed_thing", "score"): Tally(2, 0, 1, 0, 1),
        ("missed_thing", "overlap"): Tally(0, 1, 0, 0, 0),
        ("missed_thing", "not_detected"): Tally(1, 1, 0, 0, 1),
        ("missed_stuff", "stuff_area"): Tally(1, 0, 1, 0, 0),
        ("false_thing", "background"): Tally(1, 2, 0, 1, 1),
        ("false_stuff", "poor_labels"): Tally(1, 1, 0, 0, 1),
        ("false_stuff", "background"): Tally(0, 1, 0, 1, 0),
    }


def test_several_segments_of_the_labels_of_one_category_are_counted():
    """Parts of labels have no name but their category's: three before and one after are one that stays."""
    three = [(1, false_stuff(number)) for number in range(3)]
    assert tally(three, three[:1], lambda error: None) == {None: Tally(3, 1, 2, 0, 1)}
    assert tally(three[:1], three, lambda error: None) == {None: Tally(1, 3, 0, 2, 1)}


def test_the_tables():
    heading, text, causes, classes = error_blocks(BEFORE, AFTER, CATEGORIES, 3)
    assert heading.level == 3 and isinstance(text, Text)
    assert "Of the default's 6 the recommended settings, as tuned in the end, mend 2 and keep 4; they make 2 new" in (
        text.text
    )
    assert isinstance(causes, Table)
    assert [row.cells for row in causes.rows if row.mark == "total"] == [
        ("missed things", "3", "2", "−1", "1", "0", "2"),
        ("missed stuff", "1", "0", "−1", "1", "0", "0"),
        ("false things", "1", "2", "+1", "0", "1", "1"),
        ("false stuff", "1", "2", "+1", "0", "1", "1"),
    ]
    assert ("right instance, rejected for overlap", "0", "1", "+1", "0", "0", "0") in [row.cells for row in causes.rows]
    assert [row.cells for row in classes.rows] == [
        ("sky", "stuff", "2", "2", "0", "1", "1", "1"),
        ("cat", "thing", "4", "4", "0", "1", "1", "3"),
    ]


def test_no_error_at_all():
    _, text, causes, classes = error_blocks([], [], CATEGORIES, 2)
    assert "Of the default's 0" in text.text and not causes.rows and not classes.rows


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return small_store(tmp_path_factory.mktemp("mended"))


def test_laws_on_scenes(store):
    """Equal settings change nothing, and what is before, after, fixed and broken adds up in every class."""
    first = attribute(store, Pipeline(instances_score_thresh=0.3, stuff_area_thresh=100)).errors
    second = attribute(store, Pipeline(instances_score_thresh=0.7, stuff_area_thresh=0)).errors
    same = tally(first, first, lambda error: (error.group, error.cause))
    assert same and all(one == Tally(one.before, one.before, 0, 0, one.before) for one in same.values())
    for kind in (lambda error: None, lambda error: error.group, lambda error: error.category_id):
        there, back = tally(first, second, kind), tally(second, first, kind)
        assert sum(one.before for one in there.values()) == len(first)
        for key, one in there.items():
            assert one.before == one.fixed + one.unchanged and one.after == one.broken + one.unchanged
            assert back[key] == Tally(one.after, one.before, one.broken, one.fixed, one.unchanged)
    assert sum(one.fixed for one in there.values()) and sum(one.broken for one in there.values())
