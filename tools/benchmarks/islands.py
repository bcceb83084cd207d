"""Cleaning label maps of islands, against OpenCV's components label by label.

The label maps are those of seeded scenes, or of a folder. OpenCV's connectedComponents only finds the islands, ours
also fills them; both must find the same. CPU time of one thread; of several runs the best counts.
"""

import argparse
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Tuple

import cv2
import numpy as np
import torch
from tabulate import tabulate

from panoptic_heuristic.cli.arguments import add_seed_argument, whole_number
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.label_png import read_label_png
from panoptic_heuristic.fusion import SemanticMap
from panoptic_heuristic.testing.scenes import make_scene

FRACTIONS = (0.001, 0.004, 0.008)
_SIZES = ((480, 640), (1024, 2048))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this benchmark."""
    parser.add_argument("--images", type=whole_number(1), default=10, help="of each size or the folder (default: 10)")
    parser.add_argument("--rounds", type=whole_number(1), default=5, help="runs of each side (default: 5)")
    parser.add_argument("--labels", type=Path, metavar="FOLDER", help="of label PNGs (default: generated maps)")
    add_seed_argument(parser, "the label maps")


def run(args: argparse.Namespace) -> int:
    """Prints times of both sides; 1 if they find different islands."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows: List[Tuple] = []
    for name, maps in _label_maps(args):
        for fraction in FRACTIONS:
            images = []
            for semantics in maps:
                ours, ours_ms = _timed(semantics.without_islands, fraction, rounds=args.rounds)
                labels, cleaned = semantics.labels.numpy(), ours.labels.numpy()
                islands, components_ms = _timed(components, labels, fraction, rounds=args.rounds)
                if not np.array_equal(cleaned[~islands], labels[~islands]):
                    print(f"other islands in {name}, fraction {fraction:g}")
                    return 1
                images.append((100 * islands.mean(), components_ms, ours_ms))
            percent, components_ms, ours_ms = np.mean(images, axis=0).tolist()
            rows.append((name, fraction, percent, components_ms, ours_ms, components_ms / ours_ms))
    headers = ("label maps", "fraction", "% in islands", "OpenCV's components, ms", "ours, ms", "ratio")
    print(tabulate(rows, headers, floatfmt=("", "g", ".1f", ".2f", ".2f", ".1f")))
    return 0


def _label_maps(args: argparse.Namespace) -> Iterator[Tuple[str, List[SemanticMap]]]:
    """What the maps are, and these."""
    if args.labels is not None:
        maps = [read_label_png(path)[0] for path in sorted(args.labels.glob("*.png"))[: args.images]]
        if not maps:
            raise InputError(f"{args.labels} holds no PNG")
        yield str(args.labels), [SemanticMap(labels, dict.fromkeys(range(labels.max() + 1))) for labels in maps]
        return
    for size in _SIZES:
        scenes = (make_scene(args.seed + number, image_size=size) for number in range(args.images))
        yield f"{size[0]}x{size[1]}", [scene.semantics() for scene in scenes]


def components(labels: np.ndarray, fraction: float) -> np.ndarray:
    """(H, W) bool, the islands, by OpenCV."""
    islands = np.zeros(labels.shape, dtype=bool)
    for label in np.flatnonzero(np.bincount(labels.ravel())).tolist():
        count, parts = cv2.connectedComponents((labels == label).view(np.uint8), connectivity=4)
        small = np.bincount(parts.ravel(), minlength=count) < fraction * labels.size
        small[0] = False
        islands |= small[parts]
    return islands


def _timed(work: Callable, *args: Any, rounds: int) -> Tuple[Any, float]:
    """The result, and the least milliseconds of CPU time."""
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        result = work(*args)
        seconds.append(time.process_time() - started)
    return result, 1000 * min(seconds)
