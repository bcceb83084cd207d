"""The segments that match, by id; always the same numbers as the counts."""

import numpy as np
from hypothesis import given

from panoptic_heuristic.quality import Matching, add_counts, count_image, match_image
from tests.formats.panoptic_maps import CAT, CATEGORIES, DOG, GRASS, panoptic_maps


def segments(**categories):
    return [{"id": int(i[1:]), "category_id": category_id, "iscrowd": 0} for i, category_id in categories.items()]


def test_each_kind_by_its_id():
    gt = np.array([[11, 11, 11, 12, 12, 13, 0]])
    pred = np.array([[22, 22, 22, 22, 21, 23, 24]])
    # 22 covers 11 with IoU 3/4; 21 covers half of 12, which is not enough; 23 says dog for a cat; 24 is on void.
    gt_segments = segments(_12=CAT, _11=GRASS, _13=CAT)
    pred_segments = segments(_21=CAT, _22=GRASS, _23=DOG, _24=CAT)
    found = match_image(gt, gt_segments, pred, pred_segments, CATEGORIES)
    assert found == Matching(matched=((11, 22),), missed=(12, 13), false=(21, 23))


def test_a_crowd_is_never_missed():
    gt_segments = [{"id": 1, "category_id": CAT, "iscrowd": 1}]
    found = match_image(np.array([[1]]), gt_segments, np.array([[0]]), [], CATEGORIES)
    assert found == Matching((), (), ())


def cropped(ids, listed, height, width):
    ids = ids[:height, :width]
    return ids, [segment for segment in listed if (ids == segment["id"]).any()]


@given(gt=panoptic_maps(), pred=panoptic_maps())
def test_as_many_as_are_counted(gt, pred):
    height, width = (min(sizes) for sizes in zip(gt[0].shape, pred[0].shape, strict=True))
    (gt_ids, gt_segments), (pred_ids, pred_segments) = (cropped(*one, height, width) for one in (gt, pred))
    found = match_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES)
    counts = count_image(gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES)
    total = add_counts({0: one} for one in counts.values()).get(0)
    numbers = (0, 0, 0) if total is None else (total.tp, total.fn, total.fp)
    assert (len(found.matched), len(found.missed), len(found.false)) == numbers
