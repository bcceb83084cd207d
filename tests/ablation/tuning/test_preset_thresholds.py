import pytest

from panoptic_heuristic.ablation.tuning.preset_thresholds import (
    REFERENCE_PIXELS,
    ZOOMS,
    raised_to_floor,
    scaled,
    threshold_values,
    thresholds_of,
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


def names(pipeline):
    return [one.name for one in thresholds_of(pipeline, 0.05)]


def tried(pipeline, name, zoom, *, floor=0.05):
    """The values of a threshold that a search looks at next."""
    (one,) = [one for one in thresholds_of(pipeline, floor) if one.name == name]
    return [one.of(other) for other in one.nearby(pipeline, zoom)]


@pytest.mark.parametrize("claim", [Greedy(), ClassAware(), Reclaim()])
def test_rules_with_an_overlap_threshold(claim):
    assert names(Pipeline(claim)) == ["instances_score_thresh", "overlap_threshold", "stuff_area_fraction"]


def test_rules_without_one():
    assert names(Pipeline(PerPixel())) == ["instances_score_thresh", "stuff_area_fraction"]
    assert names(Pipeline(PixelArgmax())) == ["instances_score_thresh", "kept_fraction", "stuff_area_fraction"]


def test_the_cutoff_is_on_the_key_where_there_is_one():
    key = Pipeline(order=Power(quality_exponent=1.0, key_cutoff=0.2))
    assert names(key)[0] == "key_cutoff"
    # Another order that cuts on the score.
    assert names(Pipeline(order=Power(quality_exponent=1.0)))[0] == "instances_score_thresh"
    changed = thresholds_of(key, 0.05)[0].nearby(key, 0)
    assert [one.order.key_cutoff for one in changed] == [0.2, 0.4, 0.6, 0.8]
    assert {one.instances_score_thresh for one in changed} == {key.instances_score_thresh}


def test_values_are_coarse_then_close():
    pipeline = Pipeline(Greedy(0.4), instances_score_thresh=0.4)
    assert tried(pipeline, "instances_score_thresh", 0) == [0.2, 0.4, 0.6, 0.8]
    assert tried(pipeline, "instances_score_thresh", 1) == [0.3, 0.5]
    assert tried(pipeline, "instances_score_thresh", 2) == [0.35, 0.45]
    assert tried(pipeline, "overlap_threshold", 0) == [0.2, 0.5, 0.8]
    assert tried(pipeline, "overlap_threshold", 1) == [0.3, 0.5]


def test_scores_stay_at_or_above_the_floor_and_fractions_in_their_interval():
    low, high = Pipeline(Greedy(0.0), 0.25), Pipeline(Greedy(1.0), 0.98)
    assert tried(low, "instances_score_thresh", 0, floor=0.4) == [0.4, 0.4, 0.6, 0.8]
    assert tried(low, "instances_score_thresh", 1, floor=0.15) == [0.15, 0.35]
    assert tried(low, "instances_score_thresh", 1, floor=0.16) == [0.16, 0.35]
    assert tried(high, "instances_score_thresh", 1) == [0.88, 1.0]
    assert tried(low, "overlap_threshold", 1) == [0.0, 0.1]
    assert tried(high, "overlap_threshold", 1) == [0.9, 1.0]
    # A key is a product of what was kept: its cutoff has no floor.
    assert tried(Pipeline(order=Power(key_cutoff=0.05)), "key_cutoff", 1, floor=0.4) == [0.0, 0.15]


def test_stuff_limits_are_fractions_that_differ_by_factors():
    pipeline = Pipeline(stuff_area_thresh=4096, stuff_area_fraction=0.01)
    assert tried(pipeline, "stuff_area_fraction", 0) == [0.0, 0.003, 0.01, 0.03]
    assert tried(pipeline, "stuff_area_fraction", 1) == [0.005556, 0.018]
    assert tried(Pipeline(stuff_area_fraction=0.9), "stuff_area_fraction", 1) == [0.5, 1.0]
    # Of nothing there is no factor.
    assert tried(Pipeline(), "stuff_area_fraction", 1) == [0.001]
    assert tried(Pipeline(), "stuff_area_fraction", 2) == [0.0005]
    # Beside them no limit in pixels is left.
    for zoom in range(ZOOMS):
        assert {one.stuff_area_thresh for one in thresholds_of(pipeline, 0)[-1].nearby(pipeline, zoom)} == {0}


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


@pytest.mark.parametrize("cutoff, raised", [(0.0, 0.3), (0.3, 0.3), (0.31, 0.31)])
def test_cutoffs_are_raised_to_the_floor(cutoff, raised):
    pipeline = Pipeline(instances_score_thresh=cutoff, instances_score_thresh_of={2: cutoff, 4: 0.9})
    found = raised_to_floor(pipeline, 0.3)
    assert found == Pipeline(instances_score_thresh=raised, instances_score_thresh_of={2: raised, 4: 0.9})


def test_threshold_values():
    values = threshold_values(Pipeline.from_mapping(preset_rules("panoptic_fcn")))
    assert values["key_cutoff"] == 0.2 and values["overlap_threshold"] == 0.5 and values["kept_fraction"] is None
    values = threshold_values(Pipeline.from_mapping(preset_rules("mask2former")))
    assert values["kept_fraction"] == 0.8 and values["overlap_threshold"] is None and values["key_cutoff"] is None
    assert (values["stuff_area_thresh"], values["stuff_area_fraction"], values["thing_area_thresh"]) == (4096, 0, 0)
