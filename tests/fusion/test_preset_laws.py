"""Laws that hold for every preset, on seeded random scenes with logits."""

import dataclasses
import functools

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import (
    PRESETS,
    STAGES,
    HeadOutputs,
    InstanceSet,
    Pipeline,
    SemanticMap,
    explain,
    fuse,
)
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.logit_drawings import random_semantics

SIZE = (48, 65)
SCENES = [
    make_scene(seed, image_size=SIZE, instances=count, empty=count // 10, things=5, stuff=7)
    for seed, count in enumerate([0, 1, 7, 20, 40, 100])
]
# In place of the published thresholds, which are for images of COCO's size and drop all that is small.
PIPELINES = {
    name: dataclasses.replace(
        Pipeline.from_mapping(preset_rules(name)), instances_score_thresh=0.3, stuff_area_thresh=60, thing_area_thresh=3
    )
    for name in PRESETS
}
# Their instances may have pixels beyond their mask, but not beyond their box.
BEYOND_MASK = ("logit_sum", "adaptive")


@functools.lru_cache(maxsize=None)
def semantics_of(place, single_things):
    """Labels with logits; with one label for all things, or one for each."""
    scene = SCENES[place]
    labels, meaning = scene.semantic_labels, list(scene.label_to_category)
    if single_things:
        things = [category.id for category in scene.categories.things]
        rng = np.random.default_rng(place)
        blocks = np.kron(rng.integers(len(things), size=(8, 13)), np.ones((6, 5), dtype=np.int64))
        labels = np.where(labels == 0, len(meaning) + blocks, labels)
        meaning = [None, *meaning[1:], *things]
    semantics = random_semantics(100 + place, labels, meaning)
    # Else no category is probable on average, and the presets that ask for that drop all stuff.
    surer = torch.from_numpy(np.random.default_rng(place).exponential(2.0, size=SIZE).astype(np.float32))
    logits = semantics.logits.scatter_add(0, semantics.labels[None].long(), surer[None])
    return SemanticMap(labels, meaning, logits)


def run(scene, semantics, pipeline):
    instances = InstanceSet.from_rois(scene.probabilities, scene.boxes, scene.scores, scene.category_ids, SIZE)
    return fuse(instances, semantics, scene.categories, pipeline), instances


@pytest.fixture(params=PIPELINES)
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["one label for things", "a label per thing"])
def single_things(request):
    return request.param


@pytest.fixture(params=range(len(SCENES)), ids=[f"scene{n}" for n in range(len(SCENES))])
def case(request, name, single_things):
    """Scene, semantics, pipeline."""
    return SCENES[request.param], semantics_of(request.param, single_things), PIPELINES[name]


def test_map_and_segments_agree_both_ways(case):
    result, _ = run(*case)
    ids, areas = np.unique(result.panoptic_seg, return_counts=True)
    in_map = {i: area for i, area in zip(ids.tolist(), areas.tolist(), strict=True) if i}
    assert {segment["id"]: segment["area"] for segment in result.segments_info} == in_map
    assert [segment["id"] for segment in result.segments_info] == list(range(1, len(in_map) + 1))
    assert sum(areas) == SIZE[0] * SIZE[1]


def test_every_candidate_is_in_the_map_or_has_a_reason(case):
    result, _ = run(*case)
    scene, semantics, _ = case
    things = [s["instance_id"] for s in result.segments_info if s["isthing"]]
    things += [c.instance_id for c in result.dropped if c.isthing]
    assert sorted(things) == list(range(len(scene.scores)))
    stuff = [s["category_id"] for s in result.segments_info if not s["isthing"]]
    stuff += [c.category_id for c in result.dropped if not c.isthing]
    meant = {semantics.label_to_category[label] for label in semantics.areas}
    there = {one for one in meant if one is not None and not scene.categories[one].isthing}
    assert len(stuff) == len(set(stuff)) and there <= set(stuff)


def test_an_instance_never_leaves_its_mask_or_its_box(case, name):
    result, instances = run(*case)
    claim = PRESETS[name].get("claim", {})
    beyond_mask = claim.get("name") in BEYOND_MASK or claim.get("kept_pixels") == "won"
    for segment in result.segments_info:
        if not segment["isthing"]:
            continue
        pixels = result.panoptic_seg == segment["id"]
        index = segment["instance_id"]
        if not beyond_mask:
            assert not (pixels & ~case[0].masks[index]).any()
        rows, columns = np.nonzero(pixels)
        x0, y0, x1, y1 = instances.boxes[index].tolist()
        # Pasted probabilities reach half a value beyond the box.
        margin = max(x1 - x0, y1 - y0) / 2 / 28 + 1 if beyond_mask else 1
        assert columns.min() >= x0 - margin and columns.max() <= x1 + margin
        assert rows.min() >= y0 - margin and rows.max() <= y1 + margin


def test_the_same_bytes_twice_and_no_input_changed(case):
    scene, semantics, _ = case
    inputs = (scene.probabilities, scene.boxes, scene.scores, semantics.labels.numpy(), semantics.logits.numpy())
    before = [values.copy() for values in inputs]
    (first, _), (second, _) = run(*case), run(*case)
    assert first.panoptic_seg.tobytes() == second.panoptic_seg.tobytes()
    assert (first.segments_info, first.dropped) == (second.segments_info, second.dropped)
    assert all(np.array_equal(one, other) for one, other in zip(inputs, before, strict=True))


def chosen(scene, places):
    """The scene with some of its instances, in the order given."""
    values = ("masks", "probabilities", "boxes", "scores", "category_ids")
    return dataclasses.replace(scene, **{name: getattr(scene, name)[places] for name in values})


def test_the_order_of_the_input_does_not_matter_without_ties(case):
    scene, semantics, pipeline = case
    _, instances = run(*case)
    order = pipeline.order.order(HeadOutputs(instances, semantics, scene.categories), range(len(scene.scores)))
    key_of = dict(zip(order.ranked, order.keys, strict=True))
    # Keys are products, and one factor of many is 0: those tie.
    scene = chosen(scene, [place for place in range(len(scene.scores)) if order.keys.count(key_of.get(place)) < 2])
    result, _ = run(scene, semantics, pipeline)
    permutation = np.random.default_rng(0).permutation(len(scene.scores))
    other, _ = run(chosen(scene, permutation), semantics, pipeline)
    assert np.array_equal(other.panoptic_seg, result.panoptic_seg)
    back = [
        {**s, "instance_id": int(permutation[s["instance_id"]])} if s["isthing"] else s for s in other.segments_info
    ]
    assert back == result.segments_info
    assert {(permutation[c.instance_id], c.reason) for c in other.dropped if c.isthing} == {
        (c.instance_id, c.reason) for c in result.dropped if c.isthing
    }


def test_explain_accounts_for_every_pixel(case):
    scene, semantics, _ = case
    result, instances = run(*case)
    kept = {}
    for one in explain(result, instances, semantics):
        assert one.area_before == one.area_kept + sum(loss.pixels for loss in one.lost_to)
        if one.kept:
            kept[one.isthing, one.instance_id if one.isthing else one.category_id] = one.area_kept + one.area_gained
    for segment in result.segments_info:
        who = segment["isthing"], segment["instance_id"] if segment["isthing"] else segment["category_id"]
        assert kept.pop(who) == segment["area"]
    assert not kept


@pytest.mark.parametrize("limits", [(0, 1, 30, 200, 1000, SIZE[0] * SIZE[1] + 1)])
def test_void_grows_with_the_stuff_limit(case, limits):
    scene, semantics, pipeline = case
    if (
        pipeline.stuff != Pipeline.from_mapping(preset_rules("detectron2")).stuff
        or pipeline.leftover != Pipeline.from_mapping(preset_rules("detectron2")).leftover
    ):
        # Where the pixels of dropped stuff go to others, what is void depends on who is left.
        return
    void = np.zeros(SIZE, dtype=bool)
    for limit in limits:
        at_limit = run(scene, semantics, dataclasses.replace(pipeline, stuff_area_thresh=limit))[0]
        at_limit = at_limit.panoptic_seg == 0
        assert not (void & ~at_limit).any()
        void = at_limit


def test_the_scenes_exercise_the_rules_of_every_preset():
    # Else the laws above would say little: each preset has things and stuff, and drops some of both.
    for name, pipeline in PIPELINES.items():
        kinds, reasons = set(), set()
        for place, scene in enumerate(SCENES):
            result, _ = run(scene, semantics_of(place, False), pipeline)
            kinds |= {segment["isthing"] for segment in result.segments_info}
            reasons |= {(one.isthing, one.reason) for one in result.dropped}
        assert kinds == {True, False}, name
        assert {(True, "score"), (True, "empty")} <= reasons or PRESETS[name].get("order"), name


def test_every_rule_is_in_a_preset_or_has_laws_of_its_own():
    in_presets = {stage: {rules[stage]["name"] for rules in PRESETS.values() if stage in rules} for stage in STAGES}
    others = {
        "suppress": {"none", "semantic_gate"},
        "order": {"score", "calibrated"},
        "claim": {"greedy"},
        "veto": {"none"},
        "stuff": {"void"},
        "leftover": {"void", "components"},
        "border": {"none", "dense_crf"},
    }
    for stage, registry in STAGES.items():
        assert {name for name, _ in registry} == in_presets[stage] | others[stage]
