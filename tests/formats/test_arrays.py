import io
import pickle
import zipfile
import zlib

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import arrays
from panoptic_heuristic.formats.arrays import DamagedFileError, is_sound, read_arrays, read_checksum, write_arrays

ARRAYS = {
    "numbers": np.arange(12, dtype=np.int64).reshape(3, 4),
    "empty": np.zeros((0, 7), dtype=np.float32),
    "one": np.array(5, dtype=np.uint16),
    "nan": np.array([np.nan, np.inf]),
    "bools": np.array([True, False]),
}


@pytest.fixture
def path(tmp_path):
    write_arrays(tmp_path / "folder" / "some.arrays", ARRAYS)
    return tmp_path / "folder" / "some.arrays"


def test_arrays_come_back_as_they_were(path):
    found = read_arrays(path)
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_equal_arrays_give_equal_bytes_whatever_their_memory_order(path, tmp_path):
    again = {**ARRAYS, "numbers": np.asfortranarray(ARRAYS["numbers"])}
    write_arrays(tmp_path / "again.arrays", again)
    assert (tmp_path / "again.arrays").read_bytes() == path.read_bytes()
    write_arrays(tmp_path / "other.arrays", {**ARRAYS, "one": np.array(6, dtype=np.uint16)})
    assert read_checksum(tmp_path / "other.arrays") != read_checksum(path)


def test_nothing_but_the_file_is_left(path):
    assert [one.name for one in path.parent.iterdir()] == ["some.arrays"]


def test_every_flipped_byte_is_seen(path):
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        assert not is_sound(path)
        with pytest.raises(DamagedFileError, match="some.arrays is damaged"):
            read_arrays(path)
    path.write_bytes(content)
    assert is_sound(path)


@pytest.mark.parametrize("length", [0, 1, 30, 95, 200, -1])
def test_a_cut_file_is_seen(path, length):
    path.write_bytes(path.read_bytes()[:length])
    assert not is_sound(path)
    with pytest.raises(DamagedFileError, match="run again what wrote it"):
        read_arrays(path)


def test_a_file_of_something_else_is_seen(tmp_path):
    (tmp_path / "x.arrays").write_bytes(pickle.dumps([1]))
    for read in (read_arrays, read_checksum):
        with pytest.raises(DamagedFileError):
            read(tmp_path / "x.arrays")


def test_a_missing_file_is_no_damage(tmp_path):
    assert not is_sound(tmp_path / "none")
    for read in (read_arrays, read_checksum):
        with pytest.raises(InputError, match="cannot read .*none: No such file"):
            read(tmp_path / "none")


def _write(path, version, content):
    path.write_bytes(arrays._first_line(version, content) + content)


def _npz(**content):
    payload = io.BytesIO()
    np.savez_compressed(payload, **content)
    return payload.getvalue()


def test_a_file_of_version_1_is_read(tmp_path):
    _write(tmp_path / "x.arrays", b"1", _npz(**ARRAYS))
    assert is_sound(tmp_path / "x.arrays")
    assert len(read_checksum(tmp_path / "x.arrays")) == 64
    found = read_arrays(tmp_path / "x.arrays")
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_file_of_a_later_version_is_not(tmp_path):
    _write(tmp_path / "x.arrays", b"3", b"[]\n" + zlib.compress(b""))
    assert not is_sound(tmp_path / "x.arrays")
    with pytest.raises(DamagedFileError):
        read_arrays(tmp_path / "x.arrays")


def test_objects_are_neither_written_nor_unpickled(tmp_path):
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "x.arrays", {"x": np.array([{}], dtype=object)})
    _write(tmp_path / "x.arrays", b"1", _npz(x=np.array([{}], dtype=object)))
    with pytest.raises(DamagedFileError, match="damaged"):
        read_arrays(tmp_path / "x.arrays")


@pytest.mark.parametrize(
    "listed, data",
    [
        ('[["x", "|O", [1]]]', bytes(8)),
        ('[["x", "<U1", [1]]]', bytes(4)),
        ('[["x", "|u1", [2]]]', bytes(1)),
        ('[["x", "|u1", [1]]]', bytes(2)),
        ('[["x", "<f4", [1]]]', bytes(4)),
        ('[["x", "|u1", [-1]]]', bytes(1)),
        ('[["x", "|u1", [1.0]]]', bytes(1)),
        ('[["x", "|u1"]]', bytes(1)),
        ("no list", b""),
        ('{"x": 1}', b""),
        ("3", b""),
    ],
)
def test_a_list_that_does_not_fit_its_arrays(tmp_path, listed, data):
    _write(tmp_path / "x.arrays", b"2", listed.encode() + b"\n" + zlib.compress(data) + zlib.compress(b""))
    with pytest.raises(DamagedFileError, match="is damaged"):
        read_arrays(tmp_path / "x.arrays")


NINE, NONE = zlib.compress(bytes(9)), zlib.compress(b"")


def test_whole_numbers_come_before_floating_point_numbers_whatever_is_listed_first(tmp_path):
    _write(tmp_path / "x.arrays", b"2", b'[["x", "<f4", [0]], ["y", "|u1", [9]]]\n' + NINE + NONE)
    assert {name: array.tolist() for name, array in read_arrays(tmp_path / "x.arrays").items()} == {
        "x": [],
        "y": [0] * 9,
    }


@pytest.mark.parametrize("packed", [NINE[:-1] + NONE, NINE, NINE + NONE[:-1], b"", b"no zlib", NINE + b"no zlib"])
def test_packed_arrays_that_are_cut_or_none(tmp_path, packed):
    _write(tmp_path / "x.arrays", b"2", b'[["x", "|u1", [9]]]\n' + packed)
    with pytest.raises(DamagedFileError, match="is damaged"):
        read_arrays(tmp_path / "x.arrays")


@pytest.mark.parametrize("version", [1, 2])
def test_arrays_that_expand_beyond_all_bounds_are_refused_before_they_do(tmp_path, monkeypatch, version):
    path, zeros = tmp_path / "x.arrays", np.zeros(10**6, np.uint8)
    if version == 1:
        _write(path, b"1", _npz(x=zeros))
    else:
        write_arrays(path, {"x": zeros})
    assert path.stat().st_size < 5000
    monkeypatch.setattr(arrays, "MAX_BYTES", 10**6 - 1)
    with pytest.raises(DamagedFileError, match="its arrays take more than 999999 bytes"):
        read_arrays(path)


@pytest.mark.parametrize("content", [{"x.npy": b"no array"}, {"x": b"text"}, {}], ids=str)
def test_a_zip_of_something_else_with_a_right_checksum(tmp_path, content):
    payload = io.BytesIO()
    with zipfile.ZipFile(payload, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    _write(tmp_path / "x.arrays", b"1", payload.getvalue())
    try:
        assert all(isinstance(one, (bytes, np.ndarray)) for one in read_arrays(tmp_path / "x.arrays").values())
    except DamagedFileError as error:
        assert "is damaged" in str(error)
