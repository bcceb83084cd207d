"""Laws of what a change of the input, or of a threshold, does to the result, of all rules and published systems."""

import dataclasses

import numpy as np
import pytest
import torch

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.fusion import (
    Adaptive,
    ByScore,
    Calibrated,
    ClassAware,
    Components,
    DroppedToVoid,
    Greedy,
    InstanceSet,
    JointList,
    LeftToVoid,
    LogitSum,
    Need,
    NoVeto,
    ParameterError,
    PerPixel,
    Pipeline,
    Power,
    SemanticGate,
    SemanticMap,
    fuse,
)
from tests.fusion.cases import CASES, make_case
from tests.fusion.every_pipeline import PIPELINES
from tests.fusion.results import assert_same, named
from tests.fusion.runs import FEW, lacks_pydensecrf, runs

FAR = Categories([Category(99, "a thing", True, (0, 0, 0)), Category(98, "stuff", False, (1, 1, 1))])


def is_by_category(pipeline: Pipeline) -> bool:
    try:
        pipeline.check_categories(FAR)
    except ParameterError:
        return True
    return False


class TestInput:
    @runs(cases=(*FEW, "60 tied"))
    def test_the_order_of_instances_does_not_matter_without_ties(self, run):
        case, scores = run.case, run.case.scene.scores.tolist()
        order = run.pipeline.order.order(case.heads(), range(len(scores)))
        key_of = dict(zip(order.ranked, order.keys, strict=True))
        # Keys are products, and one factor of many is 0: those tie, too.
        places = [one for one, score in enumerate(scores) if scores.count(score) == 1]
        case = case.of_places([one for one in places if order.keys.count(key_of.get(one)) < 2])
        permutation = np.random.default_rng(0).permutation(len(case.scene.scores))
        result, other = case.fused(run.pipeline), case.of_places(permutation).fused(run.pipeline)
        place = {None: None, **dict(enumerate(permutation.tolist()))}
        assert np.array_equal(other.panoptic_seg, result.panoptic_seg)
        assert result.segments_info == [
            {**one, "instance_id": place[one["instance_id"]]} if one["isthing"] else one for one in other.segments_info
        ]
        dropped = {dataclasses.replace(one, instance_id=place[one.instance_id]) for one in other.dropped}
        assert dropped == set(result.dropped)

    # Of equal majorities a veto takes the first label.
    @runs(lambda pipeline: isinstance(pipeline.veto, NoVeto), FEW)
    def test_the_numbers_of_labels_mean_nothing(self, run):
        semantics = run.case.semantics
        numbers = torch.from_numpy(np.random.default_rng(1).permutation(len(semantics.label_to_category)))
        channels = torch.empty_like(semantics.logits).index_copy_(0, numbers, semantics.logits)
        meaning = {numbers[label].item(): one for label, one in semantics.label_to_category.items()}
        other = SemanticMap(numbers[semantics.labels.long()], meaning, channels)
        # Ids of stuff go by label.
        np.testing.assert_array_equal(named(run.case.having(other).fused(run.pipeline)), named(run.result))

    @runs(lambda pipeline: not is_by_category(pipeline), FEW)
    def test_the_ids_of_categories_mean_nothing(self, run):
        scene, semantics = run.case.scene, run.case.semantics
        ids = np.random.default_rng(2).permutation(40)[: len(scene.categories)].tolist()
        new = {None: None, **dict(zip(scene.categories, ids, strict=True))}
        categories = Categories([dataclasses.replace(one, id=new[one.id]) for one in scene.categories.values()])
        meaning = {label: new[one] for label, one in semantics.label_to_category.items()}
        category_ids = np.array([new[one] for one in scene.category_ids.tolist()], dtype=int)
        renamed = dataclasses.replace(scene, categories=categories, category_ids=category_ids)
        other = SemanticMap(semantics.labels, meaning, semantics.logits)
        result = dataclasses.replace(run.case, scene=renamed, semantics=other).fused(run.pipeline)
        expected = run.result
        assert np.array_equal(result.panoptic_seg, expected.panoptic_seg)
        assert result.segments_info == [
            {**one, "category_id": new[one["category_id"]]} for one in expected.segments_info
        ]
        assert result.dropped == tuple(
            dataclasses.replace(one, category_id=new[one.category_id]) for one in expected.dropped
        )

    @runs(cases=FEW)
    def test_arrays_give_an_array_and_tensors_a_tensor_of_the_same(self, run):
        scene, semantics = run.case.scene, run.case.semantics
        values = map(torch.from_numpy, (scene.probabilities, scene.boxes, scene.scores, scene.category_ids))
        instances, image = InstanceSet.from_rois(*values, scene.image_size), torch.from_numpy(run.case.image)
        tensors = SemanticMap(semantics.labels, semantics.label_to_category, semantics.logits)
        result = fuse(instances, tensors, scene.categories, run.pipeline, image)
        assert type(result.panoptic_seg) is torch.Tensor and type(run.result.panoptic_seg) is np.ndarray
        assert_same(result, run.result)

    @runs(lambda pipeline: not pipeline.needs & {Need.ROI_PROBABILITIES, Need.MASK_QUALITY}, FEW)
    def test_how_masks_are_given_does_not_matter(self, run):
        # RoI crops have a margin around the mask; crops of bitmaps have none.
        scene = run.case.scene
        bitmaps = InstanceSet.from_bitmaps(scene.masks, scene.scores, scene.category_ids, boxes=scene.boxes)
        assert_same(fuse(bitmaps, run.case.semantics, scene.categories, run.pipeline, run.case.image), run.result)

    @runs(lambda pipeline: pipeline.needs & {Need.LOGITS, Need.BEST_STUFF}, FEW)
    def test_logits_may_be_of_any_precision(self, run):
        labels, meaning = run.case.semantics.labels, run.case.semantics.label_to_category
        # Multiples of 1/8 have all of them.
        logits = (run.case.semantics.logits * 8).round() / 8
        expected, *others = (
            run.case.having(SemanticMap(labels, meaning, one)).fused(run.pipeline)
            for one in (logits, logits.double(), logits.half(), logits.bfloat16())
        )
        for other in others:
            assert_same(other, expected)

    # The others look at semantics to place things.
    @runs(
        lambda pipeline: (
            not isinstance(pipeline.suppress, SemanticGate)
            and (pipeline.order in (ByScore(), Calibrated()) or not getattr(pipeline.order, "agreement_exponent", 1))
            and not isinstance(pipeline.claim, (JointList, LogitSum, Adaptive))
            and isinstance(pipeline.veto, NoVeto)
            and not isinstance(pipeline.leftover, Components)
            and not getattr(pipeline.border, "move_things", False)
        ),
        FEW,
    )
    def test_without_semantics_the_things_are_the_same(self, run):
        result, semantics = run.result, run.case.semantics
        things = [segment for segment in result.segments_info if segment["isthing"]]
        says_nothing = SemanticMap(semantics.labels, dict.fromkeys(semantics.label_to_category), semantics.logits)
        for one in (None, says_nothing):
            alone = run.case.having(one).fused(run.pipeline)
            assert alone.segments_info == things
            assert np.array_equal(alone.panoptic_seg, result.panoptic_seg * (result.panoptic_seg <= len(things)))


# PyTorch divides work from 32768 values on.
LARGE = make_case(8, 20, 1, image_size=(240, 321))


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_threads_change_nothing(pipeline):
    if lacks_pydensecrf(pipeline):
        pytest.skip("pydensecrf is optional")
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = LARGE.fused(pipeline)
        torch.set_num_threads(2)
        assert_same(LARGE.fused(pipeline), expected)
    finally:
        torch.set_num_threads(threads)


def void_of(case, pipeline) -> np.ndarray:
    return case.fused(pipeline).panoptic_seg == 0


@pytest.mark.parametrize("order", [Calibrated(), Power()], ids=str)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_orders_with_their_defaults_are_the_order_by_score(case, order):
    by_score, other = Pipeline(Greedy(), 0.1, 60), Pipeline(Greedy(), 0.1, 60, order=order)
    assert_same(case.fused(other), case.fused(by_score))


class TestThresholds:
    # What is kept at a higher threshold is a prefix of the ranking there, so its claims stay as they were.
    @pytest.mark.parametrize("name", FEW)
    @pytest.mark.parametrize("claim", [Greedy(0.0), Greedy(0.5), Greedy(1.0), PerPixel(), ClassAware()], ids=str)
    def test_void_grows_with_the_score_threshold_when_stuff_has_no_limit(self, claim, name):
        case = CASES[name]
        void = np.zeros(case.scene.image_size, dtype=bool)
        for threshold in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            at_threshold = void_of(case, Pipeline(claim, threshold, 0))
            assert not (void & ~at_threshold).any()
            void = at_threshold

    # Where pixels of dropped stuff go to others, what is void depends on who is left.
    @runs(
        lambda pipeline: (
            pipeline.stuff == DroppedToVoid()
            and pipeline.leftover == LeftToVoid()
            and not getattr(pipeline.border, "move_things", False)
        ),
        FEW,
    )
    def test_void_grows_with_the_stuff_limit(self, run):
        void = np.zeros(run.case.scene.image_size, dtype=bool)
        for limit in (0, 1, 30, 200, 1000, void.size + 1):
            at_limit = void_of(run.case, dataclasses.replace(run.pipeline, stuff_area_thresh=limit))
            assert not (void & ~at_limit).any()
            void = at_limit

    @runs(lambda pipeline: not is_by_category(pipeline), FEW)
    def test_one_value_for_every_category_is_that_value_for_all(self, run):
        pipeline, categories = run.pipeline, run.case.scene.categories
        things, stuff = ([one.id for one in kind] for kind in (categories.things, categories.stuff))
        values = {
            "instances_score_thresh": 0.9,
            "instances_score_thresh_of": dict.fromkeys(things, pipeline.instances_score_thresh),
            "stuff_area_thresh": 1e9,
            "stuff_area_thresh_of": dict.fromkeys(stuff, pipeline.stuff_area_thresh),
            "stuff_area_fraction": 0.9,
            "stuff_area_fraction_of": dict.fromkeys(stuff, pipeline.stuff_area_fraction),
        }
        if hasattr(pipeline.claim, "overlap_threshold_of"):
            values["claim.overlap_threshold"] = 1 - pipeline.claim.overlap_threshold / 2
            values["claim.overlap_threshold_of"] = dict.fromkeys(things, pipeline.claim.overlap_threshold)
        assert_same(run.case.fused(pipeline.replaced(values)), run.result)

    @runs(lambda pipeline: not is_by_category(pipeline), FEW)
    def test_a_fraction_is_that_many_pixels(self, run):
        by_pixels, by_fraction = (
            dataclasses.replace(run.pipeline, stuff_area_thresh=pixels, stuff_area_fraction=fraction)
            for pixels, fraction in ((0.125 * run.case.image[..., 0].size, 0), (0, 0.125))
        )
        assert_same(run.case.fused(by_pixels), run.case.fused(by_fraction))
