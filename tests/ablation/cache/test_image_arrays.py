"""The id and the size of an image among the arrays of a file."""

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.image_arrays import image_of_arrays, image_to_arrays
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arrays import read_arrays, write_arrays
from tests.formats.text_ids import ODD


def test_of_a_number_there_is_one_array_as_ever():
    arrays = image_to_arrays(-7, (4, 5))
    assert list(arrays) == ["image"]
    assert arrays["image"].dtype == np.int64 and arrays["image"].tolist() == [-7, 4, 5]


@pytest.mark.parametrize("image_id", [0, -7, 2**62, "0", *ODD])
def test_files_give_back_the_id_and_the_size(tmp_path, image_id):
    write_arrays(tmp_path / "one.arrays", image_to_arrays(image_id, (4, 5)))
    found, size = image_of_arrays(read_arrays(tmp_path / "one.arrays"), "one.arrays")
    assert (type(found), found, size) == (type(image_id), image_id, (4, 5))


@pytest.mark.parametrize(
    "arrays, told",
    [
        ({}, "it has no array 'image'"),
        ({"image": np.arange(2)}, r"expected 'image' to be whole numbers of shape \(3\), got int64 of shape \(2,\)"),
        ({"image": np.arange(3.0)}, r"whole numbers of shape \(3\), got float64"),
        ({"image": np.array([1, 0, 5])}, "its image is 5x0 pixels; there are 1 to"),
        ({"image": np.array([1, 2**40, 2**40])}, "pixels; there are 1 to 134217728"),
    ],
)
def test_arrays_of_something_else(arrays, told):
    with pytest.raises(InputError, match=f"^a.arrays is wrong inside: .*{told}"):
        image_of_arrays(arrays, "a.arrays")


def test_an_id_that_is_no_text():
    arrays = {**image_to_arrays("a", (4, 5)), "image_id": np.array([255], dtype=np.uint8)}
    with pytest.raises(InputError, match="^a.arrays is wrong inside: the id of its image is no UTF-8"):
        image_of_arrays(arrays, "a.arrays")
