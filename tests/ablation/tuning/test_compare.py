import csv
import dataclasses
import math

import pytest

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.report.pipeline_chart import draw_pipelines
from panoptic_heuristic.ablation.tuning.compare import compare, halves_of
from panoptic_heuristic.ablation.tuning.comparison import PUBLISHED, TUNED, Difference
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import PerPixel, Pipeline, PixelArgmax, fuse
from panoptic_heuristic.quality import add_counts, summarize
from tests.ablation.comparing_caches import IMAGES, PRESETS, counts_of
from tests.ablation.small_caches import write_cache, write_gt


@pytest.fixture(scope="module")
def halves():
    return halves_of(IMAGES, 100, 0)


@pytest.fixture(scope="module")
def comparison(store):
    return compare(store, PRESETS)


def untimed(comparison):
    return dataclasses.replace(
        comparison, table=tuple(dataclasses.replace(row, milliseconds=0.0) for row in comparison.table)
    )


# --- all of them ---


def test_published_rows_are_of_all_images(store, comparison):
    assert {row.name for row in comparison.table} == set(PRESETS) and len(comparison.table) == 2 * len(PRESETS)
    for name, pipeline in PRESETS.items():
        row = comparison.row(name, PUBLISHED)
        counts = [counts_of(store, image_id, pipeline) for image_id in store.image_ids]
        assert row.quality == summarize(add_counts(counts), store.cache.manifest.categories)
        assert row.pipelines == (pipeline, pipeline) and row.milliseconds > 0


def test_tuned_rows_are_of_all_images_by_thresholds_of_the_other_half(store, halves, comparison):
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


def test_tuned_thresholds_are_no_worse_where_they_were_tuned(store, halves, comparison):
    categories = store.cache.manifest.categories
    for name, published in PRESETS.items():
        for half, tuned in zip(halves, comparison.row(name, TUNED).pipelines, strict=True):
            pq = [
                summarize(add_counts(counts_of(store, store.image_ids[k], one) for k in half.tuning), categories).all.pq
                for one in (published, tuned)
            ]
            assert pq[0] <= pq[1]


def test_the_held_out_ground_truth_has_no_say(store, scenes, halves, comparison, tmp_path):
    """With other ground truth there, the thresholds that are counted there stay."""
    changed = list(scenes)
    for place in halves[0].held_out:
        # All is one thing, so that any stuff is wrong.
        thing = scenes[place].categories.things[0].id
        segments = [{**segment, "category_id": thing} for segment in scenes[place].gt_segments]
        changed[place] = dataclasses.replace(scenes[place], gt_segments=segments)
    other = open_store(store.cache.folder, *write_gt(tmp_path / "gt", changed))
    found = compare(other, PRESETS)
    # What is tuned on those images is another matter.
    assert any(found.row(name, TUNED).pipelines[1] != comparison.row(name, TUNED).pipelines[1] for name in PRESETS)
    for name in PRESETS:
        assert found.row(name, TUNED).pipelines[0] == comparison.row(name, TUNED).pipelines[0]
        assert found.row(name, PUBLISHED).quality != comparison.row(name, PUBLISHED).quality


def test_best_first_and_gains_over_the_reference(comparison):
    pq = [row.quality.all.pq for row in comparison.table]
    assert pq == sorted(pq, reverse=True)
    assert comparison.reference == "first"
    for row in comparison.table:
        kinds = {PUBLISHED, TUNED} if row.thresholds == TUNED else {PUBLISHED}
        assert set(row.gains) == (kinds - {row.thresholds} if row.name == "first" else kinds)
        for kind, gain in row.gains.items():
            against = comparison.row("first", kind)
            assert gain.pq == pytest.approx(100 * (row.quality.all.pq - against.quality.all.pq))
            assert gain.interval[0] <= gain.interval[1]


def test_of_equal_rows_the_difference_is_surely_nothing(store):
    row = compare(store, {"one": Pipeline(), "same": Pipeline()}).row("same", PUBLISHED)
    assert row.gains == {PUBLISHED: Difference(0.0, (0.0, 0.0))}


def test_intervals_are_those_of_drawn_images(store, comparison):
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


def test_equal_runs_find_the_same(store, comparison):
    assert untimed(compare(store, PRESETS, workers=2)) == untimed(comparison)
    assert untimed(compare(store, PRESETS, seed=1)) != untimed(comparison)


def test_a_limited_number_of_images_is_tuned_on(store, halves):
    few = halves_of(IMAGES, 1, 0)
    for half, whole in zip(few, halves, strict=True):
        assert len(half.tuning) == 1 and set(half.tuning) <= set(whole.tuning) and half.held_out == whole.held_out
    assert few == halves_of(IMAGES, 1, 0)
    done = []
    comparison = compare(
        store, PRESETS, tuning_images=1,
        progress=lambda results, total: (done.append((len(list(results)), total)), [])[1],
    )  # fmt: skip
    assert comparison.tuned_on == (1, 1) and comparison.images == IMAGES
    # Ten rounds of two images and then all; a round in which nobody wants anything has none.
    ((count, total),) = done
    assert IMAGES < count <= total == 10 * 2 + IMAGES


def test_groups_are_in_one_half_and_drawn_together(store, comparison):
    groups = [0, 1, 0, 2, 1]
    halves = halves_of(IMAGES, 100, 0, groups)
    for half in halves:
        assert not {groups[place] for place in half.tuning} & {groups[place] for place in half.held_out}
    found, alone = compare(store, PRESETS, groups=groups), compare(store, PRESETS, groups=range(IMAGES))
    assert untimed(alone) == untimed(comparison)
    assert found.tuned_on == tuple(len(half.tuning) for half in halves)
    published = [one.row("second", PUBLISHED).gains[PUBLISHED] for one in (found, comparison)]
    assert published[0].pq == published[1].pq and published[0].interval != published[1].interval


def test_what_cannot_fuse_is_left_out_with_its_reason(store, comparison, monkeypatch):
    presets = {"first": PRESETS["first"], "argmax": Pipeline(PixelArgmax()), **PRESETS}
    found = compare(store, presets)
    assert set(found.failed) == {"argmax"} and "probabilities" in found.failed["argmax"]
    assert untimed(found).table == untimed(comparison).table
    with pytest.raises(InputError, match="argmax, which the others are compared with, fails: .* probabilities"):
        compare(store, presets, reference="argmax")
    # As if what it needs were missing in single images only.
    monkeypatch.setattr(type(store.cache), "check_needs", lambda cache, pipeline: None)
    found = compare(store, presets)
    assert set(found.failed) == {"argmax"} and "image " in found.failed["argmax"]
    assert untimed(found).table == untimed(comparison).table
    with pytest.raises(InputError, match="argmax, which the others are compared with, fails: image .* probabilities"):
        compare(store, presets, reference="argmax")


def test_low_thresholds_are_raised_to_the_floor(store):
    found = compare(store, {"low": Pipeline(instances_score_thresh=0.01), "first": PRESETS["first"]})
    assert found.raised == {"low": 0.01} and found.reference == "low"
    assert found.row("low", PUBLISHED).pipelines[0].instances_score_thresh == 0.05


def test_a_failure_on_one_image_only(store, comparison, monkeypatch):
    """Say on one that was not tuned on."""
    tuned_on = {place for half in halves_of(IMAGES, 1, 0) for place in half.tuning}
    last = max(set(range(IMAGES)) - tuned_on)

    def failing(instances, semantics, categories, pipeline, image):
        if len(failing.seen) and pipeline.claim == PerPixel() and failing.seen[-1] == last:
            raise InputError("no such thing")
        return fuse(instances, semantics, categories, pipeline, image)

    failing.seen = []
    read = type(store.cache).read

    def noted(cache, image_id):
        failing.seen.append(image_id)
        return read(cache, image_id)

    monkeypatch.setattr("panoptic_heuristic.ablation.cache.fuse.fuse", failing)
    monkeypatch.setattr(type(store.cache), "read", noted)
    found = compare(store, PRESETS, tuning_images=1)
    assert found.failed == {"second": f"image {last}: no such thing"}
    assert {row.name for row in found.table} == {"first", "third"}
    assert found.row("third", PUBLISHED).quality == comparison.row("third", PUBLISHED).quality


def test_wrong_numbers(store):
    for values, told in (({"tuning_images": 0}, "tuning_images must be at least 1"), ({"seed": -1}, "seed must be")):
        with pytest.raises(InputError, match=told):
            compare(store, PRESETS, **values)


def test_ground_truth_without_a_segment(scenes, tmp_path):
    empty = [
        dataclasses.replace(scene, gt_ids=0 * scene.gt_ids, gt_segments=[], scores=0 * scene.scores)
        for scene in scenes[:2]
    ]
    write_cache(tmp_path / "cache", empty)
    store = open_store(tmp_path / "cache", *write_gt(tmp_path / "gt", empty))
    with pytest.raises(InputError, match="has no segment, so there is nothing to compare"):
        compare(store, {"only": Pipeline(stuff_area_thresh=1e6)})


# --- files ---


def test_the_csv(comparison, tmp_path):
    assert comparison.write(tmp_path) == [tmp_path / "comparison.csv", tmp_path / "comparison.png"]
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert [list(row) for row in rows] == [list(row) for row in comparison.rows()]
    assert [int(row["rank"]) for row in rows] == list(range(1, len(comparison.table) + 1))
    for found, row in zip(rows, comparison.table, strict=True):
        assert (found["preset"], found["thresholds"]) == (row.name, row.thresholds)
        for name, value in row.measures.items():
            assert float(found[name]) == pytest.approx(value)
        for kind in (PUBLISHED, TUNED):
            name, gain = f"pq_over_{kind}", row.gains.get(kind)
            cells = [found[one] for one in (name, f"{name}_low", f"{name}_high")]
            if gain is None:
                assert cells == ["", "", ""]
            else:
                assert [float(one) for one in cells] == pytest.approx([gain.pq, *gain.interval])
        for half, pipeline in enumerate(row.pipelines, start=1):
            assert float(found[f"instances_score_thresh_{half}"]) == pipeline.instances_score_thresh
            assert float(found[f"stuff_area_fraction_{half}"]) == pytest.approx(pipeline.stuff_area_fraction)
            overlap = found[f"overlap_threshold_{half}"]
            assert overlap == "" if row.name == "second" else float(overlap) == pipeline.claim.overlap_threshold
            assert found[f"kept_fraction_{half}"] == ""


def test_groups_that_do_not_occur(comparison):
    row = dataclasses.replace(comparison.table[0], quality=dataclasses.replace(comparison.table[0].quality, stuff=None))
    values = row.measures
    assert math.isnan(values["pq_stuff"]) and not math.isnan(values["pq_all"])


def test_the_chart(comparison):
    png = draw_pipelines(comparison)
    assert png.startswith(b"\x89PNG") and draw_pipelines(comparison) == png
    # A bar longer by a third is drawn otherwise.
    first = comparison.table[0]
    longer = dataclasses.replace(first.quality.all, pq=first.quality.all.pq * 4 / 3)
    other = dataclasses.replace(first, quality=dataclasses.replace(first.quality, all=longer))
    assert draw_pipelines(dataclasses.replace(comparison, table=(other, *comparison.table[1:]))) != png


def test_the_chart_of_nothing_right(comparison):
    nothing = dataclasses.replace(comparison.table[0].quality.all, pq=0.0)
    rows = tuple(
        dataclasses.replace(row, gains={}, quality=dataclasses.replace(row.quality, all=nothing))
        for row in comparison.table
    )
    assert draw_pipelines(dataclasses.replace(comparison, table=rows)).startswith(b"\x89PNG")


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("pipelines", "told"),
    [
        (Pipeline(), "pipelines must be a Mapping, such as .*; got Pipeline"),
        (["rap"], "pipelines must be a Mapping, such as .*; got list"),
        ({}, "there is no pipeline to compare; give one or several, by name"),
        ({"a": Pipeline(), "b": "rap"}, r"pipelines\['b'\] must be a Pipeline, such as .*; got str"),
    ],
)
def test_what_is_no_pipeline_by_name_is_refused(store, pipelines, told):
    with pytest.raises(InputError, match=f"^{told}$"):
        compare(store, pipelines)


def test_an_unknown_reference_is_refused(store):
    with pytest.raises(InputError, match="^the reference must be one of a, b, got 'c'$"):
        compare(store, {"a": Pipeline(), "b": Pipeline()}, reference="c")
