"""Nobody's files are replaced unasked, and what cannot be written is one sentence."""

import pytest

from panoptic_heuristic.cli.outputs import check_results, make_output, print_written, writing_to
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
    make_output(tmp_path / "a" / "b", False)
    make_output(tmp_path / "a" / "b", False)
    with pytest.raises(InputError, match="a holds files already; choose another --output, or --overwrite$"):
        make_output(tmp_path / "a", False)
    make_output(tmp_path / "a", True)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="^--output .*file is a file; expected a folder$"):
        check_results(tmp_path / "file", [], True)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=f"^cannot write to --output {folder}: "):
            make_output(folder, True)


def test_what_the_system_refuses_is_told_with_the_folder(tmp_path):
    with pytest.raises(InputError, match="^cannot write to --output out: No space left on device$"):
        with writing_to("out"):
            raise OSError(28, "No space left on device")


def test_written_files_are_one_line(capsys, tmp_path):
    print_written([tmp_path / "a", tmp_path / "b"])
    assert capsys.readouterr().out == f"written: {tmp_path / 'a'}, {tmp_path / 'b'}\n"
