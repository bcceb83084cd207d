"""A sweep on regions counts what fusing and scoring pixel by pixel counts, to the last integer.

``PARITY=full`` compares 240 images under all 500 or so settings each, and the predictions of the
demo's model if it was run; otherwise a sample runs. ``DEMO_CACHE`` names another cache than that of
``make demo``.
"""

import dataclasses
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from panoptic_heuristic.ablation.regions import plan as region_plan
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    BestStuff,
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
    fuse,
)
from panoptic_heuristic.quality import count_image
from tests.ablation.grids import claims_of, grid_of, limits_of, scores_of
from tests.ablation.random_images import (
    BEST_STUFF_FLOOR,
    CATEGORIES,
    LABELS,
    counts_by_pixels,
    deciding_fractions,
    random_grid,
    random_image,
    random_thresholds,
    with_best_stuff,
    with_measures,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.parity

FULL = os.environ.get("PARITY") == "full"
IMAGES = 240 if FULL else 24
SETTINGS_OF_EACH = None if FULL else 12
DEMO_CACHE = Path(os.environ.get("DEMO_CACHE", ROOT / "output" / "demo" / "cache"))
DEMO_IMAGES = None if FULL else 3
# 540 settings around those of configs/sweeps/shapes.yaml.
DEMO_GRID = grid_of(
    (*(Greedy(value) for value in (0.0, 0.2, 0.3, 0.5, 0.8)), PerPixel()),
    (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.9),
    (*((float(value), 0.0) for value in (0, 35, 70, 140, 273, 546, 4096)),
     (0.0, 1 / 75), (0.0, 0.05)),
)  # fmt: skip

STAGES = {
    "nms": Pipeline(suppress=Nms(1 / 3)),
    "box nms": Pipeline(suppress=Nms(0.3, "box")),
    "gate": Pipeline(suppress=SemanticGate()),
    "gate at a third": Pipeline(suppress=SemanticGate(1 / 3)),
    "s q": Pipeline(order=Power(1, 1)),
    "s q^2 cut": Pipeline(order=Power(1, 2, key_cutoff=0.05)),
    "g": Pipeline(order=Power(0, 0, 1)),
    "s again": Pipeline(order=Power()),
    "all": Pipeline(order=Power(0.5, 1, 1.5, key_cutoff=0.1)),
    "s g and nms": Pipeline(order=Power(1, 0, 1), suppress=Nms(0.2)),
    "s q and gate": Pipeline(order=Power(1, 1), suppress=SemanticGate(0.25)),
}


# What the numbers are that a fraction f and an area a stand for is chosen image by image.
PAIRS = ((31, 0), (0, 5), (5, 31))
BASES = {
    "class_aware": lambda f, a: Pipeline(ClassAware()),
    "class_aware at edges": lambda f, a: Pipeline(ClassAware(0.5, f(), f())),
    "reclaim by area": lambda f, a: Pipeline(Reclaim(0.5, f(), area_ratio=f())),
    "reclaim all": lambda f, a: Pipeline(Reclaim(0.5, 0.0, area_ratio=1.0)),
    "reclaim by precedence": lambda f, a: Pipeline(Reclaim(0.5, f(), "precedence", precedence=PAIRS)),
    "counted before": lambda f, a: Pipeline(stuff=DroppedToVoid("before")),
    "best stuff": lambda f, a: Pipeline(leftover=BestStuff(BEST_STUFF_FLOOR)),
    "best stuff counted before": lambda f, a: Pipeline(
        ClassAware(), stuff=DroppedToVoid("before"), leftover=BestStuff(BEST_STUFF_FLOOR)
    ),
    "veto": lambda f, a: Pipeline(veto=SemanticVeto(f())),
    "veto of one pixel": lambda f, a: Pipeline(ClassAware(), veto=SemanticVeto(0.0)),
    "veto of reclaimed": lambda f, a: Pipeline(
        Reclaim(0.5, f(), area_ratio=f()), order=Power(1, 1), veto=SemanticVeto(f()), thing_area_thresh=a()
    ),
    "thing area": lambda f, a: Pipeline(thing_area_thresh=a()),
    "thing area, veto and gate": lambda f, a: Pipeline(
        ClassAware(), suppress=SemanticGate(f()), veto=SemanticVeto(f()), thing_area_thresh=a()
    ),
    "everything": lambda f, a: Pipeline(
        ClassAware(0.5, f(), f()), order=Power(1, 0, 1), suppress=Nms(f()), stuff=DroppedToVoid("before"),
        leftover=BestStuff(BEST_STUFF_FLOOR), thing_area_thresh=a(),
    ),
    "everything of reclaim": lambda f, a: Pipeline(
        Reclaim(0.5, f(), area_ratio=f()), suppress=Nms(0.9), leftover=BestStuff(BEST_STUFF_FLOOR),
        thing_area_thresh=a(),
    ),
}  # fmt: skip


def test_every_setting_counts_what_its_pixels_count():
    seen: Counter = Counter()
    for seed in range(IMAGES):
        image = random_image(seed)
        grid = random_grid(seed, image, 500)
        total = counted(image, grid)
        numbers = np.arange(len(grid))
        if SETTINGS_OF_EACH is not None:
            numbers = np.random.default_rng(seed).choice(numbers, size=min(SETTINGS_OF_EACH, len(grid)), replace=False)
        for number in numbers.tolist():
            expected = counts_by_pixels(image, grid.settings[number])
            assert total.of_setting(number, CATEGORIES) == expected, (seed, grid.settings[number])
            for value in expected.values():
                seen.update(tp=value.tp, fp=value.fp, fn=value.fn, settings=1)
    # The images must put the rules to the test.
    assert min(seen["tp"], seen["fp"], seen["fn"]) > IMAGES


def test_every_setting_of_the_demo_counts_what_its_pixels_count():
    if not (DEMO_CACHE / "ground_truth.json").exists():
        pytest.skip(f"{DEMO_CACHE} has no predictions of the demo's model; run `make demo`, or set DEMO_CACHE")
    store = open_store(DEMO_CACHE)
    manifest = store.cache.manifest
    categories, settings = manifest.categories, DEMO_GRID.settings
    plan = SettingsPlan.of(settings, categories)
    compared = 0
    for image_id in store.image_ids[:DEMO_IMAGES]:
        total = SettingCounts.zeros(len(categories), len(settings))
        regions = store.read(image_id)
        total.add_image(plan.count(regions))
        total.add_gt(regions.gt, categories)
        predictions, (ids, segments) = store.cache.read(image_id), store.gt_of(image_id)
        instances, semantics = predictions.to_instances(), predictions.to_semantics(manifest.label_to_category)
        for number, setting in enumerate(settings):
            result = fuse(instances, semantics, categories, setting)
            expected = count_image(ids, segments, result.panoptic_seg, result.segments_info, categories)
            assert total.of_setting(number, categories) == expected, (image_id, setting)
            compared += 1
    assert compared >= 500


def counted(image, grid):
    """The counts of a sweep on regions."""
    plan = SettingsPlan.of(grid.settings, CATEGORIES)
    regions = build_regions(
        image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments, with_best_stuff=plan.asks_best_stuff
    )
    total = SettingCounts.zeros(len(CATEGORIES), len(grid))
    total.add_image(plan.count(regions))
    total.add_gt(regions.gt, CATEGORIES)
    return total


@pytest.mark.parametrize("base", STAGES.values(), ids=STAGES)
def test_every_setting_counts_what_its_pixels_count_after_other_stages(monkeypatch, base):
    # Few, so that thresholds which need a pass of their own are taken in several turns.
    monkeypatch.setattr(region_plan, "_MOST_PASSES", 20)
    differ = 0
    for seed in range(IMAGES):
        image = with_measures(random_image(seed))
        plain = random_grid(seed, image, 500)
        plain = grid_of(claims_of(plain), (-2.0, *scores_of(plain)), limits_of(plain))
        grid = dataclasses.replace(plain, base=base)
        if isinstance(base.suppress, SemanticGate) and image.predictions.semantics is None:
            if (image.predictions.scores >= -2).any():
                for count in (counted, lambda image, grid: counts_by_pixels(image, grid.settings[0])):
                    with pytest.raises(InputError, match="semantic_gate needs semantic labels"):
                        count(image, grid)
            continue
        differ += compared(seed, image, grid, plain)
    # The stages must matter; the order by s^1 differs from that by s among negative scores only.
    assert differ > (0 if base.order == Power() else IMAGES / 4)


def compared(seed, image, grid, plain):
    """Compares some settings of a grid with their pixels; whether anything differs from another grid."""
    total = counted(image, grid)
    for number in np.random.default_rng(seed).permutation(len(grid))[: 20 if FULL else 6].tolist():
        expected = counts_by_pixels(image, grid.settings[number])
        assert total.of_setting(number, CATEGORIES) == expected, (seed, grid.settings[number])
    before = counted(image, plain)
    return not (np.array_equal(total.iou_sum, before.iou_sum) and np.array_equal(total.fp, before.fp))


@pytest.mark.parametrize("make_base", BASES.values(), ids=BASES)
def test_every_setting_counts_what_its_pixels_count_by_other_rules(monkeypatch, make_base):
    monkeypatch.setattr(region_plan, "_MOST_PASSES", 20)
    differ = 0
    for seed in range(IMAGES):
        image = with_best_stuff(with_measures(random_image(seed)))
        rng = np.random.default_rng([seed, 11])
        plain = random_grid(seed, image, 500)
        fractions, areas = (iter(values) for values in (deciding_fractions(image, rng, 6), some_areas(image, rng)))
        base = make_base(fractions.__next__, areas.__next__)
        if isinstance(base.suppress, SemanticGate) and image.predictions.semantics is None:
            continue
        # Some overlaps are exactly those of two masks.
        overlaps = dict.fromkeys([0.0, 0.5, 1.0, *deciding_fractions(image, rng, 4)])
        rules = Greedy(), base.claim
        claims = [
            (*(dataclasses.replace(rule, overlap_threshold=one) for one in overlaps), PerPixel()) for rule in rules
        ]
        scores, limits = scores_of(plain), limits_of(plain)
        plain, grid = grid_of(claims[0], scores, limits), grid_of(claims[1], scores, limits, base)
        assert all(is_exact_on_regions(pipeline, BEST_STUFF_FLOOR) for pipeline in grid.settings)
        differ += compared(seed, image, grid, plain)
    assert differ > IMAGES / 10


ISLANDS = {
    "greedy": Pipeline(),
    "gate": Pipeline(suppress=SemanticGate(0.25), order=Power(1, 0, 1)),
    "veto": Pipeline(veto=SemanticVeto(0.3), thing_area_thresh=5),
    "best stuff": Pipeline(ClassAware(), stuff=DroppedToVoid("before"), leftover=BestStuff(BEST_STUFF_FLOOR)),
}


@pytest.mark.parametrize("rules", ISLANDS.values(), ids=ISLANDS)
def test_pipelines_of_any_sizes_of_islands_count_what_their_pixels_count(rules):
    differ = 0
    for seed in range(IMAGES):
        image = with_best_stuff(with_measures(random_image(seed)))
        if not fits(image, rules):
            continue
        rng = np.random.default_rng([seed, 13])
        # Some are exactly at the area of something.
        sizes = [0.0, 0.02, *(rng.integers(1, image.gt_ids.size // 2 + 2, size=2) / image.gt_ids.size).tolist()]
        pipelines = [
            random_thresholds(image, rng, rules).replaced({"island_area_fraction": size}) for size in sizes * 2
        ]
        assert all(is_exact_on_regions(pipeline, BEST_STUFF_FLOOR) for pipeline in pipelines)
        plan = SettingsPlan.of(pipelines, CATEGORIES)
        assert plan.island_area_fractions == tuple(sorted(set(sizes)))
        regions = [
            build_regions(
                image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments,
                with_best_stuff=plan.asks_best_stuff, island_area_fraction=size,
            )
            for size in plan.island_area_fractions
        ]  # fmt: skip
        total = SettingCounts.zeros(len(CATEGORIES), len(pipelines))
        total.add_image(plan.count(*regions))
        total.add_gt(regions[0].gt, CATEGORIES)
        for number, pipeline in enumerate(pipelines):
            expected = counts_by_pixels(image, pipeline)
            assert total.of_setting(number, CATEGORIES) == expected, (seed, pipeline)
            differ += expected != counts_by_pixels(image, pipeline.replaced({"island_area_fraction": 0.0}))
    assert differ > IMAGES / 4


WEIGHTS = {5: (0.3, 1.0, -0.5, 0.2, -1.0), 31: (1.0, -1.0, 2.0, 0.0, 1.0)}
RULES = {
    "greedy": Pipeline(),
    "per_pixel": Pipeline(PerPixel()),
    "class_aware": Pipeline(ClassAware(free_fraction=0.2), thing_area_thresh=5),
    "reclaim": Pipeline(Reclaim(area_ratio=0.8)),
    "nms": Pipeline(suppress=Nms(0.3)),
    "gate": Pipeline(suppress=SemanticGate(0.25), order=Power(1, 1)),
    "calibrated": Pipeline(order=Calibrated(WEIGHTS, default_weights=(0.0, 1.0, 0.5, -0.1, -0.5))),
    "calibrated reclaim": Pipeline(Reclaim(area_ratio=0.8), order=Calibrated(WEIGHTS), suppress=Nms(0.5, "box")),
    "vetoed": Pipeline(order=Calibrated(WEIGHTS), veto=SemanticVeto(0.4), suppress=SemanticGate(0.1)),
    "left to stuff": Pipeline(
        ClassAware(), stuff=DroppedToVoid("before"), leftover=BestStuff(BEST_STUFF_FLOOR), order=Power(1, 0, 1)
    ),
}


def test_pipelines_with_values_of_categories_count_what_their_pixels_count(monkeypatch):
    """Any pipelines together, several of each of some rules."""
    monkeypatch.setattr(region_plan, "_MOST_PASSES", 7)
    monkeypatch.setattr(region_plan, "_MOST_OUTCOMES", 20)
    seen, differ = Counter(), 0
    for seed in range(2 * IMAGES):
        image = with_best_stuff(with_measures(random_image(seed)))
        rng = np.random.default_rng([seed, 12])
        names = rng.choice([name for name, rules in RULES.items() if fits(image, rules)], size=4, replace=False)
        pipelines = [random_thresholds(image, rng, RULES[name]) for name in rng.choice(names, size=14)]
        plan = SettingsPlan.of(pipelines, CATEGORIES)
        regions = build_regions(
            image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments, with_best_stuff=plan.asks_best_stuff
        )
        total = SettingCounts.zeros(len(CATEGORIES), len(pipelines))
        total.add_image(plan.count(regions))
        total.add_gt(regions.gt, CATEGORIES)
        for number, pipeline in enumerate(pipelines):
            assert is_exact_on_regions(pipeline, BEST_STUFF_FLOOR)
            expected = counts_by_pixels(image, pipeline)
            assert total.of_setting(number, CATEGORIES) == expected, (seed, pipeline)
            for value in expected.values():
                seen.update(tp=value.tp, fp=value.fp, fn=value.fn)
        plain = [without_values_of_categories(pipeline) for pipeline in pipelines]
        of_all = SettingsPlan.of(plain, CATEGORIES).count(regions)
        differ += not np.array_equal(plan.count(regions).values, of_all.values)
    assert min(seen["tp"], seen["fp"], seen["fn"], differ) > IMAGES


def without_values_of_categories(pipeline):
    of_claim = {"claim.overlap_threshold_of": {}} if pipeline.value("claim.overlap_threshold_of") else {}
    return pipeline.replaced(
        {"instances_score_thresh_of": {}, "stuff_area_thresh_of": {}, "stuff_area_fraction_of": {}, **of_claim}
    )


def fits(image, rules):
    """True if an image has what the rules need."""
    return image.predictions.semantics is not None or not isinstance(rules.suppress, SemanticGate)


def some_areas(image, rng):
    """Areas of masks, and half of them, since things share pixels."""
    instances = image.predictions.to_instances()
    areas = [int(instances.crop(index).mask.sum()) for index in range(len(instances))]
    return rng.permutation([1.0, *areas, *(area // 2 for area in areas)]).tolist()
