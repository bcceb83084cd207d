"""panopticapi is the reference of the PQ counts. ``PARITY=full`` compares 1000 pairs, otherwise a sample."""

import contextlib
import io
import json
import os
from collections import Counter

import numpy as np
import pytest
from panopticapi.evaluation import PQStat, pq_compute_single_core
from panopticapi.utils import id2rgb
from PIL import Image

from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, add_counts, count_image, summarize

pytestmark = pytest.mark.parity

PAIRS = 1000 if os.environ.get("PARITY") == "full" else 60
THINGS, STUFF = (7, 3, 90), (0, 12, 200)
CATEGORIES = Categories(Category(i, str(i), i in THINGS, (1, 1, 1)) for i in THINGS + STUFF)


def random_pair(seed):
    """Ground truth and a prediction that resembles it: maps, and the segments of both.

    Rectangles over each other, so that IoUs are fractions of small numbers, one half among them.
    The prediction loses, adds, moves and renames some. Ground truth has void, crowds, and now and
    then an id that is not listed and a segment without a pixel.
    """
    rng = np.random.default_rng(seed)
    height, width = rng.integers(4, 24, 2)

    def rectangle():
        y, x = rng.integers(height), rng.integers(width)
        return y, x, y + rng.integers(1, height + 1), x + rng.integers(1, width + 1)

    gt_ids, pred_ids = np.zeros((height, width), int), np.zeros((height, width), int)
    gt_segments, pred_segments = [], []
    for number in range(rng.integers(0, 12)):
        gt_id, pred_id = (int(i) + 400 * number for i in rng.integers(1, 400, 2) * (1, 3))
        category_id = int(rng.choice(THINGS + STUFF))
        crowd = int(category_id in THINGS and rng.random() < 0.25)
        y0, x0, y1, x1 = rectangle()
        if rng.random() < 0.9:
            gt_ids[y0:y1, x0:x1] = gt_id
            if rng.random() < 0.93:
                gt_segments.append({"id": gt_id, "category_id": category_id, "iscrowd": crowd})
        if rng.random() < 0.85:
            if rng.random() < 0.3:
                y0, x0, y1, x1 = rectangle()
            elif rng.random() < 0.5:
                x1 = x0 + max(1, (min(x1, width) - x0) // 2)
            pred_ids[y0:y1, x0:x1] = pred_id
            category_id = int(rng.choice(THINGS + STUFF)) if rng.random() < 0.15 else category_id
            pred_segments.append({"id": pred_id, "category_id": category_id})
    for segment in gt_segments:
        segment["area"] = int((gt_ids == segment["id"]).sum())
    # panopticapi refuses predicted segments without a pixel.
    pred_segments = [segment for segment in pred_segments if (pred_ids == segment["id"]).any()]
    return gt_ids, gt_segments, pred_ids, pred_segments


def of_panopticapi(pairs, folder):
    """panopticapi's counts of all pairs, read from files as it does."""
    annotations = []
    for sub in ("gt", "pred"):
        (folder / sub).mkdir()
    for place, (gt_ids, gt_segments, pred_ids, pred_segments) in enumerate(pairs):
        both = []
        for sub, ids, segments in (("gt", gt_ids, gt_segments), ("pred", pred_ids, pred_segments)):
            Image.fromarray(id2rgb(ids)).save(folder / sub / f"{place}.png")
            annotation = {"image_id": place, "file_name": f"{place}.png", "segments_info": segments}
            both.append(json.loads(json.dumps(annotation)))
        annotations.append(both)
    categories = {category.id: {"isthing": int(category.isthing)} for category in CATEGORIES.values()}
    with contextlib.redirect_stdout(io.StringIO()):
        stat = pq_compute_single_core(0, annotations, str(folder / "gt"), str(folder / "pred"), categories)
    return stat, categories


def test_counts_are_panopticapis(tmp_path, capsys):
    pairs = [random_pair(seed) for seed in range(PAIRS)]
    met, ours = Counter(), []
    for place, pair in enumerate(pairs):
        (tmp_path / str(place)).mkdir()
        stat, _ = of_panopticapi([pair], tmp_path / str(place))
        counts = count_image(*pair, CATEGORIES)
        for category_id in CATEGORIES:
            our, their = counts.get(category_id, CategoryCounts()), stat[category_id]
            assert (our.tp, our.fp, our.fn) == (their.tp, their.fp, their.fn), f"seed {place}, category {category_id}"
            assert our.iou_sum / IOU_UNIT == pytest.approx(their.iou, abs=1e-9), f"seed {place}, category {category_id}"
            met.update(tp=our.tp, fp=our.fp, fn=our.fn)
        met += what_it_exercises(*pair)
        ours.append(counts)
    with capsys.disabled():
        print(f"\nPQ counts equal panopticapi's on {PAIRS} pairs: {dict(met)}")
    # Else the pairs would not exercise what they are for.
    for name in ("tp", "fp", "fn", "crowds", "on void", "not listed", "without a pixel", "IoU of one half"):
        assert met[name] > PAIRS / 20, name

    (tmp_path / "all").mkdir()
    stat, categories = of_panopticapi(pairs, tmp_path / "all")
    summary = summarize(add_counts(ours), CATEGORIES)
    for group, isthing in ((summary.all, None), (summary.things, True), (summary.stuff, False)):
        theirs, _ = stat.pq_average(categories, isthing=isthing)
        assert (group.pq, group.sq, group.rq) == pytest.approx((theirs["pq"], theirs["sq"], theirs["rq"]), abs=1e-9)
        assert group.categories == theirs["n"]
    assert isinstance(stat, PQStat)


def what_it_exercises(gt_ids, gt_segments, pred_ids, pred_segments):
    """How often a pair meets the rules that are easy to get wrong."""
    met = Counter()
    listed = {segment["id"] for segment in gt_segments}
    met["crowds"] = sum(segment["iscrowd"] for segment in gt_segments)
    met["without a pixel"] = sum(segment["area"] == 0 for segment in gt_segments)
    met["not listed"] = len(set(np.unique(gt_ids).tolist()) - listed - {0})
    for predicted in pred_segments:
        mask = pred_ids == predicted["id"]
        met["on void"] += int(2 * np.count_nonzero(gt_ids[mask] == 0) > np.count_nonzero(mask))
        for segment in gt_segments:
            if segment["category_id"] == predicted["category_id"] and not segment["iscrowd"]:
                truth = gt_ids == segment["id"]
                union = np.count_nonzero((mask | truth) & ~(mask & (gt_ids == 0)))
                met["IoU of one half"] += int(2 * np.count_nonzero(mask & truth) == union > 0)
    return met
