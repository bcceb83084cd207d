"""One fusion of a cached image by every preset, with its published thresholds, with the compiled kernels and without.

Processor time on one thread, from decoded masks, labels and logits to the map, each time from heads that nothing has
used before: the median over images. A preset that needs what the cache has not kept is left out. Both ways must give
the same result.
"""

import argparse
import contextlib
import statistics
import time
from pathlib import Path
from typing import Dict, List, Tuple

import cv2
import numpy as np
import torch
from tabulate import tabulate
from tqdm import tqdm

from panoptic_heuristic import native
from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.cache.fuse import CachedHeads
from panoptic_heuristic.ablation.tuning.thresholds import raised_to_floor
from panoptic_heuristic.cli.arguments import whole_number
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.image_ids import ImageId
from panoptic_heuristic.fusion import PRESETS, FusionResult, Pipeline


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--cache", type=Path, required=True, help="predictions, best with --store-logits")
    parser.add_argument("--images", type=whole_number(1), default=20, help="evenly chosen (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prints milliseconds per preset; 1 if the two ways differ."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if not native.are_there():
        print("the compiled kernels are not built, so both ways are the same: pip install -e .")
    cache = PredictionCache.open(args.cache)
    image_ids = [image.image_id for image in cache.manifest.images]
    chosen = [image_ids[place] for place in np.linspace(0, len(image_ids) - 1, args.images).astype(int).tolist()]
    pipelines = _usable(cache)
    rows = []
    for name, pipeline in tqdm(pipelines.items(), desc="presets", unit="preset", disable=None):
        found = [[_clocked(cache, image_id, pipeline, kernels) for image_id in chosen] for kernels in (True, False)]
        for image_id, (one, _), (other, _) in zip(chosen, *found, strict=True):
            if not _are_same(one, other):
                print(f"{name}: image {image_id} is fused otherwise without kernels")
                return 1
        rows.append((name, *(1000 * statistics.median(seconds for _, seconds in way) for way in found)))
    print(tabulate(rows, ("preset", "ms with kernels", "ms without"), floatfmt=".2f"))
    return 0


def _usable(cache: PredictionCache) -> Dict[str, Pipeline]:
    """The presets that the cache has kept enough for; names the others."""
    usable: Dict[str, Pipeline] = {}
    for name in PRESETS:
        pipeline = raised_to_floor(Pipeline.preset(name), cache.manifest.floors.instances_score_thresh)
        try:
            cache.check_needs(pipeline)
        except InputError as error:
            print(f"left out: {name}: {error}")
            continue
        usable[name] = pipeline
    return usable


def _clocked(
    cache: PredictionCache, image_id: ImageId, pipeline: Pipeline, kernels: bool
) -> Tuple[FusionResult, float]:
    """The result of fusing an image, and the seconds that took."""
    with contextlib.nullcontext() if kernels else native.switched_off():
        heads = CachedHeads(cache, image_id)
        for index in range(len(heads.instances)):
            heads.instances.crop(index)
        heads.semantics(pipeline)
        started = time.thread_time()
        result = heads.fuse(pipeline)
        return result, time.thread_time() - started


def _are_same(one: FusionResult, other: FusionResult) -> bool:
    same: List[bool] = [
        np.array_equal(one.panoptic_seg, other.panoptic_seg),
        one.segments_info == other.segments_info,
        one.dropped == other.dropped,
    ]
    return all(same)
