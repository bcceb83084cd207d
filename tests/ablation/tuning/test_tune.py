import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.counts import segments_of
from panoptic_heuristic.ablation.tuning.gains import Gain, StageReport, chosen_stage, stage_reports
from panoptic_heuristic.ablation.tuning.settings import BASELINES, STAGES, TUNED_PIPELINES, TuningSettings
from panoptic_heuristic.ablation.tuning.splits import Split, folds_of, given_split
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    DEFAULT_PIPELINE,
    BestStuff,
    ClassAware,
    Nms,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    fuse,
)
from panoptic_heuristic.quality import add_counts, count_image, groups_of, summarize
from tests.ablation.comparing_caches import write_cache_with_logits
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.ablation.tuning_images import drawn_image, of_scenes, total_pq, tuned

ALL = (*BASELINES, *TUNED_PIPELINES)


# Scaled to the images its limit is two hundredths of them.
START = Pipeline(stuff_area_thresh=0.02 * 640 * 480)


def settings(**changes) -> TuningSettings:
    values = {"pipeline": START, "on_regions": True, "score_floor": 0.05, "image_area": 64 * 80}
    return TuningSettings(**{**values, **changes})


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
        assert pq["calibrated_factor"] >= pq["calibrated"]


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
        assert against["global"] == list(BASELINES)
        if "calibrated" in against:
            assert against["calibrated"] == [*BASELINES, "global"]


def test_progress_is_told_every_step(held, categories, splits):
    seen = []

    def progress(results, total):
        for step in results:
            seen.append(total)
            yield step

    tuned(held.images, categories, settings(stages=STAGES[:2]), splits, progress=progress)
    assert seen == [20] * 20  # Three rounds, one stage and one count, of four splits.


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
    found = on_all(images, categories, settings(pipeline=dataclasses.replace(START, claim=claim)))
    assert tuple(found.pipelines) == ALL
    quality = {name: total_pq(images, pipeline, categories) for name, pipeline in found.pipelines.items()}
    assert quality["per_class"] >= quality["global"] > quality["scaled"]
    for pipeline in found.pipelines.values():
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
    assert result.names == ALL
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
    assert result.names == ALL[:3] and len(seen) <= seen[0]
    for split, one in zip(result.splits, result.tuned, strict=True):
        pq = {name: fused_pq(with_logits, pipeline, split.tuning) for name, pipeline in one.pipelines.items()}
        assert result.tuning_pq(result.splits.index(split)) == pytest.approx(pq, abs=1e-9)
        assert pq["global"] >= max(pq["default"], pq["scaled"])
        claim = dataclasses.replace(one.pipelines["global"].claim, kept_fraction=start.claim.kept_fraction)
        assert claim == start.claim
    held_out = summarize(result.held_out_counts(0).of_setting(2, result.categories), result.categories)
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
    assert result.names == ALL[:3] and type(result.best.claim) is LastComes
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
