import dataclasses
import math

import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.calibrated import FORMS, ONE_CUTS, tune_calibrated
from panoptic_heuristic.ablation.tuning.classes import FEWEST_SEGMENTS
from panoptic_heuristic.ablation.tuning.counts import count_pipelines, segments_of, total_counts
from panoptic_heuristic.fusion import Calibrated, Greedy, Pipeline
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import of_scenes, pixel_counts, total_pq

START = Pipeline(
    Greedy(0.4, {2: 0.7}), 0.4, 0, stuff_area_fraction=0.02, instances_score_thresh_of={0: 0.6, 4: 0.3}
)


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(12, image_size=(64, 80), instances=60))


@pytest.fixture(scope="module", params=FORMS)
def form(request):
    return request.param


@pytest.fixture(scope="module")
def stage(held, form):
    return tune(held, START, form)


def tune(held, pipeline, form, shrinkage=1.0, score_floor=0.05):
    categories = held.scenes[0].categories
    return tune_calibrated(
        held.images, categories, pipeline, form=form, score_floor=score_floor, shrinkage=shrinkage
    )


def test_scores_are_left_to_the_probability(stage):
    for pipeline in (stage.pipeline, stage.by_rule, stage.by_one_cut):
        assert isinstance(pipeline.order, Calibrated)
        assert pipeline.instances_score_thresh == 0.05 and not pipeline.instances_score_thresh_of
        assert not pipeline.claim.overlap_threshold_of
        assert pipeline.stuff_area_fraction == 0.02
        assert pipeline.order.weights == stage.calibration.weights


def test_the_one_cut_is_the_best(held, stage):
    categories = held.scenes[0].categories
    best = total_pq(held.images, stage.by_one_cut, categories)
    assert not stage.by_one_cut.order.cut
    for one_cut in ONE_CUTS[::6]:
        order = dataclasses.replace(stage.by_rule.order, cut={}, default_cut=one_cut)
        assert total_pq(held.images, dataclasses.replace(stage.by_rule, order=order), categories) <= best


def test_cuts_lie_midway_between_the_rules_and_the_one(stage):
    rule, one_cut, midway = stage.by_rule.order, stage.one_cut, stage.pipeline.order
    assert rule.cut and midway.cut == {
        category_id: pytest.approx(math.sqrt(cut * one_cut), abs=0.0001) for category_id, cut in rule.cut.items()
    }
    assert midway.default_cut == pytest.approx(math.sqrt(rule.default_cut * one_cut), abs=0.0001)
    assert dataclasses.replace(stage.pipeline, order=rule) == stage.by_rule


def test_the_overlap_threshold_is_the_best_with_the_cuts(held, stage, form):
    categories = held.scenes[0].categories
    best = total_pq(held.images, stage.by_rule, categories)
    qualities = {
        overlap: total_pq(held.images, dataclasses.replace(stage.by_rule, claim=Greedy(overlap)), categories)
        for overlap in FORMS[form].overlaps
    }
    assert max(qualities.values()) == best > min(qualities.values())


def test_cuts_follow_from_the_quality_they_give(held, stage):
    """The rule says of the pipeline's own PQ what its cuts are, but for a segment or two of some twenty."""
    categories = held.scenes[0].categories
    counts = count_pipelines(held.images, [stage.by_rule], categories)[..., 0].sum(axis=0)
    segments = segments_of(held.images, categories)
    enough = {key for key in stage.calibration.expected_iou if segments[list(categories).index(key)] >= FEWEST_SEGMENTS}
    assert stage.by_rule.order.cut.keys() == enough != set()
    for category_id, cut in stage.by_rule.order.cut.items():
        place = list(categories).index(category_id)
        iou_sum, tp, fp = counts[:, place]
        pq = iou_sum / 2**40 / ((tp + fp + segments[place]) / 2)
        assert cut == pytest.approx(pq / (2 * stage.calibration.expected_iou[category_id]), abs=0.06)


def test_each_pipeline_counts_what_its_pixels_count(held, stage):
    categories = held.scenes[0].categories
    for image, predictions, scene in list(zip(*held, strict=True))[:3]:
        labels = dict(enumerate(scene.label_to_category))
        for pipeline in (stage.pipeline, stage.by_rule, stage.by_one_cut):
            counts, _ = pixel_counts(predictions, labels, categories, scene.gt_ids, scene.gt_segments, pipeline)
            assert count_pipelines([image], [pipeline], categories)[0, ..., 0].tolist() == counts.tolist()


def test_single_limits_of_stuff_are_found_anew_if_there_were_any(held):
    assert not tune(held, START, "per-class").by_rule.stuff_area_fraction_of
    stuff = held.scenes[0].categories.stuff[0].id
    start = dataclasses.replace(START, stuff_area_fraction_of={stuff: 0.9})
    assert tune(held, start, "per-class", shrinkage=0.0).by_rule.stuff_area_fraction_of.get(stuff) != 0.9
    assert tune(held, start, "shared", shrinkage=0.0).by_rule.stuff_area_fraction_of == {stuff: 0.9}


def test_slopes_per_class_as_they_always_were(held):
    """Numbers of the time when this was the only form, down to the last digit."""
    start = dataclasses.replace(START, stuff_area_fraction_of={held.scenes[0].categories.stuff[0].id: 0.9})
    found = tune(held, start, "per-class", shrinkage=0.0)
    order = Calibrated(
        {
            0: (-0.78592, 0.833777, 4.90325, -0.302734, -4.59953),
            2: (-0.617349, 1.05859, 3.56214, -0.466911, -2.96933),
            8: (-0.0262586, 1.20985, 4.21175, -0.389379, -4.15725),
        },
        {0: 0.4055, 2: 0.3701, 8: 0.3391},
        (-0.318622, 0.916359, 4.1347, -0.476462, -3.76877),
        0.3393,
    )
    limits = {3: 0.0286, 7: 0.0813}
    assert found.by_rule == Pipeline(
        Greedy(0.2), 0.05, 0, stuff_area_fraction=0.02, order=order, stuff_area_fraction_of=limits
    )
    assert (found.one_cut, found.rounds) == (0.175, 4)
    assert found.calibration.expected_iou == pytest.approx({0: 0.78708125, 2: 0.82012525, 8: 0.82111099}, abs=1e-8)
    assert found.calibration.default_iou == pytest.approx(0.80406371, abs=1e-8)


def test_shared_slopes_are_said_by_weights_of_each_class(held):
    """The rule of fusion is the same one: the weights of classes differ in their biases alone, and areas have none."""
    found = tune(held, START, "shared", score_floor=0.01)
    order = found.by_rule.order
    assert order.weights.keys() == found.examples.keys() and len({weights[0] for weights in order.weights.values()}) > 1
    assert {weights[1:] for weights in order.weights.values()} == {order.default_weights[1:]}
    assert order.default_weights[3] == 0
    assert found.by_rule.instances_score_thresh == 0.02
    assert found.by_rule.claim.overlap_threshold in (0.1, 0.15, 0.2)
    assert Pipeline.from_mapping(found.by_rule.to_mapping()) == found.by_rule


def test_shared_slopes_go_half_the_way_to_what_the_rule_says(held, monkeypatch):
    """The first round goes all the way; later ones are between the cuts before and those of the PQ they gave."""
    categories, cuts = held.scenes[0].categories, []
    for rounds in (1, 2):
        monkeypatch.setitem(FORMS, "shared", dataclasses.replace(FORMS["shared"], rounds=rounds))
        found = tune(held, START, "shared")
        assert found.rounds == rounds
        counts = total_counts(held.images, [found.by_rule], categories).quality().pq[:, 0]
        of_rule = {
            key: counts[list(categories).index(key)] / (2 * found.calibration.expected_iou[key])
            for key in found.by_rule.order.cut
        }
        cuts.append((found.by_rule.order.cut, of_rule))
    (first, of_first), (second, _) = cuts
    assert second == pytest.approx({key: (first[key] + of_first[key]) / 2 for key in first}, abs=1e-4)
    assert second != first


def test_nothing_to_fit_leaves_scores(form):
    """Images with no instance: no examples, no PQ of things, and still a pipeline."""
    held = of_scenes(small_scenes(3, instances=1))
    for image in held.images:
        assert len(image.scores) == 1
    stage = tune(held, START, form, score_floor=0.99)
    assert stage.calibration.weights == {} and stage.by_rule.order.default_weights == (0.0, 1.0, 0.0, 0.0, 0.0)
    assert np.isfinite(stage.by_rule.order.default_cut)
