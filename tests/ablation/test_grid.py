import json

import pytest

from panoptic_heuristic.ablation.grid import ClaimSetting, Grid, Setting, StuffLimit
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    ByScore,
    Calibrated,
    Greedy,
    Nms,
    NoSuppression,
    PerPixel,
    Pipeline,
    Power,
    SemanticGate,
)
from tests.conftest import ROOT


def grid_of(tmp_path, text):
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    return Grid.from_yaml(path)


def test_keys_left_out_have_detectron2s_defaults(tmp_path):
    grid = grid_of(tmp_path, "OVERLAP_THRESH: [0.3, 0.5]")
    assert [setting.pipeline() for setting in grid.settings] == [Pipeline(Greedy(0.3)), Pipeline()]


def test_the_last_axis_is_the_fastest(tmp_path):
    grid = grid_of(tmp_path, "{INSTANCES_CONFIDENCE_THRESH: [0.1, 0.2], OVERLAP_THRESH: 0.5, STUFF_AREA_LIMIT: [0, 9]}")
    found = [(setting.instances_score_thresh, setting.stuff_limit.pixels) for setting in grid.settings]
    assert found == [(0.1, 0), (0.1, 9), (0.2, 0), (0.2, 9)]
    assert (len(grid), grid.shape) == (4, (1, 2, 2))


def test_a_range_has_both_ends_and_round_values(tmp_path):
    grid = grid_of(tmp_path, "OVERLAP_THRESH: {from: 0.1, to: 0.7, steps: 7}")
    # Without rounding the third is 0.30000000000000004.
    assert [claim.overlap_threshold for claim in grid.claims] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_a_rule_without_an_overlap_threshold_is_there_once(tmp_path):
    grid = grid_of(tmp_path, "{CLAIM: [per_pixel, greedy], OVERLAP_THRESH: [0.1, 0.2]}")
    assert [claim.rule() for claim in grid.claims] == [PerPixel(), Greedy(0.1), Greedy(0.2)]


def test_fractions_come_after_pixels_and_alone_replace_the_default(tmp_path):
    both = grid_of(tmp_path, "{STUFF_AREA_LIMIT: 7, STUFF_AREA_FRACTION: [0.5]}")
    assert both.stuff_limits == (StuffLimit(7.0, 0.0), StuffLimit(0.0, 0.5))
    assert grid_of(tmp_path, "STUFF_AREA_FRACTION: 0.5").stuff_limits == (StuffLimit(0.0, 0.5),)
    assert both.settings[1].pipeline() == Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.5)


def test_json_gives_the_grid_back(tmp_path):
    grid = grid_of(tmp_path, "{CLAIM: [greedy, per_pixel], STUFF_AREA_LIMIT: 7, STUFF_AREA_FRACTION: [0.5]}")
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


STAGES = """
ORDER: {NAME: power, QUALITY_EXPONENT: 2, KEY_CUTOFF: 0.25}
SUPPRESS: {NAME: nms, KIND: box}
OVERLAP_THRESH: [0.3, 0.5]
"""


def test_all_settings_have_the_grids_order_and_what_it_suppresses(tmp_path):
    grid = grid_of(tmp_path, STAGES)
    order, suppress = Power(1, 2, key_cutoff=0.25), Nms(kind="box")
    assert len(grid) == 2
    assert [setting.pipeline() for setting in grid.settings] == [
        Pipeline(Greedy(0.3), order=order, suppress=suppress), Pipeline(order=order, suppress=suppress)
    ]  # fmt: skip
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    assert grid.to_json()["suppress"] == {"name": "nms", "iou_threshold": 0.5, "kind": "box"}


def test_a_name_alone_has_the_rules_defaults(tmp_path):
    grid = grid_of(tmp_path, "{ORDER: {NAME: power}, SUPPRESS: {NAME: semantic_gate}}")
    assert (grid.order, grid.suppress) == (Power(), SemanticGate())
    grid = grid_of(tmp_path, "{ORDER: {NAME: score}, SUPPRESS: {NAME: none}}")
    assert (grid.order, grid.suppress) == (ByScore(), NoSuppression())
    assert grid == grid_of(tmp_path, "CLAIM: greedy")


def test_a_grid_has_no_values_of_single_categories():
    with pytest.raises(InputError, match="a rule of a grid cannot have values of single categories, got Calibrated"):
        Grid((ClaimSetting("greedy", 0.5),), (0.5,), (StuffLimit(0.0, 0.0),), order=Calibrated())


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "sweeps").glob("*.yaml")), ids=lambda path: path.name)
def test_the_grids_of_the_project_can_be_read(path):
    assert len(Grid.from_yaml(path)) >= 500


def test_the_coco_grid_has_a_thousand_settings_and_detectron2s_default():
    grid = Grid.from_yaml(ROOT / "configs" / "sweeps" / "coco.yaml")
    assert len(grid) == 1000
    assert Setting(ClaimSetting("greedy", 0.5), 0.5, StuffLimit(4096.0, 0.0)) in grid.settings


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["empty", "OVERLAP_THRESH"]),
        ("OVERLAP_THRESH: []", ["empty", "claims"]),
        ("STUFF_AREA_LIMIT: []", ["empty", "stuff_limits"]),
        ("OVERLAP_THRESHOLD: [1]", ["'OVERLAP_THRESHOLD'", "OVERLAP_THRESH"]),
        ("OVERLAP_THRESH: [1.5]", ["overlap_threshold", "[0, 1]", "1.5"]),
        ("STUFF_AREA_LIMIT: [0, -1]", ["stuff_area_thresh", "-1"]),
        ("STUFF_AREA_FRACTION: [0, 2]", ["stuff_area_fraction", "2"]),
        ("INSTANCES_CONFIDENCE_THRESH: [.nan]", ["instances_score_thresh", "nan"]),
        ("INSTANCES_CONFIDENCE_THRESH: [0.5, .inf]", ["instances_score_thresh", "inf"]),
        ("OVERLAP_THRESH: [0.5, 0.5]", ["twice"]),
        ("OVERLAP_THRESH: [true]", ["OVERLAP_THRESH", "True"]),
        ("OVERLAP_THRESH: a", ["OVERLAP_THRESH", "'a'"]),
        ("OVERLAP_THRESH: {from: 0, to: 1}", ["from, to and steps"]),
        ("OVERLAP_THRESH: {from: 0, to: 1, steps: 1}", ["steps", "at least 2"]),
        ("OVERLAP_THRESH: {from: 0, to: 1, steps: 2.5}", ["steps", "2.5"]),
        ("CLAIM: best", ["CLAIM", "greedy", "'best'"]),
        ("ORDER: power", ["ORDER must be a mapping with a NAME", "calibrated, power, score", "'power'"]),
        ("ORDER: {QUALITY_EXPONENT: 1}", ["ORDER must be a mapping with a NAME"]),
        ("SUPPRESS: {NAME: [nms]}", ["SUPPRESS must be a mapping with a NAME", "nms, none, semantic_gate"]),
        ("ORDER: {NAME: power, KEEP: 1}", ["ORDER has the key 'KEEP'", "NAME, SCORE_EXPONENT", "KEY_CUTOFF"]),
        ("SUPPRESS: {NAME: none, KEEP: 1}", ["SUPPRESS has the key 'KEEP'; of none it may have NAME"]),
        ("ORDER: {NAME: power, SCORE_EXPONENT: -1}", ["score_exponent", "[0, inf)", "-1"]),
        ("SUPPRESS: {NAME: nms, KIND: masks}", ["kind", "mask, box", "'masks'"]),
        ("ORDER: {NAME: calibrated}", ["values of single categories"]),
        ("- 1", ["expected the keys", "[1]"]),
        ("a: [", ["valid YAML"]),
        ("{OVERLAP_THRESH: {from: 0, to: 1, steps: 2000}, INSTANCES_CONFIDENCE_THRESH: {from: 0, to: 1, steps: 2000}}",
         ["4000000 settings"]),
    ],
)  # fmt: skip
def test_a_wrong_grid_is_told_in_one_sentence(tmp_path, text, words):
    with pytest.raises(InputError) as caught:
        grid_of(tmp_path, text)
    for word in [*words, "grid.yaml"]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.yaml"):
        Grid.from_yaml(tmp_path / "none.yaml")
