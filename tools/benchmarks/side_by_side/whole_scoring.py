"""Scoring as users run it, from JSONs and folders of PNGs to the table, beside hotcoco where it is installed."""

import contextlib
import importlib.metadata
import importlib.util
import io
import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

from panoptic_heuristic.formats import Categories
from panoptic_heuristic.formats.coco_panoptic.png_decoder import decoder_name
from panoptic_heuristic.formats.files import write_json
from panoptic_heuristic.formats.panoptic_pairs import ImagePair, coco_ground_truth, with_coco_predictions
from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    Coverage,
    MeasureSettings,
    PanopticQuality,
    PQCounts,
    ScoringSettings,
    class_table,
    group_table,
    measure_table,
    score_images,
)

HOTCOCO = "hotcoco, from JSONs to the table"


class ScoredFiles(NamedTuple):
    """The arguments of a scoring program: JSON and folder of the ground truth, and those of the predictions."""

    gt_json: Path
    pred_json: Path
    gt_folder: Path
    pred_folder: Path


def write_jsons(folder: Path, pairs: List[ImagePair], categories: Categories) -> ScoredFiles:
    """Writes the JSONs that list some images; each side has its PNGs in one folder."""
    entries: Dict[str, List[Dict[str, Any]]] = {"images": [], "gt": [], "pred": []}
    for pair in pairs:
        height, width = pair.size
        name = f"{pair.image_id}.jpg"
        entries["images"].append({"id": pair.image_id, "file_name": name, "height": height, "width": width})
        for side, file in (("gt", pair.gt), ("pred", pair.prediction)):
            one = {"image_id": pair.image_id, "file_name": file.path.name, "segments_info": file.segments_info}
            entries[side].append(one)
    shared = {"images": entries["images"], "categories": categories.to_coco()}
    files = ScoredFiles(
        folder / "gt.json", folder / "pred.json", pairs[0].gt.path.parent, pairs[0].prediction.path.parent
    )
    write_json(files.gt_json, {**shared, "annotations": entries["gt"]})
    write_json(files.pred_json, {"annotations": entries["pred"]})
    return files


def programs(files: ScoredFiles, alone: MeasureSettings) -> Dict[str, Callable[[], PQCounts]]:
    """The programs by name, each from files to the counts behind the table that it makes; hotcoco if it is there."""
    found: Dict[str, Callable[[], PQCounts]] = {
        "ours, from JSONs to the table": lambda: _ours(files, alone),
        "ours, from JSONs to the table, default measures": lambda: _ours(files, MeasureSettings()),
    }
    if importlib.util.find_spec("hotcoco") is not None:
        found[HOTCOCO] = lambda: _hotcoco(files)
    return found


def versions() -> str:
    """The decoder of our PNGs, and hotcoco's version."""
    try:
        peer = f"hotcoco {importlib.metadata.version('hotcoco')}"
    except importlib.metadata.PackageNotFoundError:
        peer = "hotcoco is not installed, so it is left out"
    return f"our PNGs are decoded by {decoder_name()}; {peer}"


def _ours(files: ScoredFiles, settings: MeasureSettings) -> PQCounts:
    gt = coco_ground_truth(files.gt_json, files.gt_folder)
    pairs = with_coco_predictions(gt, files.pred_json, files.pred_folder, "error")
    quality = PanopticQuality(gt.categories, settings)
    for image in score_images(pairs.images, ScoringSettings(gt.categories, settings)):
        quality.add(image.measures, image.image_id)
    result = quality.result(params={}, coverage=Coverage(len(gt.images), len(pairs.images)))
    for table in (class_table, measure_table, group_table):
        table(result, gt.categories)
    return dict(result.counts["pq"])


def _hotcoco(files: ScoredFiles) -> PQCounts:
    hotcoco = importlib.import_module("hotcoco.panoptic")
    with _no_output():
        result = hotcoco.pq_compute(*map(str, files))
    return {
        int(category_id): CategoryCounts(round(one["iou"] * IOU_UNIT), one["tp"], one["fp"], one["fn"])
        for category_id, one in result["per_class"].items()
    }


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """Leaves out what compiled code prints, too."""
    sys.stdout.flush()
    shown = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            with contextlib.redirect_stdout(io.StringIO()):
                yield
    finally:
        os.dup2(shown, 1)
        os.close(shown)
