import dataclasses
import re

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import CLAIM_REGISTRY, Greedy, PerPixel, Pipeline


def test_the_default_is_detectron2s():
    assert Pipeline() == Pipeline(Greedy(overlap_threshold=0.5), instances_score_thresh=0.5, stuff_area_thresh=4096)


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


@pytest.mark.parametrize(
    "make, name, interval, values",
    [
        (Greedy, "overlap_threshold", "[0, 1]", [-0.001, 1.001, -1, 2]),
        (Pipeline, "instances_score_thresh", "(-inf, inf)", []),
        (Pipeline, "stuff_area_thresh", "[0, inf)", [-1, -1e-9]),
    ],
)
def test_an_error_names_parameter_interval_and_value(make, name, interval, values):
    for value in values + NOT_NUMBERS:
        with pytest.raises(InputError) as error:
            make(**{name: value})
        message = str(error.value)
        assert re.match(rf"{name} must be .*number in {re.escape(interval)}", message)
        assert message.endswith(f"got {value!r}")


def test_float32_thresholds_are_refused():
    # Python compares a float with an np.float32 in float32, where 0.3 and float32(0.3) are equal.
    with pytest.raises(InputError, match="instances_score_thresh"):
        Pipeline(instances_score_thresh=np.float32(0.3))


def test_parameters_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Pipeline().stuff_area_thresh = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        Greedy().overlap_threshold = 0


def test_the_rules_go_by_their_names_in_yaml():
    assert CLAIM_REGISTRY.get("greedy") is Greedy
    assert CLAIM_REGISTRY.get("per_pixel") is PerPixel
    assert "Claim rules" in CLAIM_REGISTRY.__doc__


def test_a_rule_keeps_its_docstring_and_its_parameters():
    assert [field.name for field in dataclasses.fields(Greedy)] == ["overlap_threshold"]
    assert dataclasses.fields(PerPixel) == ()


def test_an_unknown_rule_is_an_error():
    with pytest.raises(KeyError, match="gready"):
        CLAIM_REGISTRY.get("gready")


def test_a_rule_by_its_name_is_refused_at_once():
    with pytest.raises(InputError, match=r"claim must be a claim rule such as Greedy\(\), got 'greedy'"):
        Pipeline(claim="greedy")
