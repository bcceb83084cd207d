"""Nobody's files are replaced unasked, and what cannot be written is one sentence, before the work."""

import pytest

from panoptic_heuristic.cli.outputs import check_folder, check_results, print_written
from panoptic_heuristic.errors import InputError


def test_only_the_files_that_would_be_replaced_count(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    check_results(tmp_path, ["a.csv"], False)
    check_results(tmp_path / "new", ["a.csv"], False)
    (tmp_path / "a.csv").write_text("")
    with pytest.raises(InputError, match=r"a\.csv is there already; --overwrite replaces it$"):
        check_results(tmp_path, ["b.csv", "a.csv"], False)
    check_results(tmp_path, ["b.csv", "a.csv"], True)


def test_a_folder_for_files_of_any_name_must_be_empty(tmp_path):
    check_folder(tmp_path / "a" / "b", False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a" / "b").mkdir(parents=True)
    check_folder(tmp_path / "a" / "b", False)
    with pytest.raises(InputError, match="a holds files already; choose another --output, or --overwrite$"):
        check_folder(tmp_path / "a", False)
    check_folder(tmp_path / "a", True)


@pytest.mark.parametrize("check", [lambda folder: check_results(folder, [], True), lambda one: check_folder(one, True)])
def test_a_file_in_the_place_of_the_folder_is_told(tmp_path, check):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="^cannot write to .*file: it is a file; expected a folder$"):
        check(tmp_path / "file")
    below = tmp_path / "file" / "below"
    with pytest.raises(InputError, match=f"^cannot write to {below}: Not a directory$"):
        check(below)


def test_written_files_are_one_line(capsys, tmp_path):
    print_written([tmp_path / "a", tmp_path / "b"])
    assert capsys.readouterr().out == f"written: {tmp_path / 'a'}, {tmp_path / 'b'}\n"
