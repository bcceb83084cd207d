import zipfile

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.logits import read_logits


@pytest.fixture
def read(tmp_path):
    def of(*arrays, channels=3, height=2, width=2, **named):
        path = tmp_path / "a.npz"
        np.savez_compressed(path, *arrays, **named)
        return read_logits(path, channels=channels, height=height, width=width)[1]

    return of


LOGITS = np.array([[[0, 1], [2, -9]], [[5, 1], [2, -8]], [[4, 1], [3, -7]]], np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_the_largest_wins_and_of_equals_the_first(read, dtype):
    assert read(LOGITS.astype(dtype)).tolist() == [[1, 0], [2, 2]]
    assert read(sem_seg=LOGITS.astype(dtype)).tolist() == [[1, 0], [2, 2]]


@pytest.mark.parametrize("channels", [1, 7, 256, 300])
def test_it_is_numpys_argmax(read, channels):
    logits = np.random.default_rng(0).integers(-3, 3, (channels, 20, 30)).astype(np.float32)
    labels = read(logits, channels=channels, height=20, width=30)
    np.testing.assert_array_equal(labels, logits.argmax(axis=0))


def test_minus_infinity_is_a_logit(read):
    assert read(np.where(LOGITS == 5, -np.inf, LOGITS)).tolist() == [[2, 0], [2, 2]]


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_nan_is_an_error_wherever_it_is(read, channel):
    logits = LOGITS.copy()
    logits[channel, 1, 0] = np.nan
    with pytest.raises(InputError, match="a.npz: the logits hold NaN"):
        read(logits)


@pytest.mark.parametrize(
    "logits", [LOGITS[:2], LOGITS[:, :1], LOGITS[0], LOGITS.astype(int), LOGITS > 0, np.array(["x"])], ids=str
)
def test_another_shape_or_type(read, logits):
    with pytest.raises(InputError, match=r"a.npz: expected floating-point logits of shape \(3, 2, 2\), got"):
        read(logits)


def test_two_arrays(read):
    with pytest.raises(InputError, match="a.npz must hold one array, got 2"):
        read(LOGITS, LOGITS)


def test_objects_are_not_unpickled(read):
    with pytest.raises(InputError, match="expected floating-point logits"):
        read(np.array([{}, {}], dtype=object))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"], ids=repr)
def test_no_npz_file(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.npz cannot be read as an .npz file"):
        read_logits(path, channels=3, height=2, width=2)


def test_a_truncated_array(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, LOGITS)
    with zipfile.ZipFile(path) as archive:
        content = archive.read("arr_0.npy")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", content[:-4])
    with pytest.raises(InputError, match="a.npz cannot be read as an .npz file"):
        read_logits(path, channels=3, height=2, width=2)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="b.npz is missing"):
        read_logits(tmp_path / "b.npz", channels=3, height=2, width=2)
