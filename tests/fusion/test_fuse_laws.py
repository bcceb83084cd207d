"""Laws that hold for every input, on seeded random scenes; those of rules that look at logits are with the presets."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.fusion import (
    ClassAware,
    Greedy,
    InstanceSet,
    Nms,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Reclaim,
    SemanticGate,
    SemanticMap,
    fuse,
)
from panoptic_heuristic.testing.scenes import make_scene

PIPELINES = {
    "greedy": Pipeline(Greedy(), 0.3, 60),
    "greedy without limits": Pipeline(Greedy(1.0), 0.0, 0),
    "greedy without overlap": Pipeline(Greedy(0.0), 0.1, 0),
    "per_pixel": Pipeline(PerPixel(), 0.2, 60),
    "nms": Pipeline(Greedy(), 0.3, 60, suppress=Nms(0.3)),
    "semantic_gate": Pipeline(Greedy(), 0.3, 60, suppress=SemanticGate(0.1)),
    "greedy by category": Pipeline(
        Greedy(0.5, {0: 0.1, 2: 0.9}),
        0.3,
        60,
        0.03,
        instances_score_thresh_of={2: 0.1, 4: 0.6},
        stuff_area_thresh_of={1: 5, 3: 400},
        stuff_area_fraction_of={5: 0.2, 7: 0.0},
    ),  # fmt: skip
    "class_aware": Pipeline(ClassAware(), 0.3, 60),
    "class_aware, strict": Pipeline(ClassAware(0.1, 0.3, 0.4, {0: 0.9}), 0.1, 0),
    "reclaim by area": Pipeline(Reclaim(), 0.3, 60),
    "reclaim by probability": Pipeline(Reclaim(0.4, on_top="mean_probability"), 0.1, 0),
    "reclaim by category": Pipeline(
        Reclaim(1.0, 0.0, "precedence", precedence=[(0, 2), (2, 4), (6, 0), (8, 6)]), 0.1, 60
    ),
    "pixel_argmax": Pipeline(PixelArgmax(), 0.3, 60),
    "pixel_argmax by mask": Pipeline(PixelArgmax(0.0, by="mask"), 0.1, 0),
}
SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, things=5, stuff=12)
    for seed, count in enumerate([0, 1, 7, 20, 40, 100])
]
TIED = [make_scene(seed, image_size=(48, 65), instances=60, tied_scores=True, things=5) for seed in range(3)]


@pytest.fixture(params=range(len(SCENES)), ids=[f"scene{n}" for n in range(len(SCENES))])
def scene(request):
    return SCENES[request.param]


@pytest.fixture(params=PIPELINES.values(), ids=PIPELINES)
def pipeline(request):
    return request.param


def needs_probabilities(pipeline):
    return isinstance(pipeline.claim, PixelArgmax) or getattr(pipeline.claim, "on_top", "") == "mean_probability"


def rois_of(scene):
    return InstanceSet.from_rois(
        scene.probabilities, scene.boxes, scene.scores, scene.category_ids, scene.image_size
    )  # fmt: skip


def instances_of(scene, pipeline):
    return rois_of(scene) if needs_probabilities(pipeline) else scene.instances()


def run(scene, pipeline):
    return fuse(instances_of(scene, pipeline), scene.semantics(), scene.categories, pipeline)


def test_map_and_segments_agree_both_ways(scene, pipeline):
    result = run(scene, pipeline)
    ids, areas = np.unique(result.panoptic_seg, return_counts=True)
    in_map = {i: area for i, area in zip(ids.tolist(), areas.tolist(), strict=True) if i}
    assert {segment["id"]: segment["area"] for segment in result.segments_info} == in_map
    assert [segment["id"] for segment in result.segments_info] == list(range(1, len(in_map) + 1))
    void = int((result.panoptic_seg == 0).sum())
    assert sum(segment["area"] for segment in result.segments_info) + void == 48 * 65


def test_a_segment_never_leaves_what_its_head_said(scene, pipeline):
    result = run(scene, pipeline)
    for segment in result.segments_info:
        pixels = result.panoptic_seg == segment["id"]
        if segment["isthing"]:
            assert not (pixels & ~scene.masks[segment["instance_id"]]).any()
        else:
            (label,) = set(scene.semantic_labels[pixels].tolist())
            assert scene.label_to_category[label] == segment["category_id"]


def test_segments_keep_the_values_of_their_instance(scene, pipeline):
    for segment in run(scene, pipeline).segments_info:
        if segment["isthing"]:
            assert segment["score"] == scene.scores[segment["instance_id"]].item()
            assert segment["category_id"] == scene.category_ids[segment["instance_id"]]


def test_things_come_first_by_rank_and_stuff_by_label(scene, pipeline):
    segments_info = run(scene, pipeline).segments_info
    ranks = [-segment["score"] for segment in segments_info if segment["isthing"]]
    labels = [scene.label_to_category.index(s["category_id"]) for s in segments_info if not s["isthing"]]
    assert ranks == sorted(ranks)
    assert labels == sorted(labels)
    assert [s["isthing"] for s in segments_info] == [True] * len(ranks) + [False] * len(labels)


def test_every_candidate_is_in_the_map_or_has_a_reason(scene, pipeline):
    result = run(scene, pipeline)
    things = [s["instance_id"] for s in result.segments_info if s["isthing"]]
    things += [c.instance_id for c in result.dropped if c.isthing]
    assert sorted(things) == list(range(len(scene.scores)))
    stuff = [s["category_id"] for s in result.segments_info if not s["isthing"]]
    stuff += [c.category_id for c in result.dropped if not c.isthing]
    labels = sorted(set(scene.semantic_labels.ravel().tolist()) - {0})
    assert sorted(stuff) == sorted(scene.label_to_category[label] for label in labels)


def test_what_was_dropped_is_listed_by_place_and_then_by_label(scene, pipeline):
    dropped = run(scene, pipeline).dropped
    places = [c.instance_id for c in dropped if c.isthing]
    labels = [scene.label_to_category.index(c.category_id) for c in dropped if not c.isthing]
    assert places == sorted(places)
    assert labels == sorted(labels)
    assert [c.isthing for c in dropped] == [True] * len(places) + [False] * len(labels)


def test_free_pixels_of_a_kept_category_are_never_void(scene, pipeline):
    result = run(scene, pipeline)
    kept = [scene.label_to_category.index(s["category_id"]) for s in result.segments_info if not s["isthing"]]
    void = result.panoptic_seg == 0
    assert not np.isin(scene.semantic_labels[void], kept).any()


@pytest.mark.parametrize("scene", SCENES + TIED)
def test_the_same_input_gives_the_same_bytes(scene, pipeline):
    first, second = run(scene, pipeline), run(scene, pipeline)
    assert first.panoptic_seg.tobytes() == second.panoptic_seg.tobytes()
    assert (first.segments_info, first.dropped) == (second.segments_info, second.dropped)


def test_the_order_of_the_input_does_not_matter_without_ties(scene, pipeline):
    result = run(scene, pipeline)
    order = np.random.default_rng(0).permutation(len(scene.scores))
    values = ("masks", "probabilities", "boxes", "scores", "category_ids")
    permuted = dataclasses.replace(scene, **{name: getattr(scene, name)[order] for name in values})
    other = run(permuted, pipeline)
    assert np.array_equal(other.panoptic_seg, result.panoptic_seg)
    back = [
        {**s, "instance_id": int(order[s["instance_id"]])} if s["isthing"] else s for s in other.segments_info
    ]  # fmt: skip
    assert back == result.segments_info
    assert {(order[c.instance_id], c.reason) for c in other.dropped if c.isthing} == {
        (c.instance_id, c.reason) for c in result.dropped if c.isthing
    }


@pytest.mark.parametrize("claim", [Greedy(0.0), Greedy(0.5), Greedy(1.0), PerPixel()], ids=str)
def test_void_grows_with_the_score_cutoff_when_stuff_has_no_limit(scene, claim):
    # What is kept at a higher cutoff is a prefix of the ranking, so its claims stay as they were.
    void = np.zeros(scene.image_size, dtype=bool)
    for cutoff in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        at_cutoff = run(scene, Pipeline(claim, cutoff, 0)).panoptic_seg == 0
        assert not (void & ~at_cutoff).any()
        void = at_cutoff


@pytest.mark.parametrize("claim", [Greedy(0.5), PerPixel()], ids=str)
def test_void_grows_with_the_stuff_limit(scene, claim):
    void = np.zeros(scene.image_size, dtype=bool)
    for limit in (0, 1, 30, 200, 1000, 48 * 65 + 1):
        at_limit = run(scene, Pipeline(claim, 0.3, limit)).panoptic_seg == 0
        assert not (void & ~at_limit).any()
        void = at_limit


def test_one_value_for_every_category_is_that_value_for_all(scene):
    things = [category.id for category in scene.categories.things]
    stuff = [category.id for category in scene.categories.stuff]
    by_category = Pipeline(
        Greedy(0.9, dict.fromkeys(things, 0.3)), 0.9, 0, 0.9,
        instances_score_thresh_of=dict.fromkeys(things, 0.2),
        stuff_area_thresh_of=dict.fromkeys(stuff, 300),
        stuff_area_fraction_of=dict.fromkeys(stuff, 0.05),
    )  # fmt: skip
    expected, result = run(scene, Pipeline(Greedy(0.3), 0.2, 300, 0.05)), run(scene, by_category)
    assert np.array_equal(result.panoptic_seg, expected.panoptic_seg)
    assert (result.segments_info, result.dropped) == (expected.segments_info, expected.dropped)


def test_a_fraction_is_that_many_pixels(scene):
    by_pixels, by_fraction = (
        run(scene, Pipeline(Greedy(), 0.3, 0.125 * 48 * 65)),
        run(scene, Pipeline(Greedy(), 0.3, 0, 0.125)),
    )
    assert np.array_equal(by_pixels.panoptic_seg, by_fraction.panoptic_seg)
    assert by_pixels.dropped == by_fraction.dropped


@pytest.mark.parametrize("pipeline", [one for one in PIPELINES.values() if not isinstance(one.suppress, SemanticGate)])
def test_without_semantics_the_things_are_the_same(scene, pipeline):
    result = run(scene, pipeline)
    things = [segment for segment in result.segments_info if segment["isthing"]]
    alone = fuse(instances_of(scene, pipeline), None, scene.categories, pipeline)
    assert alone.segments_info == things
    expected = np.where(result.panoptic_seg <= len(things), result.panoptic_seg, 0)
    assert np.array_equal(alone.panoptic_seg, expected)


@pytest.mark.parametrize("pipeline", [one for one in PIPELINES.values() if not needs_probabilities(one)])
def test_how_masks_are_given_does_not_matter(scene, pipeline):
    # RoI crops have a margin around the mask; crops of bitmaps have none.
    by_rois = fuse(rois_of(scene), scene.semantics(), scene.categories, pipeline)
    result = run(scene, pipeline)
    assert np.array_equal(by_rois.panoptic_seg, result.panoptic_seg)
    assert (by_rois.segments_info, by_rois.dropped) == (result.segments_info, result.dropped)


@pytest.mark.parametrize("scene", SCENES + TIED)
def test_per_pixel_is_the_argmax_over_scores(scene):
    # Layer 0 is "no instance"; argmax takes the first of equal scores, as the rule does.
    layers = np.full((1 + len(scene.scores), *scene.image_size), -1.0)
    layers[0] = 0.0
    inside = scene.masks & (scene.scores >= 0.2)[:, None, None]
    layers[1:][inside] = np.broadcast_to(scene.scores[:, None, None], inside.shape)[inside]
    result = run(scene, Pipeline(PerPixel(), 0.2, 0))
    place_of_id = np.zeros(1 + len(result.segments_info), dtype=int)
    for segment in result.segments_info:
        place_of_id[segment["id"]] = segment.get("instance_id", -1) + 1
    np.testing.assert_array_equal(place_of_id[result.panoptic_seg], layers.argmax(axis=0))


def test_the_scenes_exercise_every_reason():
    # Else the laws above would say little.
    reasons = set()
    for scene in SCENES:
        for pipeline in PIPELINES.values():
            reasons |= {(c.isthing, c.reason) for c in run(scene, pipeline).dropped}
    things = {"score", "nms", "gate", "empty", "overlap", "covered", "duplicate", "no_room", "outvoted"}
    assert reasons == {(True, reason) for reason in things} | {(False, "stuff_area"), (False, "covered")}


def test_a_semantic_map_that_says_nothing_changes_nothing():
    scene = SCENES[-1]
    nothing = SemanticMap(scene.semantic_labels, [None] * len(scene.label_to_category))
    with_map = fuse(scene.instances(), nothing, scene.categories)
    assert np.array_equal(with_map.panoptic_seg, fuse(scene.instances(), None, scene.categories).panoptic_seg)
