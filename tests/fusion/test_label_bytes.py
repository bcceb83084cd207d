import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import SemanticMap, label_bytes

pytestmark = pytest.mark.usefixtures("kernels")


def random_labels(rng, shape, most=9):
    """Runs of every length, so that they end everywhere in the eight pixels that a kernel looks at."""
    lengths = rng.integers(1, 20, shape[0] * shape[1])
    return np.repeat(rng.integers(0, most + 1, len(lengths)), lengths)[: shape[0] * shape[1]].reshape(shape)


SHAPES = [(1, 1), (1, 7), (1, 8), (3, 3), (1, 16), (5, 13), (97, 201)]
DTYPES = ["uint8", "int8", "int16", "int32", "int64", "uint16", ">i4"]


def counted(labels, where=True):
    found, counts = np.unique(labels[np.broadcast_to(where, labels.shape)], return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("shape", SHAPES)
class TestNarrowed:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_labels_and_their_counts(self, shape, dtype):
        labels = random_labels(np.random.default_rng(shape), shape).astype(dtype)
        narrow, counts = label_bytes.narrowed(labels)
        assert narrow.dtype == np.uint8 and narrow.flags.c_contiguous
        np.testing.assert_array_equal(narrow, labels)
        assert counts == counted(labels) and list(counts) == sorted(counts)
        assert all(type(number) is int for pair in counts.items() for number in pair)

    def test_columns_first_and_every_other_pixel(self, shape):
        labels = random_labels(np.random.default_rng(shape), (2 * shape[0], 3 * shape[1]))
        for view in (np.asfortranarray(labels), labels[::2, ::3], labels[::-1, ::-1]):
            narrow, counts = label_bytes.narrowed(view)
            np.testing.assert_array_equal(narrow, view)
            assert counts == counted(view)

    @pytest.mark.parametrize(
        "dtype, value, fits",
        [
            *[("int64", value, fits) for value, fits in [(254, True), (255, False), (256, False), (2**24 - 1, False)]],
            *[("int64", -1, False), ("int64", -(2**63), False), ("int64", 2**40, False), ("int64", -256, False)],
            *[("int32", 254, True), ("int32", 255, False), ("int32", -1, False), ("int32", 2**31 - 1, False)],
            *[("int16", 254, True), ("int16", 256, False), ("int16", -1, False), ("int16", -256, False)],
            *[("uint8", 254, True), ("uint8", 255, False)],
            *[("int8", 127, True), ("int8", -1, False), ("int8", -2, False)],
        ],
    )
    def test_only_what_fits_beside_one_that_is_no_label(self, shape, dtype, value, fits):
        for place in (0, shape[0] * shape[1] // 2, shape[0] * shape[1] - 1):
            labels = random_labels(np.random.default_rng(shape), shape).astype(dtype)
            labels.flat[place] = value
            found = label_bytes.narrowed(labels)
            assert (found is not None) == fits
            if fits:
                assert found[1] == counted(labels)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("taken", [0.0, 0.02, 0.6, 1.0])
class TestBesideAMapOfSegments:
    def inputs(self, shape, taken):
        rng = np.random.default_rng([*shape, int(100 * taken)])
        labels = random_labels(rng, shape, most=254).astype(np.uint8)
        # In runs, too, and alone.
        segments = rng.integers(1, 2**24, shape) * (random_labels(rng, shape, most=99) < 100 * taken)
        return labels, segments.astype(np.int32)

    def test_counting_those_that_are_taken(self, shape, taken):
        labels, segments = self.inputs(shape, taken)
        expected = counted(labels, segments != 0)
        assert label_bytes.counts(labels, segments != 0) == expected
        for view in (segments, np.asfortranarray(segments), segments.astype(np.int64), -segments):
            assert label_bytes.counts_of_taken(labels, view) == expected

    def test_filling_those_that_are_free(self, shape, taken):
        labels, segments = self.inputs(shape, taken)
        values = {label: 7 * label for label in range(0, 255, 2)}
        expected = np.where(segments == 0, np.where(labels % 2 == 0, 7 * labels.astype(np.int32), 0), segments)
        before = segments.copy()
        for view in (segments, np.asfortranarray(segments)):
            found = label_bytes.filled(labels, view, {**values, 255: 1, 1000: 1, -3: 1})
            assert found.dtype == np.int32
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(segments, before)
        np.testing.assert_array_equal(label_bytes.filled(labels, segments, {}), segments)


def test_a_semantic_map_says_the_same_by_bytes_and_by_numbers():
    """Labels from 255 on are kept as they are."""
    labels = random_labels(np.random.default_rng(0), (30, 41))
    taken = torch.from_numpy((random_labels(np.random.default_rng(1), (30, 41)) < 4).astype(np.int32))
    few, many = SemanticMap(labels, range(10)), SemanticMap(labels * 1000, {1000 * k: k for k in range(10)})
    for found, expected in [(few.areas, many.areas), (few.count_taken(taken), many.count_taken(taken))]:
        assert {1000 * label: count for label, count in found.items()} == expected
    filled = few.filled(taken, {3: 7, 5: 9}), many.filled(taken, {3000: 7, 5000: 9})
    assert torch.equal(*filled) and filled[0].dtype == filled[1].dtype == torch.int32


@pytest.mark.parametrize("wrong", [70000, -1])
def test_a_label_out_of_bounds_is_told(wrong):
    numbers = np.array([[1, 0, wrong, 1]])
    with pytest.raises(InputError, match=rf"semantic labels must be in \[0, 65535\], got {wrong}"):
        SemanticMap(numbers, {0: None, 1: 1})


def test_255_is_a_label_like_others():
    assert SemanticMap(np.array([[255, 0, 255]]), {0: None, 255: 1}).areas == {0: 1, 255: 2}
