"""One cached image, fused by any pipeline, and its errors."""

from typing import NamedTuple, Tuple

from panoptic_heuristic.ablation.attribution.causes import SegmentError
from panoptic_heuristic.ablation.attribution.false_positives import find_false_positives
from panoptic_heuristic.ablation.attribution.fused_regions import FusedRegions
from panoptic_heuristic.ablation.attribution.fusing import fuse_pixels, fuse_regions
from panoptic_heuristic.ablation.attribution.missed import find_missed
from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff, is_exact_on_regions
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import FusionResult, HeadOutputs, Pipeline
from panoptic_heuristic.fusion.argument_types import check_pipeline


class TracedImage(NamedTuple):
    """A fused image and its errors.

    Attributes:
        heads: what was fused.
        result: of fusing.
        fused: the same with all that is needed to trace errors.
        fingerprint: of what it was worked out from, see :meth:`RegionStore.fingerprint`.
        errors: missed segments in the order of the ground truth, then false positives in that of the map.
    """

    heads: HeadOutputs
    result: FusionResult
    fused: FusedRegions
    fingerprint: str
    errors: Tuple[SegmentError, ...]


def check_traceable(store: RegionStore, pipeline: Pipeline) -> None:
    """Raises if a pipeline asks for something that a cache lacks.

    Raises:
        InputError: names the category, the rule or the score threshold that asks; or it is no pipeline.
    """
    check_pipeline(pipeline)
    pipeline.check_categories(store.cache.manifest.categories)
    store.cache.check_needs(pipeline)
    floor, lowest = store.cache.manifest.floors.instances_score_thresh, pipeline.lowest_score_thresh
    if lowest < floor:
        raise InputError(
            f"instances_score_thresh is {lowest:g}, but {store.cache.folder} holds no instance with a score "
            f"below {floor:g}; choose a higher one, or make another cache"
        )


def trace_image(store: RegionStore, pipeline: Pipeline, image_id: ImageId) -> TracedImage:
    """Traces the errors of one image.

    Args:
        store: predictions and ground truth.
        pipeline: one that :func:`check_traceable` lets pass.
        image_id: the image.

    Raises:
        InputError: the image is not in the cache, a file is missing or damaged, or a rule needs what is not known of
            the image.
    """
    if image_id not in store.image_ids:
        raise InputError(f"{store.cache.folder} holds no image {image_id}")
    manifest, fingerprint = store.cache.manifest, store.fingerprint(image_id)
    cached = CachedHeads(store.cache, image_id)
    heads = HeadOutputs(cached.instances, cached.semantics(pipeline), manifest.categories)
    try:
        result = cached.fuse(pipeline)
    except InputError as error:
        raise InputError(f"image {image_id}: {error}") from error
    if is_exact_on_regions(pipeline, manifest.floors.stuff_probability):
        regions = store.read(
            image_id,
            with_best_stuff=asks_best_stuff(pipeline),
            island_area_fraction=pipeline.island_area_fraction,
            fingerprint=fingerprint,
        )
        fused = fuse_regions(regions, manifest.categories, pipeline, result)
    else:
        regions = store.read_fused(image_id, result.panoptic_seg, pipeline.island_area_fraction)
        fused = fuse_pixels(regions, heads, store.gt_of(image_id), pipeline, result)
    errors = (*find_missed(fused), *find_false_positives(fused))
    return TracedImage(heads, result, fused, fingerprint, errors)
