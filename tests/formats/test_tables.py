"""Tables of plain text: whatever their cells hold, a row is a line."""

from panoptic_heuristic.formats.tables import text_table


def test_a_drawing():
    assert text_table([["cat", 5], ["elephant", 12]], ["class", "n"], "lr").splitlines() == [
        "class       n",
        "--------  ---",
        "cat         5",
        "elephant   12",
    ]


def test_names_that_are_hostile():
    table = text_table([["a\nb", 1], ["\x1b[31mred", 2], ["1e5", 3]], ["cl\rass", "n"], "lr")
    assert [line.split() for line in table.splitlines()[2:]] == [[r"a\nb", "1"], [r"\x1b[31mred", "2"], ["1e5", "3"]]
    assert table.startswith(r"cl\rass")


def test_no_rows():
    assert text_table([], ["class", "n"], "lr").splitlines()[0].split() == ["class", "n"]
