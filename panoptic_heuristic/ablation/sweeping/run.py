"""Counts of every setting of a grid over all images of a cache.

The images are dealt out to a fixed number of buckets, and each bucket's counts are one file, so that
a sweep can be stopped and go on, be shared by machines, and be resampled for intervals::

    OUTPUT/sweep.json          what was swept: the grid, the predictions, the ground truth
    OUTPUT/buckets/07.arrays   the counts of one bucket
    OUTPUT/settings.csv        PQ, SQ and RQ of every setting, when all buckets are there
    OUTPUT/classes.csv         the same per category
"""

import functools
import json
from pathlib import Path
from typing import Any, Callable, Iterable, List, Mapping, Sequence

from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweeping.buckets import bucket_path, read_bucket
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.sweep_json import FILE, read_sweep_json
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arrays import is_sound, read_checksum, write_arrays
from panoptic_heuristic.formats.files import PathLike, read_json, write_json
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.quality import count_image


def run_sweep(
    job: SweepJob,
    buckets: Sequence[int],
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> int:
    """Counts the buckets that are not there yet, or damaged.

    Args:
        job: what to sweep.
        buckets: which, each in [0, 99].
        workers: processes; the files do not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Returns:
        How many buckets were counted now.

    Raises:
        InputError: the folder holds a sweep of something else, or a file of the cache is missing or damaged.
    """
    start_sweep(job.folder, job.manifest())
    left = [bucket for bucket in buckets if not is_sound(bucket_path(job.folder, bucket))]
    work = functools.partial(_count_bucket, job)
    with ordered_map(work, left, workers=workers if len(left) > 1 else min(workers, 1), chunk=1) as results:
        for _ in progress(results, len(left)):
            pass
    return len(left)


def start_sweep(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest, or checks that the one there is the same.

    Raises:
        InputError: it is of something else; what differs is named.
    """
    path = folder / FILE
    if not path.exists():
        write_json(path, manifest)
        return
    there = read_json(path)
    for key, value in json.loads(json.dumps(manifest)).items():
        if not isinstance(there, dict) or there.get(key) != value:
            raise InputError(
                f"{folder} holds a sweep of something else: its {key} differs; give another --output or delete it"
            )


def merge_sweeps(folders: Sequence[PathLike], output: PathLike) -> None:
    """Brings the buckets of several folders of one sweep together.

    Args:
        folders: what shards on machines without a common disk left.
        output: gets a copy of each bucket; may be one of the folders.

    Raises:
        InputError: they are of different sweeps, a bucket is damaged, or two of one number differ.
    """
    output = Path(output)
    for folder in map(Path, folders):
        swept = read_sweep_json(folder)
        start_sweep(output, swept.values)
        for bucket in range(BUCKETS):
            source, target = bucket_path(folder, bucket), bucket_path(output, bucket)
            if not source.exists():
                continue
            arrays = read_bucket(source, categories=len(swept.categories), settings=len(swept.grid))
            if not is_sound(target):
                write_arrays(target, arrays)
            elif read_checksum(target) != read_checksum(source):
                raise InputError(f"{source} and {target} count the same images and differ; one is of other data")


def missing_buckets(folder: Path) -> List[int]:
    """The buckets that are not there."""
    return [bucket for bucket in range(BUCKETS) if not bucket_path(folder, bucket).exists()]


def _count_bucket(job: SweepJob, bucket: int) -> int:
    images, categories = job.images_of(bucket), job.categories
    total = SettingCounts.zeros(len(categories), len(job.grid))
    for image_id in images:
        regions = job.plan.read(job.store, image_id, job.fingerprints[image_id])
        total.add_gt(regions[0].gt, categories)
        total.add_image(job.plan.count(*regions), job.by_regions if len(job.by_pixels) else None)
        if len(job.by_pixels):
            _add_pixels(total, job, image_id)
    write_arrays(bucket_path(job.folder, bucket), total.to_arrays())
    return len(images)


def _add_pixels(total: SettingCounts, job: SweepJob, image_id: ImageId) -> None:
    """For rules that see more than regions: fuses and scores the image once per setting."""
    heads = CachedHeads(job.store.cache, image_id)
    gt_ids, gt_segments = job.store.gt_of(image_id)
    for number in job.by_pixels.tolist():
        result = heads.fuse(job.grid.settings[number])
        counts = count_image(gt_ids, gt_segments, result.panoptic_seg, result.segments_info, job.categories)
        total.add_to_setting(number, counts, job.categories)
