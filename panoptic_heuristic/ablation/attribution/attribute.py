"""Tracing errors to rules: every error of a pipeline gets a cause, and each cause the PQ that fixing it brings.

Segments are traced on regions, told apart by the fused map where the rules see more than regions know; errors
near borders and the two heads' disagreements are counted pixel by pixel.
"""

import functools
import hashlib
from typing import Callable, Dict, Iterable, List, Optional, Tuple, Union

import numpy as np

from panoptic_heuristic.ablation.attribution.category_maps import category_maps
from panoptic_heuristic.ablation.attribution.causes import SegmentError
from panoptic_heuristic.ablation.attribution.disagreement import Disagreement, count_disagreement
from panoptic_heuristic.ablation.attribution.oracles import AS_IT_IS, count_oracles
from panoptic_heuristic.ablation.attribution.pixel_errors import count_pixel_errors
from panoptic_heuristic.ablation.attribution.result import Attribution, ImageAttribution
from panoptic_heuristic.ablation.attribution.stuff_pixels import count_stuff_pixels
from panoptic_heuristic.ablation.attribution.tracing import check_traceable, trace_image
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.formats.arguments import whole_number
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.formats.workers import ordered_map
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, Pipeline
from panoptic_heuristic.quality import PQCounts, add_into


def attribute(
    cache: Union[PathLike, RegionStore],
    pipeline: Pipeline = DEFAULT_PIPELINE,
    *,
    gt_json: Optional[PathLike] = None,
    gt_folder: Optional[PathLike] = None,
    workers: int = 1,
    progress: Callable[[Iterable, int], Iterable] = lambda items, total: items,
) -> Attribution:
    """Traces the errors of a pipeline on cached predictions.

    Args:
        cache: a folder of predictions, or an opened store.
        pipeline: what fuses, by any rules. If these are not exact on regions, the oracles that change who has
            which pixels are left out.
        gt_json: a COCO panoptic JSON; None for the ground truth that was noted when the cache was made.
        gt_folder: the folder of its PNGs; None likewise.
        workers: processes; the result does not depend on it.
        progress: wraps the iterable of results, given their number; tqdm fits.

    Raises:
        InputError: the cache or its ground truth is missing or damaged, or lacks what the pipeline asks for.
    """
    workers = whole_number("workers", workers, 1)
    store = open_store(cache, gt_json, gt_folder)
    check_traceable(store, pipeline)
    image_ids = store.image_ids
    work = functools.partial(attribute_image, store, pipeline)
    with ordered_map(work, image_ids, workers=min(workers, len(image_ids)), chunk=4) as results:
        return _total(store, pipeline, progress(results, len(image_ids)))


def attribute_image(store: RegionStore, pipeline: Pipeline, image_id: ImageId) -> ImageAttribution:
    """Traces and counts the errors of one image.

    Args:
        store: predictions and ground truth.
        pipeline: one that :func:`.check_traceable` lets pass.
        image_id: the image.

    Raises:
        InputError: the image is not in the cache, or a file is missing or damaged.
    """
    categories = store.cache.manifest.categories
    heads, result, fused, fingerprint, errors = trace_image(store, pipeline, image_id)
    maps = category_maps(*store.gt_of(image_id), result, heads.semantics, categories)
    gt = fused.regions.gt
    return ImageAttribution(
        image_id=image_id,
        fingerprint=fingerprint,
        errors=errors,
        counts={AS_IT_IS: fused.counts(), **count_oracles(fused)},
        segments=_by_kind(gt.category_ids[~gt.iscrowd], categories),
        predicted=_by_kind(fused.segments.category_ids, categories),
        stuff_pixels=count_stuff_pixels(fused),
        pixel_errors=count_pixel_errors(maps),
        disagreement=count_disagreement(maps, categories),
    )


def _total(store: RegionStore, pipeline: Pipeline, images: Iterable[ImageAttribution]) -> Attribution:
    image_ids: List[ImageId] = []
    errors: List[Tuple[ImageId, SegmentError]] = []
    counts: Dict[str, PQCounts] = {}
    made_from, disagreement = hashlib.sha256(), Disagreement()
    segments, predicted, stuff_pixels, pixel_errors = np.zeros(2, np.int64), np.zeros(2, np.int64), 0, 0
    for image in images:
        image_ids.append(image.image_id)
        made_from.update(image.fingerprint.encode("ascii"))
        errors += ((image.image_id, error) for error in image.errors)
        for name, value in image.counts.items():
            add_into(counts.setdefault(name, {}), value)
        segments += image.segments
        predicted += image.predicted
        stuff_pixels = stuff_pixels + image.stuff_pixels
        pixel_errors = pixel_errors + image.pixel_errors
        disagreement = disagreement + image.disagreement
    return Attribution(
        manifest=store.cache.manifest,
        pipeline=pipeline,
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


def _by_kind(category_ids: np.ndarray, categories: Categories) -> Tuple[int, int]:
    """The number of things, and that of stuff."""
    things = sum(categories[category_id].isthing for category_id in category_ids.tolist())
    return things, len(category_ids) - things
