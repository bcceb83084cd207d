"""The photos of the images that are tuned and counted on."""

from pathlib import Path
from typing import Callable, Iterable, Tuple

from panoptic_heuristic.ablation.cache.folder import CachedImage
from panoptic_heuristic.ablation.cache.fuse import read_cached_photo
from panoptic_heuristic.ablation.tuning.pool import ImagePool
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.workers import ordered_map


def check_photos(
    pool: ImagePool,
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> None:
    """Reads all photos of a pool, if it has some: one that is wrong is told before the work, not in its midst.

    Args:
        pool: the images.
        workers: processes.
        progress: wraps the iterable of photos, given their number; tqdm fits.

    Raises:
        InputError: a folder or a photo is missing, or a photo is damaged or of another size than in its cache.
    """
    if pool.image_roots is None:
        return
    for root in pool.image_roots:
        if not root.is_dir():
            raise InputError(f"{root} is no folder of images")
    jobs = [(place.image_root, image) for place, image in zip(pool.places, pool.images, strict=True)]
    with ordered_map(_read, jobs, workers=min(workers, len(jobs))) as results:
        for _ in progress(results, len(jobs)):
            pass


def _read(job: Tuple[Path, CachedImage]) -> None:
    read_cached_photo(*job)
