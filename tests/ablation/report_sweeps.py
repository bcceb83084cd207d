"""Small finished sweeps for the tests of reports."""

from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweeping.buckets import bucket_path
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, FORMAT, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import run_sweep, start_sweep
from panoptic_heuristic.formats.arrays import write_arrays
from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline
from panoptic_heuristic.quality import IOU_UNIT
from tests.ablation.grids import grid_of
from tests.ablation.small_caches import small_scenes, write_cache, write_gt

GREEDY = grid_of(
    (Greedy(0.3), Greedy(0.5), Greedy(0.8)),
    (0.05, 0.3, 0.5, 0.7),
    ((0.0, 0.0), (100.0, 0.0), (400.0, 0.0), (4096.0, 0.0)),
)
MIXED = grid_of(
    (Greedy(0.3), Greedy(0.6), PerPixel()),
    (0.05, 0.4, 0.7),
    ((0.0, 0.0), (200.0, 0.0), (0.0, 0.1)),
)

DETECTRON2 = Default(Pipeline(), "Detectron2's defaults")

CATEGORIES = Categories((Category(9, "sky", False, (70, 130, 180)), Category(0, "cat", True, (220, 20, 60))))


def small_store(folder: Path, images: int = 6) -> RegionStore:
    """A cache of scenes with its ground truth."""
    scenes = small_scenes(images)
    return open_store(write_cache(folder / "cache", scenes), *write_gt(folder / "gt", scenes))


def swept(folder: Path, store: RegionStore, grid: Grid) -> SweepResult:
    """The sweep of a grid over a store."""
    run_sweep(SweepJob(store, grid, folder), range(BUCKETS))
    return SweepResult(folder)


def drawn_sweep(
    folder: Path,
    grid: Grid,
    pq: Sequence[Tuple[float, float]],
    *,
    images: int = 4,
    added: Optional[Sequence[float]] = None,
    categories: Optional[Categories] = None,
) -> SweepResult:
    """A sweep whose settings have a given PQ of stuff and of things.

    Each image has ten segments of each of two categories, of which so many match with an IoU of 1.

    Args:
        folder: where it goes.
        grid: its settings.
        pq: of stuff and of things for each setting, as multiples of 0.1 from 0 to 1.
        images: one in each of the first buckets.
        added: to all PQ of each image; None if images are alike.
        categories: one of stuff and one of things, in this order.
    """
    counts = [_drawn_image(np.array(pq).T + more) for more in added or [0.0] * images]
    counts += [SettingCounts.zeros(2, len(grid))] * (BUCKETS - images)
    manifest = {
        "format": FORMAT,
        "buckets": BUCKETS,
        "grid": grid.to_json(),
        "dataset_name": "drawn",
        "categories": (categories or CATEGORIES).to_coco(),
        "images": images,
        "floors": {"instances_score_thresh": 0.05, "detections_per_image": 100, "stuff_probability": None},
        "predictions": {"made by": "hand"},
        "fingerprint": "none",
    }
    start_sweep(folder, manifest)
    for bucket, one in enumerate(counts):
        write_arrays(bucket_path(folder, bucket), one.to_arrays())
    return SweepResult(folder)


def _drawn_image(pq: np.ndarray) -> SettingCounts:
    """One image of a PQ of (2, S)."""
    matched = np.rint(10 * pq).astype(int)
    # A match lost is a miss and, as a prediction that matches nothing, a false positive: PQ is TP / 10.
    return SettingCounts(matched * IOU_UNIT, matched, 10 - matched, np.array([10, 10]), 1)
