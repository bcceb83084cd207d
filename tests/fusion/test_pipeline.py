import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    CLAIM_REGISTRY,
    ByScore,
    Calibrated,
    ClassAware,
    Greedy,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Reclaim,
)


def test_the_default_is_detectron2s():
    assert Pipeline() == Pipeline(Greedy(overlap_threshold=0.5), instances_score_thresh=0.5, stuff_area_thresh=4096)
    assert (Pipeline().stuff_area_fraction, Pipeline().order) == (0, ByScore())


@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0, 0.3, np.float64(0.7)])
def test_both_ends_of_the_overlap_interval_are_legal(value):
    assert Greedy(overlap_threshold=value).overlap_threshold == value


@pytest.mark.parametrize("value", [-5, 0, 1, 2.5, -0.1])
def test_score_cutoffs_need_not_be_probabilities(value):
    # Rules that rank by another key cut where that key says.
    assert Pipeline(instances_score_thresh=value).instances_score_thresh == value


@pytest.mark.parametrize("value", [0, 1, 0.5, 4096.0, 1e9])
def test_stuff_limits_may_be_any_size(value):
    assert Pipeline(stuff_area_thresh=value).stuff_area_thresh == value


NOT_NUMBERS = [np.nan, np.inf, -np.inf, True, None, "0.5", [0.5], 1j]
# rule, parameter, its interval, the two ends or numbers as far out as they like, and numbers outside.
OF_CATEGORIES = [
    (Greedy, "overlap_threshold_of", "[0, 1]", 0, 1, [-0.001, 1.001]),
    (ClassAware, "overlap_threshold_of", "[0, 1]", 0, 1, [-0.001, 1.001]),
    (Reclaim, "overlap_threshold_of", "[0, 1]", 0, 1, [-0.001, 1.001]),
    (Pipeline, "instances_score_thresh_of", "(-inf, inf)", -5, 5, []),
    (Pipeline, "stuff_area_thresh_of", "[0, inf)", 0, 1e9, [-1e-9]),
    (Pipeline, "stuff_area_fraction_of", "[0, 1]", 0, 1, [-1e-9, 1.001]),
    (Calibrated, "cut", "[0, 1]", 0, 1, [-1e-9, 1.001]),
]


@pytest.mark.parametrize(
    "make, name, interval, values",
    [
        (Greedy, "overlap_threshold", "[0, 1]", [-0.001, 1.001, -1, 2]),
        (ClassAware, "overlap_threshold", "[0, 1]", [-0.001, 1.001]),
        (ClassAware, "duplicate_threshold", "[0, 1]", [-0.001, 1.001]),
        (ClassAware, "free_fraction", "[0, 1]", [-0.001, 1.001]),
        (Reclaim, "overlap_threshold", "[0, 1]", [-0.001, 1.001]),
        (Reclaim, "intersection_threshold", "[0, 1]", [-0.001, 1.001]),
        (Reclaim, "area_ratio", "[0, 1]", [-0.001, 1.001]),
        (PixelArgmax, "kept_fraction", "[0, 1]", [-0.001, 1.001]),
        (Pipeline, "instances_score_thresh", "(-inf, inf)", []),
        (Pipeline, "stuff_area_thresh", "[0, inf)", [-1, -1e-9]),
        (Pipeline, "stuff_area_fraction", "[0, 1]", [-1e-9, 1.001]),
        (Calibrated, "default_cut", "[0, 1]", [-1e-9, 1.001]),
    ],
)
def test_an_error_names_parameter_interval_and_value(make, name, interval, values):
    for value in values + NOT_NUMBERS:
        with pytest.raises(InputError) as error:
            make(**{name: value})
        message = str(error.value)
        assert re.match(rf"{name} must be .*number in {re.escape(interval)}", message)
        assert message.endswith(f"got {value!r}")


@pytest.mark.parametrize("make, name, interval, low, high, wrong", OF_CATEGORIES)
class TestValuesOfCategories:
    def test_both_ends_are_legal(self, make, name, interval, low, high, wrong):
        values = {7: low, 0: high, 12: np.float64(0.5)}
        assert getattr(make(**{name: values}), name) == values

    def test_an_error_names_parameter_category_interval_and_value(self, make, name, interval, low, high, wrong):
        for value in wrong + NOT_NUMBERS:
            with pytest.raises(InputError) as error:
                make(**{name: {0: low, 12: value}})
            message = str(error.value)
            assert re.match(rf"{name}\[12\] must be .*number in {re.escape(interval)}", message)
            assert message.endswith(f"got {value!r}")

    @pytest.mark.parametrize("values", [[0.5], 0.5, None, {"dog": 0.5}, {0.5: 0.5}, {True: 0.5}], ids=repr)
    def test_what_is_no_mapping_from_ids_is_refused(self, make, name, interval, low, high, wrong, values):
        with pytest.raises(InputError, match=f"{name} must be a mapping from category ids"):
            make(**{name: values})

    def test_they_cannot_be_changed_from_outside(self, make, name, interval, low, high, wrong):
        values = {7: low}
        made = make(**{name: values})
        values[7] = values[0] = high
        assert dict(getattr(made, name)) == {7: low}
        with pytest.raises(TypeError):
            getattr(made, name)[7] = high

    def test_pipelines_of_equal_values_are_equal_and_can_be_pickled(self, make, name, interval, low, high, wrong):
        one, other = make(**{name: {7: low, 0: high}}), make(**{name: {0: high, 7: low}})
        assert one == other == pickle.loads(pickle.dumps(one)) == copy.deepcopy(one)
        assert hash(one) == hash(other) == hash(pickle.loads(pickle.dumps(one)))
        assert one != make(**{name: {7: low}}) != make()
        assert dataclasses.replace(one) == one


def test_float32_thresholds_are_refused():
    # Python compares a float with an np.float32 in float32, where 0.3 and float32(0.3) are equal.
    with pytest.raises(InputError, match="instances_score_thresh"):
        Pipeline(instances_score_thresh=np.float32(0.3))


def test_pairs_cannot_be_changed_from_outside_and_rules_with_them_compare():
    pairs = [[7, 0], (0, 12)]
    rule = Reclaim(on_top="precedence", precedence=pairs)
    pairs.append((7, 12))
    pairs[0][0] = 12
    assert rule.precedence == ((7, 0), (0, 12))
    assert rule == pickle.loads(pickle.dumps(rule)) == copy.deepcopy(rule) == dataclasses.replace(rule)
    assert hash(rule) == hash(pickle.loads(pickle.dumps(rule)))
    assert rule != Reclaim(on_top="precedence", precedence=[(7, 0)])


def test_parameters_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Pipeline().stuff_area_thresh = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Greedy().overlap_threshold = 0


def test_the_rules_go_by_their_names_in_yaml():
    assert CLAIM_REGISTRY.get("greedy") is Greedy
    assert CLAIM_REGISTRY.get("per_pixel") is PerPixel
    assert CLAIM_REGISTRY.get("class_aware") is ClassAware
    assert CLAIM_REGISTRY.get("reclaim") is Reclaim
    assert CLAIM_REGISTRY.get("pixel_argmax") is PixelArgmax
    assert "Claim rules" in CLAIM_REGISTRY.__doc__


def test_a_rule_keeps_its_docstring_and_its_parameters():
    assert [field.name for field in dataclasses.fields(Greedy)] == ["overlap_threshold", "overlap_threshold_of"]
    assert dataclasses.fields(PerPixel) == ()


def test_an_unknown_rule_is_an_error():
    with pytest.raises(KeyError, match="gready"):
        CLAIM_REGISTRY.get("gready")


def test_a_rule_by_its_name_is_refused_at_once():
    with pytest.raises(InputError, match=r"claim must be a rule such as Greedy\(\), got 'greedy'"):
        Pipeline(claim="greedy")
    with pytest.raises(InputError, match=r"order must be a rule such as ByScore\(\), got 'score'"):
        Pipeline(order="score")
