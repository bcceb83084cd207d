import dataclasses
import json
import shutil

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.ground_truth import remember_gt
from panoptic_heuristic.ablation.cache.predictions import SemanticRuns
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_json
from panoptic_heuristic.formats.files import read_json, write_json
from tests.ablation.small_caches import small_scenes, write_cache, write_gt


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(3)


@pytest.fixture
def files(tmp_path, scenes):
    return write_cache(tmp_path / "cache", scenes), *write_gt(tmp_path / "gt", scenes)


def equal(one, other):
    names = (
        "pixels", "semantic", "gt_place", "cover", "scores", "category_ids", "semantic_agreement", "boxes",
        "agreeing", "first_labels",
    )  # fmt: skip
    return one.image_size == other.image_size and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


def test_regions_are_kept_and_come_back_as_they_were(files, scenes):
    store = open_store(*files)
    for image_id in store.image_ids:
        first = store.read(image_id)
        path = files[0] / "regions" / f"{image_id}.arrays"
        before = path.stat().st_mtime_ns
        again = store.read(image_id)
        assert path.stat().st_mtime_ns == before
        manifest = store.cache.manifest
        built = build_regions(
            store.cache.read(image_id), manifest.label_to_category, manifest.categories, *store.gt_of(image_id)
        )
        for regions in (first, again):
            assert equal(regions, built)
            assert regions.gt.ids.tolist() == built.gt.ids.tolist()
            assert regions.gt.iscrowd.tolist() == built.gt.iscrowd.tolist()
            assert np.isnan(regions.mask_quality).all()


def test_regions_told_apart_by_a_fused_map_are_not_kept(files, scenes):
    store = open_store(*files)
    ids = np.arange(scenes[1].gt_ids.size).reshape(scenes[1].gt_ids.shape)
    regions = store.read_fused(1, ids)
    assert regions.pixels.tolist() == [1] * ids.size and sorted(regions.segment_ids.tolist()) == ids.ravel().tolist()
    assert not (files[0] / "regions").exists() and store.read(1).segment_ids is None


def test_regions_with_their_best_stuff_are_kept_beside_the_others(tmp_path, scenes):
    cache = write_cache(tmp_path / "cache", scenes, stuff_probability=0.25)
    store = open_store(cache, *write_gt(tmp_path / "gt", scenes))
    plain, told_apart = store.read(1), store.read(1, with_best_stuff=True)
    assert len(told_apart.pixels) > len(plain.pixels) and told_apart.best_stuff.any()
    assert plain.best_stuff is None
    for again, first in ((store.read(1), plain), (store.read(1, with_best_stuff=True), told_apart)):
        assert equal(again, first)
    assert store.read(1, with_best_stuff=True).best_stuff.tolist() == told_apart.best_stuff.tolist()
    for folder in ("regions", "regions_with_best_stuff"):
        assert (cache / folder / "1.arrays").exists()


def test_regions_of_each_size_of_islands_are_kept_beside_the_others(files, scenes):
    store = open_store(*files)
    plain = store.read(1)
    sizes = (0.01, 0.05)
    cleaned = [store.read(1, island_area_fraction=size) for size in sizes]
    manifest, predictions = store.cache.manifest, store.cache.read(1)
    for size, regions in zip(sizes, cleaned, strict=True):
        semantics = predictions.to_semantics(manifest.label_to_category).without_islands(size)
        # As if the head had said so.
        said = SemanticRuns.of_maps(semantics.labels.numpy(), *(np.zeros(semantics.image_size, int),) * 2)
        built = build_regions(
            dataclasses.replace(predictions, semantics=said),
            manifest.label_to_category,
            manifest.categories,
            *store.gt_of(1),
        )
        assert equal(regions, built) and not equal(regions, plain)
        assert regions.island_area_fraction == size
        path = files[0] / f"regions_without_islands_{size}" / "1.arrays"
        before = path.stat().st_mtime_ns
        again = store.read(1, island_area_fraction=size)
        assert path.stat().st_mtime_ns == before
        assert equal(again, regions) and again.island_area_fraction == size
    assert not equal(*cleaned)
    assert equal(store.read(1), plain) and plain.island_area_fraction == 0


def test_regions_of_another_size_of_islands_are_made_anew(files):
    store = open_store(*files)
    right = store.read(1, island_area_fraction=0.05)
    folders = [files[0] / f"regions_without_islands_{size}" for size in (0.01, 0.05)]
    store.read(1, island_area_fraction=0.01)
    (folders[1] / "1.arrays").write_bytes((folders[0] / "1.arrays").read_bytes())
    assert equal(store.read(1, island_area_fraction=0.05), right)


def test_corrected_ground_truth_gives_other_regions_and_leaves_the_predictions(files, tmp_path, scenes):
    store = open_store(*files)
    before, predictions = store.read(1), store.cache.path_of(1).read_bytes()
    # The PNG of another image of the same size is put in its place.
    other = (files[2] / store._image_of[2].png_name).read_bytes()
    (files[2] / store._image_of[1].png_name).write_bytes(other)
    after = store.read(1)
    assert not np.array_equal(before.gt_areas, after.gt_areas)
    assert store.cache.path_of(1).read_bytes() == predictions


def test_a_png_is_read_once_and_not_at_all_for_known_regions(files, monkeypatch):
    store, read = open_store(*files), []

    def counted(path):
        read.append(path.name)
        return path.read_bytes()

    monkeypatch.setattr("panoptic_heuristic.ablation.regions.store.read_bytes", counted)
    made = store.read(1)
    assert read == [store._image_of[1].png_name]
    again = store.read(1, fingerprint=store.fingerprint(1))
    assert len(read) == 2 and equal(again, made)
    # Of something else: made anew, from the PNG.
    assert equal(store.read(1, fingerprint=store.fingerprint(2)), made)
    assert len(read) == 4


def test_a_crowd_that_is_none_any_more_is_seen(files):
    store = open_store(*files)
    store.read(0)
    data = read_json(files[1])
    annotation = next(one for one in data["annotations"] if one["image_id"] == 0)
    annotation["segments_info"][0]["iscrowd"] = 1 - annotation["segments_info"][0]["iscrowd"]
    write_json(files[1], data)
    fresh = open_store(*files)
    assert fresh.fingerprint(0) != store.fingerprint(0)
    assert fresh.read(0).gt.iscrowd.tolist() != store.read(0).gt.iscrowd.tolist()


def test_other_predictions_give_other_regions(files, scenes):
    store = open_store(*files)
    before = store.read(0)
    predictions = store.cache.read(0)
    object.__setattr__(predictions, "scores", predictions.scores / 2)
    store.cache.write(predictions)
    assert np.array_equal(store.read(0).scores, before.scores / 2)


def test_the_ground_truth_a_cache_was_made_with_is_found_again(files):
    remember_gt(*files)
    assert open_store(files[0]).image_ids == (0, 1, 2)


def edited(path, change):
    data = read_json(path)
    change(data)
    write_json(path, data)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: data["annotations"].pop(1), ["no annotation of 1 of the 3 images", "such as 1"]),
        (lambda data: data["images"].pop(1) and data["annotations"].pop(1), ["another data set"]),
        (lambda data: data["images"][1].update(height=9), ["image 1 is 65x48", "65x9"]),
        (lambda data: data["categories"][1].update(name="x"), ["another data set", "category 2"]),
        (lambda data: data["categories"].append({"id": 77, "name": "x", "isthing": 0}), ["category 77", "not there"]),
    ],
)
def test_ground_truth_of_another_data_set_is_told(files, change, words):
    edited(files[1], change)
    with pytest.raises(InputError) as caught:
        open_store(*files)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("damage", [lambda content: content[:-5], lambda content: b"", lambda content: b"text"])
def test_damaged_regions_are_made_anew(files, damage):
    store, path = open_store(*files), files[0] / "regions" / "1.arrays"
    first, whole = store.read(1), path.read_bytes()
    path.write_bytes(damage(whole))
    assert equal(store.read(1), first) and path.read_bytes() == whole


def test_regions_that_cannot_be_kept_are_made_each_time(files, scenes):
    expected = open_store(*files).read(1)
    shutil.rmtree(files[0] / "regions")
    # As a disk that is full or read-only, for whoever runs this.
    (files[0] / "regions").write_text("in the way")
    store = open_store(*files)
    assert equal(store.read(1), expected) and equal(store.read(1), expected)
    assert (files[0] / "regions").read_text() == "in the way"


def test_what_is_missing_is_told(files, tmp_path):
    with pytest.raises(InputError, match="--gt-json and --gt-folder"):
        open_store(files[0])
    with pytest.raises(InputError, match="belong together"):
        open_store(files[0], files[1])
    with pytest.raises(InputError, match="no manifest.json"):
        open_store(tmp_path, *files[1:])
    store = open_store(*files)
    store.cache.path_of(1).unlink()
    with pytest.raises(InputError, match=r"1\.arrays"):
        store.read(1)
    (files[2] / store._image_of[2].png_name).unlink()
    with pytest.raises(InputError, match=r"cannot read .*\.png"):
        store.read(2)


def test_a_cache_of_no_image_is_told(files):
    manifest = files[0] / "manifest.json"
    data = json.loads(manifest.read_text())
    data["images"] = []
    manifest.write_text(json.dumps(data))
    with pytest.raises(InputError, match="of no image"):
        RegionStore(PredictionCache.open(files[0]), read_panoptic_json(files[1]), files[2])
