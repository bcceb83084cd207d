"""Laws of every result, of all rules and published systems, on seeded images and on whatever heads may say."""

import copy
import dataclasses
import json
import pickle
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    Adaptive,
    BestStuff,
    Components,
    DroppedToVoid,
    LogitSum,
    NoRefinement,
    NoVeto,
    Pipeline,
    explain,
    fuse,
)
from panoptic_heuristic.fusion.stages import rule_name
from tests.fusion.any_heads import COLLAPSED, SIZES, any_heads
from tests.fusion.cases import CASES
from tests.fusion.every_pipeline import PIPELINES, PUBLISHED, RULES, distinct
from tests.fusion.results import assert_same, assert_valid, who
from tests.fusion.runs import Run, lacks_pydensecrf, runs

CATEGORIES = CASES["8 instances"].scene.categories


def votes_beyond_masks(pipeline: Pipeline) -> bool:
    return isinstance(pipeline.claim, (LogitSum, Adaptive)) or getattr(pipeline.claim, "kept_pixels", "") == "won"


def moves_things(pipeline: Pipeline) -> bool:
    return getattr(pipeline.border, "move_things", False)


def gives_stuff_more(pipeline: Pipeline) -> bool:
    """True for rules that exist to give stuff pixels that its labels do not."""
    labels_decide = isinstance(pipeline.veto, NoVeto) and isinstance(pipeline.stuff, DroppedToVoid)
    moves_borders = not isinstance(pipeline.border, NoRefinement)
    return (
        isinstance(pipeline.claim, LogitSum)
        or not labels_decide
        or isinstance(pipeline.leftover, BestStuff)
        or moves_borders
    )


class TestResults:
    @runs()
    def test_they_are_valid_and_every_stuff_category_is_in_the_map_or_has_a_reason(self, run):
        assert_valid(run.result, run.case.instances(), run.case.scene.categories)
        told = {one["category_id"] for one in run.result.segments_info if not one["isthing"]}
        told |= {one.category_id for one in run.result.dropped if not one.isthing}
        semantics = run.case.semantics
        meant = {semantics.label_to_category[label] for label in semantics.areas} - {None}
        there = {category_id for category_id in meant if not run.case.scene.categories[category_id].isthing}
        # Of logits stuff may win that no label names.
        assert told == there or (isinstance(run.pipeline.claim, LogitSum) and told > there)

    @runs()
    def test_things_come_by_rank_then_stuff_by_label_and_so_does_what_was_dropped(self, run):
        case, segments = run.case, run.result.segments_info
        ranked = run.pipeline.order.order(case.heads(), range(len(case.scene.scores))).ranked
        meaning = list(case.semantics.label_to_category.values())
        things = [ranked.index(one["instance_id"]) for one in segments if one.get("instance_id") is not None]
        stuff = [meaning.index(one["category_id"]) for one in segments if not one["isthing"]]
        made = [meaning.index(one["category_id"]) for one in segments if one.get("instance_id", 0) is None]
        for ordered in (things, stuff, made):
            assert ordered == sorted(ordered)
        kinds = [(one["isthing"], one.get("instance_id") is not None) for one in segments]
        assert kinds == [(True, True)] * len(things) + [(False, False)] * len(stuff) + [(True, False)] * len(made)
        assert not made or isinstance(run.pipeline.leftover, Components)

        # What was dropped comes by place, and then by label.
        dropped = run.result.dropped
        places = [one.instance_id for one in dropped if one.isthing]
        labels = [meaning.index(one.category_id) for one in dropped if not one.isthing]
        assert places == sorted(places)
        assert labels == sorted(labels)
        assert [one.isthing for one in dropped] == [True] * len(places) + [False] * len(labels)

    # What moves things is held to its radius in its own file.
    @runs(lambda pipeline: not moves_things(pipeline))
    def test_an_instance_never_leaves_its_mask_or_its_box(self, run):
        scene, beyond_mask = run.case.scene, votes_beyond_masks(run.pipeline)
        for segment in run.result.segments_info:
            index = segment.get("instance_id")
            if index is None:
                continue
            pixels = run.result.panoptic_seg == segment["id"]
            assert beyond_mask or not (pixels & ~scene.masks[index]).any()
            rows, columns = np.nonzero(pixels)
            x0, y0, x1, y1 = scene.boxes[index].tolist()
            # Pasted probabilities reach half a value beyond the box.
            margin = max(x1 - x0, y1 - y0) / 2 / scene.probabilities.shape[-1] + 1 if beyond_mask else 1
            assert columns.min() >= x0 - margin and columns.max() <= x1 + margin
            assert rows.min() >= y0 - margin and rows.max() <= y1 + margin

    @runs(lambda pipeline: not gives_stuff_more(pipeline))
    def test_stuff_never_leaves_its_labels(self, run):
        semantics = run.case.semantics
        for segment in run.result.segments_info:
            if segment.get("instance_id") is None:
                labels = run.labels[run.result.panoptic_seg == segment["id"]].tolist()
                assert {semantics.label_to_category[label] for label in labels} == {segment["category_id"]}

    # The others leave void where logits are for no stuff, or below a floor, or where the colours say so.
    @runs(
        lambda pipeline: (
            not isinstance(pipeline.claim, LogitSum)
            and not pipeline.stuff.probability_floor
            and not moves_things(pipeline)
        )
    )
    def test_free_pixels_of_a_category_in_the_map_are_never_void(self, run):
        kept = {one["category_id"] for one in run.result.segments_info if not one["isthing"]}
        labels = [label for label, one in run.case.semantics.label_to_category.items() if one in kept]
        void = run.result.panoptic_seg == 0
        assert not np.isin(run.labels[void], labels).any()

    @runs()
    def test_the_same_input_gives_the_same_bytes_and_is_not_changed(self, run):
        scene, semantics, instances = run.case.scene, run.case.semantics, run.case.instances()
        inputs = [semantics.labels, semantics.logits, instances.scores, instances.probabilities, instances.boxes]
        inputs += map(torch.from_numpy, (scene.probabilities, scene.boxes, scene.scores, run.case.image))
        inputs += [instances.crop(index).mask for index in range(len(instances))]
        before, meaning = [one.clone() for one in inputs], dict(semantics.label_to_category)
        assert_same(fuse(instances, semantics, scene.categories, run.pipeline, run.case.image), run.result)
        assert all(torch.equal(one, other) for one, other in zip(before, inputs, strict=True))
        assert semantics.label_to_category == meaning


def explained(run: Run):
    return explain(run.result, run.case.instances(), run.case.semantics)


class TestExplanations:
    @runs()
    def test_every_pixel_is_kept_or_lost_to_a_segment_that_has_it(self, run):
        masks, semantics, result = run.case.scene.masks, run.case.semantics, run.result
        segments = {segment["id"]: segment for segment in result.segments_info}
        for one in explained(run):
            own = [label for label, meant in semantics.label_to_category.items() if meant == one.category_id]
            pixels = masks[one.instance_id] if one.isthing else np.isin(semantics.labels.numpy(), own)
            lost = [loss.pixels for loss in one.lost_to]
            assert one.area_before == pixels.sum() == one.area_kept + sum(lost)
            assert lost == sorted(lost, reverse=True)
            for loss in one.lost_to:
                there = result.panoptic_seg == (loss.segment_id or 0)
                assert loss.pixels == (pixels & there).sum() > 0
                segment = segments.get(loss.segment_id, {})
                assert (loss.category_id, loss.instance_id) == (segment.get("category_id"), segment.get("instance_id"))

    @runs()
    def test_areas_and_reasons_are_those_of_the_result_which_is_not_changed(self, run):
        result = run.result
        before = result.panoptic_seg.copy(), copy.deepcopy((result.segments_info, result.dropped))
        explanations = explained(run)
        # Things made of labels are nobody's candidates.
        candidates = [one for one in result.segments_info if one.get("instance_id", 0) is not None]
        assert {who(one): one["area"] for one in candidates} == {
            (one.isthing, one.category_id, one.instance_id): one.area_kept + one.area_gained
            for one in explanations
            if one.kept
        }
        told = [one for one in explanations if not one.kept]
        assert not any(one.area_gained for one in told)
        assert [(one.isthing, one.category_id, one.reason, one.score, one.instance_id) for one in told] == [
            dataclasses.astuple(one) for one in result.dropped
        ]
        assert explained(run) == explanations
        assert np.array_equal(result.panoptic_seg, before[0]) and (result.segments_info, result.dropped) == before[1]

    @runs(lambda pipeline: not moves_things(pipeline))
    def test_only_some_rules_give_what_the_head_did_not(self, run):
        for one in explained(run):
            may_gain = votes_beyond_masks(run.pipeline) if one.isthing else gives_stuff_more(run.pipeline)
            may_gain |= not one.isthing and run.pipeline.island_area_fraction > 0
            assert may_gain or not one.area_gained

    @runs()
    def test_pixels_of_islands_are_those_that_changed_their_label(self, run):
        semantics = run.case.semantics
        before = semantics.labels.numpy()
        changed = before[before != run.labels]
        for one in explained(run):
            own = [label for label, meant in semantics.label_to_category.items() if meant == one.category_id]
            assert one.area_relabelled == (0 if one.isthing else np.isin(changed, own).sum())
        assert sum(run.result.relabelled.values()) == len(changed)
        assert run.pipeline.island_area_fraction > 0 or not len(changed)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_a_pipeline_comes_back_from_json_a_config_and_another_process(pipeline):
    config = pipeline.to_config(CATEGORIES)
    for one in (
        Pipeline.from_mapping(json.loads(json.dumps(pipeline.to_mapping()))),
        Pipeline.from_config(json.loads(json.dumps(config)), CATEGORIES),
        pickle.loads(pickle.dumps(pipeline)),
        copy.deepcopy(pipeline),
    ):
        assert one == pipeline and hash(one) == hash(pipeline)


# The published limits are for larger images: nothing would be left in these.
LOW = {"instances_score_thresh": 0.1, "stuff_area_thresh": 2, "thing_area_thresh": 0}
ON_ANY_HEADS = distinct({name: dataclasses.replace(one, **LOW) for name, one in {**RULES, **PUBLISHED}.items()})


@pytest.mark.parametrize("pipeline", ON_ANY_HEADS.values(), ids=ON_ANY_HEADS)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(heads=any_heads())
def test_whatever_the_heads_say_there_is_a_valid_result_or_one_clear_error(pipeline, heads):
    instances, semantics, categories = heads.inputs()
    if lacks_pydensecrf(pipeline):
        pytest.skip("pydensecrf is optional")
    try:
        result = fuse(instances, semantics, categories, pipeline, heads.image)
    except InputError as error:
        event("error")
        # Else the heads are in order, and so must be the result.
        no_label = isinstance(pipeline.leftover, Components) and heads.meaning is COLLAPSED
        assert no_label or not np.isfinite(heads.logits).all(), str(error)
        assert "\n" not in str(error) and len(str(error)) > 20
        return
    assert_valid(result, instances, categories)
    assert_same(fuse(*heads.inputs(), pipeline, heads.image), result)


class TestTheLawsSaySomething:
    RUNS = [run for run in (Run(name, case) for name in PIPELINES for case in CASES) if run.can_be_fused]

    def test_every_pipeline_has_things_and_stuff_and_drops_things(self):
        found = defaultdict(set)
        for run in self.RUNS:
            found[run.pipeline_name] |= {("in the map", segment["isthing"]) for segment in run.result.segments_info}
            found[run.pipeline_name] |= {("dropped", one.isthing) for one in run.result.dropped}
        for name, kinds in found.items():
            assert {("in the map", True), ("in the map", False), ("dropped", True)} <= kinds, name

    def test_every_reason_occurs(self):
        reasons = defaultdict(set)
        for run in self.RUNS:
            for one in run.result.dropped:
                reasons[rule_name("claim", run.pipeline.claim) if one.isthing else "stuff"].add(one.reason)
        other_stages = {"score", "thing_area", "nms", "gate", "key", "probability", "veto", "border"}
        # Pydensecrf is optional, and what it drops is in its own file.
        assert other_stages - {"border"} <= reasons["greedy"] and "score" in reasons["stuff"]
        by_overlap, by_vote = {"empty", "overlap", "covered"}, {"empty", "overlap", "outvoted"}
        assert {name: found - other_stages for name, found in reasons.items()} == {
            "greedy": by_overlap,
            "per_pixel": {"empty", "covered"},
            "class_aware": {"empty", "overlap", "duplicate", "no_room"},
            "reclaim": by_overlap,
            "pixel_argmax": {"empty", "outvoted"},
            "joint_list": by_overlap,
            "logit_sum": by_vote,
            "adaptive": by_vote,
            "stuff": {"island", "covered", "stuff_area", "overlap"},
        }

    @pytest.mark.parametrize(
        "name", ["veto semantic_veto", "next_best with a floor", "leftover best_stuff", "border guided_filter"]
    )
    def test_what_may_gain_does(self, name):
        assert any(one.area_gained for case in CASES for one in explained(Run(name, case)))

    def test_labels_make_things(self):
        results = [run.result for run in self.RUNS if run.pipeline_name == "small components"]
        made = [one for result in results for one in result.segments_info if one.get("instance_id", 0) is None]
        assert len(made) >= 3

    def test_any_heads_are_of_every_kind(self):
        seen = set()

        @settings(max_examples=150, deadline=None, derandomize=True, database=None)
        @given(heads=any_heads())
        def look(heads):
            seen.add(("instances", len(heads.scores)))
            seen.add(("size", heads.size))
            seen.add(("finite logits", bool(np.isfinite(heads.logits).all())))
            seen.add(("finite scores", bool(np.isfinite(heads.scores).all())))

        look()
        assert {("instances", count) for count in (0, 1, 5, 300)} <= seen
        assert {("size", size) for size in SIZES} <= seen
        assert {(kind, value) for kind in ("finite logits", "finite scores") for value in (True, False)} <= seen
