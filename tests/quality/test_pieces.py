"""Pieces of two maps: drawings, and the law that they are the pairs of pixels, with the kernels and without."""

from collections import Counter

import numpy as np
import pytest

from panoptic_heuristic.formats.coco_panoptic import PngRows, as_ids, ids_to_rgb, read_panoptic_map
from panoptic_heuristic.quality import pieces
from panoptic_heuristic.quality.pieces import Pieces
from tests.formats.tiny_panoptic import write_png
from tests.kernels import needs_kernels


def pixels_of_pairs(found):
    """Pixels by pair of values; pieces of one pair add up."""
    counts = Counter()
    for gt, pred, pixels in zip(found.gt.tolist(), found.pred.tolist(), found.pixels.tolist(), strict=True):
        counts[gt, pred] += pixels
    return counts


def expected_of(gt, pred):
    return Counter(zip(np.asarray(gt).ravel().tolist(), np.asarray(pred).ravel().tolist(), strict=True))


@pytest.mark.usefixtures("kernels")
def test_pieces_end_where_either_map_changes():
    found = Pieces.of_maps(np.array([[1, 1, 1], [1, 2, 2]]), np.array([[5, 5, 6], [6, 6, 6]]))
    assert (found.gt.tolist(), found.pred.tolist(), found.pixels.tolist()) == ([1, 1, 2], [5, 6, 6], [2, 2, 2])


def test_a_pair_that_comes_again_is_one_piece_of_the_kernel_and_two_runs(kernels):
    found = Pieces.of_maps(np.array([[1, 2, 1]]), np.array([[5, 5, 5]]))
    assert found.pixels.tolist() == ([2, 1] if kernels else [1, 1, 1])
    assert pixels_of_pairs(found) == {(1, 5): 2, (2, 5): 1}


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_no_pixel_is_no_piece(kernels, shape):
    assert Pieces.of_maps(np.zeros(shape, int), np.zeros(shape)).pixels.tolist() == []


DTYPES = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, ">i4", ">i8"]


@pytest.mark.parametrize("dtype", DTYPES, ids=[np.dtype(dtype).str for dtype in DTYPES])
def test_ids_of_any_kind_and_size_are_counted_as_they_are(kernels, dtype):
    info, rng = np.iinfo(dtype), np.random.default_rng(0)
    some = np.array([info.min, info.max if info.max < 2**63 else 2**63 - 1, 0, 1], dtype=dtype)
    for width in (1, 2, 7, 33, 100):
        gt = some[np.repeat(rng.integers(4, size=(5, width)), 3, axis=1)]
        pred = rng.integers(-3, 3, size=gt.shape)
        assert pixels_of_pairs(Pieces.of_maps(gt, pred)) == expected_of(gt, pred)


def test_views_are_counted_as_copies_are(kernels):
    gt, pred = np.random.default_rng(1).integers(9, size=(2, 40, 30))
    views = (gt[::2, ::-3], pred.T[:10, 20:].T)
    assert views[0].shape == views[1].shape
    assert pixels_of_pairs(Pieces.of_maps(*views)) == expected_of(*views)


@pytest.mark.parametrize("most", [pieces._MOST_PAIRS, pieces._MOST_PAIRS + 1], ids=["as many pairs as fit", "one more"])
def test_maps_of_noise_are_counted_too(kernels, most):
    gt = np.arange(most, dtype=np.int32).reshape(1, -1)
    found = Pieces.of_maps(gt, -gt)
    assert pixels_of_pairs(found) == expected_of(gt, -gt)


@needs_kernels
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (23, 5), (23, 6), (17, 64), (48, 61)])
def test_rows_of_pngs_are_counted_as_their_ids_are(tmp_path, size):
    rng = np.random.default_rng(size)
    maps = []
    for number in range(2):
        ids = np.kron(rng.integers(0, 2**24, (16, 8)) * (rng.random((16, 8)) < 0.8), np.ones((3, 8), int))
        ids = ids[: size[0], : size[1]]
        write_png(tmp_path / f"{number}.png", ids)
        maps.append((ids, read_panoptic_map(tmp_path / f"{number}.png", height=size[0], width=size[1])))
    (gt, gt_rows), (pred, pred_rows) = maps
    assert isinstance(gt_rows, PngRows) and gt_rows.shape == gt.shape
    for pair in ((gt_rows, pred_rows), (gt, pred_rows), (gt_rows, pred)):
        assert pixels_of_pairs(Pieces.of_maps(*pair)) == expected_of(gt, pred)
        np.testing.assert_array_equal(as_ids(pair[0]), gt)


@needs_kernels
def test_rows_of_noise_are_counted_by_their_ids():
    ids = np.random.default_rng(0).integers(0, 2**24, (70, 70))
    rows = PngRows(np.concatenate([np.zeros((70, 1), np.uint8), ids_to_rgb(ids).reshape(70, -1)], axis=1))
    assert pixels_of_pairs(Pieces.of_maps(rows, ids)) == expected_of(ids, ids)
