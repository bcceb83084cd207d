"""Claim rules against plain versions of themselves on full-size arrays, and against each other."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import (
    ClassAware,
    Greedy,
    HeadOutputs,
    InstanceSet,
    Order,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Reclaim,
    fuse,
)
from panoptic_heuristic.fusion.paste import paste
from panoptic_heuristic.testing.scenes import make_scene

SIZE = (48, 65)
SCENES = [
    make_scene(seed, image_size=SIZE, instances=count, empty=count // 10, things=3, tied_scores=tied)
    for seed, (count, tied) in enumerate([(0, False), (1, False), (8, False), (30, True), (60, False), (100, True)])
]
TABLE = ((0, 2), (2, 4), (4, 0))


@pytest.fixture(params=range(len(SCENES)), ids=[f"scene{n}" for n in range(len(SCENES))])
def scene(request):
    return SCENES[request.param]


def rois(scene):
    return InstanceSet.from_rois(scene.probabilities, scene.boxes, scene.scores, scene.category_ids, SIZE)


def soft_masks(scene):
    """(N, H, W) float64."""
    soft = np.zeros((len(scene.scores), *SIZE))
    for index, box in enumerate(torch.from_numpy(scene.boxes).float()):
        x0, y0, values = paste(torch.from_numpy(scene.probabilities[index]), box, *SIZE)
        height, width = values.shape
        soft[index, y0 : y0 + height, x0 : x0 + width] = values.double().numpy()
    return soft


def ranked(scene):
    return np.argsort(-scene.scores.astype(np.float64), kind="stable").tolist()


def claimed(rule, instances, order, scene):
    keys = [float(scene.scores[index]) for index in order]
    return rule.claim(HeadOutputs(instances, None, scene.categories), Order(tuple(order), tuple(keys), {}))


def outcome(claim):
    """The map with places in the input + 1, and why the others were dropped."""
    places = np.array([0] + [index + 1 for index in claim.areas])
    owners = places[claim.panoptic_seg]
    for index, area in claim.areas.items():
        assert (owners == index + 1).sum() == area
    return owners, claim.dropped


def assert_same(claim, owners, dropped):
    found, reasons = outcome(claim)
    np.testing.assert_array_equal(found, owners)
    assert reasons == dropped


@pytest.mark.parametrize("rule", [ClassAware(), ClassAware(0.2, 0.8, 0.0), ClassAware(1.0, 0.2, 0.5)], ids=str)
def test_class_aware(scene, rule):
    owners, dropped, categories = np.zeros(SIZE, dtype=int), {}, np.array([-1, *scene.category_ids])
    for index in ranked(scene):
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
    assert_same(claimed(rule, scene.instances(), ranked(scene), scene), owners, dropped)


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
def test_reclaim(scene, rule):
    soft, areas = soft_masks(scene), scene.masks.sum(axis=(1, 2))

    def on_top(one, other, where):
        if rule.on_top == "area":
            return areas[one] <= rule.area_ratio * areas[other]
        if rule.on_top == "precedence":
            return (scene.category_ids[one], scene.category_ids[other]) in TABLE
        return soft[one][where].sum() > soft[other][where].sum()

    def too_little(index, left):
        return (areas[index] - left) / areas[index] > rule.overlap_threshold

    owners, dropped = np.zeros(SIZE, dtype=int), {}
    for index in ranked(scene):
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
    assert_same(claimed(rule, rois(scene), ranked(scene), scene), owners, dropped)


@pytest.mark.parametrize(
    "rule",
    [PixelArgmax(), PixelArgmax(0.5, kept_pixels="won"), PixelArgmax(0.0, "mask"), PixelArgmax(0.9, "mask", "won")],
    ids=str,
)
def test_pixel_argmax(scene, rule):
    order, soft, dropped = ranked(scene), soft_masks(scene), {}
    # Layer 0 is nobody; argmax takes the first of equal values.
    layers = np.zeros((1 + len(order), *SIZE))
    for place, index in enumerate(order, start=1):
        layers[place] = soft[index] * (float(scene.scores[index]) if rule.by == "score" else 1)
    winners = np.array([0] + [index + 1 for index in order])[layers.argmax(axis=0)]
    owners = np.zeros(SIZE, dtype=int)
    for index in order:
        won, inside = winners == index + 1, soft[index] >= 0.5
        keeps = won if rule.kept_pixels == "won" else won & inside
        if not inside.any():
            dropped[index] = "empty"
        elif won.sum() / inside.sum() < rule.kept_fraction or not keeps.any():
            dropped[index] = "outvoted"
        else:
            owners[keeps] = index + 1
    assert_same(claimed(rule, rois(scene), order, scene), owners, dropped)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_reclaim_with_nothing_on_top_is_greedy(scene, threshold):
    expected = outcome(claimed(Greedy(threshold), scene.instances(), ranked(scene), scene))
    for rule in (Reclaim(threshold, area_ratio=0.0), Reclaim(threshold, on_top="precedence", precedence=[(98, 99)])):
        assert_same(claimed(rule, scene.instances(), ranked(scene), scene), *expected)


def test_within_one_category_class_aware_is_greedy(scene):
    one = InstanceSet.from_bitmaps(scene.masks, scene.scores, np.zeros_like(scene.category_ids))
    owners, dropped = outcome(claimed(Greedy(0.5), one, ranked(scene), scene))
    # Only a segment that is all of itself within the other could be a duplicate then.
    found, reasons = outcome(claimed(ClassAware(0.5, 1.0, 0.0), one, ranked(scene), scene))
    np.testing.assert_array_equal(found, owners)
    assert reasons == dropped


def test_over_binary_probabilities_pixel_argmax_by_score_is_per_pixel(scene):
    # One box for all, and as many values as pixels.
    side = 64
    masks = np.zeros((len(scene.scores), side, side), dtype=bool)
    masks[:, : SIZE[0]] = scene.masks[:, :, :side]
    boxes = np.tile(np.float32([0, 0, side, side]), (len(masks), 1))
    soft = InstanceSet.from_rois(masks.astype(np.float32), boxes, scene.scores, scene.category_ids, (side, side))
    owners, dropped = outcome(claimed(PerPixel(), soft, ranked(scene), scene))
    found, reasons = outcome(claimed(PixelArgmax(0.0), soft, ranked(scene), scene))
    np.testing.assert_array_equal(found, owners)
    assert reasons == {index: {"covered": "outvoted"}.get(reason, reason) for index, reason in dropped.items()}


@pytest.mark.parametrize("by", ["score", "mask"])
def test_nothing_is_won_outside_a_box(scene, by):
    pipeline = Pipeline(PixelArgmax(0.0, by, "won"), 0.0, 0)
    result = fuse(rois(scene), scene.semantics(), scene.categories, pipeline)
    for segment in result.segments_info:
        if segment["isthing"]:
            rows, columns = np.nonzero(result.panoptic_seg == segment["id"])
            x0, y0, x1, y1 = scene.boxes[segment["instance_id"]]
            # Interpolation reaches half a value beyond the box.
            beyond = max(x1 - x0, y1 - y0) / 2 / scene.probabilities.shape[-1] + 1
            assert columns.min() > x0 - beyond and columns.max() < x1 + beyond
            assert rows.min() > y0 - beyond and rows.max() < y1 + beyond


@pytest.mark.parametrize(
    "rule", [ClassAware(), Reclaim(), Reclaim(on_top="mean_probability"), PixelArgmax()], ids=lambda rule: str(rule)
)
def test_inputs_are_not_changed(scene, rule):
    instances = rois(scene)
    before = [tensor.clone() for tensor in (instances.probabilities, instances.boxes, instances.scores)]
    crops = [instances.crop(index).mask.clone() for index in range(len(instances))]
    order = ranked(scene)
    claimed(rule, instances, order, scene)
    after = (instances.probabilities, instances.boxes, instances.scores)
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(torch.equal(instances.crop(index).mask, crop) for index, crop in enumerate(crops))
    assert order == ranked(scene)


def test_the_scenes_exercise_every_reason():
    reasons = {}
    for rule in (ClassAware(), Reclaim(0.4, 0.1, "mean_probability"), Reclaim(1.0, 0.0, area_ratio=0.9), PixelArgmax()):
        for scene in SCENES:
            reasons.setdefault(type(rule), set()).update(
                claimed(rule, rois(scene), ranked(scene), scene).dropped.values()
            )
    assert reasons == {
        ClassAware: {"empty", "overlap", "duplicate", "no_room"},
        Reclaim: {"empty", "overlap", "covered"},
        PixelArgmax: {"empty", "outvoted"},
    }
