"""The images that two settings treat most differently, from a cache and its ground truth."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.regions import GtSegments
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.report.words import measure
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import ImageId, id_order
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import count_image, match_image
from panoptic_heuristic.visual.panels import SegmentMap, class_legend, draw_panels
from panoptic_heuristic.visual.photo import read_photo
from panoptic_heuristic.visual.sheet import Row, make_sheet

# Four pictures of this side, and their captions, are legible on a page of usual width.
_SIDE = 360


@dataclass(frozen=True)
class Score:
    """One image under one setting.

    Attributes:
        pq: mean over the classes of this image alone, in percent; NaN if it has no segment at all.
        missed, false: segments.
    """

    pq: float
    missed: int
    false: int

    @property
    def errors(self) -> int:
        """Misses and false positives."""
        return self.missed + self.false


@dataclass(frozen=True)
class Change:
    """The scores of one image under two settings.

    Attributes:
        image_id: the image.
        file_name: relative to the folder of the images.
        default, best: how well it comes out.
    """

    image_id: ImageId
    file_name: str
    default: Score
    best: Score

    @property
    def errors(self) -> int:
        """Errors of the best setting less those of the default."""
        return self.best.errors - self.default.errors

    @property
    def pq(self) -> float:
        """PQ of the best setting less that of the default."""
        return self.best.pq - self.default.pq


@dataclass(frozen=True, eq=False)
class Pair:
    """Two settings that are compared image by image.

    Attributes:
        default, best: the settings.
        counted: the counts of both over all images, in this order, as the sweep has them.
    """

    default: Pipeline
    best: Pipeline
    counted: SettingCounts


def find_changes(
    store: RegionStore, pair: Pair, *, progress: Callable[[Iterable, int], Iterable] = lambda items, total: items
) -> List[Change]:
    """Compares two settings on every image of a sweep.

    Args:
        store: the predictions and the ground truth that were swept.
        pair: the settings.
        progress: wraps the iterable of images, given their number; tqdm fits.

    Returns:
        All images, those whose number of errors changes most first; equal ones by the change of PQ, and
        then by their ids.

    Raises:
        InputError: the cache or the ground truth is not what was swept, or a file is missing or damaged.
    """
    changes, total = changes_of(store, pair.default, pair.best, progress)
    _check_same(store, total, pair.counted)
    return most_changed(changes)


def changes_of(
    store: RegionStore, default: Pipeline, best: Pipeline, progress: Callable[[Iterable, int], Iterable]
) -> Tuple[List[Change], SettingCounts]:
    """What two settings make of every image, in the order of the store's, and the counts of both over all.

    Raises:
        InputError: a file is missing or damaged.
    """
    name_of = {image.image_id: image.file_name for image in store.cache.manifest.images}
    total = SettingCounts.zeros(len(store.cache.manifest.categories), 2)
    changes = []
    for image_id in progress(store.image_ids, len(store.image_ids)):
        counts = _count(store, (default, best), image_id)
        total = total + counts
        changes.append(Change(image_id, name_of[image_id], *_scores(counts)))
    return changes, total


def most_changed(changes: Iterable[Change]) -> List[Change]:
    """Those whose number of errors changes most first; equal ones by the change of PQ, and then by their ids."""
    return sorted(changes, key=_by_size)


def _by_size(change: Change) -> Tuple[int, float, bool, ImageId]:
    return -abs(change.errors), -np.nan_to_num(abs(change.pq)), *id_order(change.image_id)


def draw_change(store: RegionStore, pair: Pair, change: Change, image_root: Optional[Path]) -> bytes:
    """A PNG of the image, its ground truth, and what both settings make of it.

    Args:
        store: the predictions and the ground truth.
        pair: the settings.
        change: the image.
        image_root: the folder of the images; None to leave the image out.

    Raises:
        InputError: the image is missing, damaged or of another size.
    """
    categories = store.cache.manifest.categories
    ids, segments = store.gt_of(change.image_id)
    gt = SegmentMap(ids, segments)
    photo = None
    if image_root is not None:
        photo = read_photo(image_root, change.file_name, ids.shape, "the cache", for_the_eye=True)
    maps = [gt]
    pictures: List[np.ndarray] = []
    heads = CachedHeads(store.cache, change.image_id)
    for pipeline in (pair.default, pair.best):
        fused = heads.fuse(pipeline)
        prediction = SegmentMap(fused.panoptic_seg, fused.segments_info)
        matching = match_image(ids, segments, prediction.ids, prediction.segments_info, categories)
        drawn, titles = draw_panels(
            gt, categories, side=_SIDE, photo=photo, prediction=prediction, matching=matching
        )
        pictures = pictures or [drawn[titles.index(title)] for title in ("image", "ground truth") if title in titles]
        pictures.append(drawn[titles.index("prediction")])
        maps.append(prediction)
    columns = ["image", "ground truth", "default", "best"][-len(pictures) :]
    sheet = make_sheet([Row(_caption(change), tuple(pictures))], columns, [class_legend(maps, categories)])
    content = io.BytesIO()
    Image.fromarray(sheet).save(content, format="PNG", compress_level=9)
    return content.getvalue()


def _count(store: RegionStore, settings: Sequence[Pipeline], image_id: ImageId) -> SettingCounts:
    """The counts of one image under some settings."""
    manifest = store.cache.manifest
    categories = manifest.categories
    total = SettingCounts.zeros(len(categories), len(settings))
    if all(is_exact_on_regions(pipeline, manifest.floors.stuff_probability) for pipeline in settings):
        plan = SettingsPlan.of(settings, categories)
        regions = plan.read(store, image_id)
        total.add_gt(regions[0].gt, categories)
        total.add_image(plan.count(*regions))
        return total
    ids, segments = store.gt_of(image_id)
    total.add_gt(GtSegments.of_segments(segments), categories)
    heads = CachedHeads(store.cache, image_id)
    for number, pipeline in enumerate(settings):
        fused = heads.fuse(pipeline)
        counts = count_image(ids, segments, fused.panoptic_seg, fused.segments_info, categories)
        total.add_to_setting(number, counts, categories)
    return total


def _scores(counts: SettingCounts) -> List[Score]:
    pq = counts.quality().mean("pq", np.ones(len(counts.segments), dtype=bool))
    missed = (counts.segments[:, None] - counts.tp).sum(axis=0)
    false = counts.fp.sum(axis=0)
    return [Score(100 * float(pq[place]), int(missed[place]), int(false[place])) for place in range(2)]


def _check_same(store: RegionStore, total: SettingCounts, counted: SettingCounts) -> None:
    same = total.images == counted.images and all(
        np.array_equal(getattr(total, name), getattr(counted, name)) for name in ("iou_sum", "tp", "fp", "segments")
    )
    if not same:
        raise InputError(
            f"{store.cache.folder} and {store.gt.path} give other counts than the sweep has: it was made from other "
            "predictions or another ground truth; give those, or sweep anew"
        )


def _caption(change: Change) -> str:
    def told(score: Score) -> str:
        return f"PQ {measure(score.pq, 1)}, {score.missed} missed, {score.false} false"

    default, best = told(change.default), told(change.best)
    return f"image {change.image_id}, {change.file_name}: default {default}; best {best}"
