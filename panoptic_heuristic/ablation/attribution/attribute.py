"""Tracing errors to rules: every error of a pipeline gets a cause, and each cause the PQ that fixing it brings.

Segments are traced on regions, which know all that the rules see; errors near borders and the two
heads' disagreements are counted pixel by pixel.
"""

import functools
import hashlib
from dataclasses import dataclass
from typing import Callable, Dict, Iterable, List, Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.category_maps import category_maps
from panoptic_heuristic.ablation.attribution.causes import SegmentError
from panoptic_heuristic.ablation.attribution.disagreement import Disagreement, count_disagreement
from panoptic_heuristic.ablation.attribution.false_positives import find_false_positives
from panoptic_heuristic.ablation.attribution.fused_regions import NOBODY, FusedRegions, fuse_regions
from panoptic_heuristic.ablation.attribution.missed import find_missed
from panoptic_heuristic.ablation.attribution.oracles import ORACLES
from panoptic_heuristic.ablation.attribution.pixel_errors import count_pixel_errors
from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.regions.regions import NO_CATEGORY, places_of_categories
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import (
    DEFAULT_PIPELINE,
    FusionResult,
    Greedy,
    InstanceSet,
    PerPixel,
    Pipeline,
    SemanticMap,
)
from panoptic_heuristic.fusion.stages import rule_name
from panoptic_heuristic.quality import PQCounts, add_into

AS_IT_IS = "none"
"""In place of an oracle: the counts of the pipeline itself."""

STUFF_PIXELS = ("gt", "right_labels", "lost_to_false_things", "lost_to_other_things")
"""Pixels of ground-truth stuff; of them those with the right label; of these those that things took, false or not."""


@dataclass(frozen=True)
class AttributionJob:
    """A pipeline whose errors on a cache are to be traced.

    Attributes:
        store: predictions and ground truth.
        pipeline: what fuses.

    Raises:
        InputError: the pipeline asks for instances that the cache lacks, or has rules that are not traced.
    """

    store: RegionStore
    pipeline: Pipeline

    def __post_init__(self):
        pipeline = self.pipeline
        if type(pipeline.claim) not in (Greedy, PerPixel):
            name = rule_name("claim", pipeline.claim)
            raise InputError(f"errors of the claim rule {name} cannot be traced; use greedy")
        for stage, rule in pipeline.rules.items():
            if stage != "claim" and rule != DEFAULT_PIPELINE.rules[stage]:
                raise InputError(
                    f"errors are traced for Detectron2's rules only, got {stage}={rule_name(stage, rule)}; leave it out"
                )
        if pipeline.thing_area_thresh > 0:
            area = f"thing_area_thresh {pipeline.thing_area_thresh:g}"
            raise InputError(f"errors are traced for things of any size, got {area}; leave it out")
        floor, lowest = self.store.cache.manifest.floors.instances_score_thresh, pipeline.lowest_score_thresh
        if lowest < floor:
            raise InputError(
                f"instances_score_thresh is {lowest:g}, but {self.store.cache.folder} holds no instance with a score "
                f"below {floor:g}; choose a higher one, or make another cache"
            )

    @property
    def categories(self) -> Categories:
        """Those of the cache."""
        return self.store.cache.manifest.categories


@dataclass(frozen=True, eq=False)
class Tallies:
    """The counts of an image, or of all.

    Attributes:
        counts: by :data:`AS_IT_IS` and by oracle.
        segments: ground-truth things and stuff, without crowds.
        predicted: things and stuff of the fused map.
        stuff_pixels: (C, 4) int64, see :data:`STUFF_PIXELS`, by the categories' order.
        pixel_errors: see :func:`count_pixel_errors`.
        disagreement: of the two heads.
    """

    counts: Dict[str, PQCounts]
    segments: Tuple[int, int]
    predicted: Tuple[int, int]
    stuff_pixels: np.ndarray
    pixel_errors: np.ndarray
    disagreement: Disagreement


@dataclass(frozen=True, eq=False)
class ImageAttribution(Tallies):
    """The errors and counts of one image.

    Attributes:
        image_id: the image.
        fingerprint: of what it was worked out from, see :meth:`RegionStore.fingerprint`.
        errors: missed segments in the order of the ground truth, then false positives in that of the map.
    """

    image_id: int
    fingerprint: str
    errors: Tuple[SegmentError, ...]


@dataclass(frozen=True, eq=False)
class Attribution(Tallies):
    """The errors and counts of all images: sums, and the errors with their images.

    Attributes:
        image_ids: the images, ascending.
        fingerprint: SHA-256 of the images' ones; equal to that of a sweep of the same files.
        errors: (image id, error), by image.
    """

    image_ids: Tuple[int, ...]
    fingerprint: str
    errors: Tuple[Tuple[int, SegmentError], ...]


def attribute(
    job: AttributionJob,
    *,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda results, total: results,
) -> Attribution:
    """Traces the errors of all images of a cache.

    Args:
        job: what to trace.
        workers: processes; the result does not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Raises:
        InputError: a file is missing or damaged.
    """
    image_ids = job.store.image_ids
    work = functools.partial(attribute_image, job)
    with ordered_map(work, image_ids, workers=min(workers, len(image_ids)), chunk=4) as results:
        return total_of(progress(results, len(image_ids)), len(job.categories))


def total_of(images: Iterable[ImageAttribution], categories: int) -> Attribution:
    """The sum over images, of so many categories."""
    image_ids: List[int] = []
    errors: List[Tuple[int, SegmentError]] = []
    counts: Dict[str, PQCounts] = {name: {} for name in (AS_IT_IS, *ORACLES)}
    made_from, disagreement = hashlib.sha256(), Disagreement()
    segments, predicted, pixel_errors = np.zeros(2, np.int64), np.zeros(2, np.int64), 0
    stuff_pixels = np.zeros((categories, len(STUFF_PIXELS)), dtype=np.int64)
    for image in images:
        image_ids.append(image.image_id)
        made_from.update(image.fingerprint.encode("ascii"))
        errors += ((image.image_id, error) for error in image.errors)
        for name, value in image.counts.items():
            add_into(counts[name], value)
        segments += image.segments
        predicted += image.predicted
        stuff_pixels += image.stuff_pixels
        pixel_errors = pixel_errors + image.pixel_errors
        disagreement = disagreement + image.disagreement
    return Attribution(
        image_ids=tuple(image_ids),
        fingerprint=made_from.hexdigest(),
        errors=tuple(errors),
        counts=counts,
        segments=tuple(segments.tolist()),
        predicted=tuple(predicted.tolist()),
        stuff_pixels=stuff_pixels,
        pixel_errors=pixel_errors,
        disagreement=disagreement,
    )


def attribute_image(job: AttributionJob, image_id: int) -> ImageAttribution:
    """Traces the errors of one image.

    Raises:
        InputError: a file is missing or damaged.
    """
    categories = job.categories
    fingerprint = job.store.fingerprint(image_id)
    fused = fuse_regions(job.store.read(image_id, fingerprint=fingerprint), categories, job.pipeline)
    instances, semantics, result = fuse_cached(job, image_id)
    errors = (*find_missed(fused), *find_false_positives(fused, segment_ids(fused, result)))
    maps = category_maps(*job.store.gt_of(image_id), result, semantics, categories)
    gt = fused.regions.gt
    return ImageAttribution(
        image_id=image_id,
        fingerprint=fingerprint,
        errors=errors,
        counts={AS_IT_IS: fused.counts(), **{name: oracle(fused) for name, oracle in ORACLES.items()}},
        segments=_by_kind(gt.category_ids[~gt.iscrowd], categories),
        predicted=_by_kind(fused.segments.category_ids, categories),
        stuff_pixels=count_stuff_pixels(fused),
        pixel_errors=count_pixel_errors(maps),
        disagreement=count_disagreement(maps, categories),
    )


def fuse_cached(job: AttributionJob, image_id: int) -> "tuple[InstanceSet, SemanticMap | None, FusionResult]":
    """The predictions of an image, and the fused map.

    Raises:
        InputError: the image is not in the cache, or its file is missing or damaged.
    """
    if image_id not in job.store.image_ids:
        raise InputError(f"{job.store.cache.folder} holds no image {image_id}")
    heads = CachedHeads(job.store.cache, image_id)
    return heads.instances, heads.semantics(job.pipeline), heads.fuse(job.pipeline)


def count_stuff_pixels(fused: FusedRegions) -> np.ndarray:
    """(C, 4) int64 pixels of each category, see :data:`STUFF_PIXELS`; zeros for things."""
    regions, categories = fused.regions, fused.categories
    of_gt = np.full(len(regions.gt.ids) + 2, NO_CATEGORY)
    of_gt[1:-1] = places_of_categories(regions.gt.category_ids, categories, "a ground-truth segment")
    of_gt[1:-1][regions.gt.iscrowd] = NO_CATEGORY
    category = of_gt[regions.gt_place]
    # The last one is that of NO_CATEGORY.
    is_stuff = np.array([*(not one.isthing for one in categories.values()), False])
    stuff = is_stuff[category]
    right = stuff & (regions.semantic == category)
    taken, false = right & (fused.owner != NOBODY), np.append(fused.false_instances, False)[fused.owner]
    columns = (stuff, right, taken & false, taken & ~false)
    counts = [np.bincount(category[one], regions.pixels[one], len(categories)) for one in columns]
    return np.stack(counts, axis=1).astype(np.int64)


def segment_ids(fused: FusedRegions, result: FusionResult) -> List[int]:
    """The ids that the regions' segments have in the fused map."""
    id_of: Dict[Tuple[bool, int], int] = {}
    for segment in result.segments_info:
        id_of[segment["isthing"], segment["instance_id" if segment["isthing"] else "category_id"]] = segment["id"]
    instances, category_ids = fused.segments.instances.tolist(), fused.segments.category_ids.tolist()
    ids = [
        id_of[(False, category_id) if instance == NOBODY else (True, instance)]
        for instance, category_id in zip(instances, category_ids, strict=True)
    ]
    areas = [result.segments_info[segment_id - 1]["area"] for segment_id in ids]
    assert areas == fused.outcomes.area.tolist() and len(areas) == len(result.segments_info)
    return ids


def _by_kind(category_ids: np.ndarray, categories: Categories) -> Tuple[int, int]:
    """The number of things, and that of stuff."""
    things = sum(categories[category_id].isthing for category_id in category_ids.tolist())
    return things, len(category_ids) - things
