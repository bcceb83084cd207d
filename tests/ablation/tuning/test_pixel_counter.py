import dataclasses

from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.tuning.image_counts import fuse_and_count
from panoptic_heuristic.ablation.tuning.pixel_counter import PixelCounter
from panoptic_heuristic.ablation.tuning.pool import ImagePool, Place
from panoptic_heuristic.fusion import BestStuff, DroppedToVoid, Pipeline, PixelArgmax, Power, SemanticVeto, fuse
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.quality import add_counts
from tests.ablation.comparing_caches import IMAGES, PRESETS, STUFF_FLOOR, counts_of, write_cache_with_logits
from tests.ablation.small_caches import write_gt
from tests.ablation.tuning.generators import finished


def test_one_image(store):
    pipelines = (*PRESETS.values(), Pipeline(PixelArgmax()))
    for image_id in range(IMAGES):
        *measured, last = fuse_and_count(Place(store, image_id), pipelines)
        for pipeline, one in zip(PRESETS.values(), measured, strict=True):
            assert one.counts == counts_of(store, image_id, pipeline)
            assert one.seconds > 0 and one.error is None
        assert last.error.startswith(f"image {image_id}: ") and "probabilities" in last.error and not last.counts


def test_each_rule_gets_what_it_would_get_alone(scenes, tmp_path, monkeypatch):
    """If the kept best stuff answers, a rule does not get logits because another one in the list does."""
    cache = write_cache_with_logits(tmp_path / "cache", scenes[:2], score_floor=0.05)
    store = open_store(cache, *write_gt(tmp_path / "gt", scenes[:2]))
    names = ("pku360", "efficientps", "jsis", "detectron2", "kmax")
    rules = [Pipeline.from_mapping(preset_rules(name)) for name in names]
    pipelines = tuple(dataclasses.replace(one, stuff_area_thresh=20) for one in rules)
    pipelines += (Pipeline(leftover=BestStuff(STUFF_FLOOR), stuff_area_thresh=20),)
    given = {}

    def noting(instances, semantics, categories, pipeline, image):
        given[pipeline] = semantics.logits is not None
        return fuse(instances, semantics, categories, pipeline, image)

    monkeypatch.setattr("panoptic_heuristic.ablation.cache.fuse.fuse", noting)
    for image_id in range(2):
        for pipeline, one in zip(pipelines, fuse_and_count(Place(store, image_id), pipelines), strict=True):
            assert one.counts == counts_of(store, image_id, pipeline) and one.error is None
    assert [given[one] for one in pipelines] == [True, True, True, False, True, False]


def test_counters_give_what_is_asked_for(store):
    """Images that several requests share are counted once, and each request gets its own pipelines in its order.

    Those that are exact on regions are counted there, the others pixel by pixel, with the same counts.
    """
    by_pixels = Pipeline(stuff=DroppedToVoid("before"), veto=SemanticVeto(), stuff_area_thresh=200)
    counter, (first, second, third) = PixelCounter(ImagePool((store,))), PRESETS.values()
    requests = [((0, 2, 3), (first, second)), ((2,), (third, by_pixels, first))]
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


def test_only_what_is_not_exact_on_regions_is_fused(store, monkeypatch):
    fused = []

    def noting(instances, semantics, categories, pipeline, image):
        fused.append(str(pipeline))
        return fuse(instances, semantics, categories, pipeline, image)

    monkeypatch.setattr("panoptic_heuristic.ablation.cache.fuse.fuse", noting)
    by_pixels = Pipeline(stuff=DroppedToVoid("before"), veto=SemanticVeto())
    counter = PixelCounter(ImagePool((store,)))
    finished(counter.totals([((0, 1), (*PRESETS.values(), by_pixels))]))
    assert fused == [str(by_pixels)] * 2 and not counter.failed
    (alone,), _ = finished(counter.totals([((0,), (by_pixels,))]))
    assert alone.of_setting(0, counter.categories) == counts_of(store, 0, by_pixels)


def test_a_rule_that_lacks_something_fails_alone(store):
    """Also one that would be exact on regions, beside others that are."""
    lacking = Pipeline(order=Power(quality_exponent=1.0))
    counter = PixelCounter(ImagePool((store,)))
    (total,), _ = finished(counter.totals([((0,), (PRESETS["first"], lacking))]))
    assert set(counter.failed) == {lacking} and "mask_quality" in counter.failed[lacking]
    assert total.of_setting(0, store.cache.manifest.categories) == counts_of(store, 0, PRESETS["first"])
