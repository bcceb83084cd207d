"""Votes of mask probabilities: the kernel says what PyTorch says, to the last pixel, wherever masks lie."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import InstanceSet
from panoptic_heuristic.fusion.mask_votes import _vote_in_turn, mask_vote
from tests.kernels import needs_kernels

pytestmark = needs_kernels

SIZE = (37, 53)


def drawn(seed, count=12, side=14, size=SIZE, levels=None):
    """Instances whose boxes reach out of the image; with ``levels`` few probabilities, so that many are equal."""
    rng = np.random.default_rng(seed)
    probabilities = rng.random((count, side, side))
    if levels is not None:
        probabilities = np.round(probabilities * levels) / levels
    height, width = size
    corners = rng.uniform(-0.3, 1.3, size=(count, 2, 2)) * [width, height]
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    if seed % 2:
        boxes = np.round(boxes)
    scores = np.round(rng.random(count), 1)
    return from_rois(probabilities, boxes, scores, size)


def from_rois(probabilities, boxes, scores, size=SIZE):
    return InstanceSet.from_rois(
        np.asarray(probabilities, dtype=np.float32), np.asarray(boxes, dtype=np.float32), scores,
        np.ones(len(scores), dtype=np.int64), size,
    )  # fmt: skip


def check(instances, ranked=None):
    ranked = list(range(len(instances))) if ranked is None else ranked
    scores = instances.scores.tolist()
    for voters in (None, [scores[index] for index in ranked], [-0.5] * len(ranked), [0.0] * len(ranked)):
        found, expected = mask_vote(instances, ranked, voters), _vote_in_turn(instances, ranked, voters)
        assert torch.equal(found.winner, expected.winner) and torch.equal(found.in_mask, expected.in_mask)
        assert found.winner.dtype == torch.int32 and found.in_mask.dtype == torch.bool
        assert found.mask_areas == expected.mask_areas


@pytest.mark.parametrize("seed", range(12))
def test_both_ways_agree(seed):
    check(drawn(seed))
    check(drawn(seed), ranked=[7, 2, 9])


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("seed", range(4))
def test_equal_probabilities_are_left_to_the_reference(seed, levels):
    check(drawn(seed, levels=levels))
    check(drawn(seed, side=1, levels=levels))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, np.nextafter(np.float32(0.5), np.float32(0))])
def test_masks_of_one_probability(value):
    boxes = [[2, 3, 30, 30], [2, 3, 30, 30], [10.5, 8.25, 51.75, 36.5]]
    check(from_rois(np.full((3, 28, 28), value), boxes, [0.9, 0.8, 0.8]))


def test_boxes_of_no_area_far_away_and_huge_ones():
    boxes = [[5, 5, 5, 9], [9, 5, 5, 9], [-90, -90, -80, -80], [500, 2, 510, 9], [-3e4, -2e4, 5e4, 4e4]]
    boxes.append([1e-3, 0, 2e-3, 9])
    probabilities = np.random.default_rng(0).random((6, 7, 7))
    check(from_rois(probabilities, boxes, np.full(6, 0.5)))
    check(from_rois(probabilities, [*boxes[:5], [-3e38, -3e38, 3e38, 3e38]], np.full(6, 0.5)))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
def test_small_images(size):
    check(drawn(3, size=size))


def test_more_open_pixels_than_there_is_room_for_at_first():
    boxes = np.tile([[0, 0, 100, 90]], (3, 1))
    check(from_rois(np.full((3, 4, 4), 0.5), boxes, [0.5, 0.5, 0.5], size=(90, 100)))


def test_nobody_and_what_the_kernel_does_not_take():
    nobody = from_rois(np.zeros((0, 7, 7)), np.zeros((0, 4)), [])
    assert not mask_vote(nobody, [], None).winner.any() and mask_vote(nobody, [], None).mask_areas == []
    plain = drawn(5)
    for probabilities in (plain.probabilities.double(), torch.where(plain.probabilities > 0.9, torch.nan, 0.3)):
        odd = InstanceSet.from_rois(probabilities, plain.boxes, plain.scores, torch.ones(12, dtype=torch.int64), SIZE)
        check(odd)


def test_probabilities_that_lie_apart_in_memory():
    plain = drawn(6)
    apart = torch.stack([plain.probabilities, plain.probabilities], dim=3)[..., 0]
    check(InstanceSet.from_rois(apart, plain.boxes, plain.scores, torch.ones(12, dtype=torch.int64), SIZE))
