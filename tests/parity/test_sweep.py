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

from panoptic_heuristic.ablation import region_sweep
from panoptic_heuristic.ablation.grid import ClaimSetting, Grid, StuffLimit
from panoptic_heuristic.ablation.region_store import open_store
from panoptic_heuristic.ablation.region_sweep import add_regions
from panoptic_heuristic.ablation.regions import build_regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ByScore, Nms, NoSuppression, Power, SemanticGate, fuse
from panoptic_heuristic.quality import count_image
from tests.ablation.random_images import (
    CATEGORIES,
    LABELS,
    counts_by_pixels,
    random_grid,
    random_image,
    with_measures,
    without_truth,
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
    "nms": (ByScore(), Nms(1 / 3)),
    "box nms": (ByScore(), Nms(0.3, "box")),
    "gate": (ByScore(), SemanticGate()),
    "gate at a third": (ByScore(), SemanticGate(1 / 3)),
    "s q": (Power(1, 1), NoSuppression()),
    "s q^2 cut": (Power(1, 2, key_cutoff=0.05), NoSuppression()),
    "g": (Power(0, 0, 1), NoSuppression()),
    "s again": (Power(), NoSuppression()),
    "all": (Power(0.5, 1, 1.5, key_cutoff=0.1), NoSuppression()),
    "s g and nms": (Power(1, 0, 1), Nms(0.2)),
    "s q and gate": (Power(1, 1), SemanticGate(0.25)),
}


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
        for category_id in regions.truth.category_ids[~regions.truth.iscrowd].tolist():
            total.segments[list(categories).index(category_id)] += 1
        predictions, (ids, segments) = store.cache.read(image_id), store.truth_of(image_id)
        instances, semantics = predictions.to_instances(), predictions.to_semantics(manifest.label_to_category)
        for number, setting in enumerate(settings):
            result = fuse(instances, semantics, categories, setting.pipeline())
            expected = count_image(ids, segments, result.panoptic_seg.numpy(), result.segments_info, categories)
            assert total.of_setting(number, categories) == expected, (image_id, setting)
            compared += 1
    assert compared >= 500


def counted(image, grid):
    """What a sweep on regions counts."""
    regions = build_regions(image.predictions, LABELS, CATEGORIES, image.truth_ids, image.truth_segments)
    total = SettingCounts.zeros(len(CATEGORIES), len(grid))
    add_regions(total, regions, CATEGORIES, grid, range(len(grid.claims)))
    return without_truth(total, image)


@pytest.mark.parametrize("order, suppress", STAGES.values(), ids=STAGES)
def test_every_setting_counts_what_its_pixels_count_after_other_stages(monkeypatch, order, suppress):
    # Few, so that cutoffs which need a pass of their own are taken in several turns.
    monkeypatch.setattr(region_sweep, "_MOST_PASSES", 20)
    differ = 0
    for seed in range(IMAGES):
        image = with_measures(random_image(seed))
        plain = random_grid(seed, image, 500)
        plain = dataclasses.replace(plain, cutoffs=(-2.0, *plain.cutoffs))
        grid = dataclasses.replace(plain, order=order, suppress=suppress)
        if isinstance(suppress, SemanticGate) and image.predictions.semantics is None:
            if (image.predictions.scores >= -2).any():
                for count in (counted, lambda image, grid: counts_by_pixels(image, grid, 0)):
                    with pytest.raises(InputError, match="semantic_gate needs semantic labels"):
                        count(image, grid)
            continue
        total = counted(image, grid)
        numbers = np.random.default_rng(seed).permutation(len(grid))[: 20 if FULL else 6].tolist()
        for number in numbers:
            expected = counts_by_pixels(image, grid, number)
            assert total.of_setting(number, CATEGORIES) == expected, (seed, grid.settings[number])
        before = counted(image, plain)
        differ += not (np.array_equal(total.iou_sum, before.iou_sum) and np.array_equal(total.fp, before.fp))
    # The stages must matter; the order by s^1 differs from that by s among negative scores only.
    assert differ > (0 if order == Power() else IMAGES / 4)
