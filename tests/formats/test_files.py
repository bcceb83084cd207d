import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import (
    NotWrittenError,
    check_writable,
    file_sha256,
    folder_written_whole,
    inside,
    read_json,
    write_json,
    write_text,
    written_whole,
)


def test_json_round_trip_makes_folders(tmp_path):
    path = tmp_path / "new" / "deep" / "a.json"
    write_json(path, {"b": [1, 2.5, None], "a": "ü"})
    assert read_json(path) == {"b": [1, 2.5, None], "a": "ü"}


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a", {"x": 1, "y": 2})
    write_json(tmp_path / "b", {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"cannot read {tmp_path / 'no.json'}: No such file")):
        read_json(tmp_path / "no.json")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"cannot read {tmp_path}: Is a directory")):
        read_json(tmp_path)


def test_the_hash_of_a_file_is_that_of_all_its_blocks(tmp_path):
    content = bytes(range(251)) * 9000
    assert len(content) > 2 * 2**20
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    with pytest.raises(InputError, match=re.escape(f"cannot read {tmp_path / 'no'}: No such file")):
        file_sha256(tmp_path / "no")


def test_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1]}', encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json") == {"a": [1]}


def test_json_in_another_encoding_is_told(tmp_path):
    (tmp_path / "a.json").write_text("[1]", encoding="utf-16")
    with pytest.raises(InputError, match="a.json is not valid JSON: it is no text in UTF-8; save it in that encoding"):
        read_json(tmp_path / "a.json")


def test_bad_json_is_told_with_its_line(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text('{\n"a": 1,\n')
    with pytest.raises(InputError, match=re.escape(f"{path} is not valid JSON") + ".*line 3"):
        read_json(path)


def test_binary_is_no_json(tmp_path):
    path = tmp_path / "bad.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not valid JSON"):
        read_json(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000], ids=["deep", "long number"])
def test_json_that_python_cannot_hold_is_told_plainly(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(f"{path} is not valid JSON")):
        read_json(path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, [2, object()])
    assert json.loads(path.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with written_whole(tmp_path / "map.png") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_the_temporary_name_is_beside_and_keeps_the_suffix(tmp_path):
    with written_whole(tmp_path / "map.png") as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".png" and temporary.name != "map.png"
        assert not (tmp_path / "map.png").exists()
        temporary.write_text("whole")
    assert (tmp_path / "map.png").read_text() == "whole"
    assert not temporary.exists()


@pytest.mark.parametrize("name", ["a.png", "sub/a.png", "..a.png", "a..png"])
def test_names_inside_a_folder(name):
    assert inside("/data", name) == Path("/data") / name


@pytest.mark.parametrize("name", ["../a.png", "sub/../../a.png", "sub/../a.png", "/etc/passwd"])
def test_names_that_lead_out_are_refused(name):
    with pytest.raises(InputError, match=re.escape(f"file_name {name!r} leads out of its folder /data")):
        inside("/data", name)


@pytest.mark.parametrize("name", ["", ".", "a\0.png", "a\ud800.png"])
def test_names_of_no_file_are_refused(name):
    with pytest.raises(InputError, match=re.escape(f"file_name {name!r} is no name of a file in /data")):
        inside("/data", name)


def test_a_long_legal_name_can_be_written(tmp_path):
    for name in ("a" * 245 + ".json", "x." + "a" * 250, "ü" * 120 + ".json"):
        write_json(tmp_path / name, 1)
        assert read_json(tmp_path / name) == 1
        with written_whole(tmp_path / name) as temporary:
            assert len(os.fsencode(temporary.name)) <= 45
            temporary.write_text("2")
    with pytest.raises(NotWrittenError, match="cannot write to .*: File name too long$"):
        write_json(tmp_path / ("a" * 256), 1)


def test_what_is_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / 'file' / 'a.json'}: Not a directory$"):
        write_json(tmp_path / "file" / "a.json", 1)
    with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / 'folder'}: Is a directory$"):
        write_json(tmp_path / "folder", 1)
    assert sorted(tmp_path.rglob("*")) == sorted(tmp_path / one for one in ("file", "folder", "folder/sub"))


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, "old")
    with pytest.raises(NotWrittenError, match=f"^cannot write to {path}: No space left on device$"):
        with written_whole(path) as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"new")
    assert read_json(path) == "old" and list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_goes_with_the_next_write_there(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", LEAVES_A_HALF, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "half\n"
    halves = set(tmp_path.iterdir())
    assert len(halves) == 2
    # The process is alive: what it writes is its own.
    assert run_python(f"write_json({str(tmp_path / 'a.json')!r}, 1)") == ""
    assert set(tmp_path.iterdir()) == {*halves, tmp_path / "a.json"}
    process.kill()
    process.wait()
    foreign = tmp_path / f".00000000-{process.pid}-00000000.partial.png"
    foreign.write_text("of another machine")
    assert run_python(f"write_json({str(tmp_path / 'a.json')!r}, 1)") == ""
    assert set(tmp_path.iterdir()) == {foreign, tmp_path / "a.json"}


LEAVES_A_HALF = """
import pathlib, sys, time
from panoptic_heuristic.formats.files import folder_written_whole, written_whole
folder = pathlib.Path(sys.argv[1])
with folder_written_whole(folder / "set", replace=False) as one, written_whole(folder / "map.png") as other:
    (one / "a").write_text("half")
    other.write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""


def run_python(code):
    code = f"from panoptic_heuristic.formats.files import *\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


class TestFolders:
    @pytest.mark.parametrize("replace", [False, True])
    def test_a_folder_appears_when_it_is_complete(self, tmp_path, replace):
        with folder_written_whole(tmp_path / "new" / "set", replace=replace) as folder:
            (folder / "a").write_text("1")
            assert not (tmp_path / "new" / "set").exists()
        assert [path.name for path in (tmp_path / "new").rglob("*")] == ["set", "a"]

    def test_one_that_is_there_is_replaced_if_asked(self, tmp_path):
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "old").write_text("")
        with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / 'set'}: Directory not empty$"):
            with folder_written_whole(tmp_path / "set", replace=False) as folder:
                (folder / "new").write_text("")
        assert [path.name for path in tmp_path.rglob("*")] == ["set", "old"]
        with folder_written_whole(tmp_path / "set", replace=True) as folder:
            (folder / "new").write_text("")
        assert [path.name for path in tmp_path.rglob("*")] == ["set", "new"]

    def test_of_two_that_replace_one_folder_both_end_well(self, tmp_path):
        with folder_written_whole(tmp_path / "set", replace=True) as first:
            (first / "a").write_text("first")
            other = "with folder_written_whole({!r}, replace=True) as one: (one / 'a').write_text('second')"
            run_python(other.format(str(tmp_path / "set")))
            assert (tmp_path / "set" / "a").read_text() == "second"
        assert (tmp_path / "set" / "a").read_text() == "first" and list(tmp_path.iterdir()) == [tmp_path / "set"]

    def test_a_failure_leaves_the_old_one_and_says_its_name(self, tmp_path):
        (tmp_path / "set").mkdir()
        with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / 'set' / 'a' / 'b'}: Not a directory$"):
            with folder_written_whole(tmp_path / "set", replace=True) as folder:
                (folder / "a").write_text("")
                write_json(folder / "a" / "b", 1)
        assert list(tmp_path.rglob("*")) == [tmp_path / "set"]


class TestCheckWritable:
    def test_it_leaves_no_trace(self, tmp_path):
        check_writable(tmp_path)
        check_writable(tmp_path / "new" / "deep")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "name, reason",
        [
            ("file", "it is a file; expected a folder"),
            ("file/below", "Not a directory"),
            ("nowhere", "No such file or directory"),
            ("a" * 300, "File name too long"),
            ("/dev/full", "Not a directory"),
        ],
    )
    def test_what_is_in_the_way_is_told(self, tmp_path, name, reason):
        (tmp_path / "file").write_text("")
        (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
        with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path / name}: {reason}$"):
            check_writable(tmp_path / name)

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
    def test_what_the_system_refuses_is_told(self, tmp_path, monkeypatch, code):
        def refusing(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("builtins.open", refusing)
        with pytest.raises(NotWrittenError, match=f"^cannot write to {tmp_path}: {os.strerror(code)}$"):
            check_writable(tmp_path)


def test_halves_of_characters_are_spelled(tmp_path):
    write_text(tmp_path / "a.md", "é\ud800")
    assert (tmp_path / "a.md").read_bytes() == b"\xc3\xa9\\ud800"
