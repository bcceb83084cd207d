import csv
import dataclasses
import math

import pytest
import torch

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.report.preset_chart import draw_presets
from panoptic_heuristic.ablation.tuning.preset_files import quality_values, write_comparison
from panoptic_heuristic.ablation.tuning.preset_measure import measure_image
from panoptic_heuristic.ablation.tuning.presets import PUBLISHED, TUNED, ComparisonJob, Gain, compare_presets
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import BestStuff, Greedy, PerPixel, Pipeline, PixelArgmax, fuse
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.quality import add_counts, count_image, summarize
from tests.ablation.comparing_caches import STUFF_FLOOR, write_cache_with_logits
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

IMAGES = 5
PRESETS = {
    "first": Pipeline(stuff_area_thresh=200),
    "second": Pipeline(PerPixel(), instances_score_thresh=0.3, stuff_area_thresh=0),
    "third": Pipeline(Greedy(0.4), instances_score_thresh=0.45, stuff_area_thresh=200),
}


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(IMAGES)


@pytest.fixture(scope="module")
def store(scenes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_cache(folder / "cache", scenes, score_floor=0.05)
    return open_store(folder / "cache", *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def job(store):
    return ComparisonJob(store, PRESETS, "first")


@pytest.fixture(scope="module")
def comparison(job):
    return compare_presets(job)


def counts_of(store, image_id, pipeline):
    """One image fused and scored by itself."""
    manifest = store.cache.manifest
    predictions = store.cache.read(image_id)
    semantics = manifest.semantics_of(predictions, pipeline)
    result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
    ids, segments = result.panoptic_seg, result.segments_info
    return count_image(*store.gt_of(image_id), ids, segments, manifest.categories)


def untimed(comparison):
    return dataclasses.replace(
        comparison, rows=tuple(dataclasses.replace(row, milliseconds=0.0) for row in comparison.rows)
    )


# --- one image ---


def test_one_image(store):
    pipelines = (*PRESETS.values(), Pipeline(PixelArgmax()))
    for image_id in range(IMAGES):
        *measured, last = measure_image(store, (image_id, pipelines))
        for pipeline, one in zip(PRESETS.values(), measured, strict=True):
            assert one.counts == counts_of(store, image_id, pipeline)
            assert one.seconds > 0 and one.error is None
        assert last.error.startswith(f"image {image_id}: ") and "probabilities" in last.error and not last.counts


def test_fusing_is_timed_on_one_thread(store, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "panoptic_heuristic.ablation.tuning.preset_measure.fuse",
        lambda *args: (seen.append(torch.get_num_threads()), fuse(*args))[1],
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        measure_image(store, (0, (Pipeline(),)))
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)


def test_each_rule_gets_what_it_would_get_alone(scenes, tmp_path, monkeypatch):
    """Where the kept best stuff answers, a rule does not get logits because another one in the list does."""
    cache = write_cache_with_logits(tmp_path / "cache", scenes[:2], score_floor=0.05)
    store = open_store(cache, *write_gt(tmp_path / "gt", scenes[:2]))
    names = ("pku360", "efficientps", "jsis", "detectron2", "kmax")
    rules = [Pipeline.from_mapping(preset_rules(name)) for name in names]
    pipelines = tuple(dataclasses.replace(one, stuff_area_thresh=20) for one in rules)
    pipelines += (Pipeline(leftover=BestStuff(STUFF_FLOOR), stuff_area_thresh=20),)
    given = {}

    def noting(instances, semantics, categories, pipeline):
        given[pipeline] = semantics.logits is not None
        return fuse(instances, semantics, categories, pipeline)

    monkeypatch.setattr("panoptic_heuristic.ablation.tuning.preset_measure.fuse", noting)
    for image_id in range(2):
        for pipeline, one in zip(pipelines, measure_image(store, (image_id, pipelines)), strict=True):
            assert one.counts == counts_of(store, image_id, pipeline) and one.error is None
    assert [given[one] for one in pipelines] == [True, True, True, False, True, False]


# --- all of them ---


def test_published_rows_are_of_all_images(store, comparison):
    assert {row.preset for row in comparison.rows} == set(PRESETS) and len(comparison.rows) == 2 * len(PRESETS)
    for name, pipeline in PRESETS.items():
        row = comparison.row(name, PUBLISHED)
        counts = [counts_of(store, image_id, pipeline) for image_id in store.image_ids]
        assert row.quality == summarize(add_counts(counts), store.cache.manifest.categories)
        assert row.pipelines == (pipeline, pipeline) and row.milliseconds > 0


def test_tuned_rows_are_of_all_images_by_thresholds_of_the_other_half(store, job, comparison):
    halves = job.halves()
    assert sorted(place for half in halves for place in half.held_out) == list(range(IMAGES))
    for half in halves:
        assert not set(half.tuning) & set(half.held_out)
    for name in PRESETS:
        row = comparison.row(name, TUNED)
        counts = [
            counts_of(store, store.image_ids[place], pipeline)
            for half, pipeline in zip(halves, row.pipelines, strict=True)
            for place in half.held_out
        ]
        assert row.quality == summarize(add_counts(counts), store.cache.manifest.categories)


def test_tuned_thresholds_are_no_worse_where_they_were_tuned(store, job, comparison):
    categories = store.cache.manifest.categories
    for name, published in PRESETS.items():
        for half, tuned in zip(job.halves(), comparison.row(name, TUNED).pipelines, strict=True):
            pq = [
                summarize(add_counts(counts_of(store, store.image_ids[k], one) for k in half.tuning), categories).all.pq
                for one in (published, tuned)
            ]
            assert pq[0] <= pq[1]


def test_the_held_out_ground_truth_has_no_say(store, scenes, job, comparison, tmp_path):
    """With other ground truth there, the thresholds that are counted there stay."""
    changed = list(scenes)
    for place in job.halves()[0].held_out:
        # All is one thing, so that any stuff is wrong.
        thing = scenes[place].categories.things[0].id
        segments = [{**segment, "category_id": thing} for segment in scenes[place].gt_segments]
        changed[place] = dataclasses.replace(scenes[place], gt_segments=segments)
    other = open_store(store.cache.folder, *write_gt(tmp_path / "gt", changed))
    found = compare_presets(dataclasses.replace(job, store=other))
    # What is tuned on those images is another matter.
    assert any(found.row(name, TUNED).pipelines[1] != comparison.row(name, TUNED).pipelines[1] for name in PRESETS)
    for name in PRESETS:
        assert found.row(name, TUNED).pipelines[0] == comparison.row(name, TUNED).pipelines[0]
        assert found.row(name, PUBLISHED).quality != comparison.row(name, PUBLISHED).quality


def test_best_first_and_gains_over_the_reference(comparison):
    pq = [row.quality.all.pq for row in comparison.rows]
    assert pq == sorted(pq, reverse=True)
    assert comparison.reference == "first"
    for row in comparison.rows:
        kinds = {PUBLISHED, TUNED} if row.thresholds == TUNED else {PUBLISHED}
        assert set(row.gains) == (kinds - {row.thresholds} if row.preset == "first" else kinds)
        for kind, gain in row.gains.items():
            against = comparison.row("first", kind)
            assert gain.difference == pytest.approx(100 * (row.quality.all.pq - against.quality.all.pq))
            assert gain.interval[0] <= gain.interval[1]


def test_of_equal_rows_the_difference_is_surely_nothing(store):
    job = ComparisonJob(store, {"one": Pipeline(), "same": Pipeline()}, "one")
    row = compare_presets(job).row("same", PUBLISHED)
    assert row.gains == {PUBLISHED: Gain(0.0, (0.0, 0.0))}


def test_intervals_are_those_of_drawn_images(store, job, comparison):
    """Each draw of the same few images by hand: the interval holds 95 % of the differences."""
    categories, rng_free = store.cache.manifest.categories, range(IMAGES)
    counts = {name: [counts_of(store, k, PRESETS[name]) for k in store.image_ids] for name in ("first", "second")}

    def pq(name, drawn):
        return 100 * summarize(add_counts(counts[name][k] for k in drawn), categories).all.pq

    # All ways to draw as many images as there are, in place of a thousand at random.
    draws = [[k // IMAGES**turn % IMAGES for turn in rng_free] for k in range(0, IMAGES**IMAGES, 7)]
    differences = sorted(pq("second", drawn) - pq("first", drawn) for drawn in draws)
    low, high = comparison.row("second", PUBLISHED).gains[PUBLISHED].interval
    inside = sum(low <= one <= high for one in differences) / len(differences)
    assert 0.91 < inside < 0.99


def test_equal_runs_find_the_same(job, comparison):
    assert untimed(compare_presets(job, workers=2)) == untimed(comparison)
    assert untimed(compare_presets(dataclasses.replace(job, seed=1))) != untimed(comparison)


def test_a_limited_number_of_images_is_tuned_on(job):
    few = dataclasses.replace(job, tuning_images=1)
    for half, whole in zip(few.halves(), job.halves(), strict=True):
        assert len(half.tuning) == 1 and set(half.tuning) <= set(whole.tuning) and half.held_out == whole.held_out
    assert few.halves() == few.halves()
    done = []
    comparison = compare_presets(few, progress=lambda results, total: (done.append((len(list(results)), total)), [])[1])
    assert comparison.tuned_on == (1, 1) and comparison.images == IMAGES
    # Ten rounds of two images and then all; a round in which nobody wants anything has none.
    ((count, total),) = done
    assert IMAGES < count <= total == 10 * 2 + IMAGES


def test_what_cannot_fuse_is_left_out_with_its_reason(store, job, comparison):
    presets = {"first": PRESETS["first"], "argmax": Pipeline(PixelArgmax()), **PRESETS}
    found = compare_presets(dataclasses.replace(job, presets=presets))
    assert set(found.failed) == {"argmax"} and "image " in found.failed["argmax"]
    assert untimed(found).rows == untimed(comparison).rows
    with pytest.raises(InputError, match="argmax, which the others are compared with, fails: image .* probabilities"):
        compare_presets(dataclasses.replace(job, presets=presets, reference="argmax"))


def test_a_failure_on_one_image_only(job, comparison, monkeypatch):
    """Say on one that was not tuned on."""
    few = dataclasses.replace(job, tuning_images=1)
    tuned_on = {place for half in few.halves() for place in half.tuning}
    last = max(set(range(IMAGES)) - tuned_on)

    def failing(instances, semantics, categories, pipeline):
        if len(failing.seen) and pipeline.claim == PerPixel() and failing.seen[-1] == last:
            raise InputError("no such thing")
        return fuse(instances, semantics, categories, pipeline)

    failing.seen = []
    read = type(job.store.cache).read

    def noted(cache, image_id):
        failing.seen.append(image_id)
        return read(cache, image_id)

    monkeypatch.setattr("panoptic_heuristic.ablation.tuning.preset_measure.fuse", failing)
    monkeypatch.setattr(type(job.store.cache), "read", noted)
    found = compare_presets(few)
    assert found.failed == {"second": f"image {last}: no such thing"}
    assert {row.preset for row in found.rows} == {"first", "third"}
    assert found.row("third", PUBLISHED).quality == comparison.row("third", PUBLISHED).quality


def test_wrong_numbers(store):
    for values, told in (({"tuning_images": 0}, "tuning_images must be at least 1"), ({"seed": -1}, "seed must be")):
        with pytest.raises(InputError, match=told):
            ComparisonJob(store, PRESETS, "first", **values)


def test_ground_truth_without_a_segment(scenes, tmp_path):
    empty = [
        dataclasses.replace(scene, gt_ids=0 * scene.gt_ids, gt_segments=[], scores=0 * scene.scores)
        for scene in scenes[:2]
    ]
    write_cache(tmp_path / "cache", empty)
    store = open_store(tmp_path / "cache", *write_gt(tmp_path / "gt", empty))
    with pytest.raises(InputError, match="has no segment, so there is nothing to compare"):
        compare_presets(ComparisonJob(store, {"only": Pipeline(stuff_area_thresh=1e6)}, "only"))


# --- files ---


def test_the_csv(comparison, tmp_path):
    write_comparison(tmp_path / "out.csv", comparison)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [int(row["rank"]) for row in rows] == list(range(1, len(comparison.rows) + 1))
    for found, row in zip(rows, comparison.rows, strict=True):
        assert (found["preset"], found["thresholds"]) == (row.preset, row.thresholds)
        for name, value in quality_values(row).items():
            assert float(found[name]) == pytest.approx(value)
        for kind in (PUBLISHED, TUNED):
            name, gain = f"pq_over_{kind}", row.gains.get(kind)
            cells = [found[one] for one in (name, f"{name}_low", f"{name}_high")]
            if gain is None:
                assert cells == ["", "", ""]
            else:
                assert [float(one) for one in cells] == pytest.approx([gain.difference, *gain.interval])
        for half, pipeline in enumerate(row.pipelines, start=1):
            assert float(found[f"instances_score_thresh_{half}"]) == pipeline.instances_score_thresh
            assert float(found[f"stuff_area_fraction_{half}"]) == pytest.approx(pipeline.stuff_area_fraction)
            overlap = found[f"overlap_threshold_{half}"]
            assert overlap == "" if row.preset == "second" else float(overlap) == pipeline.claim.overlap_threshold
            assert found[f"kept_fraction_{half}"] == ""


def test_groups_that_do_not_occur(comparison):
    row = dataclasses.replace(comparison.rows[0], quality=dataclasses.replace(comparison.rows[0].quality, stuff=None))
    values = quality_values(row)
    assert math.isnan(values["pq_stuff"]) and not math.isnan(values["pq_all"])


def test_the_chart(comparison):
    png = draw_presets(comparison)
    assert png.startswith(b"\x89PNG") and draw_presets(comparison) == png
    # A bar longer by a third is drawn otherwise.
    first = comparison.rows[0]
    longer = dataclasses.replace(first.quality.all, pq=first.quality.all.pq * 4 / 3)
    other = dataclasses.replace(first, quality=dataclasses.replace(first.quality, all=longer))
    assert draw_presets(dataclasses.replace(comparison, rows=(other, *comparison.rows[1:]))) != png


def test_the_chart_of_nothing_right(comparison):
    nothing = dataclasses.replace(comparison.rows[0].quality.all, pq=0.0)
    rows = tuple(
        dataclasses.replace(row, gains={}, quality=dataclasses.replace(row.quality, all=nothing))
        for row in comparison.rows
    )
    assert draw_presets(dataclasses.replace(comparison, rows=rows)).startswith(b"\x89PNG")
