import pytest

from panoptic_heuristic.ablation.tuning.thresholds import (
    REFERENCE_PIXELS,
    Baselines,
    Thresholds,
    raised_to_floor,
    scaled,
    threshold_values,
)
from panoptic_heuristic.fusion import (
    ClassAware,
    Greedy,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
)
from panoptic_heuristic.fusion.presets import preset_rules


@pytest.mark.parametrize("claim", [Greedy(), ClassAware(), Reclaim()])
def test_rules_with_an_overlap_threshold(claim):
    assert Thresholds.of(Pipeline(claim)) == Thresholds("instances_score_thresh", "claim.overlap_threshold")


def test_rules_without_one():
    assert Thresholds.of(Pipeline(PerPixel())) == Thresholds("instances_score_thresh", None)
    assert Thresholds.of(Pipeline(PixelArgmax())) == Thresholds("instances_score_thresh", "claim.kept_fraction")


def test_the_score_is_the_key_where_there_is_one():
    assert Thresholds.of(Pipeline(order=Power(quality_exponent=1.0, key_cutoff=0.2))).score == "order.key_cutoff"
    # Another order that cuts on the score.
    assert Thresholds.of(Pipeline(order=Power(quality_exponent=1.0))).score == "instances_score_thresh"


def test_a_key_has_no_floor():
    assert Thresholds("instances_score_thresh", None).lowest(0.3) == 0.3
    assert Thresholds("order.key_cutoff", None).lowest(0.3) == 0


def test_baselines_are_a_pipeline_and_the_same_scaled():
    pipeline = Pipeline(Greedy(0.3), 0.4, 6144, thing_area_thresh=400)
    baselines = Baselines.of(pipeline, REFERENCE_PIXELS / 4)
    assert baselines.start == pipeline
    assert baselines.scaled == Pipeline(Greedy(0.3), 0.4, 0, 0.02, thing_area_thresh=100)


@pytest.mark.parametrize(
    "pipeline, fraction",
    [
        (Pipeline(), 4096 / REFERENCE_PIXELS),
        (Pipeline(stuff_area_thresh=0), 0.0),
        # The larger of the two limits, as in fusing.
        (Pipeline(stuff_area_thresh=3072, stuff_area_fraction=0.02), 0.02),
        (Pipeline(stuff_area_thresh=3072, stuff_area_fraction=0.005), 0.01),
        (Pipeline(stuff_area_thresh=REFERENCE_PIXELS + 1), 1.0),
    ],
)
def test_scaled_limits_of_stuff(pipeline, fraction):
    one = scaled(pipeline, 100)
    assert (one.stuff_area_thresh, one.stuff_area_fraction) == (0, pytest.approx(fraction))
    assert scaled(one, 100) == one


def test_scaled_limit_of_things():
    # 400 pixels of 640x480 are 26.7 of 160x128.
    assert scaled(Pipeline(thing_area_thresh=400), 160 * 128).thing_area_thresh == 27
    assert scaled(Pipeline(thing_area_thresh=400), REFERENCE_PIXELS).thing_area_thresh == 400
    assert scaled(Pipeline(), 5).thing_area_thresh == 0


@pytest.mark.parametrize("threshold, raised", [(0.0, 0.3), (0.3, 0.3), (0.31, 0.31)])
def test_thresholds_are_raised_to_the_floor(threshold, raised):
    pipeline = Pipeline(instances_score_thresh=threshold, instances_score_thresh_of={2: threshold, 4: 0.9})
    found = raised_to_floor(pipeline, 0.3)
    assert found == Pipeline(instances_score_thresh=raised, instances_score_thresh_of={2: raised, 4: 0.9})


def test_threshold_values():
    values = threshold_values(Pipeline.from_mapping(preset_rules("panoptic_fcn")))
    assert values["key_cutoff"] == 0.2 and values["overlap_threshold"] == 0.5 and values["kept_fraction"] is None
    values = threshold_values(Pipeline.from_mapping(preset_rules("mask2former")))
    assert values["kept_fraction"] == 0.8 and values["overlap_threshold"] is None and values["key_cutoff"] is None
    assert (values["stuff_area_thresh"], values["stuff_area_fraction"], values["thing_area_thresh"]) == (4096, 0, 0)
