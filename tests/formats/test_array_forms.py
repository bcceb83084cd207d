import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.array_forms import ArrayForm, check_arrays

FORMS = {
    "scores": ArrayForm("floating-point numbers", ("N",)),
    "boxes": ArrayForm("whole numbers", ("N", 4), 0, 9),
    "text": ArrayForm("bytes", ("L",), optional=True),
}
SOUND = {"scores": np.array([0.5, np.nan]), "boxes": np.array([[0, 9, 3, 4]] * 2)}


def test_sound_arrays_give_the_lengths_of_their_letters():
    assert check_arrays(SOUND, FORMS, "a") == {"N": 2}
    assert check_arrays({**SOUND, "text": np.zeros(3, np.uint8), "more": np.zeros(1)}, FORMS, "a") == {"N": 2, "L": 3}


@pytest.mark.parametrize(
    "change, told",
    [
        ({"boxes": np.zeros((3, 4), int)}, r"expected 'boxes' to be whole numbers of shape \(2, 4\), got int64"),
        ({"boxes": np.zeros((2, 4))}, "expected 'boxes' to be whole numbers of shape .* got float64"),
        ({"boxes": np.zeros((2, 4), np.uint64)}, "got uint64"),
        ({"boxes": np.zeros((2, 4), bool)}, "got bool"),
        ({"boxes": np.full((2, 4), 10)}, r"'boxes' holds 10, which is not in \[0, 9\]"),
        ({"boxes": np.full((2, 4), -1)}, r"'boxes' holds -1, which is not in \[0, 9\]"),
        ({"scores": np.array(["a", "b"])}, r"floating-point numbers of shape \(N\), got <U1"),
        ({"text": np.zeros(3)}, r"bytes of shape \(L\), got float64"),
    ],
)
def test_others_are_told(change, told):
    with pytest.raises(InputError, match=f"^a.arrays is wrong inside: .*{told}.*; delete it and run again"):
        check_arrays({**SOUND, **change}, FORMS, "a.arrays")


def test_a_missing_array_and_a_known_length():
    with pytest.raises(InputError, match="it has no array 'boxes'"):
        check_arrays({"scores": np.zeros(2)}, FORMS, "a")
    with pytest.raises(InputError, match=r"shape \(3\), got float64 of shape \(2,\)"):
        check_arrays(SOUND, FORMS, "a", N=3)
