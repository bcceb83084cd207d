import dataclasses

import pytest
import torch

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter, fuse_and_count
from panoptic_heuristic.fusion import BestStuff, Greedy, PerPixel, Pipeline, PixelArgmax, fuse
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.quality import add_counts, count_image
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


def counts_of(store, image_id, pipeline):
    """One image fused and scored by itself."""
    manifest = store.cache.manifest
    predictions = store.cache.read(image_id)
    semantics = manifest.semantics_of(predictions, pipeline)
    result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
    ids, segments = result.panoptic_seg, result.segments_info
    return count_image(*store.gt_of(image_id), ids, segments, manifest.categories)


def test_one_image(store):
    pipelines = (*PRESETS.values(), Pipeline(PixelArgmax()))
    for image_id in range(IMAGES):
        *measured, last = fuse_and_count(store, (image_id, pipelines))
        for pipeline, one in zip(PRESETS.values(), measured, strict=True):
            assert one.counts == counts_of(store, image_id, pipeline)
            assert one.seconds > 0 and one.error is None
        assert last.error.startswith(f"image {image_id}: ") and "probabilities" in last.error and not last.counts


def test_fusing_is_timed_on_one_thread(store, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "panoptic_heuristic.ablation.cache.fuse.fuse",
        lambda *args: (seen.append(torch.get_num_threads()), fuse(*args))[1],
    )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        fuse_and_count(store, (0, (Pipeline(),)))
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

    monkeypatch.setattr("panoptic_heuristic.ablation.cache.fuse.fuse", noting)
    for image_id in range(2):
        for pipeline, one in zip(pipelines, fuse_and_count(store, (image_id, pipelines)), strict=True):
            assert one.counts == counts_of(store, image_id, pipeline) and one.error is None
    assert [given[one] for one in pipelines] == [True, True, True, False, True, False]


def test_counters_give_what_is_asked_for(store):
    """Images that several requests share are fused once, and each request gets its own pipelines in its order."""
    counter, (first, second, third) = PixelCounter(store), PRESETS.values()
    requests = [((0, 2, 3), (first, second)), ((2,), (third, first))]
    each, steps = finished(counter.each(requests))
    totals, _ = finished(counter.totals(requests))
    assert steps == counter.steps([places for places, _ in requests]) == 3
    categories = store.cache.manifest.categories
    for (places, pipelines), images, total in zip(requests, each, totals, strict=True):
        assert len(images) == len(places) and total.images == len(places)
        for number, pipeline in enumerate(pipelines):
            counts = [counts_of(store, place, pipeline) for place in places]
            assert [one.of_setting(number, categories) for one in images] == counts
            assert total.of_setting(number, categories) == add_counts(counts)
        assert total.segments.tolist() == counter.segments(places).tolist()


def finished(generator):
    """What a generator returns, and how often it yields."""
    steps = 0
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value, steps
        steps += 1


