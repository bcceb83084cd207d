"""Claim rules that look at masks against plain versions of themselves on whole images, and against each other."""

import numpy as np
import pytest

from panoptic_heuristic.fusion import (
    ClassAware,
    Greedy,
    InstanceSet,
    JointList,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Reclaim,
    fuse,
)
from tests.fusion.cases import CASES
from tests.fusion.results import assert_same
from tests.fusion.rules.claims import assert_claimed, claimed, owners_of, ranked, soft_layers

TABLE = ((0, 2), (2, 4), (4, 0))


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.mark.parametrize("rule", [ClassAware(), ClassAware(0.2, 0.8, 0.0), ClassAware(1.0, 0.2, 0.5)], ids=str)
def test_class_aware(case, rule):
    scene, owners, dropped = case.scene, np.zeros(case.scene.image_size, dtype=int), {}
    categories = np.array([-1, *scene.category_ids])
    for index in ranked(case):
        mask = scene.masks[index]
        area, shared = mask.sum(), np.unique(owners[mask & (owners > 0)])
        same = (categories[owners[mask]] == scene.category_ids[index]).sum()
        both = [(owners[mask] == other).sum() for other in shared]
        if area == 0:
            dropped[index] = "empty"
        elif same / area > rule.overlap_threshold:
            dropped[index] = "overlap"
        elif any(
            pixels / area >= rule.duplicate_threshold and pixels / (owners == other).sum() >= rule.duplicate_threshold
            for pixels, other in zip(both, shared, strict=True)
        ):
            dropped[index] = "duplicate"
        elif (owners[mask] == 0).sum() / area <= rule.free_fraction:
            dropped[index] = "no_room"
        else:
            owners[mask & (owners == 0)] = index + 1
    assert_claimed(claimed(rule, case), owners, dropped)


@pytest.mark.parametrize(
    "rule",
    [
        Reclaim(),
        Reclaim(1.0, 0.0, area_ratio=0.9),
        Reclaim(0.6, on_top="precedence", precedence=TABLE),
        Reclaim(0.4, 0.1, "mean_probability"),
        Reclaim(1.0, 0.0, "mean_probability"),
    ],
    ids=str,
)
def test_reclaim(case, rule):
    scene, (soft, _), areas = case.scene, soft_layers(case), case.scene.masks.sum(axis=(1, 2))

    def on_top(one, other, where):
        if rule.on_top == "area":
            return areas[one] <= rule.area_ratio * areas[other]
        if rule.on_top == "precedence":
            return (scene.category_ids[one], scene.category_ids[other]) in TABLE
        return soft[one][where].sum() > soft[other][where].sum()

    def too_little(index, left):
        return (areas[index] - left) / areas[index] > rule.overlap_threshold

    owners, dropped = np.zeros(scene.image_size, dtype=int), {}
    for index in ranked(case):
        mask = scene.masks[index]
        if areas[index] == 0:
            dropped[index] = "empty"
            continue
        gets = mask & (owners == 0)
        for other in np.unique(owners[mask & (owners > 0)]) - 1:
            both, segment = mask & (owners == other + 1), owners == other + 1
            share = max(both.sum() / areas[index], both.sum() / segment.sum())
            if share >= rule.intersection_threshold and on_top(index, other, both):
                gets |= both
        if too_little(index, gets.sum()):
            dropped[index] = "overlap"
        elif not gets.any():
            dropped[index] = "covered"
        else:
            victims = np.unique(owners[gets & (owners > 0)]) - 1
            owners[gets] = index + 1
            for other in victims.tolist():
                left = (owners == other + 1).sum()
                if left == 0 or too_little(other, left):
                    dropped[other] = "overlap" if left else "covered"
                    owners[owners == other + 1] = 0
    assert_claimed(claimed(rule, case), owners, dropped)


@pytest.mark.parametrize(
    "rule",
    [PixelArgmax(), PixelArgmax(0.5, kept_pixels="won"), PixelArgmax(0.0, "mask"), PixelArgmax(0.9, "mask", "won")],
    ids=str,
)
def test_pixel_argmax(case, rule):
    order, (soft, _), dropped = ranked(case), soft_layers(case), {}
    # Layer 0 is nobody; argmax takes the first of equal values.
    layers = np.zeros((1 + len(order), *case.scene.image_size))
    for place, index in enumerate(order, start=1):
        layers[place] = soft[index] * (float(case.scene.scores[index]) if rule.by == "score" else 1)
    winners = np.array([0] + [index + 1 for index in order])[layers.argmax(axis=0)]
    owners = np.zeros(case.scene.image_size, dtype=int)
    for index in order:
        won, inside = winners == index + 1, soft[index] >= 0.5
        keeps = won if rule.kept_pixels == "won" else won & inside
        if not inside.any():
            dropped[index] = "empty"
        elif won.sum() / inside.sum() < rule.kept_fraction or not keeps.any():
            dropped[index] = "outvoted"
        else:
            owners[keeps] = index + 1
    assert_claimed(claimed(rule, case), owners, dropped)


def test_per_pixel(case):
    scene, order, dropped = case.scene, ranked(case), {}
    # Layer 0 is nobody; argmax takes the first of equal scores.
    layers = np.full((1 + len(order), *scene.image_size), -1.0)
    layers[0] = 0.0
    for index in range(len(order)):
        layers[1 + index][scene.masks[index]] = scene.scores[index]
    owners = layers.argmax(axis=0)
    for index in order:
        if not (owners == index + 1).any():
            dropped[index] = "covered" if scene.masks[index].any() else "empty"
    assert_claimed(claimed(PerPixel(), case), owners, dropped)


class TestTheyAreAlike:
    @pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
    def test_reclaim_with_nothing_on_top_is_greedy(self, case, threshold):
        greedy = claimed(Greedy(threshold), case)
        for rule in (Reclaim(threshold, area_ratio=0), Reclaim(threshold, on_top="precedence", precedence=[(98, 99)])):
            assert_claimed(claimed(rule, case), owners_of(greedy), greedy.dropped)

    def test_within_one_category_class_aware_is_greedy(self, case):
        one = InstanceSet.from_bitmaps(case.scene.masks, case.scene.scores, np.zeros_like(case.scene.category_ids))
        greedy = claimed(Greedy(0.5), case, one)
        # Only a segment that is all of itself within the other could be a duplicate then.
        assert_claimed(claimed(ClassAware(0.5, 1.0, 0.0), case, one), owners_of(greedy), greedy.dropped)

    def test_over_binary_probabilities_pixel_argmax_by_score_is_per_pixel(self, case):
        # One box for all, and as many values as pixels.
        scene, (height, width), side = case.scene, case.scene.image_size, 64
        masks = np.zeros((len(scene.scores), side, side), dtype=np.float32)
        masks[:, :height, :width] = scene.masks[:, :, :side]
        boxes = np.tile(np.float32([0, 0, side, side]), (len(masks), 1))
        soft = InstanceSet.from_rois(masks, boxes, scene.scores, scene.category_ids, (side, side))
        per_pixel = claimed(PerPixel(), case, soft)
        dropped = {index: {"covered": "outvoted"}.get(reason, reason) for index, reason in per_pixel.dropped.items()}
        assert_claimed(claimed(PixelArgmax(0.0), case, soft), owners_of(per_pixel), dropped)

    def test_with_sure_stuff_that_comes_last_and_is_not_tested_joint_list_is_greedy(self, case):
        scene = case.scene
        # All scores are above a probability here.
        values = scene.probabilities, scene.boxes, 1 + scene.scores, scene.category_ids, scene.image_size
        results = [
            fuse(InstanceSet.from_rois(*values), case.semantics, scene.categories, Pipeline(rule, 0, 20))
            for rule in (JointList(0.5, 1.0, 0.0), Greedy(0.5))
        ]
        assert_same(*results)
