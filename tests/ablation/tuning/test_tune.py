import dataclasses
import math

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counts import segments_of
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport, chosen_stage, stage_reports, tuning_pq
from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines
from panoptic_heuristic.ablation.tuning.parts import Part, fold_parts, split_part
from panoptic_heuristic.ablation.tuning.tune import (
    BASELINES,
    STAGES,
    TUNED_PIPELINES,
    TuningSettings,
    run_tuning,
    tune_part,
)
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ClassAware, Reclaim
from panoptic_heuristic.quality import groups_of, summarize
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import drawn_image, of_scenes, total_pq

ALL = (*BASELINES, *TUNED_PIPELINES)


def settings(**changes) -> TuningSettings:
    return TuningSettings(**{"baselines": Baselines.of_values(0.5, 0.5, 60, 0.02), "score_floor": 0.05, **changes})


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(12, image_size=(64, 80), instances=50))


@pytest.fixture(scope="module")
def categories(held):
    return held.scenes[0].categories


@pytest.fixture(scope="module")
def parts():
    return fold_parts(12, 3, seed=0)


@pytest.fixture(scope="module")
def result(held, categories, parts):
    return run_tuning(held.images, categories, settings(), parts)


@pytest.fixture(scope="module")
def reports(result):
    return stage_reports(result, replicates=200)


# --- the parts ---


def test_each_image_is_held_out_once_and_never_tuned_on_there():
    for images, folds in ((7, 3), (5, 5), (2, 2), (40, 7)):
        *held_out, final = fold_parts(images, folds, seed=3)
        assert sorted(place for part in held_out for place in part.held_out) == list(range(images))
        for part in held_out:
            assert set(part.tuning) | set(part.held_out) == set(range(images))
            assert not set(part.tuning) & set(part.held_out) and part.tuning
            assert images // folds <= len(part.held_out) <= -(-images // folds)
        assert final == Part(tuple(range(images)), ())


def test_the_seed_decides_the_folds():
    assert fold_parts(20, 4, 1) == fold_parts(20, 4, 1) != fold_parts(20, 4, 2)


@pytest.mark.parametrize("folds", [-1, 0, 1, 6])
def test_a_wrong_number_of_folds(folds):
    with pytest.raises(InputError, match=rf"folds must be in \[2, 5\], the number of images, got {folds}"):
        fold_parts(5, folds, 0)


def test_one_image_cannot_be_parted():
    with pytest.raises(InputError, match="there is 1 image; at least two"):
        fold_parts(1, 2, 0)


def test_a_split_holds_out_the_others():
    assert split_part([3, 5, 8, 13], [13, 5]) == (Part((1, 3), (0, 2)),)


@pytest.mark.parametrize(
    "chosen, told",
    [([3, 4], "image 4 of the tuning part is not in the cache, which has 3 images"),
     ([3, 5, 3], "image 3 is in the tuning part twice"),
     ([], "has 0 of 3 images"), ([3, 5, 8], "has 3 of 3 images")],
)  # fmt: skip
def test_a_wrong_split(chosen, told):
    with pytest.raises(InputError, match=told):
        split_part([3, 5, 8], chosen)


# --- the settings ---


@pytest.mark.parametrize("stages", [(), ("per-class",), ("global", "global"), ("calibrated", "global"), ("else",)])
def test_wrong_stages(stages):
    with pytest.raises(InputError, match="stages must be some of global, per-class, calibrated"):
        settings(stages=stages)


@pytest.mark.parametrize("shrinkage", [-0.1, math.nan, math.inf])
def test_a_wrong_shrinkage(shrinkage):
    with pytest.raises(InputError, match="shrinkage must be in"):
        settings(shrinkage=shrinkage)


def test_a_baseline_below_the_floor():
    with pytest.raises(InputError, match="baseline has instances_score_thresh 0.5, but .* below 0.6"):
        settings(score_floor=0.6)
    settings(score_floor=0.5)


# --- tuning ---


def test_a_later_stage_is_no_worse_where_it_was_tuned(result):
    for place in range(len(result.parts)):
        pq = tuning_pq(result, place)
        assert pq["global"] >= max(pq["default"], pq["scaled"])
        assert pq["per_class"] >= pq["global"]
        assert pq["calibrated_factor"] >= pq["calibrated"]


def test_no_category_moves_against_overwhelming_shrinkage(held, categories):
    tuned = tune_part(held.images, categories, settings(stages=STAGES[:2], shrinkage=1e6))
    assert tuned.pipelines["per_class"] == tuned.pipelines["global"]


def with_other_gt(image: Regions) -> Regions:
    """The same predictions with the ground truth's categories mixed up."""
    gt = image.gt
    wrong = dataclasses.replace(gt, category_ids=gt.category_ids[::-1].copy(), iscrowd=gt.iscrowd[::-1].copy())
    return dataclasses.replace(image, gt=wrong)


def test_held_out_images_are_never_seen(held, categories, parts, result):
    """Other ground truth of the held-out images leaves all that was tuned as it was, and changes the counts."""
    for place, part in enumerate(parts[:-1]):
        images = list(held.images)
        for image in part.held_out:
            images[image] = with_other_gt(images[image])
        (tuned,) = run_tuning(images, categories, settings(), [part]).tuned
        assert tuned == result.tuned[place]
        assert run_tuning(images, categories, settings(), [part]).held_out.tolist() != (
            run_tuning(held.images, categories, settings(), [part]).held_out.tolist()
        )


def test_other_gt_of_tuning_images_matters(held, categories, parts, result):
    """Or the test above could not fail."""
    images = list(held.images)
    for image in parts[0].tuning:
        images[image] = with_other_gt(images[image])
    assert run_tuning(images, categories, settings(), parts[:1]).tuned[0] != result.tuned[0]


def test_workers_change_nothing(held, categories, parts, result, reports):
    shared = run_tuning(held.images, categories, settings(), parts, workers=2)
    assert shared.tuned == result.tuned
    assert shared.held_out.tolist() == result.held_out.tolist()
    assert stage_reports(shared, replicates=200) == reports


def test_stages_may_be_left_out(held, categories, parts):
    for stages, names in (
        (("global",), ALL[:3]),
        (("global", "per-class"), ALL[:4]),
        (("global", "calibrated"), (*ALL[:3], *ALL[4:])),
    ):
        result = run_tuning(held.images, categories, settings(stages=stages), parts[:1])
        assert result.stages == names
        reports = stage_reports(result, replicates=2)
        against = {report.name: [gain.against for gain in report.gains] for report in reports}
        assert against["default"] == [] and against["scaled"] == ["default"]
        assert against["global"] == list(BASELINES)
        if "calibrated" in against:
            assert against["calibrated"] == [*BASELINES, "global"]


def test_progress_is_told_every_step(held, categories, parts):
    seen = []

    def progress(results, total):
        for step in results:
            seen.append(total)
            yield step

    run_tuning(held.images, categories, settings(stages=STAGES[:1]), parts, progress=progress)
    assert seen == [8] * 8  # One stage and one count of four parts.


# --- the outcome ---


def test_held_out_counts_are_those_of_the_fold_without(held, categories, parts, result):
    """Image by image, by the pipelines of the part that held it out."""
    assert sorted(result.held_out_images) == list(range(12))
    for place, part in enumerate(parts[:-1]):
        images = [held.images[image] for image in part.held_out]
        for number, pipeline in enumerate(result.tuned[place].pipelines.values()):
            summary = summarize(result.held_out_counts(place).of_setting(number, categories), categories)
            assert summary.all.pq == pytest.approx(total_pq(images, pipeline, categories))
    assert result.held_out_counts().images == 12
    assert result.held_out_counts().segments.tolist() == segments_of(held.images, categories).tolist()


def test_the_outcome_is_tuned_on_all_images(held, categories, result):
    assert result.outcome == tune_part(held.images, categories, settings())


def test_reports_are_of_the_added_counts(categories, result, reports):
    total = result.held_out_counts()
    for place, report in enumerate(reports):
        summary = summarize(total.of_setting(place, categories), categories)
        for group in groups_of(categories):
            assert report.pq[group] == pytest.approx(100 * getattr(summary, group).pq)
        for gain in report.gains:
            other = next(one for one in reports if one.name == gain.against)
            assert gain.held_out == pytest.approx(report.pq["all"] - other.pq["all"])
            assert gain.interval[0] <= gain.interval[1]
            tuning = [tuning_pq(result, part)[report.name] - tuning_pq(result, part)[other.name] for part in range(3)]
            assert gain.tuning == pytest.approx(np.mean(tuning))
            assert gain.overfit == pytest.approx(gain.tuning - gain.held_out)


def test_intervals_are_seeded(result, reports):
    assert stage_reports(result, replicates=200) == reports != stage_reports(result, replicates=200, seed=1)


def test_intervals_of_equal_pipelines_are_nothing(held, categories, parts):
    """Paired: what makes images hard is not in the difference."""
    result = run_tuning(held.images, categories, settings(stages=STAGES[:2], shrinkage=1e6), parts)
    gain = stage_reports(result, replicates=50)[-1].gain("global")
    assert (gain.held_out, gain.interval, gain.tuning) == (0, (0, 0), 0)


def test_one_held_out_image_has_no_interval(held, categories):
    (part,) = split_part(range(12), list(range(11)))
    result = run_tuning(held.images, categories, settings(stages=STAGES[:1]), [part])
    assert stage_reports(result)[-1].gain("default").interval is None


def test_ground_truth_must_have_segments(held, categories):
    empty = drawn_image("....", [])
    images, both = [empty, drawn_image("aaaa", [])], (Part((0,), (1,)), Part((1,), (0,)))
    with pytest.raises(InputError, match="the 1 images to tune on have no ground-truth segment"):
        run_tuning(images, categories, settings(), both[:1])
    with pytest.raises(InputError, match="the 1 images held out have no ground-truth segment"):
        run_tuning(images, categories, settings(), both[1:])


def report(name, over_scaled):
    gains = () if name in BASELINES else (Gain("scaled", over_scaled, None, 1.0),)
    return StageReport(name, {"all": 50 + over_scaled}, gains)


@pytest.mark.parametrize(
    "gains, chosen",
    [((0.5, 0.7, 0.6), "per_class"), ((0.5, 0.5, 0.5), "global"), ((-0.1, 0.0, -2.0), "scaled"),
     ((-0.1, 0.01, -2.0), "per_class")],
)  # fmt: skip
def test_the_best_on_held_out_images_is_chosen(gains, chosen):
    names = ("global", "per_class", "calibrated")
    reports = [report(name, gain) for name, gain in zip((*BASELINES, *names), (-5.0, 0.0, *gains), strict=True)]
    assert chosen_stage(reports) == chosen


def test_unknown_categories_are_told(held, categories):
    regions = build_regions(
        held.predictions[0],
        dict(enumerate(held.scenes[0].label_to_category)),
        categories,
        held.scenes[0].gt_ids,
        held.scenes[0].gt_segments,
    )
    wrong = dataclasses.replace(regions, category_ids=regions.category_ids + 999)
    with pytest.raises(InputError, match="an instance of image 0 has category"):
        wrong.instance_places(categories)


@pytest.mark.parametrize("claim", [ClassAware(), Reclaim()], ids=["class_aware", "reclaim"])
def test_all_stages_keep_the_claim_rule(held, categories, claim):
    images = held.images[:6]
    tuned = tune_part(images, categories, settings(baselines=Baselines.of_values(0.5, 0.5, 60, 0.02, claim)))
    assert tuple(tuned.pipelines) == ALL
    quality = {name: total_pq(images, pipeline, categories) for name, pipeline in tuned.pipelines.items()}
    assert quality["per_class"] >= quality["global"] > quality["scaled"]
    for pipeline in tuned.pipelines.values():
        assert dataclasses.replace(pipeline.claim, overlap_threshold=0.5, overlap_threshold_of={}) == claim
