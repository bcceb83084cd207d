import hashlib
import json
import re
from pathlib import Path

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import file_sha256, inside, read_json, write_json, written_whole


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
