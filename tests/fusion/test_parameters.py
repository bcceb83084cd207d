"""The values that parameters of rules and pipelines may have, and the errors of wrong ones."""

import copy
import dataclasses
import math
import pickle
from math import inf

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    Adaptive,
    BestStuff,
    Calibrated,
    ClassAware,
    Components,
    DenseCrf,
    DroppedToVoid,
    Greedy,
    GuidedFilter,
    JointList,
    LogitSum,
    NextBest,
    Nms,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
)
from tests.fusion.drawings import CAT, DOG
from tests.fusion.every_pipeline import RULES

# The lowest and the highest number that each may be.
NUMBERS = [
    (Pipeline, "instances_score_thresh", -inf, inf),
    (Pipeline, "stuff_area_thresh", 0, inf),
    (Pipeline, "stuff_area_fraction", 0, 1),
    (Pipeline, "thing_area_thresh", 0, inf),
    (Nms, "iou_threshold", 0, 1),
    (SemanticGate, "keep", 0, 1),
    (Power, "score_exponent", 0, inf),
    (Power, "quality_exponent", 0, inf),
    (Power, "agreement_exponent", 0, inf),
    (Power, "key_cutoff", 0, inf),
    (Calibrated, "default_cut", 0, 1),
    (Greedy, "overlap_threshold", 0, 1),
    (ClassAware, "overlap_threshold", 0, 1),
    (ClassAware, "duplicate_threshold", 0, 1),
    (ClassAware, "free_fraction", 0, 1),
    (Reclaim, "overlap_threshold", 0, 1),
    (Reclaim, "intersection_threshold", 0, 1),
    (Reclaim, "area_ratio", 0, 1),
    (PixelArgmax, "kept_fraction", 0, 1),
    (JointList, "overlap_threshold", 0, 1),
    (JointList, "stuff_overlap_threshold", 0, 1),
    (JointList, "stuff_score_thresh", 0, 1),
    (LogitSum, "overlap_threshold", 0, 1),
    (Adaptive, "overlap_threshold", 0, 1),
    (SemanticVeto, "majority", 0, 1),
    (DroppedToVoid, "probability_floor", 0, 1),
    (NextBest, "probability_floor", 0, 1),
    (BestStuff, "floor", 0, 1),
    (Components, "area", 0, inf),
    (DenseCrf, "certainty", 0.5, 1),
    (DenseCrf, "gaussian_sxy", 1, inf),
    (DenseCrf, "bilateral_sxy", 1, inf),
    (DenseCrf, "bilateral_srgb", 1, inf),
    (DenseCrf, "gaussian_compat", 0, 1000),
    (DenseCrf, "bilateral_compat", 0, 1000),
    (GuidedFilter, "epsilon", 1e-6, 1),
]
WHOLE_NUMBERS = [
    (DenseCrf, "radius", 0),
    (DenseCrf, "iterations", 1),
    (DenseCrf, "max_segments", 2),
    (GuidedFilter, "window_radius", 1),
]
FLAGS = [(DenseCrf, "move_things")]
WORDS = [
    (Nms, "kind", "mask, box"),
    (PixelArgmax, "by", "score, mask"),
    (PixelArgmax, "kept_pixels", "mask, won"),
    (Reclaim, "on_top", "area, mean_probability, precedence"),
    (DroppedToVoid, "counted", "after, before"),
    (NextBest, "counted", "after, before"),
]
OF_CATEGORIES = [
    (Pipeline, "instances_score_thresh_of", -inf, inf),
    (Pipeline, "stuff_area_thresh_of", 0, inf),
    (Pipeline, "stuff_area_fraction_of", 0, 1),
    (Calibrated, "cut", 0, 1),
    *((rule, "overlap_threshold_of", 0, 1) for rule in (Greedy, ClassAware, Reclaim, JointList, LogitSum, Adaptive)),
]
# The weights of a calibrated order have their tests beside it.
OTHERS = {(Calibrated, "weights"), (Calibrated, "default_weights"), (Reclaim, "precedence")}
NO_NUMBERS = [math.nan, inf, -inf, True, None, "0.5", [0.5], 1j]


def told(make, values) -> str:
    with pytest.raises(InputError) as error:
        make(**values)
    return str(error.value)


def interval(low, high) -> str:
    return f"{'(' if low == -inf else '['}{low}, {high}{')' if high == inf else ']'}"


def outside(low, high) -> list:
    return [*NO_NUMBERS, *([] if low == -inf else [math.nextafter(low, -inf), low - 1]), *(
        [] if high == inf else [math.nextafter(high, inf), high + 1]
    )]  # fmt: skip


def inside(low, high) -> list:
    return [-1e9 if low == -inf else low, 1e9 if high == inf else high, np.float64(max(low, 0.7))]


def test_every_parameter_of_every_rule_is_here():
    tables = {(rule, name) for rule, name, *_ in (*NUMBERS, *WHOLE_NUMBERS, *WORDS, *FLAGS, *OF_CATEGORIES)} | OTHERS
    for pipeline in RULES.values():
        for rule in pipeline.rules.values():
            assert {(type(rule), field.name) for field in dataclasses.fields(rule)} <= tables


@pytest.mark.parametrize("make, name, low, high", NUMBERS)
class TestNumbers:
    def test_both_ends_are_legal(self, make, name, low, high):
        for value in inside(low, high):
            if (name, value) != ("certainty", 1):
                assert getattr(make(**{name: value}), name) == value

    def test_an_error_names_parameter_interval_and_value(self, make, name, low, high):
        for value in outside(low, high):
            message = f"{name} must be a finite number in {interval(low, high)}, got {value!r}"
            assert told(make, {name: value}) == message


@pytest.mark.parametrize("make, name", FLAGS)
def test_flags(make, name):
    assert [getattr(make(**{name: value}), name) for value in (True, False)] == [True, False]
    for value in (0, 1, 1.0, None, "True", [True]):
        assert told(make, {name: value}) == f"{name} must be True or False, got {value!r}"


@pytest.mark.parametrize("make, name, low", WHOLE_NUMBERS)
def test_whole_numbers(make, name, low):
    assert getattr(make(**{name: low}), name) == low
    for value in (low - 1, low + 0.5, float(low), True, str(low), None):
        assert told(make, {name: value}) == f"{name} must be a whole number in [{low}, inf), got {value!r}"


@pytest.mark.parametrize("make, name, words", WORDS)
def test_words(make, name, words):
    for value in ("rank", "", None, 1, [words.split(", ")[0]]):
        assert told(make, {name: value}) == f"{name} must be one of {words}, got {value!r}"


@pytest.mark.parametrize("make, name, low, high", OF_CATEGORIES)
class TestValuesOfCategories:
    def test_both_ends_are_legal(self, make, name, low, high):
        values = dict(enumerate(inside(low, high)))
        assert getattr(make(**{name: values}), name) == values

    def test_an_error_names_parameter_category_interval_and_value(self, make, name, low, high):
        for value in outside(low, high):
            message = f"{name}[12] must be a finite number in {interval(low, high)}, got {value!r}"
            assert told(make, {name: {0: 0.5, 12: value}}) == message

    @pytest.mark.parametrize("values", [[0.5], 0.5, None, {"dog": 0.5}, {0.5: 0.5}, {True: 0.5}], ids=repr)
    def test_what_is_no_mapping_from_ids_is_refused(self, make, name, low, high, values):
        assert told(make, {name: values}).startswith(f"{name} must be a mapping from category ids")

    def test_they_cannot_be_changed_from_outside(self, make, name, low, high):
        values = {7: 0.25}
        made = make(**{name: values})
        values[7] = values[0] = 1
        assert dict(getattr(made, name)) == {7: 0.25}
        with pytest.raises(TypeError):
            getattr(made, name)[7] = 1

    def test_of_equal_values_they_are_equal(self, make, name, low, high):
        one, other = make(**{name: {7: 0.25, 0: 1}}), make(**{name: {0: 1, 7: 0.25}})
        assert one == other == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == dataclasses.replace(one)
        assert hash(one) == hash(other) == hash(pickle.loads(pickle.dumps(one)))
        assert one != make(**{name: {7: 0.25}}) != make()


@pytest.mark.parametrize(
    "make, values, message",
    [
        (DenseCrf, {"certainty": 1}, "certainty must be below 1, where no pixel could change; use radius 0 for that"),
        (
            Reclaim,
            {"on_top": "mean_probability", "area_ratio": 0.3},
            "area_ratio means nothing while on_top is 'mean_probability'; leave it out",
        ),
        (Reclaim, {"precedence": [(DOG, CAT)]}, "precedence means nothing while on_top is 'area'; leave it out"),
        (Reclaim, {"precedence": 5}, "precedence must be a list of pairs of category ids, got 5"),
        (Reclaim, {"precedence": [5]}, "precedence must be a list of pairs of category ids, got 5"),
        (Reclaim, {"precedence": [(1, 2, 3)]}, "precedence must be a list of pairs of category ids, got (1, 2, 3)"),
        (
            Reclaim,
            {"precedence": [("dog", 2)]},
            "precedence must be a list of pairs of category ids, which are integers, got 'dog'",
        ),
        (
            Reclaim,
            {"precedence": [(True, 2)]},
            "precedence must be a list of pairs of category ids, which are integers, got True",
        ),
        (Reclaim, {"precedence": [(2, 2)]}, "precedence must be of pairs of different categories, got (2, 2)"),
        (
            Reclaim,
            {"precedence": [(1, 2), (2, 1)]},
            "precedence must have one pair of the same two categories, got (1, 2) and (2, 1)",
        ),
        (
            Reclaim,
            {"precedence": [(1, 2), [1, 2]]},
            "precedence must have one pair of the same two categories, got (1, 2) and [1, 2]",
        ),
    ],
)
def test_other_errors(make, values, message):
    assert told(make, values) == message


def test_pairs_cannot_be_changed_from_outside_and_rules_with_them_compare():
    pairs = [[7, 0], (0, 12)]
    rule = Reclaim(on_top="precedence", precedence=pairs)
    pairs.append((7, 12))
    pairs[0][0] = 12
    assert rule.precedence == ((7, 0), (0, 12))
    assert rule == dataclasses.replace(rule) != Reclaim(on_top="precedence", precedence=[(7, 0)])


def test_equal_numbers_are_equal_parameters():
    assert Power() == Power(1, 0, 0, 0) and hash(Power(2)) == hash(Power(2.0)) != hash(Power(3))


def test_float32_thresholds_are_refused():
    # Python compares a float with an np.float32 in float32, where 0.3 and float32(0.3) are equal.
    assert "instances_score_thresh" in told(Pipeline, {"instances_score_thresh": np.float32(0.3)})


def test_parameters_do_not_change():
    for made, name in ((Pipeline(), "stuff_area_thresh"), (Greedy(), "overlap_threshold")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, name, 0)
