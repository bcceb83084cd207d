import math

import pytest

from panoptic_heuristic.ablation.cache.own_settings import Default
from panoptic_heuristic.ablation.tuning.settings import STAGES, TuningSettings
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Pipeline


def settings(**changes) -> TuningSettings:
    values = {"pipeline": Pipeline(), "default": Default(Pipeline(), "drawn"), "on_regions": True, "score_floor": 0.05}
    return TuningSettings(**{**values, "image_area": 64 * 80, **changes})


@pytest.mark.parametrize("stages", [(), ("per-class",), ("global", "global"), ("calibrated", "global"), ("else",)])
def test_wrong_stages(stages):
    with pytest.raises(InputError, match="stages must be some of global, per-class, calibrated"):
        settings(stages=stages)


@pytest.mark.parametrize("shrinkage", [-0.1, math.nan, math.inf])
def test_a_wrong_shrinkage(shrinkage):
    with pytest.raises(InputError, match="shrinkage must be in"):
        settings(shrinkage=shrinkage)


def test_a_form_that_is_not_there():
    with pytest.raises(InputError, match="calibration must be one of shared, per-class, got 'per_class'"):
        settings(calibration="per_class")


def test_a_baseline_below_the_floor():
    with pytest.raises(InputError, match="start from instances_score_thresh 0.5, but .* below 0.6"):
        settings(score_floor=0.6)
    settings(score_floor=0.5)
    with pytest.raises(InputError, match="start from instances_score_thresh 0.04"):
        settings(pipeline=Pipeline(instances_score_thresh_of={4: 0.04}))


def test_a_wrong_seed():
    with pytest.raises(InputError, match="seed must be at least 0, got -1"):
        settings(seed=-1)


def test_stages_for_rules_that_see_more_than_regions():
    assert settings().stages == STAGES and settings(on_regions=False).stages == ("global",)
    with pytest.raises(InputError, match="the stage per-class is for rules .* tune the stage global only"):
        settings(on_regions=False, stages=STAGES[:2])




def test_what_is_not_tuned_comes_in_the_order_of_its_simplicity():
    start, own = Pipeline(stuff_area_thresh=3072), Pipeline(stuff_area_thresh=70)
    scaled = Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.01)
    found = settings(pipeline=start, default=Default(own, "drawn")).untuned
    assert list(found.items()) == [("default", own), ("start", start), ("scaled", scaled)]
    same = settings(pipeline=start, default=Default(start, "drawn")).untuned
    assert list(same.items()) == [("default", start), ("scaled", scaled)]
