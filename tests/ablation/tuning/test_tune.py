import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.own_settings import MODELS_OWN, Default, remember_pipeline
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.counts import segments_of
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport, recommended, stage_reports
from panoptic_heuristic.ablation.tuning.groups import sums_of_groups
from panoptic_heuristic.ablation.tuning.reliability import bins_of, reliability_sums
from panoptic_heuristic.ablation.tuning.settings import STAGES, TUNED_PIPELINES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import Split, folds_of, given_split
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import (
    DEFAULT_PIPELINE,
    BestStuff,
    ClassAware,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    fuse,
)
from panoptic_heuristic.quality import IOU_UNIT, Interval, add_counts, count_image, groups_of, summarize
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import named_store, small_scenes, write_cache, write_gt
from tests.ablation.tuning_images import drawn_image, of_scenes, total_pq, tuned

ALL = ("default", "scaled", *TUNED_PIPELINES)
"""Where the search starts from the default."""

WITH_START = ("default", "start", *ALL[1:])
"""Where it does not."""


# Scaled to the images its limit is two hundredths of them.
START = Pipeline(stuff_area_thresh=0.02 * 640 * 480)


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


def pq_of_images(result):
    """The counts of each held-out image, as numbers that can be compared."""
    return [(one.iou_sum.tolist(), one.tp.tolist(), one.fp.tolist(), one.segments.tolist()) for one in result.held_out]


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
    assert seen == [20] * 20  # Three rounds, one stage and one count, of four splits.
    seen.clear()
    tuned(held.images, categories, settings(), splits, progress=progress)
    assert seen == [27] * 27  # A stage more, and the reliability of the three that hold images out.


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


def report(name, pq, over_default, to_best=None):
    """Of a pipeline with intervals of its gain over the default and of its difference to the best, which has 50."""
    gains = () if name == "default" else (Gain("default", pq - 45, over_default and Interval(*over_default), 0.0),)
    below = None if pq == 50 else Gain("per_class", pq - 50, to_best and Interval(*to_best), 0.0)
    return StageReport(name, {"all": pq}, gains, below)


SURE, TOUCHING, NONE = (0.01, 9.0), (0.0, 9.0), None


@pytest.mark.parametrize(
    "scaled, global_, per_class, calibrated, chosen",
    [
        (NONE, NONE, NONE, NONE, "default"),  # Nothing is sure without intervals.
        (TOUCHING, TOUCHING, TOUCHING, TOUCHING, "default"),  # Intervals that reach 0.
        (SURE, SURE, SURE, SURE, "global"),  # scaled is too far below the best.
        (SURE, TOUCHING, SURE, SURE, "per_class"),
        (SURE, TOUCHING, TOUCHING, SURE, "calibrated"),  # The best itself is not sure, this is close to it.
        (SURE, TOUCHING, TOUCHING, TOUCHING, "scaled"),  # The best of those that are sure, however far below.
        (TOUCHING, SURE, TOUCHING, TOUCHING, "global"),
    ],
)
def test_the_recommendation_is_sure_close_to_the_best_and_simple(scaled, global_, per_class, calibrated, chosen):
    # Intervals 3.92 wide: their standard error is 1, and global is exactly so much below the best.
    wide = (-2.96, 0.96)
    reports = [
        report("default", 45.0, None, (-6.0, -4.0)),
        report("scaled", 48.0, scaled, wide),
        report("global", 49.0, global_, wide),
        report("per_class", 50.0, per_class),
        report("calibrated", 49.5, calibrated, wide),
    ]
    assert recommended(reports) == chosen


def test_below_a_standard_error_is_not_close():
    assert report("global", 49.0, SURE, (-2.96, 0.96)).is_close_to_best
    assert not report("global", 48.99, SURE, (-2.96, 0.96)).is_close_to_best
    reports = [report("default", 45.0, None), report("global", 48.99, SURE, (-2.96, 0.96))]
    assert recommended([*reports, report("per_class", 50.0, SURE)]) == "per_class"


def counts_of_thing(*matched, segments=4):
    """One image with so many segments of one thing, and so many of them matched wholly under each setting."""
    tp = np.array([matched])
    return SettingCounts(tp * IOU_UNIT, tp, 0 * tp, np.array([segments]), 1)


ONE_THING = Categories([Category(7, "cat", True, (1, 2, 3))])


def test_the_best_is_the_earlier_of_equal_ones():
    """Half of the segments are found by the default; all but one by both others."""
    images = [counts_of_thing(2, 4, 3), counts_of_thing(2, 3, 4)]
    default, best, other = stage_reports(("default", "global", "per_class"), images, images, ONE_THING)
    # 7 of 8 found is 7 / 7.5, 4 of 8 is 4 / 6.
    assert best.pq["all"] == other.pq["all"] == pytest.approx(100 * 7 / 7.5)
    assert best.to_best is None and (other.to_best.against, other.to_best.held_out) == ("global", 0)
    # Images drawn twice: 6 of 8 and 8 of 8 for the one, the reverse for the other.
    assert other.to_best.interval == pytest.approx((100 * (6 / 7 - 1), 100 * (1 - 6 / 7)))
    assert default.to_best.held_out == pytest.approx(100 * (4 / 6 - 7 / 7.5)) and default.to_best.interval.high < 0
    assert best.gain("default").is_sure and recommended((default, best, other)) == "global"


def test_frames_of_a_video_are_one_draw():
    """Five alike images say the same as one: what two videos differ by stays unsure, however many frames they have."""
    good, bad = [counts_of_thing(2, 4)] * 5, [counts_of_thing(3, 2)] * 5
    apart = stage_reports(("default", "global"), [*good, *bad], good, ONE_THING)[0]
    grouped = stage_reports(("default", "global"), sums_of_groups([*good, *bad], [0] * 5 + [1] * 5), good, ONE_THING)[0]
    assert apart.to_best.held_out == grouped.to_best.held_out < 0
    # One video drawn twice: 20 of 20 against 10, or 10 against 15.
    assert grouped.to_best.interval == pytest.approx((100 * (2 / 3 - 1), 100 * (3 / 3.5 - 2 / 3)))
    width = apart.to_best.interval.high - apart.to_best.interval.low
    assert width < 0.7 * (grouped.to_best.interval.high - grouped.to_best.interval.low)


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


# --- on a cache ---


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(6, instances=30)


@pytest.fixture(scope="module")
def store(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_cache(folder / "cache", scenes, score_floor=0.05, stuff_probability=0.25)
    return open_store(folder / "cache", *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def with_logits(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logits")
    cache = write_cache_with_logits(folder / "cache", scenes, score_floor=0.05)
    return open_store(cache, *write_gt(folder / "gt", scenes))


def fused_pq(store, pipeline, image_ids):
    """PQ of all categories in percent, by fusing and scoring each image."""
    manifest, counts = store.cache.manifest, []
    for image_id in image_ids:
        predictions = store.cache.read(image_id)
        semantics = manifest.semantics_of(predictions, pipeline)
        result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
        counts.append(
            count_image(*store.gt_of(image_id), result.panoptic_seg, result.segments_info, manifest.categories)
        )
    return 100 * summarize(add_counts(counts), manifest.categories).all.pq


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": PerPixel()},
        {"suppress": Nms(0.3)},
        {"order": Power(agreement_exponent=1.0, key_cutoff=0.2)},
        {"leftover": BestStuff(0.25)},
        {"thing_area_thresh": 640 * 480 / 500},
    ],
    ids=["per_pixel", "nms", "power", "best_stuff", "thing_area"],
)
def test_all_stages_of_any_rules_that_are_exact_on_regions(store, changes):
    """Counted on regions, each pipeline of each stage has the PQ of fusing with it."""
    result = tune(store, dataclasses.replace(START, **changes), folds=2)
    assert result.names == WITH_START
    for name, pipeline in result.outcome.pipelines.items():
        assert result.tuning_pq(2)[name] == pytest.approx(fused_pq(store, pipeline, store.image_ids), abs=1e-9)
    pq = result.tuning_pq(2)
    assert pq["per_class"] >= pq["global"] >= max(pq["default"], pq["scaled"])


def test_other_rules_are_tuned_pixel_by_pixel(with_logits):
    start = Pipeline(PixelArgmax(), stuff_area_thresh=6144)
    seen = []

    def progress(items, total):
        for one in items:
            seen.append(total)
            yield one

    result = tune(with_logits, start, folds=2, progress=progress)
    assert result.names == WITH_START[:4] and len(seen) <= seen[0]
    for split, one in zip(result.splits, result.tuned, strict=True):
        pq = {name: fused_pq(with_logits, pipeline, split.tuning) for name, pipeline in one.pipelines.items()}
        assert result.tuning_pq(result.splits.index(split)) == pytest.approx(pq, abs=1e-9)
        assert pq["global"] >= max(pq["default"], pq["scaled"])
        claim = dataclasses.replace(one.pipelines["global"].claim, kept_fraction=start.claim.kept_fraction)
        assert claim == start.claim
    held_out = summarize(result.held_out_counts(0).of_setting(3, result.categories), result.categories)
    found = fused_pq(with_logits, result.tuned[0].pipelines["global"], result.splits[0].held_out)
    assert 100 * held_out.all.pq == pytest.approx(found, abs=1e-9)
    again = tune(with_logits, start, folds=2, workers=2)
    assert again.tuned == result.tuned and pq_of_images(again) == pq_of_images(result)


def test_held_out_images_are_never_seen_pixel_by_pixel(with_logits, scenes, tmp_path):
    start, chosen = Pipeline(PixelArgmax(), stuff_area_thresh=6144), [0, 2, 3]
    result = tune(with_logits, start, tuning_images=chosen)
    changed = list(scenes)
    for image_id in set(with_logits.image_ids) - set(chosen):
        ids = [segment["category_id"] for segment in scenes[image_id].gt_segments][::-1]
        segments = [
            {**one, "category_id": other} for one, other in zip(scenes[image_id].gt_segments, ids, strict=True)
        ]
        changed[image_id] = dataclasses.replace(scenes[image_id], gt_segments=segments)
    other = tune(with_logits.cache.folder, start, tuning_images=chosen, gt_json=write_gt(tmp_path, changed)[0],
                 gt_folder=tmp_path / "panoptic")  # fmt: skip
    assert other.tuned == result.tuned and pq_of_images(other) != pq_of_images(result)


def test_a_rule_of_ones_own(store):
    result = tune(store, dataclasses.replace(START, claim=LastComes()), folds=2)
    assert result.names == WITH_START[:4] and type(result.outcome.pipelines["global"].claim) is LastComes
    assert result.tuning_pq(2)["global"] == pytest.approx(
        fused_pq(store, result.outcome.pipelines["global"], store.image_ids), abs=1e-9
    )


@dataclasses.dataclass(frozen=True)
class LastComes:
    """The rule per pixel, the other way around."""

    def claim(self, heads, order):
        return PerPixel().claim(heads, dataclasses.replace(order, ranked=order.ranked[::-1]))


def test_what_cannot_be_tuned_is_told(store):
    with pytest.raises(InputError, match="claim=pixel_argmax needs RoI mask probabilities"):
        tune(store, Pipeline(PixelArgmax()))
    with pytest.raises(InputError, match="stage per-class is for rules"):
        tune(store, Pipeline(LastComes()), stages=("global", "per-class"))
    with pytest.raises(InputError, match="give one of them"):
        tune(store, folds=2, tuning_images=[1])
    with pytest.raises(InputError, match="give one of them"):
        tune(store, folds=2, report_cache=store)
    with pytest.raises(InputError, match="there is no cache to tune on"):
        tune([])
    with pytest.raises(InputError, match="instances_score_thresh_of.*999|999.*instances_score_thresh_of"):
        tune(store, Pipeline(instances_score_thresh_of={999: 0.5}))


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


def test_the_default_is_detectron2s(store):
    assert tune(store, folds=2, stages=("global",)).settings.pipeline == DEFAULT_PIPELINE


# --- on several caches ---


@pytest.fixture(scope="module")
def parts(scenes, tmp_path_factory):
    """The six images of the store as a cache of four and one of two, whose ids start at 0, and at 4."""
    folder = tmp_path_factory.mktemp("parts")
    cache = write_cache(folder / "first", scenes[:4], score_floor=0.05)
    first = open_store(cache, *write_gt(folder / "gt", scenes[:4]))
    second = named_store(folder / "second", ("4.jpg", "5.jpg"), scenes=scenes[4:], first_id=4, score_floor=0.05)
    return first, second


def test_caches_to_tune_on_are_one(store, parts):
    """As if all images were in one cache."""
    one, several = (tune(cache, START, folds=3) for cache in (store, parts))
    assert several.splits == one.splits and several.tuned == one.tuned and several.reports == one.reports
    assert several.held_out_images == one.held_out_images
    assert [manifest.dataset_name for manifest in several.manifests] == ["small", "small"]
    assert tune(list(parts)[:1], START, folds=2).tuned == tune(parts[0], START, folds=2).tuned


def test_another_cache_to_report_on(store, parts):
    """As if its images were those of one cache that are not named to be tuned on."""
    named = tune(store, START, tuning_images=[0, 1, 2, 3])
    other = tune(parts[0], START, report_cache=parts[1])
    assert other.splits == named.splits == (Split((0, 1, 2, 3), (4, 5)),)
    assert other.tuned == named.tuned and other.reports == named.reports
    assert (other.how, other.held_out_images) == ({"tuning_images": 4, "seed": 0}, (4, 5))
    # The images to report on have no say in what is found.
    reverse = tune(parts[1], START, report_cache=parts[0])
    assert reverse.tuned == (tune(parts[1], START, folds=2).tuned[-1],)


def test_another_cache_to_report_on_pixel_by_pixel(store, parts):
    start = dataclasses.replace(START, claim=LastComes())
    named = tune(store, start, tuning_images=[0, 1, 2, 3])
    other = tune(parts[0], start, report_cache=parts[1], workers=2)
    assert other.tuned == named.tuned and other.reports == named.reports


def test_the_lowest_score_is_one_that_all_caches_know(parts, scenes, tmp_path):
    high = write_cache(tmp_path / "high", scenes[4:], score_floor=0.3)
    store = open_store(high, *write_gt(tmp_path / "gt", scenes[4:]))
    found = tune(parts[0], START, report_cache=store, stages=("global",))
    assert found.settings.score_floor == 0.3
    assert all(one.instances_score_thresh >= 0.3 for one in found.outcome.pipelines.values())


def test_groups_stay_together_and_are_drawn_together(store):
    groups = [0, 0, 1, 1, 2, 2]
    found = tune(store, START, folds=3, groups=groups)
    assert found.how == {"folds": 3, "groups": 3, "seed": 0}
    assert sorted(split.held_out for split in found.splits[:-1]) == [(0, 1), (2, 3), (4, 5)]
    tuning = [counts for split, counts in zip(found.splits, found.tuning, strict=True) if split.held_out]
    units = [found.held_out[k] + found.held_out[k + 1] for k in (0, 2, 4)]
    assert found.reports == stage_reports(found.names, units, tuning, found.categories)
    assert found.reports != stage_reports(found.names, found.held_out, tuning, found.categories)
    # What is tuned on all images knows of the groups only in its standard errors.
    alone = tune(store, START, folds=3, shrinkage=0.0)
    assert tune(store, START, folds=3, shrinkage=0.0, groups=groups).tuned[-1] == alone.tuned[-1]


def test_groups_of_one_image_each_change_nothing(store):
    plain, grouped = tune(store, START, folds=3), tune(store, START, folds=3, groups="name:([0-9]+)")
    assert (grouped.splits, grouped.tuned, grouped.reports) == (plain.splits, plain.tuned, plain.reports)


def test_no_group_may_be_parted(store, parts):
    with pytest.raises(InputError, match=r"image 1 \(1.jpg\) is to be tuned on and image 3 \(3.jpg\) held out, but"):
        tune(store, START, tuning_images=[0, 1], groups=[0, 1, 2, 1, 3, 4])
    with pytest.raises(InputError, match=r"image 3 \(3.jpg\) is to be tuned on and image 5 \(5.jpg\) held out, but"):
        tune(parts[0], START, report_cache=parts[1], groups=["a", "b", "c", "d", "e", "d"])
    with pytest.raises(InputError, match=r"folds must be a whole number in \[2, 3\], the number of groups, got 5"):
        tune(store, START, groups="blocks:2")


def test_groups_are_a_text_or_labels(store):
    with pytest.raises(InputError, match="^groups must be column:NAME, .* or a list of labels, got 5$"):
        tune(store, START, groups=5)


@pytest.mark.parametrize("pipeline", ["rap", {"claim": "greedy"}, None])
def test_what_is_no_pipeline_is_refused(store, pipeline):
    with pytest.raises(InputError, match=f"^pipeline must be a Pipeline, such as .*; got {type(pipeline).__name__}$"):
        tune(store, pipeline)


# --- the default of a cache ---


@pytest.mark.parametrize(
    "own", [Pipeline(Greedy(0.3), 0.4, 30), Pipeline(PixelArgmax(), stuff_area_thresh=30)], ids=["regions", "pixels"]
)
def test_gains_are_over_the_models_own_settings(with_logits, own):
    """By fusing and scoring each image, whether the own rules are exact on regions or not."""
    remember_pipeline(with_logits.cache, own)
    try:
        found = tune(with_logits, START, folds=2, stages=("global",))
    finally:
        (with_logits.cache.folder / "fusion.json").unlink()
    assert found.default == Default(own, MODELS_OWN) and found.names == WITH_START[:4]
    pq = {name: found.report(name).pq["all"] for name in found.names}
    assert pq["default"] == pytest.approx(fused_pq(with_logits, own, with_logits.image_ids), abs=1e-9)
    assert pq["scaled"] == pytest.approx(
        fused_pq(with_logits, found.outcome.pipelines["scaled"], with_logits.image_ids), abs=1e-9
    )
    assert found.report("global").gain("default").held_out == pytest.approx(pq["global"] - pq["default"])
    for split, one in zip(found.splits, found.tuned, strict=True):
        place = found.splits.index(split)
        assert found.tuning_pq(place)["global"] == pytest.approx(
            fused_pq(with_logits, one.pipelines["global"], split.tuning), abs=1e-9
        )


def test_without_own_settings_gains_are_over_detectron2s(store):
    found = tune(store, START, folds=2, stages=("global",))
    assert found.default.pipeline == DEFAULT_PIPELINE and found.default.meaning.startswith("Detectron2's defaults, ")
