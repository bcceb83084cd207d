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


def test_only_floats_are_shortened_and_what_is_missing_is_empty():
    rows = [["id", 12345678901234, 1 / 3, 100.0, None, math.nan, 0], []]
    assert list(readable_rows(rows)) == [["id", 12345678901234, "0.3333333333", "100", "", "", 0], []]
