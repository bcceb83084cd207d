"""Time of the exact sweep of 1,000 settings against the loop one would write without it.

The loop, for each setting and image: Detectron2's combine_semantic_and_instance_outputs on tensors in memory, then
Detectron2's COCOPanopticEvaluator, which writes PNGs and a JSON and has panopticapi score them. It is measured on a
sample of the settings. The sweep starts from prediction files and ground-truth PNGs on disk and ends with the counts of
all settings; grouping pixels into regions is counted in, and so are its files of counts, whose number does not depend
on the number of images. Both sides take turns, in this process and on one thread; times are CPU times, each the best
of several rounds. The counts of the sampled settings must be the same.
"""

import argparse
import contextlib
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from unittest import mock

import cv2
import numpy as np
import torch
from pycocotools import mask as rle_codec
from tabulate import tabulate
from tqdm import tqdm

from panoptic_heuristic import native
from panoptic_heuristic.ablation.cache.folder import CachedImage, Floors, Manifest, PredictionCache
from panoptic_heuristic.ablation.cache.predictions import NO_STUFF, ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.ablation.regions.store import RegionStore
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.job import BUCKETS, SweepJob
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.run import run_sweep
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, read_panoptic_json
from panoptic_heuristic.formats.coco_panoptic.png_decoder import decoder_name
from panoptic_heuristic.formats.workers import keep_freed_memory
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, PQCounts
from panoptic_heuristic.testing.scenes import Scene, fingerprint, make_scene, write_ground_truth


def _grid(overlap_thresholds: Sequence[float], scores: Sequence[float], limits: Sequence[int]) -> Grid:
    return Grid(
        Pipeline(),
        (
            Axis.of("claim.overlap_threshold", overlap_thresholds),
            Axis.of("instances_score_thresh", scores),
            Axis.of("stuff_area_thresh", limits),
        ),
    )


_TENTHS = [k / 10 for k in range(10)]

# At an overlap threshold of 1 or a stuff limit of 0, Detectron2 emits segments without a pixel, and panopticapi refuses
# them. So no grid goes there.
GRIDS = {
    "10 x 10 x 10": _grid(_TENTHS, [0.05, *_TENTHS[1:]], [64 * 2**k for k in range(10)]),
    "1,000 overlap thresholds": _grid([k / 1000 for k in range(1000)], [0.5], [4096]),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this benchmark's flags."""
    parser.add_argument("--scenes", type=int, default=20, help="generated images of 640x480 (default: %(default)s)")
    parser.add_argument("--detections", type=int, default=100, help="instances per image (default: %(default)s)")
    parser.add_argument(
        "--reference-settings",
        type=int,
        default=10,
        help="settings of each grid that the loop runs, a sample of its 1,000 (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side; the best one counts")
    parser.add_argument("--seed", type=int, default=0, help="which settings are sampled (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Prints CPU seconds per setting and image of both sides and their ratio; 1 if the counts differ."""
    if min(args.scenes, args.detections, args.rounds) < 1:
        raise InputError("--scenes, --detections and --rounds must be at least 1")
    if not 1 <= args.reference_settings <= 1000 or args.seed < 0:
        raise InputError("--reference-settings must be 1 to 1000, and --seed at least 0")
    references = _import_references()
    with tempfile.TemporaryDirectory() as name, _one_thread():
        folder = Path(name)
        seeds = tqdm(range(args.scenes), desc="generate", unit="image", disable=None)
        scenes = [make_scene(seed, instances=args.detections) for seed in seeds]
        print(f"{len(scenes)} scenes of 640x480, {args.detections} detections each, SHA-256 {fingerprint(scenes)}")
        write_ground_truth(folder / "gt", scenes)
        store_predictions(folder / "predictions", scenes)
        loop = Loop(references, folder / "gt", scenes)
        measured = {}
        for title, grid in GRIDS.items():
            measured[title] = one = _measure(
                loop, folder, grid, sampled(grid, args.reference_settings, args.seed), args.rounds
            )
            for number, expected in one.expected.items():
                found = one.swept.of_setting(number, scenes[0].categories)
                if (difference := _difference(expected, found, scenes[0].categories)) is not None:
                    print(f"the counts differ at {grid.row(number)}: {difference}")
                    return 1
            sizes = [_bytes(folder / "predictions" / name) / len(scenes) for name in ("predictions", "regions")]
    print(_table(measured, len(scenes)))
    _print_plan(measured, len(scenes), *sizes)
    kernels = "with" if native.are_there() else "without"
    print(f"PNGs of ground truth are decoded by {decoder_name()}, {kernels} the compiled kernels")
    print(f"the same counts on both sides at {args.reference_settings} settings of each grid")
    return 0


def sampled(grid: Grid, count: int, seed: int) -> List[int]:
    """The numbers of some settings: one of each of ``count`` equal parts of the grid.

    The parts are those of the grid in order of ``instances_score_thresh``, which decides most how long the loop takes.
    """
    rng = np.random.default_rng(seed)
    scores = [setting.instances_score_thresh for setting in grid.settings]
    return [int(rng.choice(part)) for part in np.array_split(np.argsort(scores, kind="stable"), count)]


# --- what is measured ---


class _Measured(NamedTuple):
    """CPU seconds per setting of both sides, the loop's counts of the sampled settings, and the sweep's of all."""

    loop: float
    sweep: float
    expected: Dict[int, PQCounts]
    swept: SettingCounts


class _References(NamedTuple):
    """Modules and classes of Detectron2 and panopticapi."""

    combine: Any
    evaluator: Any
    instances: Any
    metadata: Any
    panopticapi: Any


def _import_references() -> _References:
    try:
        from panoptic_heuristic.detectron.compat import make_detectron2_importable

        make_detectron2_importable()
        from detectron2.data import MetadataCatalog
        from detectron2.evaluation import COCOPanopticEvaluator
        from detectron2.modeling.meta_arch.panoptic_fpn import combine_semantic_and_instance_outputs
        from detectron2.structures import Instances
        from panopticapi import evaluation
    except ImportError as error:
        raise InputError(f"this compares with Detectron2 and panopticapi: {error}") from error
    return _References(
        combine_semantic_and_instance_outputs, COCOPanopticEvaluator, Instances, MetadataCatalog, evaluation
    )


class Loop:
    """Fusing, writing and scoring one setting after the other, with the references' own functions."""

    def __init__(self, references: _References, gt: Path, scenes: Sequence[Scene]):
        """
        Args:
            references: what to call.
            gt: the folder that :func:`panoptic_heuristic.testing.scenes.write_ground_truth` wrote.
            scenes: put into tensors here, so that it is not measured.
        """
        self._combine, self._panopticapi = references.combine, references.panopticapi
        things = {category.id: place for place, category in enumerate(scenes[0].categories.things)}
        self._images = []
        for scene in scenes:
            instances = references.instances(scene.image_size)
            instances.scores = torch.from_numpy(scene.scores)
            instances.pred_masks = torch.from_numpy(scene.masks)
            instances.pred_classes = torch.tensor([things[category_id] for category_id in scene.category_ids.tolist()])
            self._images.append((instances, torch.from_numpy(scene.semantic_labels)))
        name = f"sweep_benchmark_{gt}"
        references.metadata.get(name).set(
            panoptic_json=str(gt / "panoptic.json"),
            panoptic_root=str(gt / "panoptic"),
            thing_dataset_id_to_contiguous_id=things,
            stuff_dataset_id_to_contiguous_id={
                category_id: label for label, category_id in enumerate(scenes[0].label_to_category) if label
            },
        )
        self._evaluator = references.evaluator(name)
        references.metadata.remove(name)

    def counts(self, setting: Pipeline) -> PQCounts:
        """The counts of panopticapi under a setting of the greedy rule."""
        self._evaluator.reset()
        for image_id, (instances, semantic_labels) in enumerate(self._images):
            panoptic_seg = self._combine(
                instances,
                semantic_labels,
                setting.claim.overlap_threshold,
                setting.stuff_area_thresh,
                setting.instances_score_thresh,
            )
            image = {"image_id": image_id, "file_name": f"{image_id}.jpg"}
            self._evaluator.process([image], [{"panoptic_seg": panoptic_seg}])
        # It starts a process per core of the machine, and keeps the counts to itself.
        with mock.patch.object(self._panopticapi, "pq_compute_multi_core", self._single_core):
            self._evaluator.evaluate()
        return {
            category_id: CategoryCounts(round(one.iou * IOU_UNIT), one.tp, one.fp, one.fn)
            for category_id, one in self._scored.pq_per_cat.items()
        }

    def _single_core(self, annotations: List[Tuple[Any, Any]], *folders_and_categories: Any) -> Any:
        self._scored = self._panopticapi.pq_compute_single_core(0, annotations, *folders_and_categories)
        return self._scored


def _ours(folder: Path, grid: Grid) -> SettingCounts:
    """The counts of all settings, from files; the folder holds no regions and no counts yet."""
    cache = PredictionCache.open(folder / "predictions")
    gt = read_panoptic_json(folder / "gt" / "panoptic.json")
    store = RegionStore(cache, gt, folder / "gt" / "panoptic")
    run_sweep(SweepJob(store, grid, folder / "sweep"), range(BUCKETS))
    return SweepResult(folder / "sweep").total()


def _measure(loop: Loop, folder: Path, grid: Grid, chosen: Sequence[int], rounds: int) -> _Measured:
    """Both sides in turns."""
    settings = grid.settings
    expected: Dict[int, PQCounts] = {}
    loop_seconds, sweep_seconds = dict.fromkeys(chosen, float("inf")), float("inf")
    with tqdm(total=rounds * (1 + len(chosen)), desc="measure", unit="run", disable=None) as progress:
        for _ in range(rounds):
            for name in ("predictions/regions", "sweep"):
                shutil.rmtree(folder / name, ignore_errors=True)
            seconds, swept = _clocked(lambda: _ours(folder, grid))
            sweep_seconds = min(sweep_seconds, seconds)
            progress.update()
            for number in chosen:
                seconds, expected[number] = _clocked(lambda number=number: loop.counts(settings[number]))
                loop_seconds[number] = min(loop_seconds[number], seconds)
                progress.update()
    return _Measured(sum(loop_seconds.values()) / len(chosen), sweep_seconds / len(settings), expected, swept)


def _clocked(work: Callable[[], Any]) -> Tuple[float, Any]:
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def _difference(expected: PQCounts, found: PQCounts, categories: Categories) -> Optional[str]:
    for category_id in categories:
        first, second = (counts.get(category_id, CategoryCounts()) for counts in (expected, found))
        same = (first.tp, first.fp, first.fn) == (second.tp, second.fp, second.fn)
        if not same or abs(first.iou_sum - second.iou_sum) > 1e-9 * IOU_UNIT:
            return f"category {category_id}: {first} and {second}"
    return None


def _table(measured: Dict[str, _Measured], images: int) -> str:
    rows = [
        [title, f"{one.loop / images:.3g}", f"{one.sweep / images:.3g}", f"{one.loop / one.sweep:.0f}"]
        for title, one in measured.items()
    ]
    headers = ["settings", "loop, s per setting and image", "sweep, s per setting and image", "ratio"]
    return tabulate(rows, headers, colalign=["left"] + ["right"] * 3, disable_numparse=True)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _print_plan(measured: Dict[str, _Measured], images: int, predictions: float, regions: float) -> None:
    """The time and disk that COCO val2017 would take, from those of one image."""
    for title, one in measured.items():
        seconds = one.sweep * len(GRIDS[title]) / images
        print(f"{title}: {1000 * seconds:.1f} ms per image, {5000 * seconds / 60:.1f} minutes for 5,000 images")
    print(
        f"on disk per image: {predictions / 1e3:.1f} KB of predictions and {regions / 1e3:.1f} KB of regions, "
        f"{5000 * predictions / 1e6:.0f} and {5000 * regions / 1e6:.0f} MB for 5,000 images"
    )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # As the sweep does, and for the loop, too.
    keep_freed_memory()
    try:
        yield
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


# --- the predictions ---


def store_predictions(folder: Path, scenes: Sequence[Scene]) -> None:
    """Writes the heads' outputs as a prediction cache; image k is the k-th scene."""
    images = [CachedImage(k, f"{k}.jpg", *scene.image_size) for k, scene in enumerate(scenes)]
    manifest = Manifest(
        dataset_name="generated scenes",
        categories=scenes[0].categories,
        label_to_category=dict(enumerate(scenes[0].label_to_category)),
        images=tuple(images),
        floors=Floors(instances_score_thresh=0.0, detections_per_image=None, stuff_probability=None),
        has_logits=False,
        source={},
    )
    cache = PredictionCache.create(folder, manifest)
    for image_id, scene in enumerate(scenes):
        labels = scene.semantic_labels
        unknown = np.full(len(scene.scores), np.nan)
        cache.write(
            ImagePredictions(
                image_id=image_id,
                image_size=scene.image_size,
                scores=scene.scores.astype(np.float64),
                category_ids=scene.category_ids,
                boxes=scene.boxes,
                mask_quality=unknown,
                semantic_agreement=unknown,
                masks=encoded_masks(rle_codec.encode(np.asfortranarray(scene.masks.transpose(1, 2, 0).view(np.uint8)))),
                semantics=SemanticRuns.of_maps(labels, np.where(labels > 0, labels, NO_STUFF), labels > 0),
            )
        )
