"""joint_list, logit_sum and adaptive against plain versions of themselves on whole images."""

import math

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import Adaptive, JointList, LogitSum, Pipeline, SemanticMap
from tests.fusion.cases import CASES
from tests.fusion.rules.claims import assert_claimed, claimed, owners_of, ranked, soft_layers


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def threshold_of(rule, category_id):
    return rule.overlap_threshold_of.get(int(category_id), rule.overlap_threshold)


def channels_of(semantics, wanted):
    """The labels that mean a category; those of all things if there are none."""
    meaning = semantics.label_to_category
    return [label for label in meaning if meaning[label] == wanted] or [
        label for label in meaning if meaning[label] is None
    ]


def stuff_channels(case):
    stuff = {category.id for category in case.scene.categories.stuff}
    return [label for label, one in sorted(case.semantics.label_to_category.items()) if one in stuff]


def left_in(rule, case, within_category):
    """Those that better ones leave, and why the others go."""
    kept, dropped, scene = [], {}, case.scene
    for index in ranked(case):
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


def mask_logits(soft):
    soft = soft.clip(1e-6, 1 - 1e-6)
    return np.log(soft / (1 - soft))


def assert_won(claim, owners, kept, dropped):
    assert list(claim.areas) == [index for index in kept if (owners == index + 1).any()]
    assert_claimed(claim, owners, {**dropped, **{index: "outvoted" for index in kept if index not in claim.areas}})


@pytest.mark.parametrize("rule", [LogitSum(), LogitSum(1.0), LogitSum(0.1, {2: 0.8})], ids=str)
def test_logit_sum(case, rule):
    scene, semantics = case.scene, case.semantics
    logits, (soft, inside) = semantics.logits.double().numpy(), soft_layers(case)
    kept, dropped = left_in(rule, case, within_category=True)
    stuff = stuff_channels(case)
    found, instances = np.full(scene.image_size, -np.inf), np.full((len(kept), *scene.image_size), -np.inf)
    for place, index in enumerate(kept):
        semantic = logits[channels_of(semantics, scene.category_ids[index])].max(axis=0)
        instances[place][inside[index]] = (semantic + mask_logits(soft[index]))[inside[index]]
        found[inside[index]] = np.maximum(found, semantic)[inside[index]]
    things = {label for category in scene.categories.things for label in channels_of(semantics, category.id)}
    unknown = logits[sorted(things)].max(axis=0) - np.where(np.isinf(found), 0, found)
    # Of equal values argmax takes the first.
    winner = np.concatenate([logits[stuff], instances, unknown[None]]).argmax(axis=0)
    owners = np.array([0] * len(stuff) + [index + 1 for index in kept] + [0])[winner]
    claim = claimed(rule, case)
    assert_won(claim, owners, kept, dropped)

    category_of = np.array([semantics.label_to_category[label] for label in stuff] + [-1] * (len(kept) + 1))
    meaning, free = claim.semantics.label_to_category, owners == 0
    found_category = np.array([-1 if meaning.get(one) is None else meaning[one] for one in range(max(meaning) + 1)])
    found_category = found_category[claim.semantics.labels.numpy()]
    np.testing.assert_array_equal(found_category[free], category_of[winner][free])
    np.testing.assert_array_equal(claim.semantics.labels.numpy()[~free], semantics.labels.numpy()[~free])


def test_the_cases_leave_something_unknown_to_logit_sum():
    # Else the plain version would say little.
    unknown = 0
    for case in CASES.values():
        claim = claimed(LogitSum(), case)
        none = [label for label, one in claim.semantics.label_to_category.items() if one is None]
        unknown += int((torch.isin(claim.semantics.labels, torch.tensor(none)) & (claim.panoptic_seg == 0)).sum())
    assert unknown > 500


@pytest.mark.parametrize("rule", [Adaptive(), Adaptive(1.0), Adaptive(0.1, {2: 0.8})], ids=str)
def test_adaptive(case, rule):
    logits, (soft, inside) = case.semantics.logits.double().numpy(), soft_layers(case)
    kept, dropped = left_in(rule, case, within_category=False)
    values = np.full((1 + len(kept), *case.scene.image_size), -np.inf)
    stuff = stuff_channels(case)
    values[0] = logits[stuff].max(axis=0)
    for place, index in enumerate(kept, start=1):
        a = 4 * mask_logits(soft[index])
        b = logits[channels_of(case.semantics, case.scene.category_ids[index])].max(axis=0)
        value = (1 / (1 + np.exp(-a)) + 1 / (1 + np.exp(-b))) * (a + b)
        values[place][inside[index]] = value[inside[index]]
    claim = claimed(rule, case)
    assert_won(claim, np.array([0] + [index + 1 for index in kept])[values.argmax(axis=0)], kept, dropped)
    assert claim.semantics is None


@pytest.mark.parametrize("rule", [JointList(), JointList(0.3, 0.6, 0.4, {0: 0.9}), JointList(1.0, 1.0, 0.0)], ids=str)
def test_joint_list(case, rule):
    scene, meaning = case.scene, case.semantics.label_to_category
    logits, labels = case.semantics.logits.double().numpy(), case.semantics.labels.numpy()
    shares = np.exp(logits - logits.max(axis=0))
    probability = np.take_along_axis(shares / shares.sum(axis=0), labels[None], axis=0)[0]
    # The label of a candidate that is stuff, and its place in the input below 0 if it is a thing.
    listed = [(-float(scene.scores[index]), rank, -1 - index) for rank, index in enumerate(ranked(case))]
    dropped, dropped_stuff = {}, {}
    for label in stuff_channels(case):
        where = labels == label
        if where.any() and probability[where].mean() < rule.stuff_score_thresh:
            dropped_stuff[meaning[label]] = "score"
        elif where.any():
            listed.append((-probability[where].mean(), math.inf, label))
    owners, stuff = np.zeros(scene.image_size, dtype=int), np.zeros(scene.image_size, dtype=bool)
    for _, _, candidate in sorted(listed):
        if candidate < 0:
            mask, threshold = scene.masks[-1 - candidate], threshold_of(rule, scene.category_ids[-1 - candidate])
        else:
            mask, threshold = labels == candidate, rule.stuff_overlap_threshold
        free, reason = mask & (owners == 0) & ~stuff, None
        if not mask.any():
            reason = "empty"
        elif 1 - free.sum() / mask.sum() > threshold:
            reason = "overlap"
        elif not free.any():
            reason = "covered"
        elif candidate < 0:
            owners[free] = -candidate
        else:
            stuff |= free
        if reason and candidate < 0:
            dropped[-1 - candidate] = reason
        elif reason:
            dropped_stuff[meaning[candidate]] = reason

    claim = claimed(rule, case)
    assert_claimed(claim, owners, dropped)
    assert dict(claim.dropped_stuff) == dropped_stuff
    filled = case.fused(Pipeline(rule, 0, 0)).panoptic_seg > len(claim.areas)
    np.testing.assert_array_equal(filled, stuff)


@pytest.mark.parametrize("rule", [LogitSum(), LogitSum(1.0), Adaptive(), Adaptive(1.0)], ids=str)
def test_nothing_is_won_outside_a_box(case, rule):
    # Stuff is far below 0, so that instances spread as far as they may.
    low = SemanticMap(case.semantics.labels, case.semantics.label_to_category, case.semantics.logits - 60)
    owners, (_, inside) = owners_of(claimed(rule, case.having(low))), soft_layers(case)
    for index in np.unique(owners[owners > 0]) - 1:
        assert inside[index][owners == index + 1].all()
