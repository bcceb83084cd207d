import dataclasses
import json

import numpy as np
import pytest

from panoptic_heuristic.ablation.cache.folder import CachedImage, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, ImagePredictions, SemanticRuns
from panoptic_heuristic.errors import InputError
from tests.ablation.random_images import LABELS, random_image
from tests.ablation.small_caches import small_scenes, write_cache


@pytest.fixture
def cache(tmp_path):
    return PredictionCache.open(write_cache(tmp_path / "cache", small_scenes(3)))


def same(one: ImagePredictions, other: ImagePredictions) -> bool:
    names = ("scores", "category_ids", "boxes", "mask_quality", "semantic_agreement")
    arrays = [(getattr(one, name), getattr(other, name)) for name in names]
    if one.semantics is not None:
        names = ("lengths", "labels", "best_stuff", "above_floor")
        arrays += [(getattr(one.semantics, name), getattr(other.semantics, name)) for name in names]
    return (
        (one.image_id, one.image_size, one.masks) == (other.image_id, other.image_size, other.masks)
        and (one.semantics is None) == (other.semantics is None)
        and all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in arrays)
    )


@pytest.mark.parametrize("seed", range(20))
def test_predictions_survive_a_file(cache, seed):
    predictions = random_image(seed).predictions
    image = CachedImage(seed, "0.jpg", *predictions.image_size)
    cache = PredictionCache(cache.folder, dataclasses.replace(cache.manifest, images=(image,)))
    cache.write(predictions)
    assert same(cache.read(seed), predictions)
    # Equal predictions give equal bytes.
    before = cache.path_of(seed).read_bytes()
    cache.write(cache.read(seed))
    assert cache.path_of(seed).read_bytes() == before


def test_labels_are_kept_in_column_order():
    labels = np.array([[1, 1, 2], [1, 2, 2]])
    best = np.array([[NO_STUFF, 5, 5], [5, 5, 5]])
    above = np.array([[False, False, True], [False, True, True]])
    runs = SemanticRuns.of_maps(labels, best, above)
    assert runs.lengths.tolist() == [1, 2, 3]
    for values, drawn in ((runs.labels, labels), (runs.best_stuff, best), (runs.above_floor.astype(int), above)):
        assert runs.to_map(values, (2, 3)).tolist() == drawn.tolist()


def test_head_outputs_are_those_of_the_scene(cache):
    scene = small_scenes(3)[2]
    predictions = cache.read(2)
    instances, semantics = predictions.to_instances(), predictions.to_semantics(cache.manifest.label_to_category)
    assert semantics.labels.tolist() == scene.semantic_labels.tolist()
    assert instances.scores.tolist() == scene.scores.astype(float).tolist()
    for index, mask in enumerate(scene.masks):
        crop = instances.crop(index)
        full = np.zeros_like(mask)
        full[crop.window] = crop.mask.numpy()
        assert (full == mask).all()


def test_without_semantics_there_are_none():
    predictions = next(p for p in (random_image(seed).predictions for seed in range(99)) if p.semantics is None)
    assert predictions.to_semantics(LABELS) is None


def test_images_not_there_or_damaged_are_missing(cache):
    assert cache.missing() == []
    cache.path_of(0).unlink()
    content = cache.path_of(2).read_bytes()
    cache.path_of(2).write_bytes(content[:-3])
    assert [image.image_id for image in cache.missing()] == [0, 2]
    with pytest.raises(InputError, match="not complete"):
        cache.read(0)
    with pytest.raises(InputError, match=r"2\.arrays is damaged"):
        cache.read(2)


def test_what_killed_processes_left_is_in_nobodys_way(cache):
    name = ".00000000-7-00000000.partial.arrays"
    leftovers = [folder / name for folder in (cache.folder, cache.folder / "predictions")]
    for path in leftovers:
        path.write_bytes(b"half")
    assert PredictionCache.create(cache.folder, cache.manifest).missing() == []


def test_a_key_that_only_the_other_has_is_a_difference_too(cache):
    data = cache.manifest.to_json()
    data["source"]["config"] = {"MODEL": {"A": 1}}
    with pytest.raises(InputError, match="its source.config.MODEL.A is None, not 1"):
        PredictionCache.create(cache.folder, Manifest.from_json(data, "x"))
    (cache.folder / "manifest.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="its source.config.MODEL.A is 1, not None"):
        PredictionCache.create(cache.folder, cache.manifest)


def test_a_folder_that_cannot_be_written_to_is_told(cache, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*manifest.json: Not a directory"):
        PredictionCache.create(tmp_path / "file" / "cache", cache.manifest)
    for path in (cache.folder / "predictions").iterdir():
        path.unlink()
    (cache.folder / "predictions").rmdir()
    (cache.folder / "predictions").write_text("")
    with pytest.raises(InputError, match="cannot write .*1.arrays: "):
        cache.write(random_image(1).predictions)


def test_a_file_of_another_image_is_told(cache):
    cache.path_of(0).write_bytes(cache.path_of(1).read_bytes())
    with pytest.raises(InputError, match="0.arrays is of image 1"):
        cache.read(0)


def test_a_manifest_survives_its_json(cache):
    data = json.loads((cache.folder / "manifest.json").read_text())
    assert Manifest.from_json(data, "x").to_json() == data
    assert PredictionCache.create(cache.folder, cache.manifest).manifest.to_json() == data


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: data["source"].update({"weights_sha256": "b"}), ["source.weights_sha256", "'b'", "None"]),
        (lambda data: data["source"].update(config={"MODEL": {"A": 1}}), ["source.config.MODEL.A"]),
        (lambda data: data.update(dataset_name="other"), ["dataset_name is 'small', not 'other'"]),
        (lambda data: data["floors"].update(instances_score_thresh=0.2), ["floors.instances_score_thresh", "0.2"]),
        (lambda data: data["images"].pop(), ["images"]),
        (lambda data: data.update(has_logits=True), ["has_logits is False, not True"]),
    ],
)
def test_a_cache_of_something_else_is_not_gone_on_with(cache, change, words):
    data = cache.manifest.to_json()
    change(data)
    before = (cache.folder / "manifest.json").read_bytes()
    with pytest.raises(InputError) as caught:
        PredictionCache.create(cache.folder, Manifest.from_json(data, "x"))
    for word in ["a cache of something else", *words]:
        assert word in str(caught.value)
    assert (cache.folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda data: data.update(format=2), "no manifest of format 1 (it says 2)"),
        (lambda data: data.pop("images"), "manifest.json has no 'images'; make it anew"),
        (lambda data: data["images"].append([1, "a", "b", 3]), "images[3][2]: expected a whole number in [1, "),
        (lambda data: data.update(floors={"x": 1}), "floors has no 'instances_score_thresh'; make it anew"),
        (lambda data: data["label_to_category"].append([99, 999]), "label 99 means category 999, which it"),
        (lambda data: data.update(categories=[]), "at least one category"),
    ],
)
def test_a_wrong_manifest_is_told(cache, change, words):
    path = cache.folder / "manifest.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        PredictionCache.open(cache.folder)
    assert words in str(caught.value)
    path.write_text("[]")
    with pytest.raises(InputError, match="no manifest of format 1"):
        PredictionCache.open(cache.folder)


def test_a_folder_without_a_cache_is_told(tmp_path):
    with pytest.raises(InputError, match="no manifest.json, so it is no prediction cache"):
        PredictionCache.open(tmp_path)
