"""A sweep on regions counts what fusing and scoring pixel by pixel counts, to the last integer.

``PARITY=full`` compares 240 images under all 500 or so settings each, otherwise a sample runs.
"""

import dataclasses
import os
from collections import Counter

import numpy as np
import pytest

from panoptic_heuristic.ablation import region_sweep
from panoptic_heuristic.ablation.region_sweep import add_regions
from panoptic_heuristic.ablation.regions import build_regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ByScore, Nms, NoSuppression, Power, SemanticGate
from tests.ablation.random_images import (
    CATEGORIES,
    LABELS,
    counts_by_pixels,
    random_grid,
    random_image,
    with_measures,
    without_truth,
)

pytestmark = pytest.mark.parity

FULL = os.environ.get("PARITY") == "full"
IMAGES = 240 if FULL else 40
SETTINGS_OF_EACH = None if FULL else 12

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
