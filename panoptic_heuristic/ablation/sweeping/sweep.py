"""PQ of every setting of a grid, on cached predictions."""

import tempfile
from pathlib import Path
from typing import Callable, Iterable, Optional, Union

from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import run_sweep
from panoptic_heuristic.formats.arguments import check_type
from panoptic_heuristic.formats.files import PathLike


def sweep(
    cache: Union[PathLike, RegionStore],
    grid: Grid,
    *,
    folder: Optional[PathLike] = None,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda buckets, total: buckets,
) -> SweepResult:
    """Counts every setting of a grid on cached predictions, exactly.

    Args:
        cache: a folder of predictions, or an opened store.
        grid: the settings; ``Grid.from_file`` reads one.
        folder: keeps the counts as they come, so that a sweep that was stopped goes on; None for a temporary
            folder that goes with the result.
        gt_json: a COCO panoptic JSON; None for the ground truth that was noted when the cache was made.
        gt_folder: the folder of its PNGs; None likewise.
        workers: processes; the result does not depend on it.
        progress: wraps the iterable of buckets, given their number; tqdm fits.

    Raises:
        InputError: the cache or its ground truth is missing or damaged, lacks what the grid asks for, the
            folder holds a sweep of something else, or ``grid`` is no grid.
    """
    check_type("grid", grid, Grid, "Grid.from_file('sweeps/coco.yaml')")
    store = open_store(cache, gt_json, gt_folder)
    temporary = tempfile.TemporaryDirectory(prefix="sweep-") if folder is None else None
    job = SweepJob(store, grid, Path(temporary.name if temporary else folder))
    run_sweep(job, range(BUCKETS), workers=workers, progress=progress)
    return SweepResult(job.folder, temporary)
