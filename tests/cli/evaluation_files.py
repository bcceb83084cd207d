"""The files that tests of evaluate_pq.py score, and the reference that scores them, too."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from panoptic_heuristic.quality import IOU_UNIT, Result
from tests.formats.tiny_panoptic import write_tiny_panoptic
from tests.formats.tiny_predictions import write_predictions


class ScoredFiles:
    """Ground truth and predictions of the tiny data set, and the command line that scores them."""

    def __init__(self, root):
        self.root = root
        self.data = write_tiny_panoptic(root, splits=("val",))
        self.predictions = write_predictions(self.data)
        self.output = root / "out"

    @property
    def arguments(self):
        gt = ["--gt-json", str(self.data.json("val")), "--gt-folder", str(self.root / "panoptic_val")]
        predictions = ["--pred-json", str(self.predictions.json), "--pred-folder", str(self.predictions.folder)]
        return [*gt, *predictions, "--workers", "1"]

    def result(self):
        path = self.output / "quality.json"
        return Result.from_json(json.loads(path.read_text()), str(path))


def of_panopticapi(gt_json, gt_folder, pred_json, pred_folder):
    """panopticapi's counts, and its means, read from the same files."""
    evaluation = pytest.importorskip("panopticapi.evaluation")
    gt, predictions = (json.loads(Path(path).read_text()) for path in (gt_json, pred_json))
    of_image = {annotation["image_id"]: annotation for annotation in predictions["annotations"]}
    pairs = [(annotation, of_image[annotation["image_id"]]) for annotation in gt["annotations"]]
    categories = {category["id"]: category for category in gt["categories"]}
    with contextlib.redirect_stdout(io.StringIO()):
        stat = evaluation.pq_compute_single_core(0, pairs, str(gt_folder), str(pred_folder), categories)
        means = evaluation.pq_compute(str(gt_json), str(pred_json), str(gt_folder), str(pred_folder))
    return {key: (one.iou, one.tp, one.fp, one.fn) for key, one in stat.pq_per_cat.items()}, means


def assert_same(result, theirs):
    ours = {key: one for key, one in result.counts["pq"].items() if one.tp + one.fp + one.fn}
    assert {key: (one.tp, one.fp, one.fn) for key, one in ours.items()} == {key: one[1:] for key, one in theirs.items()}
    for key, one in ours.items():
        assert one.iou_sum / IOU_UNIT == pytest.approx(theirs[key][0], abs=1e-9)


def group_rows(out):
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if re.match("(all|things|stuff) ", line)}
    return {group: [float(value) for value in row] for group, row in rows.items()}


def many_images(scored, number):
    """The same files named by many images."""
    with scored.data.edit("val") as content:
        copies = [(place % 3, 1000 - place) for place in range(number)]
        content["images"] = [{**content["images"][place], "id": image_id} for place, image_id in copies]
        content["annotations"] = [{**content["annotations"][place], "image_id": image_id} for place, image_id in copies]
    with scored.predictions.edit() as content:
        content["annotations"] = [
            {**content["annotations"][place], "image_id": image_id} for place, image_id in reversed(copies)
        ]
