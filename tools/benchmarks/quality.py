"""PQ of panoptic maps: our counts against panopticapi's pq_compute_single_core and hotcoco's, on one core.

From files both start from the parsed JSON and read the PNGs; decoding the PNGs alone is measured beside them. In
memory both start from id maps: panopticapi's Image.open and rgb2id are replaced by functions that hand over the
prepared map, so that what is left of its reading is one copy of each map. From JSONs to the table, ours does all that
there is to do, and so does hotcoco where it is installed. Times are CPU times, the best of several rounds. All must
give the same counts.
"""

import argparse
import contextlib
import copy
import io
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple
from unittest import mock

import cv2
import numpy as np
from PIL import Image
from tabulate import tabulate
from tqdm import tqdm

from benchmarks.side_by_side.whole_scoring import HOTCOCO, programs, versions, write_jsons
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, read_annotation, read_panoptic_json, read_panoptic_png
from panoptic_heuristic.formats.coco_panoptic import segment_entries, write_panoptic_png
from panoptic_heuristic.formats.panoptic_pairs import ImagePair, MapFile
from panoptic_heuristic.formats.workers import keep_freed_memory
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    MeasureSettings,
    PQCounts,
    ScoringSettings,
    add_counts,
    measure_image,
    score_image,
)

_SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "coco_sample"
_OPENCV, _PILLOW = "decoding both PNGs with OpenCV", "decoding both PNGs with Pillow"
_PQ_ALONE = MeasureSettings(iou_thresholds=(), sizes=False, dagger=False)


class _Task(NamedTuple):
    """One image: its files, the maps, and the annotations as panopticapi takes them."""

    pair: ImagePair
    gt_ids: np.ndarray
    pred_ids: np.ndarray
    gt_annotation: Dict[str, Any]
    pred_annotation: Dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--images", type=int, default=100, help="images to score (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts (default: %(default)s)")
    parser.add_argument(
        "--sample",
        type=Path,
        default=Path(os.environ.get("COCO_SAMPLE", _SAMPLE)),
        help="a folder of COCO images with panoptic.json and panoptic/ (default: $COCO_SAMPLE, or a folder "
        "shared/coco_sample beside the project); scenes are generated where it is not there",
    )


def run(args: argparse.Namespace) -> int:
    """Measures and prints; 1 if the counts differ."""
    if args.images < 1 or args.rounds < 1:
        raise InputError(f"--images and --rounds must be at least 1, got {args.images} and {args.rounds}")
    try:
        from panopticapi import evaluation
    except ImportError as error:
        raise InputError("this benchmark compares with panopticapi, which is not installed") from error
    _use_one_core()
    with tempfile.TemporaryDirectory() as folder:
        categories, tasks, source = _tasks(args, Path(folder))
        theirs = {category.id: {"isthing": int(category.isthing)} for category in categories.values()}
        names = [task.gt_annotation["file_name"] for task in tasks]
        contenders = _contenders(tasks, categories, theirs, evaluation)
        files = write_jsons(Path(folder), [task.pair for task in tasks], categories)
        measured = _measure({**contenders, **programs(files, _PQ_ALONE)}, args.rounds)
    counts = {name: result for name, (_, result) in measured.items() if result is not None}
    reference = counts["panopticapi, from files"]
    for name, other in counts.items():
        if (difference := _difference(reference, other, categories)) is not None:
            print(f"{name} and panopticapi differ: {difference}")
            return 1
    print(f"{len(names)} images: {source}; {versions()}")
    print(_table({name: seconds / len(tasks) for name, (seconds, _) in measured.items()}))
    total = sum((one for one in reference.values()), CategoryCounts())
    print(f"the same counts in all of them: {total.tp} TP, {total.fp} FP, {total.fn} FN")
    return 0


def _use_one_core() -> None:
    if hasattr(os, "sched_setaffinity"):  # Linux only.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    # As the command does, and for panopticapi, too.
    keep_freed_memory()


# --- what is measured ---


def _contenders(
    tasks: List[_Task], categories: Categories, theirs: Dict[int, Dict[str, int]], evaluation: Any
) -> Dict[str, Callable[[], Any]]:
    paths = [path for task in tasks for path in (task.pair.gt.path, task.pair.prediction.path)]
    sizes = [task.pair.size for task in tasks for _ in range(2)]
    folders = [str(path.parent) for path in paths[:2]]

    def panopticapi(in_memory: bool) -> PQCounts:
        # It writes areas into what it is given.
        annotations = [copy.deepcopy((task.gt_annotation, task.pred_annotation)) for task in tasks]
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            if in_memory:
                maps = [ids for task in tasks for ids in (task.gt_ids, task.pred_ids)]
                reader = iter([ids.astype(np.uint32) for ids in maps])
                opener = mock.Mock(spec=["open"])
                opener.open = lambda path: next(reader)
                stack.enter_context(mock.patch.object(evaluation, "Image", opener))
                stack.enter_context(mock.patch.object(evaluation, "rgb2id", lambda ids: ids))
            begin = time.process_time()
            stat = evaluation.pq_compute_single_core(0, annotations, *folders, theirs)
            seconds = time.process_time() - begin
        counts = {key: CategoryCounts(round(c.iou * IOU_UNIT), c.tp, c.fp, c.fn) for key, c in stat.pq_per_cat.items()}
        return _Timed(seconds, counts)

    def from_files(settings: MeasureSettings) -> PQCounts:
        scoring = ScoringSettings(categories, settings)
        return add_counts(score_image(task.pair, scoring).measures.counts["pq"] for task in tasks)

    def in_memory(settings: MeasureSettings) -> PQCounts:
        return add_counts(
            measure_image(
                task.gt_ids, task.pair.gt.segments_info, task.pred_ids, task.pair.prediction.segments_info,
                categories, settings,
            ).counts["pq"]
            for task in tasks
        )

    def read_ids() -> None:
        for path, (height, width) in zip(paths, sizes, strict=True):
            read_panoptic_png(path, height=height, width=width)

    return {
        _OPENCV: lambda: _each(paths, lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED)),
        _PILLOW: lambda: _each(paths, lambda path: np.asarray(Image.open(path))),
        "reading both id maps": read_ids,
        "ours, from files": lambda: from_files(_PQ_ALONE),
        "ours, from files, default measures": lambda: from_files(MeasureSettings()),
        "panopticapi, from files": lambda: panopticapi(in_memory=False),
        "ours, in memory": lambda: in_memory(_PQ_ALONE),
        "ours, in memory, default measures": lambda: in_memory(MeasureSettings()),
        "panopticapi, in memory": lambda: panopticapi(in_memory=True),
    }


def _each(paths: List[Path], read: Callable[[Path], Any]) -> None:
    for path in paths:
        read(path)


class _Timed(NamedTuple):
    seconds: float
    counts: PQCounts


def _measure(contenders: Dict[str, Callable[[], Any]], rounds: int) -> Dict[str, Tuple[float, Any]]:
    """The least CPU seconds of each, and what it returned; all take turns, so that none has a better machine."""
    measured: Dict[str, Tuple[float, Any]] = {}
    for _ in tqdm(range(rounds), desc="rounds", disable=None):
        for name, work in contenders.items():
            begin = time.process_time()
            result = work()
            seconds = time.process_time() - begin
            if isinstance(result, _Timed):
                seconds, result = result
            measured[name] = (min(seconds, measured.get(name, (seconds, None))[0]), result)
    return measured


def _difference(reference: PQCounts, other: PQCounts, categories: Categories) -> Any:
    for category_id in categories:
        first, second = (counts.get(category_id, CategoryCounts()) for counts in (reference, other))
        same = (first.tp, first.fp, first.fn) == (second.tp, second.fp, second.fn)
        if not same or abs(first.iou_sum - second.iou_sum) > 1e-9 * IOU_UNIT * max(1, first.tp):
            return f"category {category_id}: {first} and {second}"
    return None


def _table(seconds: Dict[str, float]) -> str:
    decoding, theirs = seconds[_OPENCV], seconds["panopticapi, from files"]
    pillow, theirs_in_memory = seconds[_PILLOW], seconds["panopticapi, in memory"]
    rows = []
    for name, one in seconds.items():
        in_memory = "in memory" in name
        ratios = [f"{(theirs_in_memory if in_memory else theirs) / one:.1f}"]
        ratios += ["", ""] if in_memory else [f"{one / decoding:.2f}", f"{one / pillow:.2f}"]
        ratios += [f"{one / seconds[HOTCOCO]:.2f}" if "JSONs" in name and HOTCOCO in seconds else ""]
        rows.append([name, f"{1000 * one:.2f}", f"{1 / one:.0f}", *ratios])
    headers = ["", "ms/image", "images/s", "times panopticapi's speed", "of OpenCV's decoding", "of Pillow's decoding"]
    headers += ["of hotcoco's time"]
    return tabulate(rows, headers, colalign=["left"] + ["right"] * 6, disable_numparse=True)


# --- the maps ---


def _tasks(args: argparse.Namespace, folder: Path) -> Tuple[Categories, List[_Task], str]:
    if (args.sample / "panoptic.json").is_file():
        content = read_panoptic_json(args.sample / "panoptic.json")
        root = args.sample / "panoptic"
        gts = [
            (read_annotation(image, root), image.png_name, [dict(s) for s in image.segments_info])
            for image in content.images
            if image.png_name is not None
        ]
        categories, source = content.categories, f"disturbed copies of {len(gts)} real ones"
    else:
        root = folder / "gt"
        gts, categories = _generated(root, min(args.images, 20))
        source = f"{len(gts)} generated scenes of 640x480, each with disturbed copies"
    tasks = []
    for number in tqdm(range(args.images), desc="disturbing", disable=None):
        gt_ids, name, gt_segments = gts[number % len(gts)]
        pred_ids, pred_segments = disturbed(gt_ids, gt_segments, seed=number)
        path = folder / "pred" / f"{number}.png"
        write_panoptic_png(path, pred_ids)
        pair = ImagePair(
            number, name, gt_ids.shape, MapFile(root / name, gt_segments), MapFile(path, pred_segments)
        )
        annotations = (
            {"image_id": number, "file_name": name, "segments_info": gt_segments},
            {"image_id": number, "file_name": path.name, "segments_info": pred_segments},
        )
        tasks.append(_Task(pair, gt_ids, pred_ids, *annotations))
    return categories, tasks, source


def disturbed(
    gt_ids: np.ndarray, segments: List[Dict[str, Any]], seed: int
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """A prediction that resembles the ground truth: wavy borders, a fifth of the segments lost, some renamed."""
    rng = np.random.default_rng(seed)
    height, width = gt_ids.shape
    wave = [
        cv2.resize(rng.normal(0, 4, (12, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    ]
    rows = np.clip(np.rint(np.arange(height)[:, None] + wave[0]), 0, height - 1).astype(np.intp)
    columns = np.clip(np.rint(np.arange(width)[None, :] + wave[1]), 0, width - 1).astype(np.intp)
    pred_ids = gt_ids[rows, columns]
    lost = [segment["id"] for segment in segments if rng.random() < 0.2]
    pred_ids[np.isin(pred_ids, [*lost, *_unlisted(pred_ids, segments)])] = 0
    category_of = {segment["id"]: segment["category_id"] for segment in segments}
    others = list(category_of.values())
    for segment_id in category_of:
        if rng.random() < 0.1:
            category_of[segment_id] = others[int(rng.integers(len(others)))]
    return pred_ids, segment_entries(pred_ids, category_of)


def _unlisted(ids: np.ndarray, segments: List[Dict[str, Any]]) -> List[int]:
    return sorted(set(np.unique(ids).tolist()) - {segment["id"] for segment in segments})


def _generated(root: Path, number: int) -> Tuple[List[Tuple[np.ndarray, str, List[Dict[str, Any]]]], Categories]:
    from panoptic_heuristic.fusion import Greedy, Pipeline, fuse
    from panoptic_heuristic.testing.scenes import make_scene

    gts, categories = [], None
    for seed in range(number):
        scene = make_scene(seed)
        categories = scene.categories
        pipeline = Pipeline(Greedy(overlap_threshold=0.5), instances_score_thresh=0.5, stuff_area_thresh=1000)
        result = fuse(scene.instances(), scene.semantics(), categories, pipeline)
        # Colours as COCO has them, which use all three bytes.
        ids = result.panoptic_seg * 70001
        category_of = {70001 * segment["id"]: segment["category_id"] for segment in result.segments_info}
        write_panoptic_png(root / f"{seed}.png", ids)
        gts.append((ids, f"{seed}.png", segment_entries(ids, category_of)))
    return gts, categories
