import csv
import math

import pytest

from panoptic_heuristic.formats.csv_files import readable_rows, write_csv


def test_a_file_is_the_same_on_every_system(tmp_path):
    write_csv(tmp_path / "new" / "a.csv", iter([["name", "pq"], ['so "called", é', 1.5]]))
    assert (tmp_path / "new" / "a.csv").read_bytes() == 'name,pq\n"so ""called"", é",1.5\n'.encode()


def test_a_failure_leaves_the_old_file(tmp_path):
    def rows():
        yield ["half"]
        raise RuntimeError

    path = tmp_path / "a.csv"
    write_csv(path, [["old"]])
    with pytest.raises(RuntimeError):
        write_csv(path, rows())
    assert path.read_text() == "old\n" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_begins_like_a_formula_is_marked_as_text(tmp_path, text):
    write_csv(tmp_path / "a.csv", [[text, f"a{text}"]])
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [[f"'{text}", f"a{text}"]]


def test_numbers_are_no_formulas(tmp_path):
    write_csv(tmp_path / "a.csv", [[-1, -0.5, "-0.5", "+1.2", "-1e-5", "-inf"]])
    assert (tmp_path / "a.csv").read_text() == "-1,-0.5,-0.5,+1.2,-1e-5,-inf\n"


def test_halves_of_characters_are_spelled(tmp_path):
    write_csv(tmp_path / "a.csv", [["a\ud800"]])
    assert (tmp_path / "a.csv").read_bytes() == b"a\\ud800\n"


def test_only_floats_are_shortened_and_what_is_missing_is_empty():
    rows = [["id", 12345678901234, 1 / 3, 100.0, None, math.nan, 0], []]
    assert list(readable_rows(rows)) == [["id", 12345678901234, "0.3333333333", "100", "", "", 0], []]
