"""Counts of every setting of a grid over all images of a cache.

The images are dealt out to a fixed number of buckets, and each bucket's counts are one file, so that
a sweep can be stopped and go on, be shared by machines, and be resampled for intervals::

    OUTPUT/sweep.json          what was swept: the grid, the predictions, the ground truth
    OUTPUT/buckets/07.arrays   the counts of one bucket
    OUTPUT/settings.csv        PQ, SQ and RQ of every setting, when all buckets are there
    OUTPUT/classes.csv         the same per category
"""

import functools
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweep.grid import Grid
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arrays import read_arrays, read_checksum, write_arrays
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike, read_json, remove_leftovers, write_json
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.quality import count_image

BUCKETS = 100
FORMAT = 4


@dataclass(frozen=True)
class SweepJob:
    """A grid to be swept over a cache.

    Attributes:
        store: predictions and ground truth.
        grid: the settings.
        folder: where the counts go.

    Raises:
        InputError: the grid asks for instances, or has a rule that needs something, that the cache lacks.
    """

    store: RegionStore
    grid: Grid
    folder: Path

    def __post_init__(self):
        floor = self.store.cache.manifest.floors.instances_score_thresh
        lowest = min(pipeline.lowest_score_thresh for pipeline in self.grid.settings)
        if lowest < floor:
            raise InputError(
                f"the grid asks for instances_score_thresh {lowest:g}, but {self.store.cache.folder} holds no instance "
                f"with a score below {floor:g}; leave out the lower ones, or make another cache"
            )
        # Of settings with the same needs one is enough.
        for pipeline in {pipeline.needs: pipeline for pipeline in self.grid.settings}.values():
            try:
                self.store.cache.check_needs(pipeline)
            except InputError as error:
                raise InputError(f"the grid's {error}") from error

    @cached_property
    def by_regions(self) -> np.ndarray:
        """The numbers of the settings that are exact on regions."""
        floor = self.store.cache.manifest.floors.stuff_probability
        exact = [is_exact_on_regions(pipeline, floor) for pipeline in self.grid.settings]
        return np.flatnonzero(exact)

    @cached_property
    def by_pixels(self) -> np.ndarray:
        """The numbers of the other settings."""
        return np.setdiff1d(np.arange(len(self.grid)), self.by_regions)

    @cached_property
    def plan(self) -> SettingsPlan:
        """Of the settings that are exact on regions."""
        return SettingsPlan.of([self.grid.settings[number] for number in self.by_regions], self.categories)

    @property
    def categories(self) -> Categories:
        """Those of the cache, whose order the counts have."""
        return self.store.cache.manifest.categories

    def images_of(self, bucket: int) -> Tuple[int, ...]:
        """The images of a bucket, by their place in the ascending list of all."""
        return self.store.image_ids[bucket::BUCKETS]

    @cached_property
    def fingerprints(self) -> Mapping[int, str]:
        """The fingerprint of each image; worked out once, and handed on to the worker processes."""
        return {image_id: self.store.fingerprint(image_id) for image_id in self.store.image_ids}

    def manifest(self) -> Dict[str, Any]:
        """The content of ``sweep.json``, as JSON values."""
        cache = self.store.cache.manifest
        gt = hashlib.sha256()
        for image_id in self.store.image_ids:
            gt.update(self.fingerprints[image_id].encode("ascii"))
        return {
            "format": FORMAT,
            "buckets": BUCKETS,
            "grid": self.grid.to_json(),
            "dataset_name": cache.dataset_name,
            "categories": cache.categories.to_coco(),
            "images": len(self.store.image_ids),
            "floors": vars(cache.floors).copy(),
            "predictions": dict(cache.source),
            "fingerprint": gt.hexdigest(),
        }


def run_sweep(
    job: SweepJob,
    buckets: Sequence[int],
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> int:
    """Counts the buckets that are not there yet.

    Args:
        job: what to sweep.
        buckets: which, each in [0, 99].
        workers: processes; the files do not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Returns:
        How many buckets were counted now.

    Raises:
        InputError: the folder holds a sweep of something else, or a file is missing or damaged.
    """
    start_sweep(job.folder, job.manifest())
    left = [bucket for bucket in buckets if not _is_there(job.folder, bucket)]
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
    path = folder / "sweep.json"
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
        path = folder / "sweep.json"
        if not path.is_file():
            raise InputError(f"{folder} holds no sweep.json, so it is no shard of a sweep")
        start_sweep(output, read_json(path))
        for source in sorted((folder / "buckets").glob("*.arrays")):
            target = output / "buckets" / source.name
            arrays = read_arrays(source)
            if target.exists() and read_checksum(target) != read_checksum(source):
                raise InputError(f"{source} and {target} count the same images and differ; one is of other data")
            if not target.exists():
                write_arrays(target, arrays)


class SweepResult:
    """A finished sweep on disk.

    Attributes:
        folder: where it is.
        manifest: what ``sweep.json`` says.
        grid: the settings.
        categories: the data set's.
    """

    def __init__(self, folder: PathLike):
        """
        Raises:
            InputError: the folder holds none, or a bucket of it is missing or damaged.
        """
        self.folder = Path(folder)
        path = self.folder / "sweep.json"
        if not path.is_file():
            raise InputError(f"{self.folder} holds no sweep.json; make a sweep there with sweep-fusion")
        self.manifest = read_json(path)
        found = self.manifest.get("format") if isinstance(self.manifest, dict) else None
        if found != FORMAT:
            raise InputError(f"{path} is no sweep of format {FORMAT} (it says {found!r}); sweep anew")
        self.grid = Grid.from_json(self.manifest["grid"])
        self.categories = Categories.from_coco(self.manifest["categories"], str(path))
        missing = missing_buckets(self.folder)
        if missing:
            raise InputError(
                f"{self.folder} lacks {len(missing)} of {BUCKETS} buckets, such as {missing[0]:02d}; "
                "run the sweep again to finish it, or merge its shards"
            )

    def remove_leftovers(self) -> None:
        """Deletes what processes that were killed left; nothing is written into a finished sweep."""
        for folder in (self.folder, self.folder / "buckets"):
            remove_leftovers(folder)

    def total(self) -> SettingCounts:
        """The counts of all images.

        Raises:
            InputError: the file of a bucket is damaged.
        """
        total = SettingCounts.zeros(len(self.categories), len(self.grid))
        for bucket in range(BUCKETS):
            total.add_arrays(read_arrays(bucket_path(self.folder, bucket)))
        return total

    def of_settings(self, settings: Sequence[int]) -> List[SettingCounts]:
        """The counts of some settings only, bucket by bucket, for resampling.

        Raises:
            InputError: the file of a bucket is damaged.
        """
        parts = [SettingCounts.zeros(len(self.categories), len(settings)) for _ in range(BUCKETS)]
        for bucket, part in enumerate(parts):
            part.add_arrays(read_arrays(bucket_path(self.folder, bucket)), settings)
        return parts


def missing_buckets(folder: Path) -> List[int]:
    """The buckets that are not there."""
    return [bucket for bucket in range(BUCKETS) if not bucket_path(folder, bucket).exists()]


def bucket_path(folder: Path, bucket: int) -> Path:
    """The file of a bucket."""
    return folder / "buckets" / f"{bucket:02d}.arrays"


def _is_there(folder: Path, bucket: int) -> bool:
    path = bucket_path(folder, bucket)
    if not path.exists():
        return False
    read_checksum(path)
    return True


def _count_bucket(job: SweepJob, bucket: int) -> int:
    images, categories = job.images_of(bucket), job.categories
    total = SettingCounts.zeros(len(categories), len(job.grid))
    for image_id in images:
        regions = job.store.read(
            image_id, with_best_stuff=job.plan.asks_best_stuff, fingerprint=job.fingerprints[image_id]
        )
        total.add_gt(regions.gt, categories)
        total.add_image(job.plan.count(regions), job.by_regions if len(job.by_pixels) else None)
        if len(job.by_pixels):
            _add_pixels(total, job, image_id)
    write_arrays(bucket_path(job.folder, bucket), total.to_arrays())
    return len(images)


def _add_pixels(total: SettingCounts, job: SweepJob, image_id: int) -> None:
    """For rules that see more than regions: fuses and scores the image once per setting."""
    heads = CachedHeads(job.store.cache, image_id)
    gt_ids, gt_segments = job.store.gt_of(image_id)
    for number in job.by_pixels.tolist():
        result = heads.fuse(job.grid.settings[number])
        counts = count_image(gt_ids, gt_segments, result.panoptic_seg, result.segments_info, job.categories)
        total.add_to_setting(number, counts, job.categories)
