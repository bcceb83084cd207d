"""Boundary PQ on drawings, and against boundaries taken mask by mask."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.quality import CategoryCounts, MeasureSettings, measure_image
from panoptic_heuristic.quality.boundary import boundary_distance
from panoptic_heuristic.quality.counts import in_units
from tests.quality.drawings import CAT, CATEGORIES, SKY, iou, random_pair, read

ONLY = MeasureSettings(iou_thresholds=(), sizes=False, dagger=False, boundary=True, boundary_dilation=0.01)


def measured(gt, prediction, dilation=0.01):
    settings = dataclasses.replace(ONLY, boundary_dilation=dilation)
    counts = measure_image(*read(gt, 300), *read(prediction, 1), CATEGORIES, settings).counts
    return counts["pq"], counts["boundary_pq"]


FULL = """
    cccccc
    cccccc
    cccccc
    cccccc
    cccccc
    """


def test_an_outline_that_is_off_by_a_pixel():
    # Masks share 25 of 30. The gt's boundary is the frame of 30 - 12; the prediction's, one
    # column less, is 25 - 9. Both have the left column and the top and bottom rows of five: 13.
    pq, boundary = measured(FULL, FULL.replace("cccccc", "ccccc."))
    assert pq == {CAT: CategoryCounts(iou((25, 30)), 1)}
    assert boundary == {CAT: CategoryCounts(iou((13, 18 + 16 - 13)), 1)}


def test_a_match_whose_outlines_disagree_is_none():
    gt = "ccccc ccccc ccccc ccccc"
    pq, boundary = measured(gt, "cccc. cccc. cccc. .....")
    assert pq == {CAT: CategoryCounts(iou((12, 20)), 1)}
    # The frames have 14 and 10 pixels; the top row's 4 and 2 more of the left column are in both: 6 of 18.
    assert boundary == {CAT: CategoryCounts(fp=1, fn=1)}


def test_a_hole_has_an_outline():
    prediction = """
        cccccc
        cccccc
        cc.ccc
        cccccc
        cccccc
        """
    pq, boundary = measured(FULL, prediction)
    assert pq == {CAT: CategoryCounts(iou((29, 30)), 1)}
    # Inside the frame of 18 is a field of 3 x 4 pixels: all eight neighbours of the hole are in it.
    assert boundary == {CAT: CategoryCounts(iou((18, 26)), 1)}


def test_the_smaller_of_the_two_counts():
    # A hollow prediction has the same outline, but lacks most of the mask: 18 of 30.
    ring = "cccccc c....c c....c c....c cccccc"
    pq, boundary = measured(FULL, ring)
    assert pq == boundary == {CAT: CategoryCounts(iou((18, 30)), 1)}


def test_the_predictions_boundary_on_void_does_not_count():
    gt = "cccc.... cccc.... cccc.... cccc...."
    prediction = "cccccc.. cccccc.. cccccc.. cccccc.."
    pq, boundary = measured(gt, prediction)
    assert pq == {CAT: CategoryCounts(iou((16, 16)), 1)}
    # The gt's frame is 12; the prediction's on the cat 4 + 4 + 2, all on that frame.
    assert boundary == {CAT: CategoryCounts(iou((10, 12)), 1)}


def test_a_neighbouring_segment_ends_a_segment():
    drawing = "ccss ccss ccss"
    assert measured(drawing, drawing)[1] == {CAT: CategoryCounts(iou((1, 1)), 1), SKY: CategoryCounts(iou((1, 1)), 1)}


@pytest.mark.parametrize(
    "shape, ratio, distance",
    [
        ((480, 640), 0.02, 16),
        ((480, 640), 0.0206, 16),
        ((480, 640), 0.0207, 17),
        # Half a pixel goes to the even number.
        ((30, 40), 0.05, 2),
        ((30, 40), 0.07, 4),
        ((4, 4), 0.02, 1),
        ((30, 40), 1e9, 40),
    ],
)
def test_distance(shape, ratio, distance):
    assert boundary_distance(shape, ratio) == distance


def test_a_boundary_that_is_everything_gives_pq():
    met = 0
    for seed in range(40):
        pair = random_pair(seed)
        counts = measure_image(*pair, CATEGORIES, dataclasses.replace(ONLY, boundary_dilation=10)).counts
        assert counts["boundary_pq"] == counts["pq"]
        met += sum(value.tp for value in counts["pq"].values())
    assert met > 10


def boundary_of(mask, distance):
    """Pixel by pixel: within the distance, by the longer side, of what is not the mask."""
    height, width = mask.shape
    padded = np.pad(mask, distance)
    return mask & ~np.array(
        [
            [padded[y : y + 2 * distance + 1, x : x + 2 * distance + 1].all() for x in range(width)]
            for y in range(height)
        ],
        dtype=bool,
    )


@pytest.mark.parametrize("ratio", [0.01, 0.03, 0.05])
def test_one_pass_equals_mask_by_mask(ratio):
    lower = 0
    for seed in range(40):
        gt_ids, gt_segments, pred_ids, pred_segments = random_pair(seed)
        # Large enough for segments to have an inside.
        gt_ids, pred_ids = (np.repeat(np.repeat(ids, 3, axis=0), 3, axis=1) for ids in (gt_ids, pred_ids))
        counts = measure_image(
            gt_ids, gt_segments, pred_ids, pred_segments, CATEGORIES, dataclasses.replace(ONLY, boundary_dilation=ratio)
        ).counts
        distance = boundary_distance(gt_ids.shape, ratio)
        expected = {}
        for gt in gt_segments:
            for predicted in pred_segments:
                if gt["iscrowd"] or gt["category_id"] != predicted["category_id"]:
                    continue
                masks = gt_ids == gt["id"], pred_ids == predicted["id"]
                both = [masks, [boundary_of(mask, distance) for mask in masks]]
                fractions = [(int((g & p).sum()), int((g | (p & (gt_ids != 0))).sum())) for g, p in both]
                if all(2 * shared > union for shared, union in fractions):
                    least = min(in_units(shared, union) for shared, union in fractions)
                    expected[gt["category_id"]] = expected.get(gt["category_id"], 0) + least
        found = {category_id: value.iou_sum for category_id, value in counts["boundary_pq"].items() if value.tp}
        assert found == expected, seed
        lower += counts["boundary_pq"] != counts["pq"]
    assert lower > 3


@pytest.mark.parametrize("between", [1, 2**8 - 1, 2**16 - 1])
def test_any_number_of_segments(between):
    """Two neighbours in the picture may be so far apart in the list that a byte, or two, cannot tell them apart."""
    width = 300
    rows = -(-between // width)
    gt_ids = np.zeros((rows + 8, width), int)
    gt_ids[:rows].reshape(-1)[:between] = np.arange(2, between + 2)
    gt_ids[rows:, :150], gt_ids[rows:, 150:] = 1, between + 2
    listed = [{"id": number, "category_id": SKY, "iscrowd": 0} for number in range(1, between + 3)]
    listed[0]["category_id"] = listed[-1]["category_id"] = CAT
    pred_ids = np.zeros_like(gt_ids)
    pred_ids[rows:, :150], pred_ids[rows:, 150:] = 1, 2
    cats = [{"id": 1, "category_id": CAT}, {"id": 2, "category_id": CAT}]
    one_pixel = dataclasses.replace(ONLY, boundary_dilation=1e-9)
    counts = measure_image(gt_ids, listed, pred_ids, cats, CATEGORIES, one_pixel).counts
    assert counts["boundary_pq"][CAT] == CategoryCounts(iou((2, 1)), 2)
