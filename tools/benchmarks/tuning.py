"""Tuning one pipeline in all stages, and comparing all presets: processor time and peak memory.

The predictions are those of seeded scenes of 640x480, without logits and mask probabilities, so that presets which need
them are left out; or those of a cache. Everything runs in this process and on one thread. The peak is of the process,
so that each of both is best run alone. Tuning is done again without the compiled kernels, and must write the same
bytes. No other program does this; figures are compared with those of an older version.
"""

import argparse
import contextlib
import dataclasses
import resource
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import cv2
import torch
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.sweep import store_predictions
from panoptic_heuristic import native
from panoptic_heuristic.ablation.cache.folder import PredictionCache
from panoptic_heuristic.ablation.regions.store import RegionStore, open_store
from panoptic_heuristic.ablation.tuning.compare import compare
from panoptic_heuristic.ablation.tuning.comparison import Comparison
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.tune import tune
from panoptic_heuristic.cli.arguments import whole_number
from panoptic_heuristic.fusion import PRESETS, Pipeline, semantic_agreement
from panoptic_heuristic.testing.scenes import Scene, make_scene, write_ground_truth

JOBS = ("tune", "compare")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--scenes", type=whole_number(2), default=20, help="generated images (default: %(default)s)")
    parser.add_argument("--detections", type=whole_number(1), default=100, help="per image (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="predictions to use in place of generated ones")
    parser.add_argument("--gt-json", type=Path, help="ground truth of --cache (default: what was noted with it)")
    parser.add_argument("--gt-folder", type=Path, help="the folder of its PNGs")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS, help="what to measure (default: both)")
    parser.add_argument(
        "--tuning-images", type=whole_number(1), default=100, help="of each half, for compare (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Prints seconds of processor time and the peak of memory of each job, and the milliseconds of each preset."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        store = _store(args, Path(folder))
        rows, comparison = [], None
        for job in args.jobs:
            if job == "compare":
                comparison, seconds = _clocked(_compare, store, args)
                rows.append((job, len(store.image_ids), seconds, _peak()))
                continue
            written = []
            for name in ["tune", "tune, without kernels"] if native.are_there() else ["tune"]:
                with contextlib.nullcontext() if name == "tune" else native.switched_off():
                    tuned, seconds = _clocked(_tune, store)
                rows.append((name, len(store.image_ids), seconds, _peak()))
                tuned.write(Path(folder) / name)
                written.append(_files(Path(folder) / name))
            if written[0] != written[-1]:
                print("with kernels and without, tuning wrote different files")
                return 1
    print(tabulate(rows, ("job", "images", "CPU, s", "peak so far, MB"), floatfmt=("", "", ".1f", ".0f")))
    if comparison is not None:
        print(tabulate(_fusing(comparison), ("preset", "thresholds", "ms per fusion"), floatfmt=("", "", ".2f")))
        for preset, reason in comparison.failed.items():
            print(f"left out: {preset}: {reason}")
    return 0


def _store(args: argparse.Namespace, folder: Path) -> RegionStore:
    if args.cache is not None:
        return open_store(args.cache, args.gt_json, args.gt_folder)
    seeds = tqdm(range(args.scenes), desc="generate", unit="image", disable=None)
    scenes = [make_scene(seed, instances=args.detections) for seed in seeds]
    write_ground_truth(folder / "gt", scenes)
    store_predictions(folder / "predictions", scenes)
    _add_agreement(folder / "predictions", scenes)
    return open_store(folder / "predictions", folder / "gt" / "panoptic.json", folder / "gt" / "panoptic")


def _add_agreement(folder: Path, scenes: List[Scene]) -> None:
    """Calibrated probabilities need it."""
    cache = PredictionCache.open(folder)
    for image_id, scene in enumerate(scenes):
        agreement = semantic_agreement(scene.instances(), scene.semantics(), scene.categories)
        cache.write(dataclasses.replace(cache.read(image_id), semantic_agreement=agreement))


def _tune(store: RegionStore) -> TuningResult:
    return tune(store, progress=_progress("tune"))


def _files(folder: Path) -> Dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _compare(store: RegionStore, args: argparse.Namespace) -> Comparison:
    pipelines = {name: Pipeline.preset(name) for name in PRESETS}
    return compare(store, pipelines, tuning_images=args.tuning_images, progress=_progress("compare"))


def _progress(name: str) -> Callable:
    return lambda items, total: tqdm(items, desc=name, total=total, disable=None)


def _fusing(comparison: Comparison) -> Iterator[Tuple[str, str, float]]:
    for row in comparison.table:
        yield row.name, row.thresholds, row.milliseconds


def _clocked(work: Callable, *args: Any) -> Tuple[Any, float]:
    started = _used()
    found = work(*args)
    return found, _used() - started


def _peak() -> float:
    """The most memory that this process has taken so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _used() -> float:
    """Seconds of processor time of this process and of those that it ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
