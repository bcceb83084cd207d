"""Fusion keys in files of models that do not use them."""

import json

import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline

KEY = "MODEL.PANOPTIC_FUSION."


def file_of(tmp_path, model, fusion, combine=None):
    """A config of a model with fusion keys."""
    content = {"PANOPTIC_FUSION": fusion, "PANOPTIC_FPN": {"COMBINE": combine or {}}}
    if model is not None:
        content["META_ARCHITECTURE"] = model
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"MODEL": content}))
    return path


@pytest.mark.parametrize(
    "fusion, keys",
    [
        ({"CLAIM": {"NAME": "per_pixel"}, "STUFF_AREA_FRACTION": 0.2}, f"{KEY}CLAIM.NAME, {KEY}STUFF_AREA_FRACTION"),
        ({"PRESET": "rap"}, f"{KEY}PRESET, {KEY}CLAIM.NAME"),
        ({"THINGS": {"AREA_LIMIT": 9}}, f"{KEY}THINGS.AREA_LIMIT"),
        ({"PER_CLASS": [["cat", {"OVERLAP_THRESH": 0.7}]]}, f"{KEY}PER_CLASS"),
        # A parameter of a rule that is not chosen, and keys of what the model returns.
        ({"ORDER": {"QUALITY_EXPONENT": 2}}, f"{KEY}ORDER.QUALITY_EXPONENT"),
        ({"MAP_FORMAT": "label_divisor", "OUTPUTS": ["panoptic_seg"]}, f"{KEY}MAP_FORMAT, {KEY}OUTPUTS"),
        ({"CLAIM": {"OF_MY_OWN": 1}}, f"{KEY}CLAIM.OF_MY_OWN"),
    ],
)
@pytest.mark.parametrize("model", ["PanopticFPN", "GeneralizedRCNN"])
def test_they_are_refused_by_name(tmp_path, model, fusion, keys):
    path = file_of(tmp_path, model, fusion)
    with pytest.raises(InputError) as caught:
        Pipeline.from_file(path)
    assert str(caught.value).startswith(f"{path}: MODEL.META_ARCHITECTURE {model} does not use {keys}")
    assert str(caught.value).endswith("; set it to PanopticHeuristicFPN, or leave the keys out")


def test_detectron2s_thresholds_and_keys_at_their_defaults_may_stay(tmp_path):
    fusion = {
        "PRESET": "detectron2", "CLAIM": {"NAME": "greedy"}, "STUFF_AREA_FRACTION": 0, "PER_CLASS": [],
        "OUTPUTS": ["sem_seg", "instances", "panoptic_seg"], "RULE_FILES": [],
    }  # fmt: skip
    path = file_of(tmp_path, "PanopticFPN", fusion, {"OVERLAP_THRESH": 0.3, "STUFF_AREA_LIMIT": 7})
    assert Pipeline.from_file(path) == Pipeline(Greedy(0.3), stuff_area_thresh=7)


@pytest.mark.parametrize("model", ["PanopticHeuristicFPN", "OneOfMyOwn", None])
def test_ours_and_those_that_may_be_derived_from_it_use_them(tmp_path, model):
    assert Pipeline.from_file(file_of(tmp_path, model, {"CLAIM": {"NAME": "per_pixel"}})).claim == PerPixel()


def test_the_topmost_file_of_a_chain_says_which_model_it_is(tmp_path):
    file_of(tmp_path, "PanopticFPN", {"CLAIM": {"NAME": "per_pixel"}})
    top = tmp_path / "top.yaml"
    top.write_text("_BASE_: config.yaml\nMODEL: {META_ARCHITECTURE: PanopticHeuristicFPN}\n")
    assert Pipeline.from_file(top).claim == PerPixel()
