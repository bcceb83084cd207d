"""Counting shared pixels: the law, and both ways of counting."""

import numpy as np
import pytest

from panoptic_heuristic.quality import overlap
from panoptic_heuristic.quality.overlap import Overlap, places_of
from panoptic_heuristic.quality.pieces import Pieces


class TestPlaces:
    def test_they_follow_the_list_and_not_the_ids(self):
        values = np.array([0, 9, 4, 7, 5, 10, -1])
        # Void, the first, second and third listed, and three that are neither.
        assert places_of(values, [9, 4, 7]).tolist() == [0, 1, 2, 3, 4, 4, 4]

    @pytest.mark.parametrize("number", [1, 2, 30, 125, 126, 127, 500])
    @pytest.mark.parametrize("many", [0, overlap._MANY], ids=["", "few values"])
    def test_few_are_looked_up_and_many_searched_with_one_result(self, monkeypatch, number, many):
        monkeypatch.setattr(overlap, "_MANY", many)
        rng = np.random.default_rng(number)
        # Neighbours, as label-divisor maps have them, colours, and numbers of any size.
        for low, high in ((1, 1 + number), (1, 2**24), (-(2**62), 2**62)):
            listed = sorted({int(one) for one in rng.integers(low, high, 2 * number)} - {0})[:number]
            rng.shuffle(listed)
            values = rng.permutation(np.array([0, *listed, *listed, *rng.integers(low, high, 50)]))
            places = {0: 0, **{value: place for place, value in enumerate(listed, start=1)}}
            expected = [places.get(value, len(listed) + 1) for value in values.tolist()]
            assert places_of(values, listed).tolist() == expected

    def test_nothing_listed(self):
        assert places_of(np.array([0, 1, -1, 2**24]), []).tolist() == [0, 1, 1, 1]

    def test_no_values(self):
        assert places_of(np.zeros(0, np.int32), [5]).tolist() == []


@pytest.mark.parametrize("largest_table", [0, 2**20], ids=["sorted", "table"])
def test_pairs_are_those_of_the_masks(monkeypatch, largest_table):
    monkeypatch.setattr(overlap, "_LARGEST_TABLE", largest_table)
    rng = np.random.default_rng(0)
    for _ in range(20):
        height, width, n_gt, n_pred = rng.integers(1, 9, 4)
        gt, pred = rng.integers(n_gt, size=(height, width)), rng.integers(n_pred, size=(height, width))
        found = Overlap.of_places(Pieces.of_maps(gt, pred), (n_gt, n_pred))
        pixels = {(g, p): np.count_nonzero((gt == g) & (pred == p)) for g in range(n_gt) for p in range(n_pred)}
        expected = {pair: count for pair, count in pixels.items() if count}
        pairs = zip(found.gt.tolist(), found.pred.tolist(), strict=True)
        assert dict(zip(pairs, found.pixels.tolist(), strict=True)) == expected
        assert found.gt_area(n_gt).tolist() == np.bincount(gt.reshape(-1), minlength=n_gt).tolist()
        assert found.pred_area(n_pred).tolist() == np.bincount(pred.reshape(-1), minlength=n_pred).tolist()
        on_void = np.bincount(pred[gt == 0], minlength=n_pred)
        assert found.pred_area(n_pred, found.gt == 0).tolist() == on_void.tolist()
        assert {(g, p): pixels for g, p, pixels in found.pairs()} == expected
