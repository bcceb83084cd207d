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

from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.stages import asks_best_stuff, is_exact_on_regions
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweep import by_regions as region_sweep
from panoptic_heuristic.ablation.sweep.by_regions import add_regions
from panoptic_heuristic.ablation.sweep.grid import ClaimSetting, Grid, StuffLimit
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    BestStuff,
    ClassAware,
    DroppedToVoid,
    Nms,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
    fuse,
)
from panoptic_heuristic.fusion.stages import rule_name
from panoptic_heuristic.quality import count_image
from tests.ablation.random_images import (
    BEST_STUFF_FLOOR,
    CATEGORIES,
    LABELS,
    counts_by_pixels,
    deciding_fractions,
    random_grid,
    random_image,
    with_best_stuff,
    with_measures,
)
from tests.conftest import ROOT

pytestmark = pytest.mark.parity

FULL = os.environ.get("PARITY") == "full"
IMAGES = 240 if FULL else 40
SETTINGS_OF_EACH = None if FULL else 12
DEMO_CACHE = Path(os.environ.get("DEMO_CACHE", ROOT / "output" / "demo" / "cache"))
DEMO_IMAGES = None if FULL else 3
# 540 settings around those of configs/sweeps/shapes.yaml.
DEMO_GRID = Grid(
    (*(ClaimSetting("greedy", value) for value in (0.0, 0.2, 0.3, 0.5, 0.8)), ClaimSetting("per_pixel", None)),
    (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.9),
    (*(StuffLimit(float(value), 0.0) for value in (0, 35, 70, 140, 273, 546, 4096)),
     StuffLimit(0.0, 1 / 75), StuffLimit(0.0, 0.05)),
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
            expected = counts_by_pixels(image, grid, number)
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
    compared = 0
    for image_id in store.image_ids[:DEMO_IMAGES]:
        total = SettingCounts.zeros(len(categories), len(settings))
        regions = store.read(image_id)
        add_regions(total, regions, categories, DEMO_GRID, range(len(DEMO_GRID.claims)))
        total.add_gt(regions.gt, categories)
        predictions, (ids, segments) = store.cache.read(image_id), store.gt_of(image_id)
        instances, semantics = predictions.to_instances(), predictions.to_semantics(manifest.label_to_category)
        for number, setting in enumerate(settings):
            result = fuse(instances, semantics, categories, setting.pipeline())
            expected = count_image(ids, segments, result.panoptic_seg, result.segments_info, categories)
            assert total.of_setting(number, categories) == expected, (image_id, setting)
            compared += 1
    assert compared >= 500


def counted(image, grid):
    """What a sweep on regions counts."""
    regions = build_regions(
        image.predictions, LABELS, CATEGORIES, image.gt_ids, image.gt_segments,
        with_best_stuff=asks_best_stuff(grid.base),
    )  # fmt: skip
    total = SettingCounts.zeros(len(CATEGORIES), len(grid))
    add_regions(total, regions, CATEGORIES, grid, range(len(grid.claims)))
    total.add_gt(regions.gt, CATEGORIES)
    return total


@pytest.mark.parametrize("base", STAGES.values(), ids=STAGES)
def test_every_setting_counts_what_its_pixels_count_after_other_stages(monkeypatch, base):
    # Few, so that cutoffs which need a pass of their own are taken in several turns.
    monkeypatch.setattr(region_sweep, "_MOST_PASSES", 20)
    differ = 0
    for seed in range(IMAGES):
        image = with_measures(random_image(seed))
        plain = random_grid(seed, image, 500)
        plain = dataclasses.replace(plain, cutoffs=(-2.0, *plain.cutoffs))
        grid = dataclasses.replace(plain, base=base)
        if isinstance(base.suppress, SemanticGate) and image.predictions.semantics is None:
            if (image.predictions.scores >= -2).any():
                for count in (counted, lambda image, grid: counts_by_pixels(image, grid, 0)):
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
        expected = counts_by_pixels(image, grid, number)
        assert total.of_setting(number, CATEGORIES) == expected, (seed, grid.settings[number])
    before = counted(image, plain)
    return not (np.array_equal(total.iou_sum, before.iou_sum) and np.array_equal(total.fp, before.fp))


@pytest.mark.parametrize("make_base", BASES.values(), ids=BASES)
def test_every_setting_counts_what_its_pixels_count_by_other_rules(monkeypatch, make_base):
    monkeypatch.setattr(region_sweep, "_MOST_PASSES", 20)
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
        rules = ("greedy", rule_name("claim", base.claim))
        claims = [tuple(ClaimSetting(rule, one) for one in overlaps) + plain.claims[-1:] for rule in rules]
        plain = dataclasses.replace(plain, claims=claims[0])
        grid = dataclasses.replace(plain, claims=claims[1], base=base)
        assert all(is_exact_on_regions(pipeline, BEST_STUFF_FLOOR) for pipeline in grid.pipelines)
        differ += compared(seed, image, grid, plain)
    assert differ > IMAGES / 10


def some_areas(image, rng):
    """Areas of masks, and half of them, since things share pixels."""
    instances = image.predictions.to_instances()
    areas = [int(instances.crop(index).mask.sum()) for index in range(len(instances))]
    return rng.permutation([1.0, *areas, *(area // 2 for area in areas)]).tolist()
