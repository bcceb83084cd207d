"""Presets in a config: what they set, what overrides them, and the published thresholds in their files."""

from pathlib import Path

import pytest

from panoptic_heuristic.detectron import load_config
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import PRESETS, STAGES, ClassAware, Greedy, Pipeline, Reclaim
from panoptic_heuristic.fusion.presets import preset_rules
from tests.detectron.small_models import SHAPES_CONFIG
from tests.fusion.drawings import CATEGORIES

FOLDER = Path(__file__).resolve().parents[2] / "configs" / "presets"
PRESET, CLAIM = "MODEL.PANOPTIC_FUSION.PRESET", "MODEL.PANOPTIC_FUSION.CLAIM.NAME"


def pipeline(file=SHAPES_CONFIG, *overrides):
    cfg, _ = load_config(str(file), list(overrides))
    return Pipeline.from_config(cfg, CATEGORIES)


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


class TestFiles:
    @pytest.mark.parametrize("name", PRESETS)
    def test_a_file_is_its_preset_with_thresholds(self, name):
        cfg, explicit = load_config(str(FOLDER / f"{name}.yaml"))
        assert cfg.MODEL.PANOPTIC_FUSION.PRESET == name
        assert pipeline(FOLDER / f"{name}.yaml") == Pipeline.preset(name)
        # All thresholds, so that none of the config it is put on is left.
        fusion, combine = "MODEL.PANOPTIC_FUSION.", "MODEL.PANOPTIC_FPN.COMBINE."
        others = ("THINGS.AREA_LIMIT", "STUFF_AREA_FRACTION", "ISLAND_AREA_FRACTION", "PER_CLASS")
        assert {f"{fusion}{name}" for name in others} <= explicit
        assert {key for key in explicit if key.startswith(combine)} == {
            f"{combine}{name}" for name in ("INSTANCES_CONFIDENCE_THRESH", "OVERLAP_THRESH", "STUFF_AREA_LIMIT")
        }


class TestKeys:
    def test_the_command_line_chooses_rules_and_leaves_thresholds(self):
        made = pipeline(SHAPES_CONFIG, PRESET, "rap", "MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH", "0.25")
        assert made.claim == ClassAware(0.25)
        plain = pipeline(SHAPES_CONFIG)
        assert (made.instances_score_thresh, made.stuff_area_thresh) == (
            plain.instances_score_thresh,
            plain.stuff_area_thresh,
        )

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_key_of_a_stage_overrides_the_preset_wherever_it_stands(self, order):
        pairs = [(PRESET, "ocfusion"), ("MODEL.PANOPTIC_FUSION.CLAIM.AREA_RATIO", "0.25")][::order]
        made = pipeline(SHAPES_CONFIG, *(part for pair in pairs for part in pair))
        assert made.claim == Reclaim(made.claim.overlap_threshold, area_ratio=0.25)
        assert made.order.agreement_exponent == 1

    def test_another_rule_in_place_of_the_presets_is_not_told_off_for_the_presets_keys(self):
        made = pipeline(SHAPES_CONFIG, PRESET, "maskformer", CLAIM, "greedy")
        assert type(made.claim) is Greedy

    def test_a_preset_resets_what_an_earlier_one_set(self, write):
        write("base.yaml", 'MODEL: {PANOPTIC_FUSION: {PRESET: "ocfusion", CLAIM: {AREA_RATIO: 0.25}}}')
        path = write("config.yaml", '_BASE_: base.yaml\nMODEL: {PANOPTIC_FUSION: {PRESET: "rap"}}')
        assert pipeline(path).rules == Pipeline.from_mapping(preset_rules("rap")).rules

    def test_a_saved_config_can_be_the_base_of_a_presets_file(self, write):
        cfg, _ = load_config(str(SHAPES_CONFIG), [PRESET, "ocfusion"])
        write("saved.yaml", cfg.dump())
        path = write("config.yaml", f"_BASE_: [saved.yaml, {FOLDER / 'mmdetection.yaml'}]")
        made = pipeline(path)
        assert made == pipeline(FOLDER / "mmdetection.yaml")
        assert load_config(str(path))[0].MODEL.META_ARCHITECTURE == "PanopticHeuristicFPN"

    def test_a_saved_config_keeps_what_was_overridden(self, write):
        cfg, _ = load_config(str(SHAPES_CONFIG), [PRESET, "ocfusion", "MODEL.PANOPTIC_FUSION.CLAIM.AREA_RATIO", "0.25"])
        assert pipeline(write("saved.yaml", cfg.dump())) == Pipeline.from_config(cfg, CATEGORIES)

    def test_beside_a_preset_in_one_file_a_key_wins(self, write):
        path = write("config.yaml", 'MODEL: {PANOPTIC_FUSION: {CLAIM: {NAME: "greedy"}, PRESET: "ocfusion"}}')
        made = pipeline(path)
        assert (type(made.claim), made.order.agreement_exponent) == (Greedy, 1)

    def test_an_unknown_preset(self, write):
        known = "must be one of detectron2, panopticapi, mmdetection, .* per_pixel, got 'unpsnet'"
        with pytest.raises(InputError, match=f"the command line: {PRESET} {known}"):
            pipeline(SHAPES_CONFIG, PRESET, "unpsnet")
        path = write("config.yaml", 'MODEL: {PANOPTIC_FUSION: {PRESET: "unpsnet"}}')
        with pytest.raises(InputError, match=rf"config.yaml: {PRESET} {known}, in .*config.yaml"):
            pipeline(path)

    @pytest.mark.parametrize("stage", STAGES)
    def test_a_typo_in_a_key_of_a_stage(self, write, stage):
        node = f"MODEL.PANOPTIC_FUSION.{stage.upper()}"
        with pytest.raises(InputError, match=f"there is no config key {node}.NAMEE; did you mean {node}.NAME"):
            pipeline(SHAPES_CONFIG, f"{node}.NAMEE", "x")
        path = write("config.yaml", f"MODEL: {{PANOPTIC_FUSION: {{{stage.upper()}: {{QQQQ: 1}}}}}}")
        with pytest.raises(InputError, match=f"there is no config key {node}.QQQQ$"):
            pipeline(path)


def test_rules_that_take_away_what_others_need_are_refused_by_both_keys():
    overrides = ["MODEL.PANOPTIC_FUSION.SUPPRESS.NAME", "semantic_gate", CLAIM, "pixel_argmax"]
    with pytest.raises(InputError) as error:
        pipeline(SHAPES_CONFIG, *overrides)
    assert str(error.value) == (
        f"{CLAIM}=pixel_argmax needs RoI mask probabilities, "
        "but MODEL.PANOPTIC_FUSION.SUPPRESS.NAME=semantic_gate changes the masks"
    )
