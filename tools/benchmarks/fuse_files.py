"""Time of ``tools/fuse_predictions.py`` against panopticapi's combine script, on the same files.

Both start from three JSONs on disk (images, instance results, semantic results) of generated scenes
and end with PNGs and a JSON on disk, in this process, on one core, in turns. Starting Python and
importing is left out on both sides. The maps are compared: they must be the same up to numbering.
"""

import argparse
import contextlib
import io
import json
import multiprocessing.pool
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple
from unittest import mock

import cv2
import numpy as np
import torch
from pycocotools import mask as rle_codec
from tqdm import tqdm

from panoptic_heuristic.cli import fuse_predictions
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.coco_panoptic import read_panoptic_png
from panoptic_heuristic.testing.scenes import Scene, make_scene

_NAMES = ("combine script", "fuse_predictions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's options."""
    parser.add_argument("--images", type=int, default=40, help="generated scenes of 640x480 (default: %(default)s)")
    parser.add_argument("--detections", type=int, default=100, help="instances per image (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side; the fastest counts")
    parser.add_argument("--instances-score-thresh", type=float, default=0.5, help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Prints CPU seconds per image of both sides and their ratio; 1 if the maps differ."""
    try:
        from panopticapi import combine_semantic_and_instance_predictions as combine_script
    except ImportError as error:
        raise InputError(f"this compares with panopticapi, which is not installed: {error}") from error
    if min(args.images, args.repeats) < 1 or args.detections < 0:
        raise InputError("--images and --repeats must be at least 1, --detections at least 0")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_results(folder, args.images, args.detections)
        theirs, ours = folder / "theirs", folder / "ours"
        sides = (
            lambda: _combine(combine_script, folder, theirs, args.instances_score_thresh),
            lambda: _fuse(folder, ours, args.instances_score_thresh),
        )
        try:
            seconds = _fastest(sides, args.repeats)
        finally:
            torch.set_num_threads(threads[0])
            cv2.setNumThreads(threads[1])
        written = ours / f"{fuse_predictions.NAME}.json", ours / fuse_predictions.NAME
        different = compare(theirs / "panoptic.json", theirs, *written)
    settings = f"{args.detections} detections each, instances_score_thresh {args.instances_score_thresh}"
    print(f"{args.images} scenes, {settings}, one core")
    for side, spent in zip(_NAMES, seconds, strict=True):
        print(f"{side:17s} {1000 * spent / args.images:6.1f} ms of CPU time per image, best of {args.repeats} runs")
    print(f"ratio             {seconds[0] / seconds[1]:6.2f}")
    print(f"maps that differ  {len(different):6d} {different[:5] or ''}".rstrip())
    return 1 if different else 0


def write_results(folder: Path, images: int, detections: int) -> None:
    """Writes the heads' results of generated scenes, with one mask per stuff class, disjoint."""
    entries: Dict[str, List[Dict[str, Any]]] = {"images": [], "instances": [], "semantics": []}
    for seed in tqdm(range(images), desc="generate", unit="image", disable=None):
        scene = make_scene(seed, instances=detections)
        height, width = scene.image_size
        entries["images"].append({"id": seed, "file_name": f"{seed}.jpg", "height": height, "width": width})
        for name, of_scene in zip(("instances", "semantics"), head_results(scene, seed), strict=True):
            entries[name] += of_scene
    for name, value in entries.items():
        (folder / f"{name}.json").write_text(json.dumps({"images": value} if name == "images" else value))
    (folder / "categories.json").write_text(json.dumps(scene.categories.to_coco()))


def head_results(scene: Scene, image_id: int) -> Tuple[List[Dict[str, Any]], List[Dict[str, Any]]]:
    """The entries of one image in the result files of both heads."""
    instances = [
        {"image_id": image_id, "category_id": int(category_id), "segmentation": _rle(mask), "score": float(score)}
        for mask, score, category_id in zip(scene.masks, scene.scores, scene.category_ids, strict=True)
    ]
    named = ((label, scene.label_to_category[label]) for label in np.unique(scene.semantic_labels).tolist())
    semantics = [
        {"image_id": image_id, "category_id": category_id, "segmentation": _rle(scene.semantic_labels == label)}
        for label, category_id in named
        if category_id is not None
    ]
    return instances, semantics


def compare(their_json: Path, their_folder: Path, our_json: Path, our_folder: Path) -> List[int]:
    """Ids of the images whose maps differ in more than the numbers of their segments."""
    theirs, ours = (json.loads(path.read_text()) for path in (their_json, our_json))
    ours_of = {annotation["image_id"]: annotation for annotation in ours["annotations"]}
    different = []
    for image, annotation in zip(theirs["images"], theirs["annotations"], strict=True):
        size = {"height": image["height"], "width": image["width"]}
        maps = [
            read_panoptic_png(folder / one["file_name"], **size)
            for folder, one in ((their_folder, annotation), (our_folder, ours_of[image["id"]]))
        ]
        pairs = {tuple(pair) for pair in np.unique(np.stack(maps).reshape(2, -1), axis=1).T.tolist()}
        categories = [
            {0: None, **{segment["id"]: segment["category_id"] for segment in one["segments_info"]}}
            for one in (annotation, ours_of[image["id"]])
        ]
        one_to_one = len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
        same_classes = all(categories[0].get(a, -1) == categories[1].get(b, -2) for a, b in pairs)
        same_number = len(annotation["segments_info"]) == len(ours_of[image["id"]]["segments_info"])
        if not (one_to_one and same_classes and same_number):
            different.append(image["id"])
    return different


def _fastest(sides: Tuple[Callable[[], None], ...], repeats: int) -> List[float]:
    """CPU seconds of each side's fastest run; wall-clock time would measure the machine's other work."""
    fastest = [float("inf")] * len(sides)
    for _ in tqdm(range(repeats), desc="measure", unit="round", disable=None):
        for place, side in enumerate(sides):
            with contextlib.redirect_stdout(io.StringIO()):
                started = time.process_time()
                side()
                fastest[place] = min(fastest[place], time.process_time() - started)
    return fastest


def _combine(script: Any, folder: Path, output: Path, score: float) -> None:
    output.mkdir(exist_ok=True)
    files = [str(folder / f"{name}.json") for name in ("semantics", "instances", "images", "categories")]
    # It starts a process per core of the machine; one thread of this one does the same work on one core.
    with (
        mock.patch.object(script.multiprocessing, "cpu_count", lambda: 1),
        mock.patch.object(script.multiprocessing, "Pool", multiprocessing.pool.ThreadPool),
    ):
        script.combine_predictions(*files, str(output), str(output / "panoptic.json"), score, 0.5, 4096)


def _fuse(folder: Path, output: Path, score: float) -> None:
    code = fuse_predictions.main(
        [
            "--images", f"{folder}/images.json", "--categories", f"{folder}/categories.json",
            "--instances", f"{folder}/instances.json", "--semantics", f"{folder}/semantics.json",
            "--instances-score-thresh", str(score), "--output", str(output), "--overwrite", "--workers", "1",
        ]
    )  # fmt: skip
    if code:
        raise InputError("tools/fuse_predictions.py failed")


def _rle(mask: np.ndarray) -> Dict[str, Any]:
    rle = rle_codec.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")}
