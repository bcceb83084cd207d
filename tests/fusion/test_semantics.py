import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import SemanticMap
from tests.fusion.drawings import GRASS, LABELS, SKY, draw

PICTURE = "0011 0022 0022"


@pytest.mark.parametrize(
    "labels",
    [
        draw(PICTURE),
        draw(PICTURE).astype(np.uint8),
        draw(PICTURE).astype(np.uint16),
        draw(PICTURE).astype(">i4"),
        np.asfortranarray(draw(PICTURE)),
        np.ascontiguousarray(draw(PICTURE)[::-1, ::-1])[::-1, ::-1],
        torch.from_numpy(draw(PICTURE)),
        torch.from_numpy(draw(PICTURE).astype(np.uint8)),
        torch.from_numpy(draw(PICTURE).astype(np.uint16)),
        torch.from_numpy(np.ascontiguousarray(draw(PICTURE).T)).T,
        draw(PICTURE).tolist(),
    ],
    ids=str(
        "int64 uint8 uint16 big_endian fortran negative_strides tensor uint8_tensor uint16_tensor "
        "transposed_tensor lists"
    ).split(),
)
def test_any_array_gives_the_same_map(labels):
    semantics = SemanticMap(labels, LABELS)
    assert semantics.image_size == (3, 4)
    assert semantics.areas == {0: 6, 1: 2, 2: 4}
    assert semantics.count(torch.from_numpy(draw("0001 0001 0001")) > 0) == {1: 1, 2: 2}
    np.testing.assert_array_equal(semantics.look_up({1: 5, 2: 9}).numpy(), draw("0055 0099 0099"))


def test_counts_list_only_labels_that_occur_and_ascend():
    semantics = SemanticMap(draw("97 40"), [None] * 10)
    assert list(semantics.areas.items()) == [(0, 1), (4, 1), (7, 1), (9, 1)]
    assert semantics.count(torch.zeros(2, 2, dtype=torch.bool)) == {}


@pytest.mark.parametrize("largest", [1, 53, 254, 255, 300])
@pytest.mark.parametrize("run", [1, 40], ids=["noise", "runs"])
def test_counts_are_those_of_every_pixel(largest, run):
    # In runs or pixel by pixel, in bytes or larger labels: four ways to count.
    rng = np.random.default_rng([largest, run])
    labels = np.repeat(rng.integers(0, largest + 1, 3000 // run), run).reshape(50, -1)
    labels[0, 0] = largest
    semantics = SemanticMap(labels, dict.fromkeys(range(largest + 1)))
    for where in (None, rng.random(labels.shape) < 0.3, np.zeros(labels.shape, bool), np.ones(labels.shape, bool)):
        chosen = labels if where is None else labels[where]
        expected = dict(zip(*(one.tolist() for one in np.unique(chosen, return_counts=True)), strict=True))
        counted = semantics.count(None if where is None else torch.from_numpy(where))
        assert counted == expected and list(counted) == sorted(counted)
        assert {type(pixels) for pixels in counted.values()} <= {int}


def test_look_up_gives_int32_and_zero_for_labels_without_a_value():
    semantics = SemanticMap(draw(PICTURE), LABELS)
    assert semantics.look_up({}).dtype == torch.int32
    assert not semantics.look_up({}).any()


def test_look_up_takes_values_of_labels_that_do_not_occur():
    semantics = SemanticMap(draw("12"), LABELS)
    np.testing.assert_array_equal(semantics.look_up({1: 7, 9: 8}).numpy(), draw("70"))


def test_labels_may_be_given_as_a_list_or_a_mapping():
    by_list = SemanticMap(draw(PICTURE), [None, SKY, GRASS])
    assert by_list.label_to_category == SemanticMap(draw(PICTURE), LABELS).label_to_category == LABELS


def test_labels_that_do_not_occur_need_no_pixel():
    assert SemanticMap(draw("11"), LABELS).areas == {1: 2}


def test_read_only_labels_are_read_and_left_alone():
    labels = draw(PICTURE)
    labels.setflags(write=False)
    assert SemanticMap(labels, LABELS).areas == {0: 6, 1: 2, 2: 4}


def test_logits_are_kept():
    logits = np.zeros((3, 3, 4), np.float32)
    assert SemanticMap(draw(PICTURE), LABELS, logits).logits.shape == (3, 3, 4)


@pytest.mark.parametrize(
    "labels, label_to_category, message",
    [
        (np.zeros((1, 3, 4), int), LABELS, r"\(H, W\) integers, got \(1, 3, 4\)"),
        (np.zeros((3, 4), np.float32), LABELS, r"\(H, W\) integers, got \(3, 4\) torch.float32"),
        (np.zeros((3, 4), bool), LABELS, r"\(H, W\) integers, got \(3, 4\) torch.bool"),
        (np.zeros((0, 4), int), LABELS, r"at least one pixel, got \(0, 4\)"),
        (draw("01 23"), LABELS, "holds label 3, which label_to_category lacks"),
        (draw("01 23"), [None, SKY], "holds label 2, which label_to_category lacks"),
        (draw("01 22") - 1, LABELS, r"in \[0, 65535\], got -1"),
        (draw("01 22") + 65536, LABELS, r"in \[0, 65535\], got 65538"),
    ],
)
def test_wrong_input_is_named(labels, label_to_category, message):
    with pytest.raises(InputError, match=message):
        SemanticMap(labels, label_to_category)


def test_logits_of_another_size_are_an_error():
    with pytest.raises(InputError, match=r"logits are \(3, 6, 8\), but the labels \(3, 4\)"):
        SemanticMap(draw(PICTURE), LABELS, np.zeros((3, 6, 8), np.float32))
