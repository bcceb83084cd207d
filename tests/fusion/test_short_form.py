import pytest

from panoptic_heuristic.fusion import (
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    PixelArgmax,
)

THRESHOLDS = "instances_score_thresh 0.5, overlap_threshold 0.5, stuff_area_thresh 4096"


@pytest.mark.parametrize(
    "pipeline, told",
    [
        (Pipeline(), f"greedy, {THRESHOLDS}"),
        (Pipeline(ClassAware(free_fraction=0.25)), f"class_aware (free_fraction 0.25), {THRESHOLDS}"),
        (Pipeline(PerPixel(), 0.05, 0), "per_pixel, instances_score_thresh 0.05, stuff_area_thresh 0"),
        # A limit of the other kind makes that of nothing go unsaid, and one of something not.
        (Pipeline(PerPixel(), 0.3, 0, 4 / 300), "per_pixel, instances_score_thresh 0.3, stuff_area_fraction 0.013333"),
        (
            Pipeline(PerPixel(), 0.3, 10, 0.5, thing_area_thresh=7),
            "per_pixel, instances_score_thresh 0.3, stuff_area_thresh 10, stuff_area_fraction 0.5, thing_area_thresh 7",
        ),
        (Pipeline(island_area_fraction=0.004), f"greedy, {THRESHOLDS}, island_area_fraction 0.004"),
        (Pipeline(suppress=Nms(0.3)), f"greedy, suppress nms (iou_threshold 0.3), {THRESHOLDS}"),
        (Pipeline(stuff=DroppedToVoid("before")), f"greedy, stuff void (counted before), {THRESHOLDS}"),
        # Weights are not told, but the categories that have some are.
        (
            Pipeline(Greedy(overlap_threshold_of={1: 0.4}), order=Calibrated({2: (0, 1, 0, 0, 0)}, {1: 0.5})),
            f"greedy, order calibrated, {THRESHOLDS}; values of their own for 2 classes",
        ),
        (Pipeline(stuff_area_thresh_of={3: 9}), f"greedy, {THRESHOLDS}; values of their own for 1 class"),
    ],
)
def test_short_form(pipeline, told):
    assert pipeline.described() == told


def test_rules_of_ones_own_go_by_their_class():
    class Mine(PixelArgmax):
        pass

    assert Pipeline(Mine()).described().startswith("Mine, instances_score_thresh 0.5, stuff_area_thresh 4096")
