"""Maps of ids: each drawing by kernels and without."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion.id_maps import IdMap, id_areas, renumbered
from panoptic_heuristic.fusion.instances import Crop

pytestmark = pytest.mark.usefixtures("kernels")


def ids_of(rows):
    return torch.tensor(rows, dtype=torch.int32)


def test_areas_and_new_numbers():
    ids = ids_of([[0, 2, 2, 3], [0, 0, 2, 1]])
    assert id_areas(ids, 4) == [3, 1, 3, 1, 0]
    # 3 comes first now, 1 is gone.
    assert renumbered(ids, [3, 2], 4).tolist() == [[0, 2, 2, 1], [0, 0, 2, 0]]
    assert renumbered(ids, [], 4).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
    # Neither minds how the map lies in memory, and neither changes it.
    assert id_areas(ids.T, 3) == [3, 1, 3, 1] and renumbered(ids.T, [2], 3).tolist() == [[0, 0], [1, 0], [1, 1], [0, 0]]
    assert ids.tolist() == [[0, 2, 2, 3], [0, 0, 2, 1]]


def test_ids_end_at_2_to_24():
    ids = ids_of([[2**24 - 1, 0, 2**24 - 1]])
    areas = id_areas(ids, 2**24 - 1)
    assert areas[0] == 1 and areas[-1] == 2 and sum(areas) == 3
    assert renumbered(ids, [2**24 - 1], 2**24 - 1).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("largest", [1, 511, 512])
@pytest.mark.parametrize("pixels", [1, 3, 4, 997])
def test_few_ids_and_many_are_counted_and_renumbered_as_drawn(largest, pixels):
    rng = np.random.default_rng(pixels)
    ids = rng.integers(0, largest + 1, (1, pixels))
    ids[0, -1] = largest
    assert id_areas(ids_of(ids.tolist()), largest) == np.bincount(ids[0], minlength=largest + 1).tolist()
    assert renumbered(ids_of(ids.tolist()), [largest], largest).tolist() == (ids == largest).astype(int).tolist()


def test_no_pixel():
    none = torch.zeros((0, 4), dtype=torch.int32)
    assert id_areas(none, 2) == [0, 0, 0] and renumbered(none, [1], 2).shape == (0, 4)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_an_id_out_of_range_reads_nothing_else(wrong):
    with pytest.raises((IndexError, RuntimeError)):
        renumbered(ids_of([[0, 1, wrong]]), [1], 2)


def test_masks_are_laid_upon_each_other():
    placed = IdMap((3, 4), 2, torch.device("cpu"))
    crop = Crop(1, 0, torch.tensor([[True, True, False], [True, False, False]]))
    assert placed.areas_under(crop) == [3, 0, 0]
    placed.give(crop, [0], 1)
    assert placed.ids.tolist() == [[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    # Columns first in memory, as from run lengths.
    other = Crop(0, 0, torch.ones((3, 2), dtype=torch.bool).T.contiguous().T)
    assert placed.areas_under(other) == [4, 2, 0]
    placed.give(other, [0], 2)
    assert placed.ids.tolist() == [[2, 1, 1, 0], [2, 1, 0, 0], [2, 2, 0, 0]]
    placed.give(other, [0, 1], 2)
    assert placed.ids.tolist() == [[2, 2, 1, 0], [2, 2, 0, 0], [2, 2, 0, 0]]
    empty = Crop(0, 0, torch.zeros((0, 0), dtype=torch.bool))
    placed.give(empty, [0, 1, 2], 1)
    assert placed.areas_under(empty) == [0, 0, 0] and placed.ids.sum() == 13


def test_areas_of_drawn_maps_are_those_of_numpy():
    rng = np.random.default_rng(0)
    placed, expected = IdMap((20, 30), 9, torch.device("cpu")), np.zeros((20, 30), dtype=np.int32)
    for taker in range(1, 10):
        y0, x0, height, width = rng.integers(0, 10, size=4)
        mask = rng.random((height, width)) < 0.7
        crop, window = Crop(int(x0), int(y0), torch.from_numpy(mask)), expected[y0 : y0 + height, x0 : x0 + width]
        assert placed.areas_under(crop) == np.bincount(window[mask], minlength=10).tolist()
        losers = rng.choice(taker, size=2).tolist()
        placed.give(crop, losers, taker)
        window[mask & np.isin(window, losers)] = taker
        assert np.array_equal(placed.ids.numpy(), expected)
