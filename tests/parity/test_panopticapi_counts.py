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

from panoptic_heuristic.quality import (
    IOU_UNIT,
    CategoryCounts,
    PanopticQuality,
    add_counts,
    count_image,
    repeated_crowds,
)
from tests.quality.drawings import CATEGORIES, random_pair

pytestmark = pytest.mark.parity

PAIRS = 1000 if os.environ.get("PARITY") == "full" else 60


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
    met, ours, quality = Counter(), [], PanopticQuality(CATEGORIES)
    for place, pair in enumerate(pairs):
        (tmp_path / str(place)).mkdir()
        stat, _ = of_panopticapi([pair], tmp_path / str(place))
        counts = count_image(*pair, CATEGORIES)
        assert_equal(counts, stat, place)
        quality.update(pair[:2], pair[2:], place)
        for our in counts.values():
            met.update(tp=our.tp, fp=our.fp, fn=our.fn)
        met += what_it_exercises(*pair)
        ours.append(counts)
    with capsys.disabled():
        print(f"\nPQ counts equal panopticapi's on {PAIRS} pairs: {dict(met)}")
    # Else the pairs would not exercise what they are for.
    for name in ("tp", "fp", "fn", "crowds", "on void", "not listed", "without a pixel", "IoU of one half"):
        assert met[name] > PAIRS / 20, name
    assert met["several crowds matter"] > PAIRS / 60

    (tmp_path / "all").mkdir()
    stat, categories = of_panopticapi(pairs, tmp_path / "all")
    assert quality.counts["pq"] == add_counts(ours)
    summary = quality.compute()
    for group, isthing in ((summary.all, None), (summary.things, True), (summary.stuff, False)):
        theirs, per_category = stat.pq_average(categories, isthing=isthing)
        assert (group.pq, group.sq, group.rq) == pytest.approx((theirs["pq"], theirs["sq"], theirs["rq"]), abs=1e-9)
        assert group.categories == theirs["n"]
        for category_id, one in per_category.items():
            found = summary.by_category[category_id]
            assert (found.pq, found.sq, found.rq) == pytest.approx((one["pq"], one["sq"], one["rq"]), abs=1e-9)
    assert isinstance(stat, PQStat)


def test_all_crowds_are_panopticapis_with_the_crowds_of_a_category_made_one(tmp_path):
    """panopticapi itself counts all of them if they share an id."""
    differed = 0
    for seed in range(PAIRS, 2 * PAIRS):
        gt_ids, gt_segments, pred_ids, pred_segments = random_pair(seed)
        if not repeated_crowds(gt_segments):
            continue
        crowd_of = {segment["category_id"]: segment["id"] for segment in gt_segments if segment["iscrowd"]}
        joined_ids, joined = gt_ids.copy(), []
        for segment in gt_segments:
            if not segment["iscrowd"] or segment["id"] == crowd_of[segment["category_id"]]:
                joined.append(segment)
            else:
                joined_ids[gt_ids == segment["id"]] = crowd_of[segment["category_id"]]
        (tmp_path / str(seed)).mkdir()
        stat, _ = of_panopticapi([(joined_ids, joined, pred_ids, pred_segments)], tmp_path / str(seed))
        counts = count_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES, all_crowds=True)
        assert_equal(counts, stat, seed)
        differed += counts != count_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES)
    assert differed > PAIRS / 60


def assert_equal(counts, stat, seed):
    """Our counts of one pair, and panopticapi's."""
    for category_id in CATEGORIES:
        our, their = counts.get(category_id, CategoryCounts()), stat[category_id]
        assert (our.tp, our.fp, our.fn) == (their.tp, their.fp, their.fn), f"seed {seed}, category {category_id}"
        assert our.iou_sum / IOU_UNIT == pytest.approx(their.iou, abs=1e-9), f"seed {seed}, category {category_id}"


def what_it_exercises(gt_ids, gt_segments, pred_ids, pred_segments):
    """The number of times that a pair meets each rule that is easy to get wrong."""
    met = Counter()
    listed = {segment["id"] for segment in gt_segments}
    all_crowds = count_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES, all_crowds=True)
    met["several crowds matter"] = all_crowds != count_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES)
    met["crowds"] = sum(segment["iscrowd"] for segment in gt_segments)
    met["without a pixel"] = sum(segment["area"] == 0 for segment in gt_segments)
    met["not listed"] = len(set(np.unique(gt_ids).tolist()) - listed - {0})
    for predicted in pred_segments:
        mask = pred_ids == predicted["id"]
        met["on void"] += int(2 * np.count_nonzero(gt_ids[mask] == 0) > np.count_nonzero(mask))
        for segment in gt_segments:
            if segment["category_id"] == predicted["category_id"] and not segment["iscrowd"]:
                gt = gt_ids == segment["id"]
                union = np.count_nonzero((mask | gt) & ~(mask & (gt_ids == 0)))
                met["IoU of one half"] += int(2 * np.count_nonzero(mask & gt) == union > 0)
    return met
