"""Folders as people have them: links, loops and the litter of file managers."""

import os

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.listing import LITTER, NO_FILE, OTHER_ENDING, list_files


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_files_are_sorted_by_name_with_their_folders(tmp_path):
    write(tmp_path, "b/2.png", "b/10.png", "a.png", "a/1.png", "a/1.txt", "c/d/e.png")
    assert list_files(tmp_path, ".png").names == ("a.png", "a/1.png", "b/10.png", "b/2.png", "c/d/e.png")
    assert list_files(tmp_path, ".png", below=False).paths == [tmp_path / "a.png"]


def test_links_are_entered(tmp_path):
    write(tmp_path / "other_disk", "x/1.png", "2.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "city").symlink_to(tmp_path / "other_disk", target_is_directory=True)
    (tmp_path / "data" / "3.png").symlink_to(tmp_path / "other_disk" / "2.png")
    (tmp_path / "data" / "nowhere.png").symlink_to(tmp_path / "gone")
    (tmp_path / "data" / "circle.png").symlink_to(tmp_path / "data" / "circle.png")
    found = list_files(tmp_path / "data", ".png")
    assert found.names == ("3.png", "city/2.png", "city/x/1.png")
    assert found.left_out == {NO_FILE: ("circle.png", "nowhere.png")}


def test_a_loop_of_links_ends(tmp_path):
    write(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a", target_is_directory=True)
    # The same folder by two names is no loop.
    assert list_files(tmp_path, ".png").names == ("a/1.png", "b/2.png", "b/to_a/1.png")


def test_litter_is_left_out_and_told(tmp_path):
    write(tmp_path, "1.png", "._1.png", "a/._2.png", "a/2.png", ".DS_Store", "Thumbs.db")
    found = list_files(tmp_path, ".png")
    assert found.names == ("1.png", "a/2.png")
    assert found.left_out == {LITTER: (".DS_Store", "._1.png", "Thumbs.db", "a/._2.png")}
    assert found.note() == f"left out of {tmp_path}: 4 of file managers, such as .DS_Store"
    write(tmp_path / "b", "1.png")
    assert list_files(tmp_path / "b", ".png").note() == ""


def test_other_endings_are_told(tmp_path):
    write(tmp_path, "1.png", "2.PNG", "a/3.png.txt", "._4.png")
    found = list_files(tmp_path, ".png")
    assert found.left_out == {LITTER: ("._4.png",), OTHER_ENDING: ("2.PNG", "a/3.png.txt")}
    assert found.note() == (
        f"left out of {tmp_path}: 1 of file managers, such as ._4.png; 2 with another ending, such as 2.PNG"
    )


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_an_error(tmp_path):
    write(tmp_path, "a/1.png")
    (tmp_path / "a").chmod(0)
    with pytest.raises(InputError, match="cannot read .*: Permission denied"):
        list_files(tmp_path, ".png")
    (tmp_path / "a").chmod(0o700)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot read .*none: No such file"):
        list_files(tmp_path / "none", ".png")
