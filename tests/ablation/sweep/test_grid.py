import json

import pytest

from panoptic_heuristic.ablation.sweep.grid import ClaimSetting, Grid, Setting, StuffLimit
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    ORDER_REGISTRY,
    BestStuff,
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    PerPixel,
    Pipeline,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
)
from panoptic_heuristic.fusion.presets import preset_rules
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
    assert grid.to_json()["base"]["suppress"] == {"name": "nms", "iou_threshold": 0.5, "kind": "box"}


REST = """
VETO: {NAME: semantic_veto, MAJORITY: 0.75}
STUFF: {NAME: void, COUNTED: before}
LEFTOVER: {NAME: best_stuff}
BORDER: {NAME: none}
THING_AREA_LIMIT: 64
"""


def test_all_settings_have_the_grids_other_stages(tmp_path):
    grid = grid_of(tmp_path, REST)
    assert grid.base == Pipeline(
        veto=SemanticVeto(0.75), stuff=DroppedToVoid("before"), leftover=BestStuff(), thing_area_thresh=64
    )
    assert [setting.pipeline() for setting in grid.settings] == [grid.base]
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


CLAIMS = """
CLAIM: [greedy, {NAME: class_aware, FREE_FRACTION: 0.25}, {NAME: reclaim, ON_TOP: precedence, PRECEDENCE: [[5, 31]]}]
OVERLAP_THRESH: [0.3, 0.5]
"""


def test_a_preset_gives_the_rules_that_have_no_key(tmp_path):
    grid = grid_of(tmp_path, "PRESET: ocfusion\nOVERLAP_THRESH: [0.3, 0.5]\nSUPPRESS: {NAME: nms}")
    rules = Pipeline.from_mapping(preset_rules("ocfusion"))
    assert [pipeline.claim for pipeline in grid.pipelines] == [Reclaim(0.3), Reclaim(0.5)]
    assert (grid.base.order, grid.base.suppress) == (rules.order, Nms())
    with pytest.raises(InputError, match="preset must be one of detectron2, .*, got 'raps'"):
        grid_of(tmp_path, "PRESET: raps")


def test_rules_of_ones_own_come_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(ORDER_REGISTRY, "_obj_map", dict(ORDER_REGISTRY._obj_map))
    path = tmp_path / "my_rules.py"
    path.write_text(
        "from panoptic_heuristic.fusion import ORDER_REGISTRY, Order\n"
        "@ORDER_REGISTRY.register('by_place')\n"
        "def by_place(heads, candidates, *, step=1):\n"
        "    return Order.by({index: -step * index for index in candidates}, {})\n"
    )
    grid = grid_of(tmp_path, f"RULE_FILES: ['{path}']\nORDER: {{NAME: by_place, STEP: 2}}")
    assert grid.base.order.step == 2
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    with pytest.raises(InputError, match="there is no file of rules 'nowhere.py'"):
        grid_of(tmp_path, "RULE_FILES: nowhere.py")


def test_claim_rules_have_parameters_of_their_own(tmp_path):
    grid = grid_of(tmp_path, CLAIMS)
    above = Reclaim(0.5, on_top="precedence", precedence=((5, 31),))
    expected = [Greedy(0.3), Greedy(0.5), ClassAware(0.3, 0.5, 0.25), ClassAware(0.5, 0.5, 0.25)]
    assert [pipeline.claim for pipeline in grid.pipelines][:4] == expected
    assert grid.pipelines[5].claim == above
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    # The columns of a table tell them apart.
    assert len({(row["claim"], row["overlap_threshold"]) for row in (one.to_json() for one in grid.settings)}) == 6


def test_a_claim_rule_without_a_swept_overlap_has_its_own(tmp_path):
    assert grid_of(tmp_path, "CLAIM: {NAME: reclaim, ON_TOP: area}").claims[0].overlap_threshold == 0.5
    grid = Grid((ClaimSetting("class_aware", None),), (0.5,), (StuffLimit(0.0, 0.0),), Pipeline(ClassAware(0.25)))
    assert grid.settings[0].pipeline().claim == ClassAware(0.25)


def test_a_claim_rule_of_the_bases_name_keeps_its_parameters():
    base = Pipeline(ClassAware(0.9, free_fraction=0.2), instances_score_thresh=0.9)
    claims = (ClaimSetting("class_aware", 0.3), ClaimSetting("greedy", 0.3))
    grid = Grid(claims, (0.5,), (StuffLimit(7.0, 0.0),), base)
    limits = {"instances_score_thresh": 0.5, "stuff_area_thresh": 7.0}
    assert [setting.pipeline() for setting in grid.settings] == [
        Pipeline(ClassAware(0.3, free_fraction=0.2), **limits), Pipeline(Greedy(0.3), **limits)
    ]  # fmt: skip


def test_a_name_alone_has_the_rules_defaults(tmp_path):
    grid = grid_of(tmp_path, "{ORDER: {NAME: power}, SUPPRESS: {NAME: semantic_gate}}")
    assert grid.base == Pipeline(order=Power(), suppress=SemanticGate())
    defaults = ", ".join(f"{stage}: {{NAME: none}}" for stage in ("SUPPRESS", "VETO", "BORDER"))
    grid = grid_of(tmp_path, f"{{ORDER: {{NAME: score}}, STUFF: {{NAME: void}}, LEFTOVER: {{NAME: void}}, {defaults}}}")
    assert grid == grid_of(tmp_path, "CLAIM: greedy")


@pytest.mark.parametrize(
    "base",
    [
        Pipeline(order=Calibrated(cut={5: 0.5})),
        Pipeline(Greedy(0.5, {5: 0.3})),
        Pipeline(instances_score_thresh_of={5: 0.3}),
        Pipeline(stuff_area_fraction_of={9: 0.3}),
    ],
)
def test_a_grid_has_no_values_of_single_categories(base):
    with pytest.raises(InputError, match="a grid cannot have values of single categories, got suppress=none order="):
        Grid((ClaimSetting("greedy", 0.5),), (0.5,), (StuffLimit(0.0, 0.0),), base)


def test_a_rule_has_one_set_of_parameters():
    claims = ClaimSetting("class_aware", 0.5), ClaimSetting("class_aware", 0.3, (("free_fraction", 0.0),))
    with pytest.raises(InputError, match="class_aware with two sets of parameters"):
        Grid(claims, (0.5,), (StuffLimit(0.0, 0.0),))


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
        ("ORDER: {NAME: calibrated, CUT: {5: 0.5}}", ["ORDER.CUT", "values of single categories"]),
        ("CLAIM: {NAME: greedy, OVERLAP_THRESHOLD: 0.5}", ["'OVERLAP_THRESHOLD'", "give it as OVERLAP_THRESH"]),
        ("CLAIM: {NAME: greedy, OVERLAP_THRESHOLD_OF: {5: 0.5}}", ["values of single categories"]),
        ("CLAIM: {NAME: greedy, FREE_FRACTION: 0}", ["CLAIM has the key 'FREE_FRACTION'; of greedy it may have NAME"]),
        ("CLAIM: {FREE_FRACTION: 0}", ["CLAIM must be a mapping with a NAME", "class_aware"]),
        ("CLAIM: [greedy, greedy]", ["twice"]),
        ("CLAIM: [{NAME: class_aware}, {NAME: class_aware, FREE_FRACTION: 0}]", ["two sets of parameters"]),
        ("CLAIM: {NAME: class_aware, FREE_FRACTION: 2}", ["free_fraction", "[0, 1]", "2"]),
        ("CLAIM: pixel_argmax\nSUPPRESS: {NAME: semantic_gate}", ["claim=pixel_argmax", "suppress=semantic_gate"]),
        ("LEFTOVER: best_stuff", ["LEFTOVER must be a mapping with a NAME", "best_stuff", "components"]),
        ("THING_AREA_LIMIT: -1", ["thing_area_thresh", "[0, inf)", "-1"]),
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
