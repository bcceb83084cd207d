"""Config keys, their types, and what a wrong one is told."""

import json
import pickle
from pathlib import Path

import pytest
import yaml
from detectron2.config import CfgNode, get_cfg

from panoptic_heuristic.detectron import add_panoptic_heuristic_config, load_config
from panoptic_heuristic.detectron.config import reference_schedule
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import STAGES
from panoptic_heuristic.fusion.config_keys import stage_parameters
from tests.detectron.small_models import SHAPES_CONFIG

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# Those in sweeps are grids for sweep-fusion.
PROJECT_CONFIGS = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name not in ("sweeps", "presets"))
COMBINE = "MODEL.PANOPTIC_FPN.COMBINE."
# key, Detectron2's type
THRESHOLDS = {
    f"{COMBINE}OVERLAP_THRESH": float,
    f"{COMBINE}STUFF_AREA_LIMIT": int,
    f"{COMBINE}INSTANCES_CONFIDENCE_THRESH": float,
}


@pytest.fixture
def cfg():
    node = get_cfg()
    add_panoptic_heuristic_config(node)
    return node


@pytest.fixture
def write(tmp_path):
    """Writes a YAML file and gives its name."""

    def to_file(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return to_file


def value_of(cfg, key):
    for name in key.split("."):
        cfg = cfg[name]
    return cfg


def nested(key, value):
    for name in reversed(key.split(".")):
        value = {name: value}
    return CfgNode(value).dump()


def leaves(node, prefix=""):
    for name, value in node.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_the_keys_that_are_added_and_their_defaults(cfg):
    before = dict(leaves(get_cfg()))
    added = {key: value for key, value in leaves(cfg) if key not in before}
    stages = {key: added.pop(key) for key in list(added) if key.split(".")[2:3] and key.split(".")[2].lower() in STAGES}
    assert added == {
        "MODEL.PANOPTIC_FUSION.PRESET": "detectron2",
        "MODEL.PANOPTIC_FUSION.RULE_FILES": [],
        "MODEL.PANOPTIC_FUSION.MAP_FORMAT": "segments",
        "MODEL.PANOPTIC_FUSION.OUTPUTS": ["sem_seg", "instances", "panoptic_seg"],
        "MODEL.PANOPTIC_FUSION.THINGS.AREA_LIMIT": 0,
        "MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION": 0.0,
        "MODEL.PANOPTIC_FUSION.ISLAND_AREA_FRACTION": 0.0,
        "MODEL.PANOPTIC_FUSION.PER_CLASS": [],
        "DATASETS.PANOPTIC_YAML": "",
        "DATASETS.THING_CLASSES": [],
        "DATASETS.STUFF_CLASSES": [],
        "TEST.KEEP_PANOPTIC_PREDICTIONS": False,
        "TEST.PANOPTIC_EVALUATOR": "quality",
    }
    names = {key.split(".")[2]: value for key, value in stages.items() if key.endswith(".NAME")}
    assert names == {
        "SUPPRESS": "none",
        "ORDER": "score",
        "CLAIM": "greedy",
        "VETO": "none",
        "STUFF": "void",
        "LEFTOVER": "void",
        "BORDER": "none",
    }
    some = {
        "CLAIM.FREE_FRACTION": 0.1,
        "CLAIM.ON_TOP": "area",
        "CLAIM.PRECEDENCE": [],
        "SUPPRESS.IOU_THRESHOLD": 0.5,
        "ORDER.WEIGHTS": [],
        "ORDER.DEFAULT_WEIGHTS": [0.0, 1.0, 0.0, 0.0, 0.0],
        "ORDER.SCORE_EXPONENT": 1.0,
    }
    assert {key: stages[f"MODEL.PANOPTIC_FUSION.{key}"] for key in some} == some


@pytest.mark.parametrize("stage", STAGES)
def test_every_parameter_of_a_rule_has_a_key_with_its_default(cfg, stage):
    # Rules that share a parameter must agree about its default: there is one key.
    node = cfg.MODEL.PANOPTIC_FUSION[stage.upper()]
    for _, rule in STAGES[stage]:
        for parameter, default in stage_parameters(rule).items():
            assert node[parameter.upper()] == default


def test_no_key_of_detectron2_is_changed(cfg):
    after = dict(leaves(cfg))
    assert {key: after[key] for key, _ in leaves(get_cfg())} == dict(leaves(get_cfg()))


class TestThresholds:
    @pytest.mark.parametrize("key", THRESHOLDS)
    @pytest.mark.parametrize("value", [1, 0, 0.01, 4096.0, 4096])
    def test_any_number_is_taken_from_a_file_and_from_the_command_line(self, cfg, write, key, value):
        from_list, from_file = cfg.clone(), cfg.clone()
        from_list.merge_from_list([key, str(value)])
        from_file.merge_from_file(write(nested(key, value)))
        assert value_of(from_list, key) == value_of(from_file, key) == value

    @pytest.mark.parametrize("key", THRESHOLDS)
    def test_numbers_in_place_of_words_are_taken_too(self, cfg, key):
        cfg.merge_from_list([key, 1])
        assert value_of(cfg, key) == 1

    @pytest.mark.parametrize("key, kept", THRESHOLDS.items())
    def test_whole_numbers_keep_detectron2s_type(self, cfg, key, kept):
        # So a config saved here can be merged there.
        for value in ("1", "1.0"):
            cfg.merge_from_list([key, value])
            assert type(value_of(cfg, key)) is kept
        plain = get_cfg()
        plain.merge_from_list([key, value_of(cfg, key)])
        assert value_of(plain, key) == 1

    def test_an_area_limit_that_is_no_whole_number_is_kept_as_it_is(self, cfg):
        cfg.merge_from_list([f"{COMBINE}STUFF_AREA_LIMIT", "30.5"])
        assert cfg.MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT == 30.5
        cfg.merge_from_list([f"{COMBINE}STUFF_AREA_LIMIT", "30"])
        assert cfg.MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT == 30

    def test_plain_detectron2_refuses_them(self):
        # Else the class of the root would be there for nothing.
        with pytest.raises(ValueError, match="Type mismatch"):
            get_cfg().merge_from_list([f"{COMBINE}OVERLAP_THRESH", "1"])

    @pytest.mark.parametrize("key", THRESHOLDS)
    @pytest.mark.parametrize("value", ["True", "'0.5 '", "half", "[0.5]", "None"])
    def test_what_is_no_number_is_refused(self, cfg, write, key, value):
        before = value_of(cfg, key)
        with pytest.raises(InputError, match=f"{key} must be a number, got "):
            cfg.merge_from_list([key, value])
        with pytest.raises(InputError, match=f"{key} must be a number, got "):
            cfg.merge_from_file(write(nested(key, {"True": True, "None": None}.get(value, value))))
        assert value_of(cfg, key) == before

    def test_along_a_chain_of_base_files_the_last_one_counts(self, write):
        one, two, three = THRESHOLDS
        write(
            f"MODEL: {{PANOPTIC_FPN: {{COMBINE: {{{one[len(COMBINE) :]}: 1, {two[len(COMBINE) :]}: 9.0}}}}}}", "a.yaml"
        )
        write(f"_BASE_: a.yaml\n{nested(two, 0.5)}", "b.yaml")
        cfg, explicit = load_config(write(f"_BASE_: b.yaml\n{nested(three, 0)}"))
        assert [value_of(cfg, key) for key in THRESHOLDS] == [1, 0.5, 0]
        assert explicit == set(THRESHOLDS)

    def test_the_file_that_is_merged_is_not_changed(self, cfg):
        other = get_cfg()
        other.MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH = 0.25
        cfg.merge_from_other_cfg(other)
        assert cfg.MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH == 0.25
        assert "OVERLAP_THRESH" in other.MODEL.PANOPTIC_FPN.COMBINE


@pytest.mark.parametrize("key, value", [("SOLVER.MAX_ITER", "1.5"), ("MODEL.MASK_ON", "1"), ("SOLVER.BASE_LR", "fast")])
def test_other_keys_keep_the_check_of_their_type(cfg, write, key, value):
    with pytest.raises(ValueError, match="Type mismatch"):
        cfg.merge_from_list([key, value])
    with pytest.raises(InputError, match=f"config.yaml: Type mismatch.*{key}"):
        load_config(write(nested(key, CfgNode._decode_cfg_value(value))))


class TestOurNumbers:
    KEYS = (
        "MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION",
        "MODEL.PANOPTIC_FUSION.ISLAND_AREA_FRACTION",
        "MODEL.PANOPTIC_FUSION.ORDER.DEFAULT_CUT",
        "MODEL.PANOPTIC_FUSION.ORDER.SCORE_EXPONENT",
        "MODEL.PANOPTIC_FUSION.ORDER.QUALITY_EXPONENT",
        "MODEL.PANOPTIC_FUSION.ORDER.AGREEMENT_EXPONENT",
        "MODEL.PANOPTIC_FUSION.ORDER.KEY_CUTOFF",
        "MODEL.PANOPTIC_FUSION.SUPPRESS.IOU_THRESHOLD",
        "MODEL.PANOPTIC_FUSION.SUPPRESS.KEEP",
    )

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("value", [0, 1, 0.01])
    def test_any_number_is_taken_as_a_float(self, cfg, write, key, value):
        from_list, from_file = cfg.clone(), cfg.clone()
        from_list.merge_from_list([key, str(value)])
        from_file.merge_from_file(write(nested(key, value)))
        assert value_of(from_list, key) == value_of(from_file, key) == value
        assert type(value_of(from_list, key)) is type(value_of(from_file, key)) is float

    @pytest.mark.parametrize("key", KEYS)
    @pytest.mark.parametrize("value", ["True", "half", "[0.5]"])
    def test_what_is_no_number_is_refused(self, cfg, key, value):
        with pytest.raises(InputError, match=f"{key} must be a number, got "):
            cfg.merge_from_list([key, value])


class TestValuesOfCategories:
    PER_CLASS = [["potted plant", {"OVERLAP_THRESH": 0.7, "INSTANCES_CONFIDENCE_THRESH": 1}], ["sky: 2", {}]]
    KEY = "MODEL.PANOPTIC_FUSION.PER_CLASS"
    TEXTS = (
        '[["potted plant", {"OVERLAP_THRESH": 0.7, "INSTANCES_CONFIDENCE_THRESH": 1}], ["sky: 2", {}]]',
        "[['potted plant', {'OVERLAP_THRESH': 0.7, 'INSTANCES_CONFIDENCE_THRESH': 1}], ['sky: 2', {}]]",
    )

    @pytest.mark.parametrize("text", TEXTS)
    def test_they_are_taken_from_a_file_and_from_the_command_line(self, write, text):
        from_list, _ = load_config(str(SHAPES_CONFIG), [self.KEY, text])
        from_file, explicit = load_config(write(f"MODEL: {{PANOPTIC_FUSION: {{PER_CLASS: {text}}}}}"))
        assert from_list.MODEL.PANOPTIC_FUSION.PER_CLASS == from_file.MODEL.PANOPTIC_FUSION.PER_CLASS == self.PER_CLASS
        assert explicit == {self.KEY}

    def test_a_yaml_block_will_do(self, write):
        text = """
        MODEL:
          PANOPTIC_FUSION:
            PER_CLASS:
              - [potted plant, {OVERLAP_THRESH: 0.7, INSTANCES_CONFIDENCE_THRESH: 1}]
              - ["sky: 2", {}]
            ORDER: {WEIGHTS: [[potted plant, [0, 1, 2, 3, 4]]], CUT: [[potted plant, 0.5]]}
        """
        cfg, _ = load_config(write(text))
        assert cfg.MODEL.PANOPTIC_FUSION.PER_CLASS == self.PER_CLASS
        assert cfg.MODEL.PANOPTIC_FUSION.ORDER.WEIGHTS == [["potted plant", [0, 1, 2, 3, 4]]]
        assert cfg.MODEL.PANOPTIC_FUSION.ORDER.CUT == [["potted plant", 0.5]]

    def test_a_later_file_replaces_the_list(self, write):
        write(f"MODEL: {{PANOPTIC_FUSION: {{PER_CLASS: {self.TEXTS[0]}}}}}", "base.yaml")
        cfg, _ = load_config(write("_BASE_: base.yaml\nMODEL: {PANOPTIC_FUSION: {PER_CLASS: [[sky, {}]]}}"))
        assert cfg.MODEL.PANOPTIC_FUSION.PER_CLASS == [["sky", {}]]

    @pytest.mark.parametrize("pairs", ["[['a', [0, 1, 2, 3, 4]]]", "(('a', (0, 1, 2, 3, 4)),)"])
    def test_lists_and_tuples_survive_a_dump(self, write, pairs):
        keys = [f"MODEL.PANOPTIC_FUSION.ORDER.{name}" for name in ("WEIGHTS", "DEFAULT_WEIGHTS", "CUT")]
        values = [pairs, "(1, 2, 3, 4, 5)", "(('a', 0.25),)"]
        cfg, _ = load_config(
            str(SHAPES_CONFIG),
            [self.KEY, self.TEXTS[0], *(part for pair in zip(keys, values, strict=True) for part in pair)],
        )
        again, _ = load_config(write(cfg.dump()))
        dumped, loaded = (json.dumps(one.MODEL.PANOPTIC_FUSION, sort_keys=True) for one in (cfg, again))
        assert dumped == loaded
        assert again.MODEL.PANOPTIC_FUSION.ORDER.WEIGHTS == [["a", [0, 1, 2, 3, 4]]]
        assert again.MODEL.PANOPTIC_FUSION.PER_CLASS == self.PER_CLASS

    def test_a_copy_does_not_share_them(self, cfg):
        cfg.MODEL.PANOPTIC_FUSION.PER_CLASS = [["sky", {"STUFF_AREA_LIMIT": 5}]]
        copy = cfg.clone()
        copy.MODEL.PANOPTIC_FUSION.PER_CLASS[0][1]["STUFF_AREA_LIMIT"] = 9
        assert cfg.MODEL.PANOPTIC_FUSION.PER_CLASS == [["sky", {"STUFF_AREA_LIMIT": 5}]]
        # Nor do two configs share the default.
        other = get_cfg()
        add_panoptic_heuristic_config(other)
        assert other.MODEL.PANOPTIC_FUSION.PER_CLASS == []

    @pytest.mark.parametrize("text", ["{'sky': {}}", "sky", "0.5"])
    def test_what_is_no_list_is_refused(self, text):
        with pytest.raises(InputError, match=f"the command line: Type mismatch.*{self.KEY}"):
            load_config(str(SHAPES_CONFIG), [self.KEY, text])


class TestCopies:
    @pytest.fixture
    def changed(self, cfg):
        cfg.merge_from_list([f"{COMBINE}OVERLAP_THRESH", "1", f"{COMBINE}STUFF_AREA_LIMIT", "0.5"])
        return cfg

    @pytest.mark.parametrize(
        "copied", [lambda c: c.clone(), lambda c: pickle.loads(pickle.dumps(c))], ids=["clone", "pickle"]
    )
    def test_a_copy_is_equal_independent_and_takes_numbers_too(self, changed, copied):
        copy = copied(changed)
        assert copy == changed
        copy.merge_from_list([f"{COMBINE}OVERLAP_THRESH", "0"])
        assert copy.MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH == 0
        assert changed.MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH == 1

    def test_a_dumped_config_loads_to_the_same(self, changed, write):
        loaded, explicit = load_config(write(changed.dump()))
        # As JSON: the tuples within tuples of some keys come back as lists, in plain yacs as well.
        assert json.dumps(dict(leaves(loaded))) == json.dumps(dict(leaves(changed)))
        assert loaded.MODEL.PANOPTIC_FPN == changed.MODEL.PANOPTIC_FPN
        assert explicit == {key for key, _ in leaves(changed)}

    def test_it_can_be_frozen(self, changed):
        changed.freeze()
        for node, name in ((changed, "SEED"), (changed.MODEL.PANOPTIC_FPN.COMBINE, "OVERLAP_THRESH")):
            with pytest.raises(AttributeError, match="immutable"):
                setattr(node, name, 0)
        thawed = changed.clone()
        thawed.defrost()
        thawed.SEED = 9
        assert (changed.SEED, thawed.SEED) == (-1, 9)


class TestLoadConfig:
    def test_the_keys_that_were_set_are_told(self, write):
        write("SOLVER: {MAX_ITER: 5}", "base.yaml")
        file = write("_BASE_: base.yaml\nMODEL: {MASK_ON: True}")
        cfg, explicit = load_config(file, ["SEED", "3"])
        assert explicit == {"SOLVER.MAX_ITER", "MODEL.MASK_ON", "SEED"}
        assert (cfg.SOLVER.MAX_ITER, cfg.MODEL.MASK_ON, cfg.SEED) == (5, True, 3)
        assert not cfg.is_frozen()

    def test_a_key_set_to_its_default_was_set_all_the_same(self, write):
        assert load_config(write("SEED: -1"))[1] == {"SEED"}

    def test_a_typo_in_a_file(self, write):
        write("MODEL: {ROI_HEADS: {NUM_CLASES: 3}}", "base.yaml")
        wrong, right = "MODEL.ROI_HEADS.NUM_CLASES", "MODEL.ROI_HEADS.NUM_CLASSES"
        message = f"config.yaml: there is no config key {wrong}; did you mean {right}"
        with pytest.raises(InputError, match=message):
            load_config(write("_BASE_: base.yaml"))

    @pytest.mark.parametrize("typo", ["MODEL.ROI_HEADS.NUM_CLASES", "MODEL.ROI_HEAD.NUM_CLASSES"])
    def test_a_typo_on_the_command_line(self, typo):
        message = f"the command line: there is no config key {typo}; did you mean MODEL.ROI_HEADS.NUM_CLASSES"
        with pytest.raises(InputError, match=message):
            load_config(str(SHAPES_CONFIG), ["SEED", "1", typo, "3"])

    def test_a_typo_in_a_threshold(self, write):
        message = f"there is no config key {COMBINE}OVERLAP_TRESH; did you mean {COMBINE}OVERLAP_THRESH"
        with pytest.raises(InputError, match=message):
            load_config(str(SHAPES_CONFIG), [f"{COMBINE}OVERLAP_TRESH", "1"])
        with pytest.raises(InputError, match=message):
            load_config(write(nested(f"{COMBINE}OVERLAP_TRESH", 1)))

    def test_what_is_like_no_key_gets_no_suggestion(self):
        with pytest.raises(InputError, match="there is no config key QQQQ$"):
            load_config(str(SHAPES_CONFIG), ["QQQQ", "1"])

    def test_a_wrong_value_beside_good_keys_is_told_as_such(self):
        with pytest.raises(InputError, match="the command line: Type mismatch.*SOLVER.MAX_ITER"):
            load_config(str(SHAPES_CONFIG), ["SEED", "1", "SOLVER.MAX_ITER", "many"])

    def test_a_threshold_that_is_no_number_names_the_file(self, write):
        with pytest.raises(InputError, match=f"config.yaml: {COMBINE}OVERLAP_THRESH must be a number, got 'half'"):
            load_config(write(nested(f"{COMBINE}OVERLAP_THRESH", "half")))

    def test_a_key_without_a_value(self):
        with pytest.raises(InputError, match="'SOLVER.MAX_ITER' has no value"):
            load_config(str(SHAPES_CONFIG), ["SEED", "1", "SOLVER.MAX_ITER"])

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(InputError, match="there is no file '.*gone.yaml' here, and none of that name in .*configs"):
            load_config(str(tmp_path / "gone.yaml"))

    def test_a_packaged_config_is_named_from_any_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        cfg, explicit = load_config("shapes/panoptic_heuristic_fpn_R_18.yaml")
        assert (cfg, explicit) == load_config(str(SHAPES_CONFIG))

    def test_a_missing_base_file_is_named(self, write):
        with pytest.raises(InputError, match="config.yaml: .*gone.yaml"):
            load_config(write("_BASE_: gone.yaml"))

    @pytest.mark.parametrize("text", ["MODEL: {MASK_ON: True", "MODEL: MASK_ON: True", "\tSEED: 1"])
    def test_broken_yaml_names_the_line(self, write, text):
        with pytest.raises(InputError, match="config.yaml: .*line [12]"):
            load_config(write(text))

    @pytest.mark.parametrize("text", ["", "just words", "[1, 2]"])
    def test_a_file_without_keys(self, write, text):
        with pytest.raises(InputError, match="config.yaml: expected a mapping"):
            load_config(write(text))

    @pytest.mark.parametrize("name", ["segments", "label_divisor"])
    def test_known_map_formats(self, name):
        cfg, _ = load_config(str(SHAPES_CONFIG), ["MODEL.PANOPTIC_FUSION.MAP_FORMAT", name])
        assert cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT == name

    def test_an_unknown_map_format(self):
        with pytest.raises(InputError, match="MAP_FORMAT must be one of segments, label_divisor, got 'segment'"):
            load_config(str(SHAPES_CONFIG), ["MODEL.PANOPTIC_FUSION.MAP_FORMAT", "segment"])


class TestReferenceSchedule:
    @pytest.fixture
    def files(self, tmp_path):
        """base sets both keys, middle one of them, top both again."""
        for name, content in {
            "base": {"SOLVER": {"BASE_LR": 0.04, "IMS_PER_BATCH": 8}},
            "middle": {"_BASE_": "base.yaml", "SOLVER": {"IMS_PER_BATCH": 2}},
            "top": {"_BASE_": "middle.yaml", "SOLVER": {"BASE_LR": 0.001, "IMS_PER_BATCH": 1}},
            "other": {"MODEL": {"DEVICE": "cpu"}},
        }.items():
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
        return lambda name: str(tmp_path / f"{name}.yaml")

    @pytest.mark.parametrize(
        "name, pair", [("base", (0.04, 8)), ("middle", (0.04, 8)), ("top", (0.001, 1)), ("other", (0.02, 16))]
    )
    def test_the_last_file_that_sets_both_decides(self, files, name, pair):
        assert reference_schedule(files(name)) == pair

    def test_the_command_line_counts_if_it_sets_both(self, files):
        assert reference_schedule(files("top"), ["SOLVER.IMS_PER_BATCH", "4"]) == (0.001, 1)
        both = ["SOLVER.IMS_PER_BATCH", "4", "SOLVER.BASE_LR", "0.5"]
        assert reference_schedule(files("top"), both) == (0.5, 4)

    def test_values_that_are_no_yaml_do_not_matter(self, files):
        pairs = ["MODEL.PANOPTIC_FUSION.PER_CLASS", "(('sky', {'STUFF_AREA_LIMIT': 5}),)"]
        assert reference_schedule(files("top"), pairs) == (0.001, 1)

    @pytest.mark.parametrize("path", PROJECT_CONFIGS, ids=lambda path: path.stem)
    def test_the_projects_own_configs_fit(self, path):
        cfg, _ = load_config(str(path))
        assert reference_schedule(str(path)) == (cfg.SOLVER.BASE_LR, cfg.SOLVER.IMS_PER_BATCH)
