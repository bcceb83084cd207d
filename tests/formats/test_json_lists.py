"""JSON lists that are read in pieces: what comes out, and what is said, is what reading the whole file gives."""

import json
import os
import threading

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import json_lists
from panoptic_heuristic.formats.files import read_json
from panoptic_heuristic.formats.json_lists import read_json_list

LISTS = [
    "[]",
    "[ ]",
    "[1]",
    "[12, 1.25, -3e+10,4.5E-2 ,NaN,-Infinity]",
    ' \r\n[\t"a, ] \\" b" , [[], {}], {"x": [1, {"y": "]"}], "x": null}, true\n]\n ',
    '["\\ud800 \\u00fc ü", 12345678901234567890123]',
]
WRONG = [
    "", " ", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] 2", '["a]', '[{"x": }]', "[tru]", "[1\x0b,2]",
    "[1]\u00a0", '[1, {"x": 1}, 01]', "[" + "9" * 5000 + "]", "[1, " + "[" * 10_000,
]  # fmt: skip


@pytest.fixture(params=[1, 2, 7, 2**20], ids="pieces of {}".format)
def write(request, monkeypatch, tmp_path):
    monkeypatch.setattr(json_lists, "_PIECE", request.param)

    def to_file(text):
        (tmp_path / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "x.json"

    return to_file


@pytest.mark.parametrize("text", LISTS)
def test_elements_are_those_of_the_whole_file(write, text):
    assert repr(list(read_json_list(write(text), "list"))) == repr(json.loads(text))


def test_a_byte_order_mark(write):
    assert list(read_json_list(write(b"\xef\xbb\xbf[1, 2]"), "list")) == [1, 2]


@pytest.mark.parametrize("text", WRONG, ids=lambda text: repr(text[:12]))
def test_what_is_no_json_is_told_as_for_other_files(write, text):
    path = write(text)
    with pytest.raises(InputError, match="is not valid JSON: ") as told:
        read_json_list(path, "list")
    with pytest.raises(InputError) as expected:
        read_json(path)
    assert str(told.value) == str(expected.value)


def test_no_utf_8(write):
    with pytest.raises(InputError, match="it is no text in UTF-8"):
        read_json_list(write(b'["a", "\xff"]'), "list")


@pytest.mark.parametrize("text, kind", [("{}", "dict"), ("7", "int"), ('"[1]"', "str"), ("null", "NoneType")])
def test_something_else_than_a_list(write, text, kind):
    with pytest.raises(InputError, match=f"x.json is no list of masks: expected a list, got {kind}"):
        read_json_list(write(text), "list of masks")


def test_a_missing_file_and_a_folder(tmp_path):
    for name in ("gone.json", "."):
        with pytest.raises(InputError, match="cannot read"):
            read_json_list(tmp_path / name, "list")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("text", ["[1, 2]", "[1, "], ids=["a list", "no JSON"])
def test_what_another_program_writes_is_read_once(tmp_path, text):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_text, args=(text,), daemon=True).start()
    if text.endswith("]"):
        assert list(read_json_list(pipe, "list")) == [1, 2]
    else:
        with pytest.raises(InputError, match="is not valid JSON"):
            read_json_list(pipe, "list")


def test_only_pieces_of_a_long_list_are_looked_at(write, monkeypatch):
    monkeypatch.setattr(json_lists, "read_json", None)
    elements = [{"counts": "x" * k, "score": k / 7} for k in range(100)]
    assert list(read_json_list(write(json.dumps(elements)), "list")) == elements
