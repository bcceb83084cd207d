"""Keeping predictions with logits, as cache-predictions --store-logits does beside the network.

Generated scenes are raw outputs of both heads, from which predictions are made and written; those of a cache are only
written again. CPU time is that of the process, on one thread. In the way of the network is what handing over takes, by
the clock, while a network that is only slept through runs. What is read back must be what was made, and its masks and
labels those of Detectron2's pasting and of argmax, to the last pixel.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional

import cv2
import numpy as np
import torch
from pycocotools import mask as rle_codec
from tabulate import tabulate

from benchmarks.side_by_side.contest import import_references
from benchmarks.side_by_side.inputs import STRIDE, smooth_logits
from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.predictions import ImagePredictions
from panoptic_heuristic.cli.arguments import add_seed_argument, number, whole_number
from panoptic_heuristic.testing.scenes import make_scene

_THINGS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--images", type=whole_number(1), default=10, help="(default: %(default)s)")
    parser.add_argument("--size", type=whole_number(32), nargs=2, default=(360, 480), metavar=("H", "W"),
                        help="of generated ones (default: 360 480)")  # fmt: skip
    parser.add_argument("--channels", type=whole_number(2), default=12, help="of logits (default: %(default)s)")
    parser.add_argument("--instances", type=whole_number(0), default=100, help="per image (default: %(default)s)")
    parser.add_argument("--network-ms", type=number(0, 10_000), default=296.0, help="per image (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="write the predictions of a cache again")
    add_seed_argument(parser, "the first scene")


class Job(NamedTuple):
    """An image to keep.

    Attributes:
        make: gives its predictions.
        differs: names a part of predictions that is not as the reference has it, or gives None.
    """

    make: Callable[[], ImagePredictions]
    differs: Callable[[ImagePredictions], Optional[str]]


def run(args: argparse.Namespace) -> int:
    """Prints times and sizes; 1 if something that was read back differs."""
    import_references()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given = None if args.cache is None else PredictionCache.open(args.cache)
    manifest = _manifest(args) if given is None else given.manifest
    jobs = _generated(args) if given is None else _of_cache(given, args.images)
    with tempfile.TemporaryDirectory() as folder:
        cache = PredictionCache.create(folder, manifest)
        jobs[0].make()
        making, writing = _cpu_seconds(jobs, cache)
        in_the_way = _seconds_in_the_way(jobs, cache, args.network_ms / 1000)
        made = [job.make() for job in jobs]
        problems = [part for job, one in zip(jobs, made, strict=True) if (part := _difference(job, one, cache))]
        size = sum(cache.path_of(one.image_id).stat().st_size for one in made)
    row = [len(jobs), *(1000 * one / len(jobs) for one in (making, writing, making + writing, in_the_way))]
    headers = ["images", "making, CPU ms", "writing, CPU ms", "in all, CPU ms", "in the way, ms", "KB"]
    print(tabulate([[*row, size / 1000 / len(jobs)]], headers, floatfmt=("", ".1f", ".1f", ".1f", ".2f", ".1f")))
    for problem in problems:
        print(f"different: {problem}")
    return 1 if problems else 0


def _cpu_seconds(jobs: List[Job], cache: PredictionCache) -> List[float]:
    """Of making predictions, and of writing them."""
    seconds = np.zeros(2)
    for job in jobs:
        moments = [time.process_time()]
        made = job.make()
        moments.append(time.process_time())
        cache.write(made)
        moments.append(time.process_time())
        seconds += np.diff(moments)
    return seconds.tolist()


def _seconds_in_the_way(jobs: List[Job], cache: PredictionCache, network_seconds: float) -> float:
    from panoptic_heuristic.detectron.background import Background

    total = 0.0
    with Background("benchmark") as background:
        for job in jobs:
            time.sleep(network_seconds)
            begin = time.perf_counter()
            background.add(lambda job=job: cache.write(job.make()))
            total += time.perf_counter() - begin
    return total


def _difference(job: Job, made: ImagePredictions, cache: PredictionCache) -> Optional[str]:
    read, expected = cache.read(made.image_id).to_arrays(), made.to_arrays()
    for name in {**expected, **read}:
        same = name in read and name in expected and read[name].dtype == expected[name].dtype
        if not same or read[name].tobytes() != expected[name].tobytes():
            return f"{name} of image {made.image_id} as read back"
    return job.differs(made)


def _of_cache(cache: PredictionCache, most: int) -> List[Job]:
    read = [cache.read(image.image_id) for image in cache.manifest.images[:most]]
    return [Job(lambda one=one: one, lambda made: None) for one in read]


def _generated(args: argparse.Namespace) -> List[Job]:
    return [_generated_job(image_id, args) for image_id in range(args.images)]


def _scene(image_id: int, args: argparse.Namespace):
    counts = {"instances": max(args.instances, 1), "things": _THINGS, "stuff": args.channels - 1}
    return make_scene(args.seed + image_id, image_size=tuple(args.size), **counts)


def _manifest(args: argparse.Namespace) -> Manifest:
    scene = _scene(0, args)
    return Manifest(
        "generated scenes", scene.categories, dict(enumerate(scene.label_to_category)),
        tuple(CachedImage(image_id, f"{image_id}.jpg", *args.size) for image_id in range(args.images)),
        Floors(0.0, None, 0.25), True, {},
    )  # fmt: skip


def _generated_job(image_id: int, args: argparse.Namespace) -> Job:
    from detectron2.structures import Boxes, Instances

    from panoptic_heuristic.detectron.ids import ContiguousIds
    from panoptic_heuristic.detectron.kept_predictions import CachingSettings, predictions_of

    scene, size = _scene(image_id, args), tuple(args.size)
    ids = ContiguousIds.of_counts(_THINGS, args.channels)
    small = torch.from_numpy(smooth_logits(args.seed + image_id, scene.semantic_labels, size, args.channels))
    logits = torch.nn.functional.interpolate(small[None], scale_factor=float(STRIDE), mode="bilinear")[0]
    boxes, scores, rois = map(torch.from_numpy, (scene.boxes, scene.scores, scene.probabilities))
    # Things have even ids from 0 there.
    fields = {"scores": scores, "pred_classes": torch.from_numpy(scene.category_ids // 2), "pred_masks": rois[:, None]}
    instances = Instances(size, pred_boxes=Boxes(boxes), **fields)[: args.instances]
    record = {"image_id": image_id, "height": size[0], "width": size[1]}
    settings = CachingSettings(store_logits=True)

    def differs(made: ImagePredictions) -> Optional[str]:
        return _different_from_detectron2(made, instances, logits)

    return Job(lambda: predictions_of(record, instances, logits, ids, settings), differs)


def _different_from_detectron2(made: ImagePredictions, instances: Any, logits: torch.Tensor) -> Optional[str]:
    from detectron2.modeling.postprocessing import detector_postprocess, sem_seg_postprocess
    from detectron2.structures import Boxes

    size = made.image_size
    # Detectron2 scales boxes in place.
    fields = {**instances.get_fields(), "pred_boxes": Boxes(instances.pred_boxes.tensor.clone())}
    masks = detector_postprocess(type(instances)(instances.image_size, **fields), *size).pred_masks
    encoded = rle_codec.encode(np.asfortranarray(masks.numpy().transpose(1, 2, 0).astype(np.uint8)))
    if tuple(one["counts"] for one in encoded) != made.masks:
        return f"masks of image {made.image_id} from Detectron2's"
    labels = sem_seg_postprocess(logits, instances.image_size, *size).argmax(dim=0)
    same = np.array_equal(made.semantics.to_map(made.semantics.labels, size), labels)
    return None if same else f"labels of image {made.image_id} from argmax"
