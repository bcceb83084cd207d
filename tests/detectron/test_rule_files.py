"""Rules of one's own, from a file that a config names."""

import copy
import dataclasses
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from panoptic_heuristic.detectron import load_config
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import STAGES, InstanceSet, Pipeline, fuse
from panoptic_heuristic.fusion.head_outputs import Need
from tests.detectron.small_models import SHAPES_CONFIG
from tests.fusion.drawings import CAT, CATEGORIES, assert_map, row

FUSION = "MODEL.PANOPTIC_FUSION."
RULES = '''
from dataclasses import dataclass

from panoptic_heuristic.fusion import ORDER_REGISTRY, VETO_REGISTRY, Order, mask_areas
from panoptic_heuristic.fusion.head_outputs import Need


@ORDER_REGISTRY.register("largest_first")
def largest_first(heads, candidates, *, least=0):
    """Large instances first; those below some pixels go."""
    areas = dict(zip(candidates, mask_areas(heads.instances, candidates).tolist()))
    kept = {index: area for index, area in areas.items() if area >= least}
    return Order.by(kept, {index: "tiny" for index in areas if index not in kept})


@dataclass(frozen=True)
@VETO_REGISTRY.register("by_class")
class ByClass:
    kept: int = 1

    def veto(self, heads, claim):
        return claim


def lazy(heads, candidates):
    return Order.by({}, {})


lazy.needs = {Need.LOGITS}
ORDER_REGISTRY.register("lazy")(lazy)
'''


@pytest.fixture(autouse=True)
def registries(monkeypatch):
    """What a test registers is forgotten after it."""
    for registry in STAGES.values():
        monkeypatch.setattr(registry, "_obj_map", dict(registry._obj_map))


@pytest.fixture
def rules(tmp_path):
    """A file of rules."""
    (tmp_path / "my_rules.py").write_text(RULES)
    return str(tmp_path / "my_rules.py")


def pipeline(*overrides, config=SHAPES_CONFIG) -> Pipeline:
    cfg, _ = load_config(str(config), list(overrides))
    return Pipeline.from_config(cfg, CATEGORIES)


def test_a_function_is_a_rule(rules):
    made = pipeline(f"{FUSION}RULE_FILES", [rules], f"{FUSION}ORDER.NAME", "largest_first")
    masks = np.stack([row((0, 2), width=8), row((1, 6), width=8)])
    result = fuse(InstanceSet.from_bitmaps(masks, [0.9, 0.8], [CAT, CAT]), None, CATEGORIES, made)
    assert_map(result, ".11111..".replace(".", "2", 1))
    assert [segment["instance_id"] for segment in result.segments_info] == [1, 0]


@pytest.mark.parametrize("least", [2, 3])
def test_its_keyword_is_a_parameter_with_a_key(rules, tmp_path, least):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"_BASE_: {SHAPES_CONFIG}\n"
        f"MODEL: {{PANOPTIC_FUSION: {{RULE_FILES: [{rules}], ORDER: {{NAME: largest_first, LEAST: 99}}}}}}"
    )
    # A file sets it, and the command line overrides it.
    assert pipeline(config=config).order.least == 99
    made = pipeline(f"{FUSION}ORDER.LEAST", str(least), config=config)
    masks = np.stack([row((0, 2), width=8), row((1, 6), width=8)])
    result = fuse(InstanceSet.from_bitmaps(masks, [0.9, 0.8], [CAT, CAT]), None, CATEGORIES, made)
    assert [dropped.reason for dropped in result.dropped] == ([] if least == 2 else ["tiny"])


def test_a_dataclass_is_a_rule_too(rules):
    made = pipeline(f"{FUSION}RULE_FILES", [rules], f"{FUSION}VETO.NAME", "by_class", f"{FUSION}VETO.KEPT", "5")
    assert made.veto.kept == 5


def test_it_is_stored_copied_and_sent_to_processes(rules):
    made = pipeline(f"{FUSION}RULE_FILES", [rules], f"{FUSION}ORDER.NAME", "largest_first")
    assert made.to_mapping()["order"] == {"name": "largest_first", "least": 0}
    assert Pipeline.from_mapping(made.to_mapping()) == made == pickle.loads(pickle.dumps(made)) == copy.deepcopy(made)


def test_what_a_function_needs_is_checked(rules):
    cfg, _ = load_config(str(SHAPES_CONFIG), [f"{FUSION}RULE_FILES", [rules], f"{FUSION}ORDER.NAME", "lazy"])
    with pytest.raises(InputError, match=f"{FUSION}ORDER.NAME=lazy needs semantic logits, but there are none"):
        Pipeline.from_config(cfg, CATEGORIES, {Need.LOGITS: "there are none"})


def test_the_documented_rule_works_as_it_says(tmp_path):
    readme = (Path(__file__).resolve().parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL) if "register" in block]
    assert code.count("\n") <= 11
    (tmp_path / "my_rules.py").write_text(code)
    assert 'RULE_FILES: ["my_rules.py"]`, `ORDER: {NAME: "smallest_first", LEAST: 20}`' in readme
    config = tmp_path / "config.yaml"
    config.write_text(
        f"_BASE_: {SHAPES_CONFIG}\nMODEL:\n  PANOPTIC_FUSION:\n    RULE_FILES: ['{tmp_path / 'my_rules.py'}']\n"
        '    ORDER: {NAME: "smallest_first", LEAST: 20}\n'
    )
    masks = np.zeros((3, 6, 8), dtype=bool)
    masks[0, :5], masks[1, 3:], masks[2, :2, :2] = True, True, True
    instances = InstanceSet.from_bitmaps(masks, [0.9, 0.8, 0.7], [CAT] * 3)
    made = dataclasses.replace(pipeline(config=config), instances_score_thresh=0)
    result = fuse(instances, None, CATEGORIES, made)
    assert [segment["instance_id"] for segment in result.segments_info] == [1, 0]
    assert [(dropped.instance_id, dropped.reason) for dropped in result.dropped] == [(2, "tiny")]


def test_a_file_is_run_once(rules):
    for _ in range(2):
        assert pipeline(f"{FUSION}RULE_FILES", [rules], f"{FUSION}ORDER.NAME", "lazy")


@pytest.mark.parametrize(
    "text, message",
    [
        ("def f(:", "the file of rules .*bad.py fails: SyntaxError"),
        ("1 / 0", "the file of rules .*bad.py fails: ZeroDivisionError: division by zero"),
        ("import no_such_module", "the file of rules .*bad.py fails: ModuleNotFoundError"),
        (
            "from panoptic_heuristic.fusion import CLAIM_REGISTRY\n@CLAIM_REGISTRY.register('greedy')\nclass G: pass",
            "the file of rules .*bad.py fails: AssertionError: An object named 'greedy' was already registered",
        ),
    ],
)
def test_a_broken_file_is_told_in_one_sentence(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    for _ in range(2):
        with pytest.raises(InputError, match=message) as error:
            pipeline(f"{FUSION}RULE_FILES", [str(path)])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["nowhere.py", "."])
def test_a_missing_file(name):
    with pytest.raises(InputError, match=f"there is no file of rules '{name}'"):
        pipeline(f"{FUSION}RULE_FILES", [name])


def test_a_written_config_names_the_files_of_its_rules(tmp_path):
    """So that what was tuned with rules of one's own is read where they are not loaded yet."""
    path = tmp_path / "mine.py"
    path.write_text(RULES)
    config = {"MODEL": {"PANOPTIC_FUSION": {"RULE_FILES": [str(path)], "VETO": {"NAME": "by_class", "KEPT": 3}}}}
    pipeline = Pipeline.from_config(config)
    written = pipeline.to_config()
    assert written["MODEL"]["PANOPTIC_FUSION"]["RULE_FILES"] == [str(path)]
    assert Pipeline.from_config(written) == pipeline
    assert "RULE_FILES" not in Pipeline().to_config()["MODEL"]["PANOPTIC_FUSION"]
