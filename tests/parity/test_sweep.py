"""A sweep on regions counts what fusing and scoring pixel by pixel counts, to the last integer.

``PARITY=full`` compares 240 images under all 500 or so settings each, otherwise a sample runs.
"""

import os
from collections import Counter

import numpy as np
import pytest

from panoptic_heuristic.ablation.region_sweep import add_regions
from panoptic_heuristic.ablation.regions import build_regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from tests.ablation.random_images import (
    CATEGORIES,
    LABELS,
    counts_by_pixels,
    random_grid,
    random_image,
    without_truth,
)

pytestmark = pytest.mark.parity

FULL = os.environ.get("PARITY") == "full"
IMAGES = 240 if FULL else 40
SETTINGS_OF_EACH = None if FULL else 12


def test_every_setting_counts_what_its_pixels_count():
    seen: Counter = Counter()
    for seed in range(IMAGES):
        image = random_image(seed)
        grid = random_grid(seed, image, 500)
        regions = build_regions(image.predictions, LABELS, CATEGORIES, image.truth_ids, image.truth_segments)
        total = SettingCounts.zeros(len(CATEGORIES), len(grid))
        add_regions(total, regions, CATEGORIES, grid, range(len(grid.claims)))
        without_truth(total, image)
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
