"""joint_list, logit_sum and adaptive against plain versions of themselves on whole images, and laws of theirs."""

import math

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import (
    Adaptive,
    Greedy,
    HeadOutputs,
    InstanceSet,
    JointList,
    LogitSum,
    Order,
    Pipeline,
    SemanticMap,
    explain,
    fuse,
)
from panoptic_heuristic.fusion.paste import paste
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.logit_drawings import random_semantics

SIZE = (48, 65)
SCENES = [
    make_scene(seed, image_size=SIZE, instances=count, empty=count // 10, things=3, stuff=stuff, tied_scores=tied)
    for seed, (count, stuff, tied) in enumerate(
        [(0, 5, False), (1, 5, False), (8, 2, False), (30, 12, True), (60, 5, False), (100, 9, True)]
    )
]
LARGE = make_scene(6, image_size=(240, 321), instances=20, things=3, stuff=6)
HEADS = ["all things in one channel", "a channel per thing", "a channel for some things"]
RULES = [
    JointList(),
    JointList(0.3, 0.6, 0.4, {0: 0.9}),
    JointList(1.0, 1.0, 0.0),
    LogitSum(),
    LogitSum(1.0),
    LogitSum(0.1, {2: 0.8}),
    Adaptive(),
    Adaptive(1.0),
    Adaptive(0.1, {2: 0.8}),
]


@pytest.fixture(params=range(len(SCENES)), ids=[f"scene{n}" for n in range(len(SCENES))])
def scene(request):
    return SCENES[request.param]


@pytest.fixture(params=HEADS)
def semantics(request, scene):
    return semantics_of(scene, request.param)


def semantics_of(scene, head):
    """Logits whose argmax are the labels, some of them negative; labels of single things lie in stripes."""
    meaning, labels = dict(enumerate(scene.label_to_category)), scene.semantic_labels
    if head != HEADS[0]:
        things = [category.id for category in scene.categories.things][: None if head == HEADS[1] else 1]
        first = len(meaning)
        meaning.update(enumerate(things, start=first))
        stripes = first + np.arange(SIZE[1]) // 9 % (len(things) + (head == HEADS[2]))
        stripes[stripes == first + len(things)] = 0
        labels = np.where(labels == 0, stripes, labels)
    return random_semantics(len(scene.scores), labels, meaning, sharpness=1.5)


def rois(scene, order=None):
    chosen = slice(None) if order is None else order
    return InstanceSet.from_rois(
        scene.probabilities[chosen], scene.boxes[chosen], scene.scores[chosen], scene.category_ids[chosen], SIZE
    )


def ranked(scene):
    return np.argsort(-scene.scores.astype(np.float64), kind="stable").tolist()


def claimed(rule, scene, semantics, instances=None):
    order = ranked(scene)
    heads = HeadOutputs(instances or rois(scene), semantics, scene.categories)
    return rule.claim(heads, Order(tuple(order), tuple(float(scene.scores[index]) for index in order), {}))


def owners_of(claim):
    """The map with places in the input + 1."""
    places = np.array([0] + [index + 1 for index in claim.areas])
    owners = places[claim.panoptic_seg]
    for index, area in claim.areas.items():
        assert (owners == index + 1).sum() == area > 0
    return owners


def threshold_of(rule, category_id):
    return rule.overlap_threshold_of.get(int(category_id), rule.overlap_threshold)


def stuff_channels(scene, semantics):
    meaning = semantics.label_to_category
    return [
        label
        for label in sorted(meaning)
        if meaning[label] is not None and not scene.categories[meaning[label]].isthing
    ]


def thing_channels(semantics, category_id):
    meaning = semantics.label_to_category
    own = [label for label in meaning if meaning[label] == category_id]
    return own or [label for label in meaning if meaning[label] is None]


def layers_of(scene, index):
    """(H, W) float64 mask logits, and (H, W) bool: the box rounded outwards."""
    probabilities, box = torch.from_numpy(scene.probabilities[index]), torch.from_numpy(scene.boxes[index]).float()
    x0, y0, values = paste(probabilities, box, *SIZE)
    soft = np.zeros(SIZE)
    soft[y0 : y0 + values.shape[0], x0 : x0 + values.shape[1]] = values.double().numpy()
    soft = soft.clip(1e-6, 1 - 1e-6)
    rows, columns = np.arange(SIZE[0])[:, None], np.arange(SIZE[1])
    left, top, right, bottom = (float(side) for side in box)
    inside = (columns >= math.floor(left)) & (columns < math.ceil(right))
    return np.log(soft / (1 - soft)), inside & (rows >= math.floor(top)) & (rows < math.ceil(bottom))


def left_in(rule, scene, within_category):
    """Those that better ones leave, and why the others go."""
    kept, dropped = [], {}
    for index in ranked(scene):
        mask, category_id = scene.masks[index], scene.category_ids[index]
        better = [other for other in kept if not within_category or scene.category_ids[other] == category_id]
        covered = np.any(scene.masks[better], axis=0) & mask
        if not mask.any():
            dropped[index] = "empty"
        elif covered.sum() / mask.sum() > threshold_of(rule, category_id):
            dropped[index] = "overlap"
        else:
            kept.append(index)
    return kept, dropped


def assert_won(claim, owners, kept, dropped):
    np.testing.assert_array_equal(owners_of(claim), owners)
    assert list(claim.areas) == [index for index in kept if (owners == index + 1).any()]
    assert claim.dropped == {**dropped, **{index: "outvoted" for index in kept if index not in claim.areas}}


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, LogitSum)], ids=str)
def test_logit_sum(scene, semantics, rule):
    logits = semantics.logits.double().numpy()
    kept, dropped = left_in(rule, scene, within_category=True)
    stuff = stuff_channels(scene, semantics)
    found, instances = np.full(SIZE, -np.inf), np.full((len(kept), *SIZE), -np.inf)
    for place, index in enumerate(kept):
        mask, inside = layers_of(scene, index)
        semantic = logits[thing_channels(semantics, scene.category_ids[index])].max(axis=0)
        instances[place][inside] = (semantic + mask)[inside]
        found[inside] = np.maximum(found, semantic)[inside]
    things = {label for category in scene.categories.things for label in thing_channels(semantics, category.id)}
    unknown = logits[sorted(things)].max(axis=0) - np.where(np.isinf(found), 0, found)
    # Of equal values argmax takes the first.
    winner = np.concatenate([logits[stuff], instances, unknown[None]]).argmax(axis=0)
    owners = np.array([0] * len(stuff) + [index + 1 for index in kept] + [0])[winner]
    claim = claimed(rule, scene, semantics)
    assert_won(claim, owners, kept, dropped)

    category_of = np.array([semantics.label_to_category[label] for label in stuff] + [-1] * (len(kept) + 1))
    meaning = claim.semantics.label_to_category
    found_category = np.array(
        [-1 if meaning.get(label) is None else meaning[label] for label in range(max(meaning) + 1)]
    )
    found_category = found_category[claim.semantics.labels.numpy()]
    free = owners == 0
    np.testing.assert_array_equal(found_category[free], category_of[winner][free])
    np.testing.assert_array_equal(claim.semantics.labels.numpy()[~free], semantics.labels.numpy()[~free])


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, Adaptive)], ids=str)
def test_adaptive(scene, semantics, rule):
    logits = semantics.logits.double().numpy()
    kept, dropped = left_in(rule, scene, within_category=False)
    values = np.full((1 + len(kept), *SIZE), -np.inf)
    values[0] = logits[stuff_channels(scene, semantics)].max(axis=0)
    for place, index in enumerate(kept, start=1):
        mask, inside = layers_of(scene, index)
        a, b = 4 * mask, logits[thing_channels(semantics, scene.category_ids[index])].max(axis=0)
        values[place][inside] = ((1 / (1 + np.exp(-a)) + 1 / (1 + np.exp(-b))) * (a + b))[inside]
    claim = claimed(rule, scene, semantics)
    assert_won(claim, np.array([0] + [index + 1 for index in kept])[values.argmax(axis=0)], kept, dropped)
    assert claim.semantics is None


@pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(rule, JointList)], ids=str)
def test_joint_list(scene, semantics, rule):
    logits, labels = semantics.logits.double().numpy(), semantics.labels.numpy()
    shares = np.exp(logits - logits.max(axis=0))
    probability = np.take_along_axis(shares / shares.sum(axis=0), labels[None], axis=0)[0]
    # The category of a candidate that is stuff, and its place in the input below 0 if it is a thing.
    listed = [(-float(scene.scores[index]), rank, -1 - index) for rank, index in enumerate(ranked(scene))]
    dropped, dropped_stuff = {}, {}
    for label in stuff_channels(scene, semantics):
        category_id, where = semantics.label_to_category[label], labels == label
        if where.any() and probability[where].mean() < rule.stuff_score_thresh:
            dropped_stuff[category_id] = "score"
        elif where.any():
            listed.append((-probability[where].mean(), math.inf, category_id))
    owners, stuff = np.zeros(SIZE, dtype=int), np.zeros(SIZE, dtype=bool)
    for _, _, who in sorted(listed):
        if who < 0:
            mask, threshold = scene.masks[-1 - who], threshold_of(rule, scene.category_ids[-1 - who])
        else:
            mask, threshold = labels == scene.label_to_category.index(who), rule.stuff_overlap_threshold
        free, reason = mask & (owners == 0) & ~stuff, None
        if not mask.any():
            reason = "empty"
        elif 1 - free.sum() / mask.sum() > threshold:
            reason = "overlap"
        elif not free.any():
            reason = "covered"
        elif who < 0:
            owners[free] = -who
        else:
            stuff |= free
        if reason and who < 0:
            dropped[-1 - who] = reason
        elif reason:
            dropped_stuff[who] = reason

    claim = claimed(rule, scene, semantics)
    np.testing.assert_array_equal(owners_of(claim), owners)
    assert (claim.dropped, dict(claim.dropped_stuff)) == (dropped, dropped_stuff)
    filled = fuse(rois(scene), semantics, scene.categories, Pipeline(rule, 0, 0)).panoptic_seg > len(
        claim.areas
    )
    np.testing.assert_array_equal(filled, stuff)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_inputs_are_not_changed_and_the_same_comes_out_twice(scene, semantics, rule):
    instances = rois(scene)
    tensors = (instances.probabilities, instances.boxes, instances.scores, semantics.labels, semantics.logits)
    before = [tensor.clone() for tensor in tensors]
    crops = [instances.crop(index).mask.clone() for index in range(len(instances))]
    meaning = dict(semantics.label_to_category)
    first, second = (claimed(rule, scene, semantics, instances) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(before, tensors, strict=True))
    assert all(torch.equal(instances.crop(index).mask, crop) for index, crop in enumerate(crops))
    assert semantics.label_to_category == meaning
    assert np.array_equal(first.panoptic_seg, second.panoptic_seg)
    assert first.panoptic_seg.dtype == torch.int32


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_threads_change_nothing(rule):
    # PyTorch divides work from 32768 values on.
    scene, threads, claims = LARGE, torch.get_num_threads(), []
    instances, semantics = (
        InstanceSet.from_rois(scene.probabilities, scene.boxes, scene.scores, scene.category_ids, scene.image_size),
        random_semantics(0, scene.semantic_labels, dict(enumerate(scene.label_to_category))),
    )
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            claims.append(claimed(rule, scene, semantics, instances))
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(claims[0].panoptic_seg, claims[1].panoptic_seg)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_every_candidate_is_accounted_for(scene, semantics, rule):
    instances = rois(scene)
    result = fuse(instances, semantics, scene.categories, Pipeline(rule, 0.1, 20))
    things = [one["instance_id"] for one in result.segments_info if one["isthing"]]
    things += [one.instance_id for one in result.dropped if one.isthing]
    assert sorted(things) == list(range(len(instances)))
    for one in explain(result, instances, semantics):
        assert one.area_before == one.area_kept + sum(loss.pixels for loss in one.lost_to)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_places_in_the_input_mean_nothing(rule):
    # Scores differ here.
    for scene in (SCENES[2], SCENES[4]):
        semantics, shuffled = semantics_of(scene, HEADS[2]), np.random.default_rng(0).permutation(len(scene.scores))
        pipeline = Pipeline(rule, 0.1, 20)
        result = fuse(rois(scene), semantics, scene.categories, pipeline)
        other = fuse(rois(scene, shuffled), semantics, scene.categories, pipeline)
        assert np.array_equal(result.panoptic_seg, other.panoptic_seg)
        for one, same in zip(result.segments_info, other.segments_info, strict=True):
            place = {"instance_id": int(shuffled[same["instance_id"]])} if same["isthing"] else {}
            assert one == {**same, **place}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_numbers_of_labels_mean_nothing(scene, semantics, rule):
    shuffled = np.random.default_rng(1).permutation(len(semantics.label_to_category))
    channels = np.empty(semantics.logits.shape, np.float32)
    channels[shuffled] = semantics.logits.numpy()
    meaning = {int(shuffled[label]): one for label, one in semantics.label_to_category.items()}
    relabelled = SemanticMap(shuffled[semantics.labels.numpy()], meaning, channels)
    results = [fuse(rois(scene), one, scene.categories, Pipeline(rule, 0.1, 20)) for one in (semantics, relabelled)]
    # Ids of stuff go by label.
    owners = []
    for result in results:
        table = np.array([-1] + [one.get("instance_id", 1000 + one["category_id"]) for one in result.segments_info])
        owners.append(table[result.panoptic_seg])
    np.testing.assert_array_equal(*owners)


@pytest.mark.parametrize("rule", [rule for rule in RULES if not isinstance(rule, JointList)], ids=str)
def test_nothing_is_won_outside_a_box(scene, semantics, rule):
    # Stuff is far below 0, so that instances spread as far as they may.
    low = SemanticMap(semantics.labels, semantics.label_to_category, semantics.logits - 60)
    owners = owners_of(claimed(rule, scene, low))
    for index in np.unique(owners[owners > 0]) - 1:
        assert layers_of(scene, index)[1][owners == index + 1].all()


def test_with_sure_stuff_that_comes_last_and_is_not_tested_joint_list_is_greedy(scene, semantics):
    # All scores are above a probability here.
    scores = 1 + scene.scores
    instances = InstanceSet.from_rois(scene.probabilities, scene.boxes, scores, scene.category_ids, SIZE)
    results = [
        fuse(instances, semantics, scene.categories, Pipeline(rule, 0, 20))
        for rule in (JointList(0.5, 1.0, 0.0), Greedy(0.5))
    ]
    assert np.array_equal(results[0].panoptic_seg, results[1].panoptic_seg)
    assert results[0].segments_info == results[1].segments_info
    assert results[0].dropped == results[1].dropped


def test_logits_may_be_of_any_precision(scene, semantics):
    # Multiples of 1/8 have all of them.
    logits = (semantics.logits * 8).round() / 8
    for rule in RULES:
        claims = []
        for one in (logits, logits.double(), logits.half(), logits.numpy()):
            alike = SemanticMap(semantics.labels, semantics.label_to_category, one)
            claims.append(claimed(rule, scene, alike))
        for other in claims[1:]:
            assert np.array_equal(claims[0].panoptic_seg, other.panoptic_seg)
            assert (claims[0].areas, claims[0].dropped) == (other.areas, other.dropped)


def test_the_scenes_exercise_every_reason():
    reasons, stuff_reasons, void = {}, set(), 0
    for rule in RULES:
        for scene in SCENES:
            for head in HEADS:
                claim = claimed(rule, scene, semantics_of(scene, head))
                reasons.setdefault(type(rule), set()).update(claim.dropped.values())
                stuff_reasons.update(claim.dropped_stuff.values())
                if isinstance(rule, LogitSum):
                    meaning = claim.semantics.label_to_category
                    no_stuff = claim.semantics.look_up({label: 1 for label, one in meaning.items() if one is None})
                    void += int((no_stuff.bool() & (claim.panoptic_seg == 0)).sum())
    assert reasons == {
        JointList: {"empty", "overlap", "covered"},
        LogitSum: {"empty", "overlap", "outvoted"},
        Adaptive: {"empty", "overlap", "outvoted"},
    }
    # Covered stuff needs a thing that hides all of it; it is drawn.
    assert stuff_reasons == {"score", "overlap"}
    assert void > 1000
