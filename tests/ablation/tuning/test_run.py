import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.tuning.counts import segments_of
from panoptic_heuristic.ablation.tuning.gains import stage_reports
from panoptic_heuristic.ablation.tuning.reliability import bins_of, reliability_sums
from panoptic_heuristic.ablation.tuning.settings import STAGES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import Split, folds_of, given_split
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ClassAware, Greedy, Pipeline, Reclaim
from panoptic_heuristic.quality import groups_of, summarize
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import ALL, START, WITH_START, drawn_image, of_scenes, pq_of_images, total_pq, tuned


def settings(**changes) -> TuningSettings:
    values = {"pipeline": START, "default": Default(START, "drawn"), "on_regions": True, "score_floor": 0.05}
    return TuningSettings(**{**values, "image_area": 64 * 80, **changes})


def reports_of(result, **more):
    """With few replicates, which are enough."""
    tuning = [counts for split, counts in zip(result.splits, result.tuning, strict=True) if split.held_out]
    return stage_reports(result.names, result.held_out, tuning, result.categories, **{"replicates": 200, **more})


def on_all(images, categories, settings):
    """The outcome of one split that tunes on all images but the last, which the ground truth must be of, too."""
    places = tuple(range(len(images)))
    return tuned(images, categories, settings, [Split(places[:-1], places[-1:]), Split(places, ())]).outcome


@pytest.fixture(scope="module")
def held():
    return of_scenes(small_scenes(12, image_size=(64, 80), instances=50))


@pytest.fixture(scope="module")
def categories(held):
    return held.scenes[0].categories


@pytest.fixture(scope="module")
def splits():
    return folds_of(12, 3, seed=0)


@pytest.fixture(scope="module")
def result(held, categories, splits):
    return tuned(held.images, categories, settings(), splits)


@pytest.fixture(scope="module")
def reports(result):
    return reports_of(result)


# --- tuning ---


def test_a_later_stage_is_no_worse_where_it_was_tuned(result):
    for place in range(len(result.splits)):
        pq = result.tuning_pq(place)
        assert pq["global"] >= max(pq["default"], pq["scaled"])
        assert pq["per_class"] >= pq["global"]


def test_no_category_moves_against_overwhelming_shrinkage(held, categories):
    found = on_all(held.images, categories, settings(stages=STAGES[:2], shrinkage=1e6))
    assert found.pipelines["per_class"] == found.pipelines["global"]


def with_other_gt(image: Regions) -> Regions:
    """The same predictions with the ground truth's categories mixed up."""
    gt = image.gt
    wrong = dataclasses.replace(gt, category_ids=gt.category_ids[::-1].copy(), iscrowd=gt.iscrowd[::-1].copy())
    return dataclasses.replace(image, gt=wrong)


def test_held_out_images_are_never_seen(held, categories, splits, result):
    """Other ground truth of the held-out images leaves all that was tuned as it was, and changes the counts."""
    counted = dict(zip(result.held_out_images, pq_of_images(result), strict=True))
    for place, split in enumerate(splits[:-1]):
        images = list(held.images)
        for image in split.held_out:
            images[image] = with_other_gt(images[image])
        found = tuned(images, categories, settings(), [split])
        assert found.tuned == (result.tuned[place],)
        assert pq_of_images(found) != [counted[image] for image in found.held_out_images]


def test_other_gt_of_tuning_images_matters(held, categories, splits, result):
    """Or the test above could not fail."""
    images = list(held.images)
    for image in splits[0].tuning:
        images[image] = with_other_gt(images[image])
    assert tuned(images, categories, settings(), splits[:1]).tuned[0] != result.tuned[0]


def test_workers_change_nothing(held, categories, splits, result, reports):
    shared = tuned(held.images, categories, settings(), splits, workers=2)
    assert shared.tuned == result.tuned
    assert pq_of_images(shared) == pq_of_images(result)
    assert reports_of(shared) == reports


def test_stages_may_be_left_out(held, categories, splits):
    for stages, names in (
        (("global",), ALL[:3]),
        (("global", "per-class"), ALL[:4]),
        (("global", "calibrated"), (*ALL[:3], *ALL[4:])),
    ):
        result = tuned(held.images, categories, settings(stages=stages), splits[:1])
        assert result.names == names
        reports = reports_of(result, replicates=2)
        against = {report.name: [gain.against for gain in report.gains] for report in reports}
        assert against["default"] == [] and against["scaled"] == ["default"]
        assert against["global"] == ["default", "scaled"]
        if "calibrated" in against:
            assert against["calibrated"] == ["default", "scaled", "global"]


def test_shared_slopes_build_on_the_global_thresholds(held, categories):
    """Slopes per class go on from what was found per class, where that was asked for."""
    both = {
        form: [
            on_all(held.images, categories, settings(stages=stages, calibration=form, shrinkage=0.0)).pipelines
            for stages in (STAGES, (STAGES[0], STAGES[2]))
        ]
        for form in ("shared", "per-class")
    }
    with_classes, without = both["shared"]
    assert with_classes["per_class"].stuff_area_fraction_of or with_classes["per_class"].stuff_area_thresh_of
    assert with_classes["calibrated"] == without["calibrated"] == dataclasses.replace(
        with_classes["global"],
        order=without["calibrated"].order,
        claim=without["calibrated"].claim,
        instances_score_thresh=0.05,
    )
    with_classes, without = both["per-class"]
    assert with_classes["calibrated"] != without["calibrated"]


def test_reliability_is_of_held_out_images(held, categories, splits, result):
    """All instances of at least the floor that count for something, by the probability of the split without them."""
    sums = sum(
        reliability_sums([held.images[place] for place in split.held_out], one.pipelines["calibrated"])
        for split, one in zip(splits[:-1], result.tuned[:-1], strict=True)
    )
    assert result.reliability == bins_of(sums)
    assert sum(one.instances for one in result.reliability) == sum(
        number for number, _ in result.outcome.calibration["examples"].values()
    )
    assert tuned(held.images, categories, settings(stages=STAGES[:2]), splits).reliability == ()


def test_progress_is_told_every_step(held, categories, splits):
    seen = []

    def progress(results, total):
        for step in results:
            seen.append(total)
            yield step

    tuned(held.images, categories, settings(stages=STAGES[:2]), splits, progress=progress)
    # Three rounds of three shares of the images, one stage of four splits, and one count of all images.
    assert seen == [14] * 14
    seen.clear()
    tuned(held.images, categories, settings(), splits, progress=progress)
    assert seen == [21] * 21  # A stage more, and the reliability of the three that hold images out.


# --- the outcome ---


def test_held_out_counts_are_those_of_the_fold_without(held, categories, splits, result):
    """Image by image, by the pipelines of the part that held it out."""
    assert sorted(result.held_out_images) == list(range(12))
    for place, split in enumerate(splits[:-1]):
        images = [held.images[image] for image in split.held_out]
        for number, pipeline in enumerate(result.tuned[place].pipelines.values()):
            summary = summarize(result.held_out_counts(place).of_setting(number, categories), categories)
            assert summary.all.pq == pytest.approx(total_pq(images, pipeline, categories))
    assert result.held_out_counts().images == 12
    assert result.held_out_counts().segments.tolist() == segments_of(held.images, categories).tolist()


def test_the_outcome_is_tuned_on_all_images(held, categories, result):
    assert result.outcome == on_all(held.images, categories, settings())
    assert result.best == result.outcome.pipelines[result.chosen]


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
            tuning = [result.tuning_pq(part)[report.name] - result.tuning_pq(part)[other.name] for part in range(3)]
            assert gain.tuning == pytest.approx(np.mean(tuning))
            assert gain.overfit == pytest.approx(gain.tuning - gain.held_out)


def test_intervals_are_seeded(result, reports):
    assert reports_of(result) == reports != reports_of(result, seed=1)


def test_intervals_of_equal_pipelines_are_nothing(held, categories, splits):
    """Paired: what makes images hard is not in the difference."""
    result = tuned(held.images, categories, settings(stages=STAGES[:2], shrinkage=1e6), splits)
    gain = reports_of(result, replicates=50)[-1].gain("global")
    assert (gain.held_out, gain.interval, gain.tuning) == (0, (0, 0), 0)


def test_one_held_out_image_has_no_interval(held, categories):
    (split,) = given_split(range(12), list(range(11)))
    result = tuned(held.images, categories, settings(stages=STAGES[:1]), [split])
    assert reports_of(result)[-1].gain("default").interval is None


def test_ground_truth_must_have_segments(held, categories):
    empty = drawn_image("....", [])
    images, both = [empty, drawn_image("aaaa", [])], (Split((0,), (1,)), Split((1,), (0,)))
    with pytest.raises(InputError, match="the 1 images to tune on have no ground-truth segment"):
        tuned(images, categories, settings(), both[:1])
    with pytest.raises(InputError, match="the 1 images held out have no ground-truth segment"):
        tuned(images, categories, settings(), both[1:])


def test_differences_to_the_best_are_those_of_the_counts(result, reports):
    best = max(reports, key=lambda one: one.pq["all"])
    for one in reports:
        if one is best:
            assert one.to_best is None
        else:
            assert one.to_best.against == best.name and one.to_best.interval.low <= one.to_best.interval.high
            assert one.to_best.held_out == pytest.approx(one.pq["all"] - best.pq["all"])
    gain = best.gain("default")
    assert reports[0].to_best.held_out == -gain.held_out
    assert reports[0].to_best.interval == pytest.approx((-gain.interval.high, -gain.interval.low))


def test_rows_fit_a_table(result):
    rows = result.rows()
    assert [row["stage"] for row in rows] == list(ALL)
    assert len({tuple(row) for row in rows}) == 1
    for row, report in zip(rows, result.reports, strict=True):
        assert row["pq_all"] == report.pq["all"]
        gain = report.gain("scaled")
        assert row["over_scaled"] == (gain and gain.held_out) and row["overfit"] == (gain and gain.overfit)
        assert (row["over_scaled_low"], row["over_scaled_high"]) == ((None, None) if gain is None else gain.interval)
    assert rows[-1]["over_the_stage_before"] == result.reports[-1].gain("calibrated").held_out


# --- the default ---


def test_the_default_is_counted_beside_what_the_search_starts_from(held, categories, splits, result):
    """It changes nothing that is tuned, nor what is counted of the others."""
    own = Default(Pipeline(Greedy(0.3), 0.7, 30), "the model's own settings")
    found = tuned(held.images, categories, settings(default=own), splits)
    assert found.names == WITH_START
    for one, other in zip(found.tuned, result.tuned, strict=True):
        assert one.pipelines["default"] == own.pipeline and one.pipelines["start"] == START
        assert {name: one.pipelines[name] for name in ALL[1:]} == {name: other.pipelines[name] for name in ALL[1:]}
    places = [found.names.index(name) for name in ("start", *ALL[1:])]
    assert found.held_out_counts().of_settings(places).tp.tolist() == result.held_out_counts().tp.tolist()
    assert found.report("default").pq["all"] == pytest.approx(100 * total_pq(held.images, own.pipeline, categories))
    assert found.report("global").gain("start") == dataclasses.replace(
        result.report("global").gain("default"), against="start"
    )
    assert found.default == own


def test_a_default_below_the_floor_is_what_the_images_can_show(held, categories, splits):
    """No instance is known with a lower score, so a cutoff below the floor is one at the floor."""
    low = Default(Pipeline(instances_score_thresh=0.01), "drawn")
    found = tuned(held.images, categories, settings(default=low, stages=STAGES[:1]), splits)
    assert found.default.pipeline == Pipeline(instances_score_thresh=0.05)


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
    found = on_all(images, categories, settings(pipeline=dataclasses.replace(START, claim=claim)))
    assert tuple(found.pipelines) == WITH_START
    quality = {name: total_pq(images, pipeline, categories) for name, pipeline in found.pipelines.items()}
    assert quality["per_class"] >= quality["global"] > quality["scaled"]
    for name in WITH_START[1:]:
        pipeline = found.pipelines[name]
        assert dataclasses.replace(pipeline.claim, overlap_threshold=0.5, overlap_threshold_of={}) == claim
