"""The kernels that group pixels and claim regions, against the same steps in NumPy."""

import numpy as np
import pytest

from panoptic_heuristic import native
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.greedy import claim_greedily
from panoptic_heuristic.ablation.regions.grouping import group_pixels
from tests.ablation.random_images import CATEGORIES, LABELS, random_image
from tests.kernels import needs_kernels

pytestmark = needs_kernels


@pytest.fixture
def both():
    """Calls a function with the kernels and without."""

    def call(function, *arguments):
        found = function(*arguments)
        with native.switched_off():
            return found, function(*arguments)

    return call


def assert_same(found, expected):
    """Two groups of arrays, equal in type, shape and values."""
    for one, other in zip(found, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def groupings(both, *arguments):
    found, expected = both(group_pixels, *arguments)
    assert_same(vars(found).values(), vars(expected).values())
    return found


def runs_of(values):
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return values[starts], starts


def ends(*masks):
    """What :func:`group_pixels` takes, of strings with a # per pixel."""
    rows = [np.cumsum([0, *map(len, mask.split("|"))][1:]) for mask in masks]
    assert len({row[-1] for row in rows}) == 1
    return rows


class TestGrouping:
    @pytest.mark.parametrize("seed", range(40))
    def test_random_images(self, both, seed):
        image = random_image(seed)
        rng = np.random.default_rng([seed, 3])
        height, width = image.predictions.image_size
        # Ids up to the highest one of a PNG, and the most negative and positive numbers.
        pools = [[0, 2**24 - 1, 2**24 - 2], [-1, 0, 1, 2, 3], [-(2**63) + 1, 2**63 - 2]]
        keys = [
            runs_of(np.repeat(rng.choice(pool, height * width), rng.integers(1, 9))[: height * width])
            for pool in pools[: rng.integers(1, 4)]
        ]
        grouping = groupings(both, keys, image.predictions.mask_runs, height * width)
        assert grouping.pixels.sum() == grouping.lengths.sum() == height * width

    def test_groups_are_numbered_as_they_come(self, both):
        key = np.array([7, 5, 7]), np.array([0, 2, 4])
        # Background first: the mask has the pixels 1, 2 and 5.
        grouping = groupings(both, [key], ends("1|11|11|1"), 6)
        assert grouping.lengths.tolist() == [1, 1, 1, 1, 1, 1]
        assert grouping.group.tolist() == [0, 1, 2, 3, 0, 1]
        assert grouping.keys.tolist() == [[7, 7, 5, 5]]
        assert grouping.cover.tolist() == [[0], [1], [1], [0]]
        assert grouping.pixels.tolist() == [2, 2, 1, 1]

    def test_runs_without_a_pixel_change_no_group(self, both):
        key = np.array([3]), np.array([0])
        runs = [np.array([0, 0, 2, 2, 2, 4, 4]), np.array([4]), np.array([0, 4])]
        grouping = groupings(both, [key], runs, 4)
        assert grouping.pixels.tolist() == [2, 2]
        assert grouping.cover.tolist() == [[4], [5]]

    def test_one_pixel_and_no_mask(self, both):
        grouping = groupings(both, [(np.array([9]), np.array([0]))], [], 1)
        assert grouping.pixels.tolist() == [1]
        assert grouping.cover.shape == (1, 0)

    @pytest.mark.parametrize("count", [63, 64, 65, 129])
    def test_masks_on_both_sides_of_a_word(self, both, count):
        runs = [np.array([place, place + 1, count + 1]) for place in range(count)]
        grouping = groupings(both, [(np.array([0]), np.array([0]))], runs, count + 1)
        assert grouping.pixels.tolist() == [1] * (count + 1)
        assert grouping.cover.shape == (count + 1, -(-count // 64))


class TestGreedyClaim:
    @pytest.mark.parametrize("seed", range(40))
    def test_random_images(self, both, seed):
        image = random_image(seed)
        regions = build_regions(image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
        rng = np.random.default_rng([seed, 4])
        ranked = rng.permutation(len(regions.scores))[: rng.integers(len(regions.scores) + 1)]
        settings = int(rng.choice([1, 2, 30, 300]))
        tenths = np.linspace(0, 1, 11)
        every = {
            "one for all": np.broadcast_to(rng.choice(tenths, settings), (len(ranked), settings)),
            "of each": rng.choice(tenths, (len(ranked), settings)),
            "by setting": rng.choice(tenths, (settings, len(ranked))).T,
            "every other": rng.choice(tenths, (len(ranked), 2 * settings))[:, ::2],
        }
        some = rng.random((settings, len(ranked))).T < 0.8
        for thresholds in every.values():
            for takes_part in (None, some):
                assert_same(*both(claim_greedily, regions, ranked, thresholds, takes_part))

    @pytest.mark.parametrize("settings", [0, 1, 3])
    def test_nobody_takes_part(self, both, settings):
        image = random_image(5)
        regions = build_regions(image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
        nobody = np.empty(0, np.int64)
        assert_same(*both(claim_greedily, regions, nobody, np.empty((0, settings)), None))

    def test_a_threshold_that_is_no_number_keeps_nobody(self, both):
        image = random_image(8)
        regions = build_regions(image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments)
        ranked = np.arange(len(regions.scores))
        found, expected = both(claim_greedily, regions, ranked, np.full((len(ranked), 1), np.nan), None)
        assert_same(found, expected)
        assert not found.kept.any()
