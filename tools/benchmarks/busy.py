"""Fusing, sweeping and scoring beside another program that keeps a core busy, against an idle machine.

Each is timed as the commands run it, with PyTorch's own number of threads and a worker process per core, and wall
times are compared: threads that wait for each other by spinning would take many times as long beside a busy core.
A machine that is not idle to begin with shows less.
"""

import argparse
import contextlib
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import numpy as np
import torch
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.sweep import GRIDS, store_predictions
from panoptic_heuristic.ablation import sweep
from panoptic_heuristic.ablation.regions.store import open_store
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.panoptic_pairs import coco_ground_truth, with_coco_predictions
from panoptic_heuristic.formats.workers import default_workers
from panoptic_heuristic.fusion import InstanceSet, SemanticMap, fuse
from panoptic_heuristic.quality import MeasureSettings, ScoringSettings, score_images
from panoptic_heuristic.testing.scenes import make_scene, write_ground_truth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--scenes", type=int, default=40, help="generated images of 640x480 (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="runs, whose median counts (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prints milliseconds per image, idle and beside a busy core, and their ratio."""
    if min(args.scenes, args.rounds) < 1:
        raise InputError("--scenes and --rounds must be at least 1")
    with tempfile.TemporaryDirectory() as folder:
        works = _works(args.scenes, Path(folder))
        idle: Dict[str, float] = {}
        busy: Dict[str, float] = {}
        for name, work in tqdm(works.items(), desc="measure", unit="work", disable=None):
            work()
            idle[name] = _median_seconds(work, args.rounds)
            with busy_core():
                busy[name] = _median_seconds(work, args.rounds)
    rows = [
        [name, 1000 * idle[name] / args.scenes, 1000 * busy[name] / args.scenes, busy[name] / idle[name]]
        for name in works
    ]
    print(f"{args.scenes} scenes of 640x480, {torch.get_num_threads()} threads, {default_workers()} workers")
    print(tabulate(rows, headers=["ms per image", "idle", "busy", "ratio"], floatfmt=("", ".2f", ".2f", ".2f")))
    return 0


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Another process computes as long as the block runs."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    # It starts with imports.
    time.sleep(1)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _spin() -> None:
    while True:
        pass


def _works(number: int, folder: Path) -> Dict[str, Callable[[], Any]]:
    """The functions that are timed, each over all scenes."""
    scenes = [make_scene(seed) for seed in range(number)]
    gt = folder / "gt"
    write_ground_truth(gt, scenes)
    files = gt / "panoptic.json", gt / "panoptic"
    store_predictions(folder / "predictions", scenes)
    store = open_store(folder / "predictions", *files)
    pairs = with_coco_predictions(coco_ground_truth(*files), *files, "fail")
    scoring = ScoringSettings(scenes[0].categories, MeasureSettings())
    workers = default_workers()

    def fusing(instances: int) -> Callable[[], None]:
        first = slice(instances)
        heads = [
            (
                InstanceSet.from_bitmaps(scene.masks[first], scene.scores[first], scene.category_ids[first]),
                SemanticMap(scene.semantic_labels, dict(enumerate(scene.label_to_category))),
            )
            for scene in scenes
        ]

        def work() -> None:
            for one in heads:
                fuse(*one, scenes[0].categories)

        return work

    return {
        "fuse, 3 instances": fusing(3),
        "fuse, 100 instances": fusing(100),
        "sweep of 1,000 settings": lambda: sweep(store, GRIDS["10 x 10 x 10"], workers=workers),
        "scoring of PNG files": lambda: list(score_images(pairs.images, scoring, workers=workers)),
    }


def _median_seconds(work: Callable[[], Any], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return float(np.median(seconds))
