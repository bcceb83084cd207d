#!/usr/bin/env python
"""From nothing to a table of PQ against the fusion thresholds, in minutes, on two CPU cores.

Generates the built-in data set, trains a small Panoptic FPN on it from scratch, evaluates it, and
fuses the kept outputs of its two heads again under a grid of thresholds. Stopped and started again,
it continues where it was.

Example:
    $ tools/demo.py --output output/demo
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from PIL import Image
from tabulate import tabulate
from tqdm import tqdm

from panoptic_heuristic.errors import InputError, command
from panoptic_heuristic.formats import Categories, PanopticImage, PanopticJson, read_annotation, read_dataset_yaml
from panoptic_heuristic.formats.coco_results import NO_LABEL, categories_of_masks, read_results
from panoptic_heuristic.formats.dataset_yaml import DatasetSplit
from panoptic_heuristic.formats.files import inside, read_json, write_json
from panoptic_heuristic.fusion import FusionResult, Greedy, InstanceSet, Pipeline, SemanticMap, fuse
from panoptic_heuristic.quality import add_counts, count_image, summarize
from panoptic_heuristic.visual import color_panoptic, save_comparison

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "configs" / "shapes" / "panoptic_heuristic_fpn_R_18.yaml"

# 273 pixels are COCO's 4096 at 640x480, scaled to the 160x128 of the built-in data set.
SCORES = (0.3, 0.4, 0.5, 0.6, 0.7)
OVERLAPS = (0.3, 0.5, 0.7)
STUFF_AREAS = (0, 30, 70, 140, 273)
DEFAULT = Pipeline(stuff_area_thresh=273)


class HeadOutputs(NamedTuple):
    """What the two heads said about one image, with its ground truth."""

    image: PanopticImage
    gt_ids: np.ndarray
    instances: InstanceSet
    semantics: SemanticMap


@command
def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command; see ``--help``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/demo"), help="where everything is written")
    parser.add_argument("--pictures", type=int, default=5, help="images on the comparison sheet")
    args = parser.parse_args(argv)
    if args.pictures < 1:
        raise InputError(f"--pictures must be at least 1, got {args.pictures}")
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to --output {args.output}: {error.strerror}") from error
    started = time.monotonic()

    data_folder, run_folder = args.output / "shapes", args.output / "run"
    _step(1, "generate the built-in data set")
    _run(["datasets/generate_shapes.py", "--output", str(data_folder)], args.output / "generate.log")
    _step(2, "train a small Panoptic FPN from scratch and evaluate it")
    train(data_folder / "shapes.yaml", run_folder)
    _step(3, "PQ, AP and mIoU with Detectron2's evaluators")
    print_results(read_json(run_folder / "inference" / "results.json"))

    split = read_dataset_yaml(data_folder / "shapes.yaml").splits["val"]
    content = split.read()
    _step(4, "fuse the kept outputs of both heads again, under a grid of thresholds")
    outputs = read_head_outputs(split, content, run_folder / "inference" / split.name)
    table = sweep(outputs, content.categories, args.output / "grid.json")
    best = print_grid(table)
    _step(5, "pictures")
    path = args.output / "comparison.png"
    draw(path, outputs, content.categories, split, best, args.pictures)
    print(f"written: {path}, {args.output / 'grid.json'}, {run_folder}")
    print(f"done in {(time.monotonic() - started) / 60:.1f} minutes")
    return 0


def train(dataset_yaml: Path, run_folder: Path) -> None:
    """Trains and evaluates with tools/train_net.py, or continues; its output goes to a log file."""
    if (run_folder / "inference" / "results.json").exists():
        print(f"already trained: {run_folder}")
        return
    arguments = [
        "tools/train_net.py", "--resume", "--config-file", str(CONFIG),
        "DATASETS.PANOPTIC_YAML", str(dataset_yaml), "OUTPUT_DIR", str(run_folder),
    ]  # fmt: skip
    _run(arguments, run_folder.with_name("train.log"), progress=_TrainingProgress(run_folder))


def print_results(results: Dict[str, Dict[str, float]]) -> None:
    """Prints the head line of each evaluator."""
    panoptic, segm, box, semantic = (results[key] for key in ("panoptic_seg", "segm", "bbox", "sem_seg"))
    rows = [[name, panoptic[f"PQ{key}"], panoptic[f"SQ{key}"], panoptic[f"RQ{key}"]]
            for name, key in (("all", ""), ("things", "_th"), ("stuff", "_st"))]  # fmt: skip
    print(tabulate(rows, headers=["", "PQ", "SQ", "RQ"], floatfmt=".1f"))
    print(f"mask AP {segm['AP']:.1f}, box AP {box['AP']:.1f}, mIoU {semantic['mIoU']:.1f}")


def read_head_outputs(split: DatasetSplit, content: PanopticJson, folder: Path) -> List[HeadOutputs]:
    """Reads what the evaluators kept of both heads' outputs."""
    instances = read_results(folder / "coco_instances_results.json", "image_id")
    semantics = {
        Path(file_name).name: masks
        for file_name, masks in read_results(folder / "sem_seg_predictions.json", "file_name").items()
    }
    label_to_category = {category.id: category.id for category in content.categories.stuff}
    outputs = []
    for image in tqdm(content.images, desc="read", unit="image"):
        found = instances.get(image.image_id, [])
        if image.file_name not in semantics:
            raise InputError(f"{folder / 'sem_seg_predictions.json'} holds nothing about {image.file_name}")
        masks = semantics[image.file_name]
        # The label of all things together is no category; it and what no mask covers are no stuff.
        stuff = [mask for mask in masks if mask["category_id"] in label_to_category]
        labels = categories_of_masks(stuff, image.height, image.width)
        nothing = max(label_to_category) + 1
        labels[labels == NO_LABEL] = nothing
        outputs.append(
            HeadOutputs(
                image=image,
                gt_ids=read_annotation(image, split.panoptic_root),
                instances=InstanceSet.from_rle(
                    [entry["segmentation"] for entry in found],
                    [entry["score"] for entry in found],
                    [entry["category_id"] for entry in found],
                    (image.height, image.width),
                ),
                semantics=SemanticMap(labels, {**label_to_category, nothing: None}),
            )
        )
    return outputs


def sweep(outputs: Sequence[HeadOutputs], categories: Categories, path: Path) -> List[dict]:
    """PQ of every setting of the grid; kept in a file and read from there the next time."""
    grid = [
        Pipeline(Greedy(overlap), score, stuff_area)
        for score, overlap, stuff_area in itertools.product(SCORES, OVERLAPS, STUFF_AREAS)
    ]
    settings = [_setting(pipeline) for pipeline in grid]
    if path.exists():
        table = read_json(path)
        if [row["setting"] for row in table] == settings:
            return table
    table = []
    for pipeline, setting in zip(tqdm(grid, desc="fuse and score", unit="setting"), settings, strict=True):
        counts = add_counts(count(output, fuse_one(output, categories, pipeline), categories) for output in outputs)
        quality = asdict(summarize(counts, categories))
        table.append({"setting": setting, "quality": quality})
    write_json(path, table)
    return table


def fuse_one(output: HeadOutputs, categories: Categories, pipeline: Pipeline) -> FusionResult:
    """Fuses the kept head outputs of one image."""
    return fuse(output.instances, output.semantics, categories, pipeline)


def count(output: HeadOutputs, result: FusionResult, categories: Categories):
    """PQ counts of one image."""
    return count_image(
        output.gt_ids, output.image.segments_info, result.panoptic_seg.numpy(), result.segments_info, categories
    )


def print_grid(table: Sequence[dict]) -> Pipeline:
    """Prints the best settings and the default; returns the best one."""
    ranked = sorted(table, key=lambda row: -row["quality"]["all"]["pq"])
    default = next(row for row in table if row["setting"] == _setting(DEFAULT))
    shown = ranked[:5] + ([default] if default not in ranked[:5] else [])
    rows = [
        [
            f"{ranked.index(row) + 1}" + (" (default)" if row is default else ""),
            *row["setting"].values(),
            *(100 * row["quality"][group]["pq"] for group in ("all", "things", "stuff")),
        ]
        for row in shown
    ]
    headers = ["rank", *default["setting"], "PQ", "PQ things", "PQ stuff"]
    print(f"{len(table)} settings; the best of them and Detectron2's default with its stuff limit scaled to the image")
    print(tabulate(rows, headers=headers, floatfmt=("", "g", "g", "g", ".1f", ".1f", ".1f")))
    best = ranked[0]["setting"]
    return Pipeline(Greedy(best["overlap_threshold"]), best["instances_score_thresh"], best["stuff_area_thresh"])


def draw(
    path: Path, outputs: Sequence[HeadOutputs], categories: Categories, split: DatasetSplit, best: Pipeline, number: int
) -> None:
    """Draws the images whose number of errors differs most between default and best setting."""
    gains = [_errors(output, categories, DEFAULT) - _errors(output, categories, best) for output in outputs]
    order = sorted(range(len(outputs)), key=lambda place: -gains[place])
    rows = []
    for place in order[:number]:
        output = outputs[place]
        default, tuned = (fuse_one(output, categories, pipeline) for pipeline in (DEFAULT, best))
        rows.append(
            [
                np.asarray(Image.open(inside(split.image_root, output.image.file_name)).convert("RGB")),
                color_panoptic(output.gt_ids, output.image.segments_info, categories),
                color_panoptic(default.panoptic_seg.numpy(), default.segments_info, categories),
                color_panoptic(tuned.panoptic_seg.numpy(), tuned.segments_info, categories),
            ]
        )
    titles = ["image", "ground truth", f"default\n{_short(DEFAULT)}", f"best\n{_short(best)}"]
    save_comparison(path, rows, titles, categories)


def _errors(output: HeadOutputs, categories: Categories, pipeline: Pipeline) -> int:
    counts = count(output, fuse_one(output, categories, pipeline), categories)
    return sum(one.fp + one.fn for one in counts.values())


def _setting(pipeline: Pipeline) -> Dict[str, float]:
    return {
        "instances_score_thresh": pipeline.instances_score_thresh,
        "overlap_threshold": pipeline.claim.overlap_threshold,
        "stuff_area_thresh": pipeline.stuff_area_thresh,
    }


def _short(pipeline: Pipeline) -> str:
    score, overlap, stuff_area = _setting(pipeline).values()
    return f"score {score:g}, overlap {overlap:g}, stuff area {stuff_area:g}"


def _step(number: int, title: str) -> None:
    print(f"\n[{number}/5] {title}", flush=True)


class _TrainingProgress:
    """Bars for training and evaluation, from what the training writes."""

    def __init__(self, run_folder: Path):
        self._metrics = run_folder / "metrics.json"
        self._log = run_folder / "log.txt"
        self._iterations = int(re.search(r"MAX_ITER: (\d+)", CONFIG.read_text()).group(1))
        self._bar = tqdm(total=self._iterations, desc="train", unit="step")
        self._evaluating = False

    def update(self) -> None:
        """Looks at the files once."""
        step = self._last_step()
        if not self._evaluating:
            self._bar.update(min(step, self._iterations) - self._bar.n)
            if self._bar.n >= self._iterations:
                self.close()
                self._evaluating = True
                print("evaluating ...", flush=True)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _last_step(self) -> int:
        try:
            lines = self._metrics.read_text().splitlines()
            return json.loads(lines[-1])["iteration"] + 1 if lines else 0
        # The file is not there yet, or its last line is being written.
        except (OSError, ValueError, KeyError):
            return 0


def _run(arguments: Sequence[str], log: Path, progress: Optional[_TrainingProgress] = None) -> None:
    """Runs one of the project's commands; what it prints goes to a log file.

    Raises:
        InputError: the command failed; its last line is told.
    """
    with open(log, "a", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / arguments[0]), *arguments[1:]], stdout=file, stderr=file
        )
        try:
            while process.poll() is None:
                time.sleep(0.5)
                if progress:
                    progress.update()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            if progress:
                progress.close()
    if process.returncode:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1:]
        raise InputError(f"{arguments[0]} failed ({' '.join(last)}); the whole output is in {log}")


if __name__ == "__main__":
    sys.exit(main())
