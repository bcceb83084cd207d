"""Sizes of islands, tried after the other global thresholds."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning import islands
from panoptic_heuristic.ablation.tuning.counters import RegionCounter
from panoptic_heuristic.ablation.tuning.counts import pq_of, total_counts
from panoptic_heuristic.ablation.tuning.images import load_images
from panoptic_heuristic.ablation.tuning.islands import ISLAND_AREA_FRACTIONS, tune_islands
from panoptic_heuristic.ablation.tuning.settings import TUNED_PIPELINES
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.small_caches import small_scenes, write_cache, write_gt
from tests.ablation.tuning.generators import returned
from tests.ablation.tuning_images import fused_pq

START = Pipeline(instances_score_thresh=0.4, stuff_area_thresh=50)


def speckled(scene, seed):
    """The scene with labels that are wrong in small squares."""
    rng = np.random.default_rng(seed)
    labels = scene.semantic_labels.copy()
    for y, x in rng.integers(0, np.array(labels.shape) - 3, size=(40, 2)).tolist():
        labels[y : y + 3, x : x + 3] = rng.integers(1, len(scene.label_to_category))
    return dataclasses.replace(scene, semantic_labels=labels)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speckled")
    scenes = [speckled(scene, seed) for seed, scene in enumerate(small_scenes(6))]
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


def counter_of(store, first=0.0, loaded=None):
    """Counts on regions; says in ``loaded`` which sizes were asked for."""

    def load(fraction):
        loaded.append(fraction)
        return load_images([store], fraction, with_best_stuff=False, calibrated=False)

    loaded = [] if loaded is None else loaded
    return RegionCounter(load(first), store.cache.manifest.categories, load=load)


def pq(store, pipeline, places):
    images = load_images([store], pipeline.island_area_fraction, with_best_stuff=False, calibrated=False)
    categories = store.cache.manifest.categories
    return float(pq_of(total_counts([images[place] for place in places], [pipeline], categories), categories)[0])


def test_each_pipeline_gets_the_best_size_on_its_own_images(store):
    splits = [(0, 1, 2), (3, 4), (5,)]
    found = returned(tune_islands([START] * 3, splits, counter_of(store)))
    for places, one in zip(splits, found, strict=True):
        tried = [START.replaced({"island_area_fraction": fraction}) for fraction in ISLAND_AREA_FRACTIONS]
        assert one == max(tried, key=lambda pipeline: pq(store, pipeline, places))
        assert one.island_area_fraction > 0


@pytest.mark.parametrize("own", [0.0, 0.002, 0.3])
def test_of_equal_ones_the_own_size_stays(store, monkeypatch, own):
    # No island has less than a pixel, so that these sizes change nothing.
    monkeypatch.setattr(islands, "ISLAND_AREA_FRACTIONS", (0.0, 1e-6, 1e-5))
    start = START.replaced({"island_area_fraction": own})
    (found,) = returned(tune_islands([start], [range(6)], counter_of(store, own)))
    best = max((start, START), key=lambda pipeline: pq(store, pipeline, range(6)))
    assert found == best
    assert found == start or pq(store, START, range(6)) > pq(store, start, range(6))


def test_images_of_sizes_that_no_pipeline_has_are_let_go(store):
    loaded = []
    counter = counter_of(store, loaded=loaded)
    (found,) = returned(tune_islands([START], [range(6)], counter))
    assert loaded == [*ISLAND_AREA_FRACTIONS]
    assert len(counter.chosen([0], found.island_area_fraction)) == len(counter.chosen([0], 0.0)) == 1
    for fraction in set(ISLAND_AREA_FRACTIONS) - {0.0, found.island_area_fraction}:
        with pytest.raises(KeyError):
            counter.chosen([0], fraction)


def test_pipelines_of_several_sizes_are_counted_together_and_one_by_one(store):
    pipelines = [START.replaced({"island_area_fraction": size}) for size in (0.01, 0.0, 0.05, 0.01)]
    pipelines[3] = pipelines[3].replaced({"instances_score_thresh": 0.1})
    counter = counter_of(store)
    (total,) = returned(counter.totals([((1, 3), pipelines)]))
    (each,) = returned(counter.each([((1, 3), pipelines)]))
    assert (sum(each[1:], each[0]).iou_sum == total.iou_sum).all() and total.images == len(each) == 2
    found = 100 * pq_of(total, counter.categories)
    image_ids = [store.image_ids[place] for place in (1, 3)]
    np.testing.assert_allclose(found, [fused_pq(store, one, image_ids) for one in pipelines], atol=1e-9)


def test_tuning_has_the_size_in_every_stage(store):
    result = tune(store, START, folds=2)
    tuned = result.outcome.pipelines
    assert tuned["start"] == START and tuned["scaled"].island_area_fraction == 0
    size = tuned["global"].island_area_fraction
    assert size > 0 and {tuned[name].island_area_fraction for name in TUNED_PIPELINES} == {size}
    for name, pipeline in tuned.items():
        assert result.tuning_pq(2)[name] == pytest.approx(fused_pq(store, pipeline, store.image_ids), abs=1e-9)


def test_all_else_is_what_it_was_without(store, monkeypatch):
    found = tune(store, START, stages=["global"], folds=2)
    monkeypatch.setattr(islands, "ISLAND_AREA_FRACTIONS", ())
    without = tune(store, START, stages=["global"], folds=2)
    for one, other in zip(found.tuned, without.tuned, strict=True):
        assert one.pipelines["global"].replaced({"island_area_fraction": 0.0}) == other.pipelines["global"]
        assert one.pipelines["global"] != other.pipelines["global"]


def test_workers_change_nothing(store):
    one, two = (tune(store, START, stages=["global", "per-class"], folds=2, workers=number) for number in (1, 2))
    assert one.tuned == two.tuned
