import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.calibrated import FACTORS, ONE_CUTS, OVERLAPS, tune_calibrated
from panoptic_heuristic.ablation.tuning.counts import count_pipelines, segments_of
from panoptic_heuristic.fusion import Calibrated, Greedy, Pipeline
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import of_scenes, pixel_counts, total_pq

START = Pipeline(
    Greedy(0.4, {2: 0.7}), 0.4, 0, stuff_area_fraction=0.02, instances_score_thresh_of={0: 0.6, 4: 0.3}
)


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(12, image_size=(64, 80), instances=60))


@pytest.fixture(scope="module")
def stage(held):
    return tune_calibrated(held.images, held.scenes[0].categories, START, score_floor=0.05, shrinkage=1.0)


def test_scores_are_left_to_the_probability(stage):
    for pipeline in (stage.by_rule, stage.by_factor, stage.by_one_cut):
        assert isinstance(pipeline.order, Calibrated)
        assert pipeline.instances_score_thresh == 0.05 and not pipeline.instances_score_thresh_of
        assert not pipeline.claim.overlap_threshold_of
        assert pipeline.stuff_area_fraction == 0.02
        assert pipeline.order.weights == stage.calibration.weights


def test_the_searches_are_no_worse_on_themselves(held, stage):
    categories = held.scenes[0].categories
    quality = {
        name: total_pq(held.images, getattr(stage, name), categories) for name in ("by_rule", "by_factor", "by_one_cut")
    }
    assert quality["by_factor"] >= quality["by_rule"]
    for factor in FACTORS:
        cut = {key: min(round(value * factor, 4), 1.0) for key, value in stage.by_rule.order.cut.items()}
        default_cut = min(round(stage.by_rule.order.default_cut * factor, 4), 1.0)
        order = dataclasses.replace(stage.by_rule.order, cut=cut, default_cut=default_cut)
        other = dataclasses.replace(stage.by_rule, order=order)
        assert total_pq(held.images, other, categories) <= quality["by_factor"]
        assert (other == stage.by_factor) == (factor == stage.factor)
    for one_cut in ONE_CUTS[::6]:
        order = dataclasses.replace(stage.by_rule.order, cut={}, default_cut=one_cut)
        other = dataclasses.replace(stage.by_rule, order=order)
        assert total_pq(held.images, other, categories) <= quality["by_one_cut"]


def test_the_overlap_threshold_is_the_best_with_the_cuts(held, stage):
    categories = held.scenes[0].categories
    best = total_pq(held.images, stage.by_rule, categories)
    qualities = {
        overlap: total_pq(held.images, dataclasses.replace(stage.by_rule, claim=Greedy(overlap)), categories)
        for overlap in OVERLAPS
    }
    assert max(qualities.values()) == best > min(qualities.values())


def test_cuts_follow_from_the_quality_they_give(held, stage):
    """The rule says of the pipeline's own PQ what its cuts are, but for a segment or two of some twenty."""
    categories = held.scenes[0].categories
    counts = count_pipelines(held.images, [stage.by_rule], categories)[..., 0].sum(axis=0)
    segments = segments_of(held.images, categories)
    assert stage.by_rule.order.cut.keys() == stage.calibration.expected_iou.keys() != set()
    for category_id, cut in stage.by_rule.order.cut.items():
        place = list(categories).index(category_id)
        iou_sum, tp, fp = counts[:, place]
        pq = iou_sum / 2**40 / ((tp + fp + segments[place]) / 2)
        assert cut == pytest.approx(pq / (2 * stage.calibration.expected_iou[category_id]), abs=0.06)


def test_each_pipeline_counts_what_its_pixels_count(held, stage):
    categories = held.scenes[0].categories
    for image, predictions, scene in list(zip(*held, strict=True))[:3]:
        labels = dict(enumerate(scene.label_to_category))
        for pipeline in (stage.by_rule, stage.by_factor, stage.by_one_cut):
            counts, _ = pixel_counts(predictions, labels, categories, scene.gt_ids, scene.gt_segments, pipeline)
            assert count_pipelines([image], [pipeline], categories)[0, ..., 0].tolist() == counts.tolist()


def test_single_limits_of_stuff_are_found_anew_if_there_were_any(held, stage):
    categories = held.scenes[0].categories
    assert not stage.by_rule.stuff_area_fraction_of
    stuff = categories.stuff[0].id
    start = dataclasses.replace(START, stuff_area_fraction_of={stuff: 0.9})
    again = tune_calibrated(held.images, categories, start, score_floor=0.05, shrinkage=0.0)
    assert again.by_rule.stuff_area_fraction_of.get(stuff) != 0.9


def test_nothing_to_fit_leaves_scores():
    """Images with no instance: no examples, no PQ of things, and still a pipeline."""
    held = of_scenes(small_scenes(3, instances=1))
    for image in held.images:
        assert len(image.scores) == 1
    stage = tune_calibrated(held.images, held.scenes[0].categories, START, score_floor=0.99, shrinkage=1.0)
    assert stage.calibration.weights == {} and stage.by_rule.order.default_weights == (0.0, 1.0, 0.0, 0.0, 0.0)
    assert np.isfinite(stage.by_rule.order.default_cut)
