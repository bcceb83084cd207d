import dataclasses
import itertools
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.buckets import bucket_path
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import merge_sweeps, missing_buckets, run_sweep
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    ORDER_REGISTRY,
    BestStuff,
    ByScore,
    Calibrated,
    Claim,
    ClassAware,
    Components,
    DenseCrf,
    DroppedToVoid,
    Greedy,
    GuidedFilter,
    LeftToVoid,
    LogitSum,
    NextBest,
    Nms,
    NoVeto,
    Order,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
    fuse,
)
from panoptic_heuristic.quality import add_counts, count_image
from tests.ablation.grids import claims_of, grid_of, limits_of, scores_of
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

GRID = grid_of(
    (Greedy(0.3), Greedy(0.6), PerPixel()),
    (0.05, 0.3, 0.6),
    ((0.0, 0.0), (200.0, 0.0), (0.0, 0.1)),
)
ALL = range(BUCKETS)


@pytest.fixture(scope="module")
def scenes():
    return small_scenes(5)


@pytest.fixture(scope="module")
def store(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("sweep")
    return open_store(write_cache(folder / "cache", scenes, score_floor=0.05), *write_gt(folder / "gt", scenes))


@pytest.fixture(scope="module")
def swept(tmp_path_factory, store):
    folder = tmp_path_factory.mktemp("swept")
    run_sweep(SweepJob(store, GRID, folder), ALL)
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def by_pixels(store, setting):
    """The counts of all images as fusing and scoring gives them."""
    manifest = store.cache.manifest
    total = []
    for image_id in store.image_ids:
        predictions, pipeline = store.cache.read(image_id), setting
        semantics = manifest.semantics_of(predictions, pipeline)
        result = fuse(predictions.to_instances(), semantics, manifest.categories, pipeline)
        ids, segments = store.gt_of(image_id)
        total.append(count_image(ids, segments, result.panoptic_seg, result.segments_info, manifest.categories))
    return add_counts(total)


def test_each_setting_counts_what_its_pixels_count(store, swept):
    result = SweepResult(swept)
    counts = result.total()
    assert counts.images == 5
    for number, setting in enumerate(result.grid.settings):
        assert counts.of_setting(number, result.categories) == by_pixels(store, setting)


OTHER_STAGES = {
    "box nms": Pipeline(suppress=Nms(0.3, "box")),
    "s g and gate": Pipeline(order=Power(1, 0, 1), suppress=SemanticGate(0.2)),
    "veto and area": Pipeline(veto=SemanticVeto(0.3), thing_area_thresh=40),
}


@pytest.mark.parametrize("base", OTHER_STAGES.values(), ids=OTHER_STAGES)
def test_other_stages_count_what_their_pixels_count(tmp_path, store, base):
    grid = dataclasses.replace(GRID, base=base)
    assert SweepJob(store, grid, tmp_path).by_pixels.tolist() == []
    run_sweep(SweepJob(store, grid, tmp_path), ALL)
    result = SweepResult(tmp_path)
    counts = result.total()
    assert result.grid == grid
    for number, setting in enumerate(grid.settings):
        assert counts.of_setting(number, result.categories) == by_pixels(store, setting)


@pytest.fixture(scope="module")
def full_store(tmp_path_factory, scenes):
    """Of a cache with all there can be."""
    folder = tmp_path_factory.mktemp("full")
    kept = {"score_floor": 0.05, "stuff_probability": 0.25, "logits": True}
    return open_store(write_cache(folder / "cache", scenes, **kept), *write_gt(folder / "gt", scenes))


@pytest.mark.parametrize("stuff", [DroppedToVoid(), DroppedToVoid("before")], ids=["after", "before"])
def test_pixels_that_are_left_over_are_counted_on_regions(tmp_path, full_store, swept, stuff):
    claims = (*claims_of(GRID), ClassAware(0.6), Reclaim(0.6))
    grid = grid_of(claims, scores_of(GRID), limits_of(GRID), Pipeline(stuff=stuff, leftover=BestStuff(0.25)))
    job = SweepJob(full_store, grid, tmp_path)
    assert job.by_pixels.tolist() == []
    run_sweep(job, ALL)
    counts = SweepResult(tmp_path).total()
    for number, setting in enumerate(grid.settings):
        assert counts.of_setting(number, job.categories) == by_pixels(full_store, setting)
    assert counts.iou_sum.any() and not np.array_equal(
        counts.iou_sum[:, : len(GRID)], SweepResult(swept).total().iou_sum
    )


def test_any_stage_may_be_an_axis_and_each_setting_is_counted_as_it_can_be(tmp_path, full_store):
    """Where stuff is counted before things, a veto is not exact on regions, and its settings alone need pixels."""
    first = next(iter(full_store.cache.manifest.categories.things))
    axes = (
        Axis.of("order", [ByScore(), Power(0.5, 0, 1), Calibrated(cut={first.id: 0.3}, default_cut=0.1)]),
        Axis.of("veto", [NoVeto(), SemanticVeto(0.3)]),
        Axis.of("stuff.counted", ["after", "before"]),
        Axis.of("claim.overlap_threshold_of", [{}, {first.id: 0.1}]),
        Axis.of("instances_score_thresh", [0.05, 0.4]),
    )
    job = SweepJob(full_store, Grid(Pipeline(stuff_area_thresh=100), axes), tmp_path)
    assert len(job.grid) == 48 and len(job.by_pixels) == 12
    run_sweep(job, ALL)
    counts = SweepResult(tmp_path).total()
    for number, pipeline in enumerate(job.grid.settings):
        assert counts.of_setting(number, job.categories) == by_pixels(full_store, pipeline)
    assert len({tuple(column) for column in counts.iou_sum.T.tolist()}) > 12


def test_settings_of_several_sizes_of_islands_are_counted_with_regions_of_their_own(tmp_path, full_store):
    axes = (
        Axis.of("island_area_fraction", [0.0, 0.01, 0.05]),
        Axis.of("leftover", [LeftToVoid(), BestStuff(0.25), BestStuff(0.3)]),
        Axis.of("order", [ByScore(), Power(0.5, 0, 1)]),
        Axis.of("stuff_area_thresh", [0.0, 100.0]),
    )
    job = SweepJob(full_store, Grid(Pipeline(instances_score_thresh=0.3), axes), tmp_path)
    # The third leftover rule needs another floor than the cache has.
    assert len(job.grid) == 36 and len(job.by_pixels) == 12
    assert job.plan.island_area_fractions == (0.0, 0.01, 0.05)
    run_sweep(job, ALL)
    counts = SweepResult(tmp_path).total()
    for number, pipeline in enumerate(job.grid.settings):
        assert counts.of_setting(number, job.categories) == by_pixels(full_store, pipeline)
    first = counts.iou_sum[:, :12]
    assert all((counts.iou_sum[:, 12 * part : 12 * part + 12] != first).any() for part in (1, 2))


# Rules that need RoI probabilities, logits, both, and a floor that the cache does not know.
PIXEL_GRIDS = {
    "pixel_argmax": grid_of((PixelArgmax(), Greedy(0.5)), (0.3,), limits_of(GRID)),
    "next_best": grid_of(
        claims_of(GRID)[1:2], (0.3,), limits_of(GRID), Pipeline(stuff=NextBest(probability_floor=0.2))
    ),
    "logit_sum": grid_of((LogitSum(0.3), *claims_of(GRID)[1:]), (0.3,), limits_of(GRID)[1:]),
    "best_stuff": grid_of(claims_of(GRID)[1:2], (0.3,), limits_of(GRID), Pipeline(leftover=BestStuff(0.3))),
    "mean_probability": grid_of((Reclaim(0.5, on_top="mean_probability"),), (0.3,), limits_of(GRID)),
}


@pytest.mark.parametrize("grid", PIXEL_GRIDS.values(), ids=PIXEL_GRIDS)
def test_rules_that_need_pixels_have_them_from_the_cache(tmp_path, full_store, grid):
    job = SweepJob(full_store, grid, tmp_path)
    assert 0 in job.by_pixels
    run_sweep(job, ALL)
    counts = SweepResult(tmp_path).total()
    for number, setting in enumerate(grid.settings):
        assert counts.of_setting(number, job.categories) == by_pixels(full_store, setting)
    assert counts.tp[:, 0].any()


def test_what_a_rule_gets_does_not_depend_on_the_others(tmp_path, full_store):
    """What is kept of the best stuff is exact, logits are not: they are for the rules that need them."""
    base = Pipeline(leftover=BestStuff(0.25), stuff=DroppedToVoid())
    claims = LogitSum(0.3), PixelArgmax()
    for name, chosen in (("both", claims), ("alone", claims[1:])):
        run_sweep(SweepJob(full_store, grid_of(chosen, (0.3,), limits_of(GRID)[:1], base), tmp_path / name), ALL)
    both, alone = (SweepResult(tmp_path / name).total() for name in ("both", "alone"))
    assert both.iou_sum[:, 1:].tolist() == alone.iou_sum.tolist()


@pytest.mark.parametrize(
    "pipeline, words",
    [
        (Pipeline(PixelArgmax()), ["the grid's claim=pixel_argmax needs RoI mask probabilities", "--store-logits"]),
        (Pipeline(Reclaim(on_top="mean_probability")), ["claim=reclaim needs RoI", "--store-logits"]),
        (Pipeline(stuff=NextBest()), ["stuff=next_best needs semantic logits", "--store-logits"]),
        (Pipeline(stuff=DroppedToVoid(probability_floor=0.1)), ["stuff=void needs semantic logits"]),
        (Pipeline(leftover=BestStuff()), ["leftover=best_stuff needs the best stuff", "does not know that"]),
        (Pipeline(leftover=Components()), ["leftover=components needs semantic labels of single things"]),
        (Pipeline(border=DenseCrf()), ["border=dense_crf needs the image", "holds no images"]),
        (Pipeline(border=GuidedFilter()), ["border=guided_filter needs the image", "holds no images"]),
        (Pipeline(order=Power(1, 1)), ["order=power needs the mean mask probability", "was made without"]),
    ],
)
def test_a_rule_that_needs_what_was_not_kept_is_refused(tmp_path, store, pipeline, words):
    with pytest.raises(InputError) as caught:
        SweepJob(store, Grid(pipeline, (Axis.of_stuff_limits(pixels=[0]),)), tmp_path)
    for word in [*words, str(store.cache.folder)]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_boxes_and_floors_that_were_not_kept_are_refused(tmp_path, scenes):
    files = write_cache(tmp_path / "c", scenes, stuff_probability=0.25), *write_gt(tmp_path / "t", scenes)
    cache = open_store(*files).cache
    cache.check_needs(Pipeline(leftover=BestStuff(0.25), suppress=Nms(kind="box")))
    with pytest.raises(InputError, match="at a floor of 0.25 only; .* FLOOR, or .* --stuff-probability-floor"):
        cache.check_needs(Pipeline(leftover=BestStuff(0.2)))
    for image_id in range(len(scenes)):
        predictions = cache.read(image_id)
        cache.write(dataclasses.replace(predictions, boxes=np.full_like(predictions.boxes, np.nan)))
    with pytest.raises(InputError, match="suppress=nms needs the boxes of the instance head, but .* was made without"):
        cache.check_needs(Pipeline(suppress=Nms(kind="box")))


def test_labels_that_mean_nothing_are_no_semantic_labels(store):
    manifest = dataclasses.replace(store.cache.manifest, label_to_category={0: None, 1: None})
    cache = PredictionCache(store.cache.folder, manifest)
    with pytest.raises(InputError, match="veto=semantic_veto needs semantic labels, but no label of .* a category"):
        cache.check_needs(Pipeline(veto=SemanticVeto()))


def test_a_measure_that_was_not_kept_is_told(store):
    grid = dataclasses.replace(GRID, base=Pipeline(order=Power(1, 1)))
    message = "image 0: the order by power needs the mask_quality of each instance, but it was not kept"
    with pytest.raises(InputError, match=message):
        SettingsPlan.of([grid.base], store.cache.manifest.categories).count(store.read(0))


def test_boxes_that_were_not_kept_are_told(store):
    grid = dataclasses.replace(GRID, base=Pipeline(suppress=Nms(kind="box")))
    regions = store.read(0)
    regions = dataclasses.replace(regions, boxes=np.full_like(regions.boxes, np.nan))
    with pytest.raises(InputError, match="image 0: nms of kind 'box' needs the boxes of the instance head"):
        SettingsPlan.of([grid.base], store.cache.manifest.categories).count(regions)


def test_another_order_is_another_sweep(tmp_path, store):
    run_sweep(SweepJob(store, GRID, tmp_path), [0])
    with pytest.raises(InputError, match="its grid differs"):
        run_sweep(SweepJob(store, dataclasses.replace(GRID, base=Pipeline(order=Power(2))), tmp_path), [0])


def test_workers_shards_and_merging_change_no_byte(store, swept, tmp_path):
    expected = contents(swept)
    run_sweep(SweepJob(store, GRID, tmp_path / "workers"), ALL, workers=2)
    assert contents(tmp_path / "workers") == expected
    for part in range(3):
        run_sweep(SweepJob(store, GRID, tmp_path / f"part{part}"), ALL[part::3])
        run_sweep(SweepJob(store, GRID, tmp_path / "together"), ALL[part::3])
    assert contents(tmp_path / "together") == expected
    merge_sweeps([tmp_path / f"part{part}" for part in (2, 0, 1)], tmp_path / "merged")
    assert contents(tmp_path / "merged") == expected


def test_each_image_is_hashed_once(store, tmp_path, monkeypatch):
    hashed, original = [], RegionStore._fingerprint

    def counted(self, image_id, png):
        hashed.append(image_id)
        return original(self, image_id, png)

    monkeypatch.setattr(RegionStore, "_fingerprint", counted)
    run_sweep(SweepJob(store, GRID, tmp_path), ALL)
    assert hashed == list(store.image_ids)


def test_a_stopped_sweep_goes_on_where_it_was(store, swept, tmp_path):
    job = SweepJob(store, GRID, tmp_path)
    assert run_sweep(job, ALL[:40]) == 40
    assert missing_buckets(tmp_path) == list(range(40, BUCKETS))
    assert run_sweep(job, ALL) == 60
    assert contents(tmp_path) == contents(swept)


def test_damaged_buckets_are_counted_anew(store, swept, tmp_path):
    shutil.copytree(swept, tmp_path / "sweep")
    for bucket, content in enumerate((b"", b"half", bucket_path(swept, 2).read_bytes()[:-1])):
        bucket_path(tmp_path / "sweep", bucket).write_bytes(content)
    assert run_sweep(SweepJob(store, GRID, tmp_path / "sweep"), ALL) == 3
    assert contents(tmp_path / "sweep") == contents(swept)


def test_damaged_buckets_are_merged_anew(swept, tmp_path):
    shutil.copytree(swept, tmp_path / "sweep")
    bucket_path(tmp_path / "sweep", 0).write_bytes(b"half")
    merge_sweeps([swept], tmp_path / "sweep")
    assert contents(tmp_path / "sweep") == contents(swept)
    bucket_path(tmp_path / "sweep", 0).write_bytes(b"half")
    with pytest.raises(InputError, match=r"00\.arrays is damaged: .*; run again what wrote it$"):
        merge_sweeps([tmp_path / "sweep"], tmp_path / "other")


def test_some_settings_come_bucket_by_bucket(swept):
    result = SweepResult(swept)
    parts = result.of_settings([7, 2])
    assert len(parts) == BUCKETS
    total = result.total()
    assert sum(part.tp for part in parts).tolist() == total.tp[:, [7, 2]].tolist()
    assert [part.images for part in parts[:6]] == [1, 1, 1, 1, 1, 0]


@dataclass(frozen=True)
class EveryOther:
    """A rule no region can follow: each instance gets the even columns of its mask that are free."""

    overlap_threshold: float = 0.5

    def claim(self, heads, order):
        instances = heads.instances
        panoptic_seg = torch.zeros(instances.image_size, dtype=torch.int32)
        areas, dropped = {}, {}
        for index in order.ranked:
            crop = instances.crop(index)
            window = panoptic_seg[crop.window]
            free = crop.mask & (window == 0)
            free[:, (crop.x0 + 1) % 2 :: 2] = False
            area = int(free.count_nonzero())
            if area:
                areas[index] = area
                window.masked_fill_(free, len(areas))
            else:
                dropped[index] = "covered"
        return Claim(panoptic_seg, areas, dropped)


def test_a_rule_of_ones_own_is_swept_pixel_by_pixel_beside_the_others(store, swept, tmp_path):
    CLAIM_REGISTRY.register("every_other")(EveryOther)
    try:
        grid = grid_of((EveryOther(0.5), claims_of(GRID)[1]), scores_of(GRID)[1:], limits_of(GRID)[:2])
        run_sweep(SweepJob(store, grid, tmp_path), ALL)
        result = SweepResult(tmp_path)
        counts = result.total()
        for number, setting in enumerate(grid.settings):
            assert counts.of_setting(number, result.categories) == by_pixels(store, setting)
    finally:
        del CLAIM_REGISTRY._obj_map["every_other"]


@dataclass(frozen=True)
class LastFirst:
    """An order that a sweep cannot know."""

    def order(self, heads, candidates):
        ranked = tuple(reversed(candidates))
        return Order(ranked, tuple(map(float, ranked)), {})


def test_with_an_order_of_ones_own_all_rules_are_swept_pixel_by_pixel(store, tmp_path):
    ORDER_REGISTRY.register("last_first")(LastFirst)
    try:
        grid = grid_of(claims_of(GRID)[1:], scores_of(GRID)[1:2], limits_of(GRID)[:2], Pipeline(order=LastFirst()))
        job = SweepJob(store, grid, tmp_path)
        assert (job.by_regions.tolist(), job.by_pixels.tolist()) == ([], [0, 1, 2, 3])
        run_sweep(job, ALL)
        result = SweepResult(tmp_path)
        counts = result.total()
        for number, setting in enumerate(grid.settings):
            assert counts.of_setting(number, result.categories) == by_pixels(store, setting)
    finally:
        del ORDER_REGISTRY._obj_map["last_first"]


def test_a_threshold_below_what_the_cache_holds_is_refused(store, tmp_path):
    grid = grid_of(claims_of(GRID), (0.5, 0.04), limits_of(GRID))
    with pytest.raises(InputError, match="instances_score_thresh 0.04, but .* below 0.05"):
        SweepJob(store, grid, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_another_sweep_is_left_alone(store, swept, tmp_path):
    grid = grid_of(claims_of(GRID), (0.5,), limits_of(GRID))
    before = contents(swept)
    with pytest.raises(InputError, match="something else: its grid differs"):
        run_sweep(SweepJob(store, grid, swept), ALL)
    assert contents(swept) == before


def test_shards_of_different_sweeps_do_not_merge(store, swept, tmp_path):
    run_sweep(SweepJob(store, grid_of(claims_of(GRID), (0.5,), limits_of(GRID)), tmp_path / "other"), [0])
    with pytest.raises(InputError, match="its grid differs"):
        merge_sweeps([swept, tmp_path / "other"], tmp_path / "merged")
    with pytest.raises(InputError, match="holds no sweep.json"):
        merge_sweeps([tmp_path], tmp_path / "merged")


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_a_damaged_shard_is_named(store, swept, tmp_path, damage):
    merge_sweeps([swept], tmp_path / "part")
    path = bucket_path(tmp_path / "part", 3)
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "flipped": content[:200] + bytes([content[200] ^ 1]) + content[201:],
            "emptied": b"",
            "other": b"hello\n" * 40,
        }[damage]
    )
    with pytest.raises(InputError, match=r"buckets/03\.arrays is damaged"):
        merge_sweeps([tmp_path / "part"], tmp_path / "merged")
    with pytest.raises(InputError, match=r"buckets/03\.arrays is damaged"):
        SweepResult(tmp_path / "part").total()


def test_an_unfinished_sweep_says_what_it_lacks(store, tmp_path):
    run_sweep(SweepJob(store, GRID, tmp_path), ALL[:97])
    with pytest.raises(InputError, match="lacks 3 of 100 buckets, such as 97"):
        SweepResult(tmp_path)


def test_buckets_hold_every_image_once(store, tmp_path):
    job = SweepJob(store, GRID, tmp_path)
    images = list(itertools.chain.from_iterable(job.images_of(bucket) for bucket in ALL))
    assert sorted(images) == list(store.image_ids)


def test_counts_of_no_instances_at_all(tmp_path):
    scenes = small_scenes(1, instances=0)
    store = open_store(write_cache(tmp_path / "cache", scenes), *write_gt(tmp_path / "gt", scenes))
    run_sweep(SweepJob(store, GRID, tmp_path / "swept"), ALL)
    counts = SweepResult(tmp_path / "swept").total()
    for number, setting in enumerate(GRID.settings):
        assert counts.of_setting(number, store.cache.manifest.categories) == by_pixels(store, setting)
    assert np.any(counts.tp)
