"""Fusing, scoring and timing one image of a prediction cache by several pipelines."""

import contextlib
import time
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import torch

from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline, fuse
from panoptic_heuristic.quality import PQCounts, count_image


@dataclass(frozen=True)
class Measured:
    """What one pipeline did with one image.

    Attributes:
        counts: what it got right and wrong.
        seconds: processor time of fusing, on one thread.
        error: why it could not fuse; None if it could, else the others mean nothing.
    """

    counts: PQCounts
    seconds: float
    error: Optional[str] = None


def measure_image(store: RegionStore, job: Tuple[int, Sequence[Pipeline]]) -> List[Measured]:
    """Fuses an image by each of some pipelines and counts the outcome.

    Time is that of :func:`fuse` alone: of the processor, since a busy machine lets a thread wait for
    several milliseconds at a time. All masks are decoded before: how they are stored is no matter of
    rules.

    Args:
        store: predictions and ground truth.
        job: the image's id, and the pipelines.

    Returns:
        One for each pipeline, in their order.

    Raises:
        InputError: the predictions or the ground truth are missing or damaged.
    """
    image_id, pipelines = job
    manifest = store.cache.manifest
    predictions = store.cache.read(image_id)
    instances = predictions.to_instances()
    for index in range(len(instances)):
        instances.crop(index)
    one_of_kind = {manifest.hands_over_logits(pipeline): pipeline for pipeline in pipelines}
    semantics = {kind: manifest.semantics_of(predictions, pipeline) for kind, pipeline in one_of_kind.items()}
    gt = store.gt_of(image_id)
    measured: Dict[int, Measured] = {}
    with _one_thread():
        # Each image begins with another pipeline, so that none pays for what the first use of masks costs.
        for place in ((image_id + turn) % len(pipelines) for turn in range(len(pipelines))):
            pipeline = pipelines[place]
            started = time.thread_time()
            try:
                result = fuse(instances, semantics[manifest.hands_over_logits(pipeline)], manifest.categories, pipeline)
            except InputError as error:
                measured[place] = Measured({}, 0.0, f"image {image_id}: {error}")
                continue
            seconds = time.thread_time() - started
            predicted = result.panoptic_seg, result.segments_info
            measured[place] = Measured(count_image(*gt, *predicted, manifest.categories), seconds)
    return [measured[place] for place in range(len(pipelines))]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
