import dataclasses
import json

import pytest

from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    ORDER_REGISTRY,
    BestStuff,
    ByScore,
    Calibrated,
    ClassAware,
    DroppedToVoid,
    Greedy,
    Nms,
    NoSuppression,
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
    return Grid.from_file(path)


def test_keys_left_out_have_detectron2s_defaults(tmp_path):
    grid = grid_of(tmp_path, "OVERLAP_THRESH: [0.3, 0.5]")
    assert list(grid.settings) == [Pipeline(Greedy(0.3)), Pipeline()]


def test_the_last_axis_is_the_fastest(tmp_path):
    grid = grid_of(tmp_path, "{INSTANCES_CONFIDENCE_THRESH: [0.1, 0.2], OVERLAP_THRESH: 0.5, STUFF_AREA_LIMIT: [0, 9]}")
    found = [(setting.instances_score_thresh, setting.stuff_area_thresh) for setting in grid.settings]
    assert found == [(0.1, 0), (0.1, 9), (0.2, 0), (0.2, 9)]
    assert len(grid) == 4 and grid.base == Pipeline(Greedy(0.5))


def test_a_range_has_both_ends_and_round_values(tmp_path):
    grid = grid_of(tmp_path, "OVERLAP_THRESH: {from: 0.1, to: 0.7, steps: 7}")
    # Without rounding the third is 0.30000000000000004.
    assert [setting.claim.overlap_threshold for setting in grid.settings] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_a_rule_without_an_overlap_threshold_is_there_once(tmp_path):
    grid = grid_of(tmp_path, "{CLAIM: [per_pixel, greedy], OVERLAP_THRESH: [0.1, 0.2]}")
    assert [setting.claim for setting in grid.settings] == [PerPixel(), Greedy(0.1), Greedy(0.2)]


def test_fractions_come_after_pixels_and_alone_replace_the_default(tmp_path):
    both = grid_of(tmp_path, "{STUFF_AREA_LIMIT: 7, STUFF_AREA_FRACTION: [0.5]}")
    assert both.axes == (Axis.of_stuff_limits(pixels=[7], fractions=[0.5]),)
    assert both.settings == (Pipeline(stuff_area_thresh=7), Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.5))
    alone = grid_of(tmp_path, "STUFF_AREA_FRACTION: 0.5")
    assert alone.settings == (Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.5),)


def test_islands_are_an_axis_slower_than_all_others(tmp_path):
    grid = grid_of(tmp_path, "{STUFF_AREA_LIMIT: [0, 9], ISLAND_AREA_FRACTION: [0, 0.001, 0.004]}")
    found = [(setting.island_area_fraction, setting.stuff_area_thresh) for setting in grid.settings]
    assert found == [(0, 0), (0, 9), (0.001, 0), (0.001, 9), (0.004, 0), (0.004, 9)]
    assert grid.columns["island_area_fraction"] == "island_area_fraction"
    assert Grid.from_json(grid.to_json()) == grid


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
    assert list(grid.settings) == [
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
    assert list(grid.settings) == [grid.base]
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


CLAIMS = """
CLAIM: [greedy, {NAME: class_aware, FREE_FRACTION: 0.25}, {NAME: reclaim, ON_TOP: precedence, PRECEDENCE: [[5, 31]]}]
OVERLAP_THRESH: [0.3, 0.5]
"""


def test_a_preset_gives_the_rules_that_have_no_key(tmp_path):
    grid = grid_of(tmp_path, "PRESET: ocfusion\nOVERLAP_THRESH: [0.3, 0.5]\nSUPPRESS: {NAME: nms}")
    rules = Pipeline.from_mapping(preset_rules("ocfusion"))
    assert [setting.claim for setting in grid.settings] == [Reclaim(0.3), Reclaim(0.5)]
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
    assert [setting.claim for setting in grid.settings][:4] == expected
    assert grid.settings[5].claim == above
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    # The columns of a table tell them apart.
    assert len({(row["claim"], row["overlap_threshold"]) for row in map(grid.row, range(6))}) == 6


def test_a_claim_rule_without_a_swept_overlap_has_its_own(tmp_path):
    assert grid_of(tmp_path, "CLAIM: {NAME: reclaim, ON_TOP: area}").settings[0].claim.overlap_threshold == 0.5
    grid = Grid(Pipeline(ClassAware(0.25)), (Axis.of_stuff_limits(pixels=[0]),))
    assert grid.settings == (Pipeline(ClassAware(0.25), stuff_area_thresh=0),)


def test_a_rule_of_the_bases_name_keeps_its_parameters(tmp_path):
    own = Pipeline.from_mapping(preset_rules("pku360")).claim
    assert own.on_top != Reclaim().on_top
    grid = grid_of(tmp_path, "{PRESET: pku360, CLAIM: [reclaim, greedy], OVERLAP_THRESH: 0.3}")
    claims = [setting.claim for setting in grid.settings]
    assert claims == [dataclasses.replace(own, overlap_threshold=0.3), Greedy(0.3)]


def test_a_name_alone_has_the_rules_defaults(tmp_path):
    grid = grid_of(tmp_path, "{ORDER: {NAME: power}, SUPPRESS: {NAME: semantic_gate}}")
    assert grid.base == Pipeline(order=Power(), suppress=SemanticGate())
    defaults = ", ".join(f"{stage}: {{NAME: none}}" for stage in ("SUPPRESS", "VETO", "BORDER"))
    grid = grid_of(tmp_path, f"{{ORDER: {{NAME: score}}, STUFF: {{NAME: void}}, LEFTOVER: {{NAME: void}}, {defaults}}}")
    assert grid == grid_of(tmp_path, "CLAIM: greedy")


ANY = """
ORDER: [score, {NAME: power, QUALITY_EXPONENT: [0.5, 1]}]
SUPPRESS.NAME: [none, nms]
SUPPRESS.IOU_THRESHOLD: [0.3, 0.5]
THING_AREA_LIMIT: [0, 64]
OVERLAP_THRESH: 0.4
"""


def test_any_parameter_may_have_several_values(tmp_path):
    """A parameter that a rule lacks is left out, and a setting that is there already does not come again."""
    grid = grid_of(tmp_path, ANY)
    assert grid.base == Pipeline(Greedy(0.4))
    assert list(grid.settings) == [
        Pipeline(Greedy(0.4), thing_area_thresh=area, suppress=suppress, order=order)
        for area in (0, 64)
        for suppress in (NoSuppression(), Nms(0.3), Nms(0.5))
        for order in (ByScore(), Power(1, 0.5), Power(1, 1))
    ]
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid


def test_a_table_has_a_column_for_whatever_differs(tmp_path):
    always = ["claim", "overlap_threshold", "instances_score_thresh", "stuff_area_thresh", "stuff_area_fraction"]
    assert list(grid_of(tmp_path, "OVERLAP_THRESH: [0.3, 0.4]").columns) == always
    grid = grid_of(tmp_path, ANY)
    # The rules of one stage are told apart by their names, and parameters where a rule has two values of it.
    more = ["suppress", "suppress.iou_threshold", "order", "order.quality_exponent", "thing_area_thresh"]
    assert list(grid.columns) == always + more
    assert [grid.row(0)[name] for name in more] == ["none", None, "score", None, 0]
    assert [grid.row(len(grid) - 1)[name] for name in more] == ["nms", 0.5, "power", 1, 64]
    rows = {tuple(grid.row(number).items()) for number in range(len(grid))}
    assert len(rows) == len(grid)


def test_a_list_of_names_shares_the_parameters_that_each_has(tmp_path):
    grid = grid_of(tmp_path, "CLAIM: {NAME: [greedy, class_aware], FREE_FRACTION: [0, 0.2]}")
    assert [setting.claim for setting in grid.settings] == [
        Greedy(), ClassAware(free_fraction=0.0), ClassAware(free_fraction=0.2)
    ]  # fmt: skip


def test_a_parameter_that_is_a_list_has_one_value(tmp_path):
    grid = grid_of(tmp_path, "ORDER: {NAME: calibrated, DEFAULT_WEIGHTS: [0, 2, 0, 0, 0], DEFAULT_CUT: [0.1, 0.2]}")
    assert [setting.order for setting in grid.settings] == [
        Calibrated(default_weights=(0, 2, 0, 0, 0), default_cut=cut) for cut in (0.1, 0.2)
    ]


def test_values_of_single_categories(tmp_path):
    """They are kept, or may differ themselves."""
    base = Pipeline(Greedy(0.5, {5: 0.3}), instances_score_thresh_of={5: 0.3}, order=Calibrated(cut={5: 0.5}))
    grid = Grid(base, (Axis.of("claim.overlap_threshold", [0.4]), Axis.of("instances_score_thresh_of", [{}, {5: 0.2}])))
    assert [setting.claim for setting in grid.settings] == [Greedy(0.4, {5: 0.3})] * 2
    assert [dict(setting.instances_score_thresh_of) for setting in grid.settings] == [{}, {5: 0.2}]
    assert [grid.row(number)["instances_score_thresh_of"] for number in (0, 1)] == [[], [[5, 0.2]]]
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    assert grid_of(tmp_path, "ORDER: {NAME: calibrated, CUT: {5: 0.5}}").settings == (
        Pipeline(order=Calibrated(cut={5: 0.5})),
    )


def test_rules_are_replaced_before_parameters_whatever_the_order_of_the_axes():
    axes = Axis.of("claim.overlap_threshold", [0.2, 0.3]), Axis.of("claim", [Greedy(), PerPixel()])
    assert [setting.claim for setting in Grid(Pipeline(), axes).settings] == [Greedy(0.2), PerPixel(), Greedy(0.3)]


def test_a_parameter_that_no_rule_has_is_told():
    with pytest.raises(InputError, match="no rule of the grid has the parameter claim.free_fraction"):
        Grid(Pipeline(), (Axis.of("claim.free_fraction", [0.2]),))


def test_claim_rules_of_one_name_may_differ_in_any_parameter(tmp_path):
    grid = grid_of(tmp_path, "CLAIM: [{NAME: class_aware}, {NAME: class_aware, FREE_FRACTION: 0}]")
    assert [setting.claim for setting in grid.settings] == [ClassAware(), ClassAware(free_fraction=0)]
    assert "claim.free_fraction" in grid.columns


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "sweeps").glob("*.yaml")), ids=lambda path: path.name)
def test_the_grids_of_the_project_can_be_read(path):
    assert len(Grid.from_file(path)) >= 500


def test_the_coco_grid_has_a_thousand_settings_and_detectron2s_default():
    grid = Grid.from_file(ROOT / "configs" / "sweeps" / "coco.yaml")
    assert len(grid) == 1000
    assert Pipeline() in grid.settings


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["empty", "OVERLAP_THRESH"]),
        ("OVERLAP_THRESH: []", ["empty", "OVERLAP_THRESH"]),
        ("STUFF_AREA_LIMIT: []", ["empty", "STUFF_AREA_LIMIT"]),
        ("OVERLAP_THRESHOLD: [1]", ["'OVERLAP_THRESHOLD'", "OVERLAP_THRESH"]),
        ("OVERLAP_THRESH: [1.5]", ["overlap_threshold", "[0, 1]", "1.5"]),
        ("STUFF_AREA_LIMIT: [0, -1]", ["stuff_area_thresh", "-1"]),
        ("STUFF_AREA_FRACTION: [0, 2]", ["stuff_area_fraction", "2"]),
        ("ISLAND_AREA_FRACTION: [0, 2]", ["island_area_fraction", "2"]),
        ("INSTANCES_CONFIDENCE_THRESH: [.nan]", ["instances_score_thresh", "nan"]),
        ("INSTANCES_CONFIDENCE_THRESH: [0.5, .inf]", ["instances_score_thresh", "inf"]),
        ("OVERLAP_THRESH: [0.5, 0.5]", ["twice"]),
        ("OVERLAP_THRESH: [true]", ["OVERLAP_THRESH", "True"]),
        ("OVERLAP_THRESH: a", ["OVERLAP_THRESH", "'a'"]),
        ("OVERLAP_THRESH: {from: 0, to: 1}", ["from, to and steps"]),
        ("OVERLAP_THRESH: {from: 0, to: 1, steps: 1}", ["steps", "at least 2"]),
        ("OVERLAP_THRESH: {from: 0, to: 1, steps: 2.5}", ["steps", "2.5"]),
        ("CLAIM: best", ["CLAIM", "greedy", "'best'"]),
        ("ORDER: powers", ["ORDER must be of calibrated, power, score, or mappings with a NAME", "'powers'"]),
        ("ORDER: {QUALITY_EXPONENT: 1}", ["ORDER must be of", "or mappings with a NAME"]),
        ("ORDER: []", ["empty", "ORDER"]),
        ("ORDER.NAME: [power, best]", ["ORDER.NAME must be of calibrated, power, score", "'best'"]),
        ("ORDER: {NAME: power, KEY_CUTOFF: []}", ["empty", "ORDER.KEY_CUTOFF"]),
        ("{ORDER: power, ORDER.NAME: power}", ["ORDER and ORDER.NAME; give one of them"]),
        ("ORDER.KEEP: 1", ["ORDER.KEEP: no order rule of the grid has the parameter KEEP"]),
        ("ORDERS.KEEP: 1", ["'ORDERS.KEEP'", "ORDER.QUALITY_EXPONENT"]),
        ("SUPPRESS.IOU_THRESHOLD: [0.3, 0.5]", ["SUPPRESS.IOU_THRESHOLD: no suppress rule of the grid has"]),
        ("SUPPRESS: {NAME: [1]}", ["SUPPRESS must be of nms, none, semantic_gate, or mappings with a NAME"]),
        ("{SUPPRESS: nms, SUPPRESS.IOU_THRESHOLD: {from: 0}}", ["SUPPRESS.IOU_THRESHOLD: a range", "from, to and"]),
        ("{SUPPRESS: nms, SUPPRESS.IOU_THRESHOLD: [0.5, 2]}", ["iou_threshold", "[0, 1]", "2"]),
        ("ORDER: {NAME: power, KEEP: 1}", ["ORDER has the key 'KEEP'", "NAME, SCORE_EXPONENT", "KEY_CUTOFF"]),
        ("SUPPRESS: {NAME: none, KEEP: 1}", ["SUPPRESS has the key 'KEEP'; of none it may have NAME"]),
        ("ORDER: {NAME: power, SCORE_EXPONENT: -1}", ["score_exponent", "[0, inf)", "-1"]),
        ("SUPPRESS: {NAME: nms, KIND: masks}", ["kind", "mask, box", "'masks'"]),
        ("ORDER: {NAME: calibrated, CUT: {5: 2}}", ["cut[5]", "[0, 1]", "2"]),
        ("CLAIM: {NAME: greedy, OVERLAP_THRESHOLD: 0.5}", ["'OVERLAP_THRESHOLD'", "give it as OVERLAP_THRESH"]),
        ("CLAIM.OVERLAP_THRESHOLD: 0.5", ["'OVERLAP_THRESHOLD'", "give it as OVERLAP_THRESH"]),
        ("CLAIM: {NAME: greedy, FREE_FRACTION: 0}", ["CLAIM has the key 'FREE_FRACTION'; of greedy it may have NAME"]),
        ("CLAIM: {FREE_FRACTION: 0}", ["CLAIM must be of", "class_aware", "or mappings with a NAME"]),
        ("CLAIM: [greedy, greedy]", ["twice"]),
        ("CLAIM: {NAME: class_aware, FREE_FRACTION: 2}", ["free_fraction", "[0, 1]", "2"]),
        ("CLAIM: pixel_argmax\nSUPPRESS: {NAME: semantic_gate}", ["claim=pixel_argmax", "suppress=semantic_gate"]),
        ("LEFTOVER: best_stuffs", ["LEFTOVER must be of best_stuff, components, void, or mappings with a NAME"]),
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
        Grid.from_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("base", "axes", "told"),
    [
        ("rap", (), "base must be a Pipeline, such as .*; got str"),
        (Pipeline(), Axis.of("instances_score_thresh", [0.5]), "axes must be a Sequence, such as .*; got Axis"),
        (Pipeline(), ({"instances_score_thresh": 0.5},), "one of the axes must be an Axis, such as .*; got dict"),
    ],
)
def test_what_is_no_pipeline_with_axes_is_refused(base, axes, told):
    with pytest.raises(InputError, match=f"^{told}$"):
        Grid(base, axes)
