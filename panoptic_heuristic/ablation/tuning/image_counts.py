"""Fusing one image by some pipelines, and counting the maps."""

import functools
import time
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple, Union

from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.tuning.known_counts import KnownCounts, Questioned
from panoptic_heuristic.ablation.tuning.pool import Place
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import PQCounts, count_image


@dataclass(frozen=True)
class Outcome:
    """One image under one pipeline.

    Attributes:
        counts: what is right and wrong.
        seconds: processor time of fusing, on one thread.
        error: why it could not be fused; None if it could, else the others mean nothing.
    """

    counts: PQCounts
    seconds: float
    error: Optional[str] = None


def count_by_pixels(
    place: Place, pipelines: Sequence[Pipeline], known: Optional[KnownCounts]
) -> Tuple[List[Union[PQCounts, str]], KnownCounts]:
    """The counts of an image by each of some pipelines, or why it cannot be fused by it; nothing is fused twice.

    Args:
        place: of the image.
        pipelines: any.
        known: counts of the image; None at first.

    Returns:
        One for each pipeline, and what is known then.
    """
    store, image_id, image_root = place
    read = functools.cache(lambda: (CachedHeads(store.cache, image_id, image_root), store.gt_of(image_id)))
    if known is None:
        instances = read()[0].instances
        known = KnownCounts(instances.scores.numpy(), instances.category_ids)
    found: List[Union[PQCounts, str]] = []
    for pipeline in pipelines:
        like = known.like(pipeline)
        counts = known.find(like, pipeline)
        if counts is None:
            questioned = Questioned.like(pipeline)
            heads, gt = read()
            try:
                result = heads.fuse(questioned)
            except InputError as error:
                found.append(f"image {image_id}: {error}")
                continue
            counts = count_image(*gt, result.panoptic_seg, result.segments_info, store.cache.manifest.categories)
            known.add(like, questioned, counts)
        found.append(counts)
    return found, known


def fuse_and_count(place: Place, pipelines: Sequence[Pipeline]) -> List[Outcome]:
    """Fuses an image by each of some pipelines and counts the map.

    Time is that of fusing alone: of the processor, since a busy machine lets a thread wait for several
    milliseconds at a time. All masks, and the photo, are decoded before: how they are stored is no matter of rules.

    Args:
        place: of the image.
        pipelines: any.

    Returns:
        One for each pipeline, in their order.

    Raises:
        InputError: the predictions, the ground truth or the photo are missing or damaged.
    """
    store, image_id, image_root = place
    heads, gt = CachedHeads(store.cache, image_id, image_root), store.gt_of(image_id)
    categories = store.cache.manifest.categories
    for index in range(len(heads.instances)):
        heads.instances.crop(index)
    for pipeline in pipelines:
        heads.semantics(pipeline)
        heads.photo(pipeline)
    outcomes: Dict[int, Outcome] = {}
    # Each image begins with another pipeline, so that none pays for what the first use of masks costs.
    first = store.image_ids.index(image_id)
    for number in ((first + turn) % len(pipelines) for turn in range(len(pipelines))):
        started = time.thread_time()
        try:
            result = heads.fuse(pipelines[number])
        except InputError as error:
            outcomes[number] = Outcome({}, 0.0, f"image {image_id}: {error}")
            continue
        seconds = time.thread_time() - started
        outcomes[number] = Outcome(count_image(*gt, result.panoptic_seg, result.segments_info, categories), seconds)
    return [outcomes[number] for number in range(len(pipelines))]
