"""Attribution of whole data sets, by any pipeline."""

import csv
import dataclasses
import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.attribute import attribute, attribute_image
from panoptic_heuristic.ablation.attribution.causes import CAUSES, GROUPS, Counterpart
from panoptic_heuristic.ablation.attribution.files import FILES, WORST_IMAGES, attribution_json, by_count, name_of
from panoptic_heuristic.ablation.attribution.oracles import ORACLES, TITLES
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.sweeping.job import SweepJob
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    PRESETS,
    BestStuff,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    SemanticVeto,
)
from panoptic_heuristic.quality import add_counts
from tests.ablation.comparing_caches import STUFF_FLOOR, counts_of, write_cache_with_logits
from tests.ablation.grids import grid_of
from tests.ablation.random_images import CATEGORIES
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

PIPELINE = Pipeline(Greedy(0.5), 0.5, 40.0)


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(6, instances=30)


@pytest.fixture(scope="module")
def store(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("attribution")
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def total(store):
    return attribute(store, PIPELINE)


def test_sums_are_those_of_the_images(store, total):
    images = [attribute_image(store, PIPELINE, image_id) for image_id in store.image_ids]
    assert total.image_ids == tuple(range(6))
    assert total.errors == tuple((image.image_id, error) for image in images for error in image.errors)
    for name in total.counts:
        assert total.counts[name] == add_counts(image.counts[name] for image in images)
    for name in ("segments", "predicted", "stuff_pixels", "pixel_errors"):
        expected = sum(np.array(getattr(image, name)) for image in images)
        np.testing.assert_array_equal(getattr(total, name), expected)
    np.testing.assert_array_equal(total.disagreement.zones, sum(image.disagreement.zones for image in images))
    assert total.disagreement.zones.sum() == 6 * 48 * 65


def test_segments_are_matched_or_missed(total):
    for group, one in (("thing", 0), ("stuff", 1)):
        kind = [category.id for category in total.categories.values() if category.isthing == (group == "thing")]
        tp = sum(total.counts["none"][key].tp for key in kind if key in total.counts["none"])
        missed = sum(error.group == f"missed_{group}" for _, error in total.errors)
        assert tp + missed == total.segments[one] > 0
        assert tp + sum(error.group == f"false_{group}" for _, error in total.errors) <= total.predicted[one]


def test_progress_is_told(store):
    seen = []

    def progress(results, number):
        seen.append(number)
        return results

    attribute(store, PIPELINE, progress=progress)
    assert seen == [6]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_files_do_not_depend_on_the_workers(store, total, tmp_path):
    for workers, folder in ((1, tmp_path / "one"), (2, tmp_path / "two")):
        written = attribute(store, PIPELINE, workers=workers).write(folder)
        assert written == [folder / name for name in FILES]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == set(FILES)


def test_the_json(total):
    data = json.loads(json.dumps(attribution_json(total)))
    assert Pipeline.from_mapping(data["pipeline"]) == PIPELINE and data["images"] == 6
    assert data["described"] == "greedy, instances_score_thresh 0.5, overlap_threshold 0.5, stuff_area_thresh 40"
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


def test_the_worst_images_come_first(total):
    worst = attribution_json(total)["worst_images"]
    errors = [one["errors"] for one in worst]
    assert errors == sorted(errors, reverse=True) and len(worst) <= WORST_IMAGES
    for one in worst:
        own = [error for image_id, error in total.errors if image_id == one["image_id"]]
        assert one["errors"] == len(own) == sum(sum(causes.values()) for causes in one["causes"].values())
        assert one["file_name"] == f"{one['image_id']}.jpg"


def test_the_fingerprint_is_that_of_a_sweep(store, total, tmp_path):
    grid = grid_of((Greedy(0.2), PerPixel()), (0.3,), ((40.0, 0.0),))
    assert total.fingerprint == SweepJob(store, grid, tmp_path).manifest()["fingerprint"]


def test_the_csv_has_a_line_per_error(total, tmp_path):
    total.write(tmp_path)
    rows = list(csv.DictReader((tmp_path / "segments.csv").read_text().splitlines()))
    assert len(rows) == len(total.errors) > 0
    for row, (image_id, error) in zip(rows, total.errors, strict=True):
        assert (int(row["image_id"]), row["error"], row["cause"]) == (image_id, error.group, error.cause)
        assert (int(row["segment_id"]), int(row["category_id"])) == (error.segment_id, error.category_id)
        assert row["category"] == total.categories[error.category_id].name
        assert float(row["iou"]) == pytest.approx(error.iou) and int(row["area"]) == error.area
        assert (row["instance_id"] == "") == (error.instance_id is None) == (row["score"] == "")
        assert row["by"] == name_of(error.by, total.categories)


def test_most_first():
    assert by_count(Counter({5: 1, 9: 3, 2: 1})) == [(9, 3), (2, 1), (5, 1)]


def test_culprits_have_names():
    assert name_of(None, CATEGORIES) == ""
    assert name_of(Counterpart("instance", 4, 31), CATEGORIES) == "category 31 #4"
    assert name_of(Counterpart("gt", 777, 31), CATEGORIES) == "category 31 segment 777"
    assert name_of(Counterpart("label", 9, 9), CATEGORIES) == "category 9"


def test_a_failed_write_leaves_no_json_of_before(total, tmp_path):
    total.write(tmp_path)
    (tmp_path / "segments.csv").unlink()
    (tmp_path / "segments.csv").mkdir()
    with pytest.raises(InputError, match="cannot write to"):
        total.write(tmp_path)
    assert not (tmp_path / "attribution.json").exists()


def test_maps_that_are_all_void(tmp_path, scenes):
    # Nothing passes the score threshold, and no label has so many pixels.
    store = open_store(write_cache(tmp_path / "c", scenes[:1]), *write_gt(tmp_path / "t", scenes[:1]))
    total = attribute(store, Pipeline(PerPixel(), 2.0, 1e9))
    data = attribution_json(total)
    assert [group["count"] for group in data["groups"]][2:] == [0, 0] and data["predicted"] == {"things": 0, "stuff": 0}
    assert {one["count"] for one in data["groups"][2]["causes"]} == {0}
    assert len(total.rows()) == sum(data["segments"].values())


def test_rows_are_those_of_the_csv(total, tmp_path):
    total.write(tmp_path)
    first, *_ = rows = list(csv.DictReader((tmp_path / "segments.csv").read_text().splitlines()))
    assert [*first] == [*total.rows()[0]] and len(rows) == len(total.rows())
    for written, row in zip(rows, total.rows(), strict=True):
        for name, value in row.items():
            told = "" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
            assert written[name] == told


def test_without_an_error_there_is_a_header(store, total, tmp_path):
    dataclasses.replace(total, errors=()).write(tmp_path)
    assert (tmp_path / "segments.csv").read_text() == ",".join(total.rows()[0]) + "\n"


# --- any pipeline ---


@pytest.fixture(scope="module")
def store_with_logits(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("with_logits")
    cache = write_cache_with_logits(folder / "cache", scenes[:2], score_floor=0.05)
    return open_store(cache, *write_gt(folder / "gt", scenes[:2]))


def of_small_scenes(pipeline):
    """With thresholds for scenes of few pixels."""
    scores = {"instances_score_thresh": max(0.1, pipeline.instances_score_thresh / 2)}
    return dataclasses.replace(pipeline, **scores, stuff_area_thresh=20, stuff_area_fraction=0)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset(store_with_logits, name):
    pipeline = of_small_scenes(Pipeline.preset(name))
    total = attribute(store_with_logits, pipeline)
    counts = add_counts(counts_of(store_with_logits, image_id, pipeline) for image_id in range(2))
    assert total.counts["none"] == counts
    for which, error in (("missed", "fn"), ("false", "fp")):
        told = Counter(one.category_id for _, one in total.errors if one.group.startswith(which))
        assert told == {key: getattr(one, error) for key, one in counts.items() if getattr(one, error)}
    # Each is told once.
    assert len({(image_id, *one[:3:2]) for image_id, one in total.errors}) == len(total.errors) > 0
    assert Pipeline.from_mapping(json.loads(json.dumps(attribution_json(total)))["pipeline"]) == pipeline


def test_the_fingerprint_does_not_depend_on_the_pipeline(store, total):
    for pipeline in (Pipeline(suppress=Nms()), Pipeline(veto=SemanticVeto(), stuff=DroppedToVoid("before"))):
        assert attribute(store, pipeline).fingerprint == total.fingerprint


def test_best_stuff_is_fused_on_regions_at_the_floor_of_the_cache_only(store_with_logits):
    for floor, oracles in ((STUFF_FLOOR, set(ORACLES)), (0.3, {"acceptance", "order", "category"})):
        pipeline = Pipeline(leftover=BestStuff(floor), stuff_area_thresh=20)
        total = attribute(store_with_logits, pipeline)
        assert set(total.counts) == {"none", *oracles}
        assert total.counts["none"] == add_counts(counts_of(store_with_logits, key, pipeline) for key in range(2))


def test_a_rule_of_ones_own_is_traced_pixel_by_pixel(store, total, monkeypatch):
    @dataclass(frozen=True)
    class Strange(Greedy):
        """Looks like greedy."""

    monkeypatch.setitem(CLAIM_REGISTRY._obj_map, "strange", Strange)
    own = attribute(store, dataclasses.replace(PIPELINE, claim=Strange()))
    assert set(own.counts) == {"none", "acceptance", "order", "category"}
    told = {cause["oracle"] for group in attribution_json(own)["groups"] for cause in group["causes"]}
    assert told == {"acceptance", "order", "category", None}
    assert sorted(map(str, own.errors)) == sorted(map(str, total.errors))
    for name in own.counts:
        assert own.counts[name] == total.counts[name]


@dataclass(frozen=True)
class Mine:
    """A claim rule whose parameter has the name of another one, and means something else."""

    overlap_threshold: float = 0.2

    def claim(self, heads, order):
        assert self.overlap_threshold == 0.2
        return Greedy(1 - self.overlap_threshold).claim(heads, order)


def test_a_parameter_of_a_rule_of_ones_own_is_left_alone(store, monkeypatch):
    monkeypatch.setitem(CLAIM_REGISTRY._obj_map, "mine", Mine)
    own = attribute(store, dataclasses.replace(PIPELINE, claim=Mine()))
    same = attribute(store, dataclasses.replace(PIPELINE, claim=Greedy(0.8)))
    assert own.counts["none"] == same.counts["none"] and own.counts["order"] == same.counts["order"]


class Demanding(Mine):
    def claim(self, heads, order):
        raise InputError("demanding needs more than that")


def test_what_a_rule_refuses_names_the_image(store, monkeypatch):
    monkeypatch.setitem(CLAIM_REGISTRY._obj_map, "demanding", Demanding)
    with pytest.raises(InputError, match="^image 0: demanding needs more than that$"):
        attribute(store, dataclasses.replace(PIPELINE, claim=Demanding()))


def test_values_of_single_categories(store):
    thing, stuff = (next(key for key, one in store.cache.manifest.categories.items() if one.isthing == kind)
                    for kind in (True, False))  # fmt: skip
    pipeline = Pipeline(
        Greedy(0.5, {thing: 0.2}), 0.3, 40, instances_score_thresh_of={thing: 0.6}, stuff_area_thresh_of={stuff: 300}
    )
    total = attribute(store, pipeline)
    assert total.counts["none"] == add_counts(counts_of(store, image_id, pipeline) for image_id in store.image_ids)
    assert set(total.counts) == {"none", *ORACLES}


def test_a_folder_and_its_ground_truth(store, total):
    files = {"gt_json": store.gt.path, "gt_folder": store.panoptic_root}
    assert attribute(store.cache.folder, PIPELINE, **files).rows() == total.rows()
    with pytest.raises(InputError, match="belong together"):
        attribute(store.cache.folder, gt_json=store.gt.path)


def test_a_score_threshold_below_the_floor(store):
    thing = store.cache.manifest.categories.things[0].id
    attribute(store, PIPELINE.replaced({"instances_score_thresh": 0.05}))
    for values in ({"instances_score_thresh": 0.049}, {"instances_score_thresh_of": {thing: 0.049}}):
        with pytest.raises(InputError, match=r"instances_score_thresh is 0.049, but .* below 0.05"):
            attribute(store, PIPELINE.replaced(values))


def test_a_rule_that_needs_what_the_cache_lacks(store):
    with pytest.raises(InputError, match="claim=logit_sum needs .*, but .* was made without"):
        attribute(store, Pipeline.preset("upsnet"))


def test_a_value_of_an_unknown_category(store):
    with pytest.raises(InputError, match="77"):
        attribute(store, Pipeline(stuff_area_thresh_of={77: 3}))


@pytest.mark.parametrize("pipeline", ["rap", {"claim": "greedy"}])
def test_what_is_no_pipeline_is_refused(store, pipeline):
    with pytest.raises(InputError, match=f"^pipeline must be a Pipeline, such as .*; got {type(pipeline).__name__}$"):
        attribute(store, pipeline)
