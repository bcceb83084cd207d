"""Attribution of whole data sets, and what holds for every error."""

import csv
import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.attribute import AttributionJob, attribute, attribute_image, segment_ids
from panoptic_heuristic.ablation.attribution.causes import CAUSES, GROUPS, Counterpart
from panoptic_heuristic.ablation.attribution.false_positives import find_false_positives
from panoptic_heuristic.ablation.attribution.files import (
    FILES,
    WORST_IMAGES,
    attribution_json,
    by_count,
    name_of,
    segment_rows,
    write_attribution,
)
from panoptic_heuristic.ablation.attribution.fused_regions import fuse_regions
from panoptic_heuristic.ablation.attribution.missed import find_missed
from panoptic_heuristic.ablation.attribution.oracles import ORACLES, TITLES
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.sweeping.columns import row_of
from panoptic_heuristic.ablation.sweeping.job import SweepJob
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    BestStuff,
    ClassAware,
    DroppedToVoid,
    Greedy,
    PerPixel,
    Pipeline,
    Power,
    explain,
    fuse,
)
from panoptic_heuristic.quality import add_counts, count_image, match_image
from tests.ablation.grids import grid_of
from tests.ablation.random_images import CATEGORIES, LABELS, RandomImage, random_grid, random_image
from tests.ablation.small_caches import scene_predictions, small_scenes, write_cache, write_gt

PIPELINE = Pipeline(Greedy(0.5), 0.5, 40.0)
SMALL_GRID = grid_of(
    (Greedy(0.2), Greedy(0.5), PerPixel()),
    (0.05, 0.3, 0.6),
    ((0.0, 0.0), (200.0, 0.0), (0.0, 0.1)),
)


def traced(image: RandomImage, categories, labels, setting):
    """The fused image on regions, its errors, and what fusing pixel by pixel gives."""
    predictions = image.predictions
    regions = build_regions(predictions, labels, categories, image.gt_ids, image.gt_segments)
    fused = fuse_regions(regions, categories, setting)
    instances, semantics = predictions.to_instances(), predictions.to_semantics(labels)
    result = fuse(instances, semantics, categories, setting)
    errors = [*find_missed(fused), *find_false_positives(fused, segment_ids(fused, result))]
    return fused, errors, result, explain(result, instances, semantics)


def check(image, categories, labels, setting):
    """The errors are those of the fused map, and each has a cause that holds there."""
    fused, errors, result, explanations = traced(image, categories, labels, setting)
    scored = (image.gt_ids, image.gt_segments, result.panoptic_seg, result.segments_info, categories)
    matching = match_image(*scored)
    missed = [error for error in errors if error.group.startswith("missed")]
    false = [error for error in errors if error.group.startswith("false")]
    assert sorted(error.segment_id for error in missed) == sorted(matching.missed)
    assert sorted(error.segment_id for error in false) == sorted(matching.false)
    assert fused.counts() == count_image(*scored)
    of_instance = {one.instance_id: one for one in explanations if one.isthing}
    of_stuff = {one.category_id: one for one in explanations if not one.isthing}
    for error in errors:
        assert error.cause in CAUSES[error.group]
        assert error.group.endswith("thing") == categories[error.category_id].isthing
        assert 0 <= error.iou <= 1
        _check_cause(error, of_instance.get(error.instance_id), of_stuff.get(error.category_id), result)
    return {(error.group, error.cause) for error in errors}


def _check_cause(error, instance, stuff, result):
    """What the fused map says of the same candidate."""
    if error.group == "missed_thing":
        reasons = {
            "score": ("score", "not_finite"),
            "overlap": ("overlap",),
            "covered": ("covered",),
            "used": (None,),
            "starved": (None,),
        }
        if error.cause in reasons:
            assert instance.reason in reasons[error.cause]
            assert error.iou > 0.5 and instance.category_id == error.category_id
        if error.cause in ("covered", "starved"):
            # All it lost was taken before, so that the map tells by whom.
            assert error.by == ("instance", instance.lost_to[0].instance_id, instance.lost_to[0].category_id)
        if error.cause == "wrong_category":
            assert error.iou > 0.5 and instance.category_id != error.category_id
    elif error.group == "missed_stuff":
        assert (error.iou > 0.5) == (error.cause in ("stuff_area", "false_things", "right_things"))
        assert (stuff is not None and stuff.reason == "stuff_area") or error.cause != "stuff_area"
        assert error.cause not in ("false_things", "right_things") or error.by.kind == "instance"
    else:
        segment = result.segments_info[error.segment_id - 1]
        assert (segment["area"], segment["category_id"]) == (error.area, error.category_id)
        assert segment.get("instance_id") == error.instance_id and segment.get("score") == error.score
        assert error.cause not in ("duplicate", "starved") or (error.iou > 0.5 and error.by.kind == "instance")


@pytest.mark.parametrize("seed", range(60))
def test_errors_are_those_of_the_fused_map(seed):
    image = random_image(seed)
    grid = random_grid(seed, image, 120)
    for number in np.random.default_rng(seed).choice(len(grid), min(8, len(grid)), replace=False).tolist():
        check(image, CATEGORIES, LABELS, grid.settings[number])


def test_errors_are_those_of_the_fused_map_in_every_setting_of_a_grid():
    causes = set()
    for scene in small_scenes(4, instances=40):
        image = RandomImage(scene_predictions(0, scene), scene.gt_ids, scene.gt_segments)
        for setting in SMALL_GRID.settings:
            causes |= check(image, scene.categories, dict(enumerate(scene.label_to_category)), setting)
    # The scenes put most causes to the test.
    assert len(causes) >= 12


# --- whole data sets ---


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(6, instances=30)


@pytest.fixture(scope="module")
def store(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("attribution")
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def job(store):
    return AttributionJob(store, PIPELINE)


@pytest.fixture(scope="module")
def total(job):
    return attribute(job)


def test_sums_are_those_of_the_images(job, total):
    images = [attribute_image(job, image_id) for image_id in job.store.image_ids]
    assert total.image_ids == tuple(range(6))
    assert total.errors == tuple((image.image_id, error) for image in images for error in image.errors)
    for name in total.counts:
        assert total.counts[name] == add_counts(image.counts[name] for image in images)
    for name in ("segments", "predicted", "stuff_pixels", "pixel_errors"):
        expected = sum(np.array(getattr(image, name)) for image in images)
        np.testing.assert_array_equal(getattr(total, name), expected)
    np.testing.assert_array_equal(total.disagreement.zones, sum(image.disagreement.zones for image in images))
    assert total.disagreement.zones.sum() == 6 * 48 * 65


def test_segments_are_matched_or_missed(job, total):
    for group, one in (("thing", 0), ("stuff", 1)):
        kind = [category.id for category in job.categories.values() if category.isthing == (group == "thing")]
        tp = sum(total.counts["none"][key].tp for key in kind if key in total.counts["none"])
        missed = sum(error.group == f"missed_{group}" for _, error in total.errors)
        assert tp + missed == total.segments[one] > 0
        assert tp + sum(error.group == f"false_{group}" for _, error in total.errors) <= total.predicted[one]


def test_progress_is_told(job):
    seen = []

    def progress(results, number):
        seen.append(number)
        return results

    attribute(job, progress=progress)
    assert seen == [6]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_do_not_depend_on_the_workers(job, total, tmp_path):
    for workers, folder in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        written = write_attribution(folder, job, attribute(job, workers=workers))
        assert written == [folder / name for name in FILES]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == set(FILES)


def test_the_json(job, total):
    data = json.loads(json.dumps(attribution_json(job, total)))
    assert data["setting"] == row_of(PIPELINE) and data["images"] == 6
    assert [one["group"] for one in data["groups"]] == list(GROUPS)
    none = data["oracles"][0]["counts"]
    isthing = {one["id"]: one["isthing"] for one in data["categories"]}
    for group in data["groups"]:
        which, kind = group["group"].split("_")
        counted = sum(
            row["fn" if which == "missed" else "fp"] for row in none if isthing[row["category_id"]] == (kind == "thing")
        )
        assert group["count"] == counted == sum(one["count"] for one in group["causes"])
        assert [one["cause"] for one in group["causes"]] == list(CAUSES[group["group"]])
        for cause in group["causes"]:
            assert cause["count"] == sum(row["count"] for row in cause["categories"])
            assert cause["count"] >= sum(row["count"] for row in cause["by"])
            assert cause["oracle"] in (*TITLES, None)
        assert group["count"] == 0 or sum(one["share"] for one in group["causes"]) == pytest.approx(1)
    assert [one["oracle"] for one in data["oracles"]] == ["none", *ORACLES]
    for one in data["oracles"]:
        for group, pq in one["pq"].items():
            assert 0 <= pq <= 100
            assert one["gain"][group] == pytest.approx(pq - data["oracles"][0]["pq"][group])
    zones = data["pixel_errors"]
    for zone in ("band", "elsewhere"):
        assert zones[zone]["errors"] + zones[zone]["right"] == zones[zone]["pixels"] > 0
    stuff = data["stuff_pixels"]
    assert stuff["gt"] == sum(one["gt"] for one in stuff["categories"]) >= stuff["right_labels"] > 0
    heads = data["disagreement"]
    differing = sum(one["differing"] for one in heads["zones"].values())
    assert differing == sum(one["pixels"] for one in heads["kinds"]) == sum(map(sum, heads["map"]["differing"]))
    assert sum(one["pixels"] for one in heads["pairs"]) == heads["kinds"][0]["pixels"]


def test_the_worst_images_come_first(job, total):
    worst = attribution_json(job, total)["worst_images"]
    errors = [one["errors"] for one in worst]
    assert errors == sorted(errors, reverse=True) and len(worst) <= WORST_IMAGES
    for one in worst:
        own = [error for image_id, error in total.errors if image_id == one["image_id"]]
        assert one["errors"] == len(own) == sum(sum(causes.values()) for causes in one["causes"].values())
        assert one["file_name"] == f"{one['image_id']}.jpg"


def test_the_fingerprint_is_that_of_a_sweep(job, total, tmp_path):
    assert total.fingerprint == SweepJob(job.store, SMALL_GRID, tmp_path).manifest()["fingerprint"]


def test_the_csv_has_a_line_per_error(job, total, tmp_path):
    write_attribution(tmp_path, job, total)
    rows = list(csv.DictReader((tmp_path / "segments.csv").read_text().splitlines()))
    assert len(rows) == len(total.errors) > 0
    for row, (image_id, error) in zip(rows, total.errors, strict=True):
        assert (int(row["image_id"]), row["error"], row["cause"]) == (image_id, error.group, error.cause)
        assert (int(row["segment_id"]), int(row["category_id"])) == (error.segment_id, error.category_id)
        assert row["category"] == job.categories[error.category_id].name
        assert float(row["iou"]) == pytest.approx(error.iou) and int(row["area"]) == error.area
        assert (row["instance_id"] == "") == (error.instance_id is None) == (row["score"] == "")
        assert row["by"] == name_of(error.by, job.categories)


def test_most_first():
    assert by_count(Counter({5: 1, 9: 3, 2: 1})) == [(9, 3), (2, 1), (5, 1)]


def test_culprits_have_names():
    assert name_of(None, CATEGORIES) == ""
    assert name_of(Counterpart("instance", 4, 31), CATEGORIES) == "category 31 #4"
    assert name_of(Counterpart("gt", 777, 31), CATEGORIES) == "category 31 segment 777"
    assert name_of(Counterpart("label", 9, 9), CATEGORIES) == "category 9"


def test_a_failed_write_leaves_no_json_of_before(job, total, tmp_path, monkeypatch):
    write_attribution(tmp_path, job, total)
    (tmp_path / "segments.csv").unlink()
    (tmp_path / "segments.csv").mkdir()
    with pytest.raises(InputError, match="cannot write to"):
        write_attribution(tmp_path, job, total)
    assert not (tmp_path / "attribution.json").exists()


def test_maps_that_are_all_void(tmp_path, scenes):
    # Nothing passes the cutoff, and no label has so many pixels.
    store = open_store(write_cache(tmp_path / "c", scenes[:1]), *write_gt(tmp_path / "t", scenes[:1]))
    job = AttributionJob(store, Pipeline(PerPixel(), 2.0, 1e9))
    data = attribution_json(job, attribute(job))
    assert [group["count"] for group in data["groups"]][2:] == [0, 0] and data["predicted"] == {"things": 0, "stuff": 0}
    assert {one["count"] for one in data["groups"][2]["causes"]} == {0}
    assert len(list(segment_rows(attribute(job), job.categories))) == 1 + sum(data["segments"].values())


def test_a_cutoff_below_the_floor(store):
    AttributionJob(store, PIPELINE.replaced({"instances_score_thresh": 0.05}))
    with pytest.raises(InputError, match=r"instances_score_thresh is 0.049, but .* below 0.05"):
        AttributionJob(store, PIPELINE.replaced({"instances_score_thresh": 0.049}))


def test_a_rule_that_sees_more_than_regions(store, monkeypatch):
    @dataclass(frozen=True)
    class Strange(Greedy):
        """Looks like greedy."""

    monkeypatch.setitem(CLAIM_REGISTRY._obj_map, "strange", Strange)
    with pytest.raises(InputError, match="the claim rule strange cannot be traced"):
        AttributionJob(store, PIPELINE.replaced({"claim": "strange"}))


@pytest.mark.parametrize(
    "base, words",
    [
        (Pipeline(order=Power()), "Detectron2's rules only, got order=power; leave it out"),
        (Pipeline(leftover=BestStuff()), "got leftover=best_stuff"),
        (Pipeline(stuff=DroppedToVoid("before")), "got stuff=void"),
        (Pipeline(thing_area_thresh=4), "things of any size, got thing_area_thresh 4"),
    ],
)
def test_other_stages_are_not_traced(store, base, words):
    with pytest.raises(InputError, match=words):
        AttributionJob(store, base)


def test_other_claim_rules_are_not_traced(store):
    with pytest.raises(InputError, match="the claim rule class_aware cannot be traced; use greedy"):
        AttributionJob(store, PIPELINE.replaced({"claim": ClassAware(0.5)}))
