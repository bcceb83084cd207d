"""Grid files in YAML: a pipeline, and axes of values that replace its own.

::

    CLAIM: [greedy, {NAME: class_aware, FREE_FRACTION: 0.2}]       # rules of a stage, by their names or with parameters
    ORDER: {NAME: power, QUALITY_EXPONENT: [0, 0.5, 1]}            # every parameter may have several values
    SUPPRESS.NAME: [none, nms]                                     # the same with dots
    SUPPRESS.IOU_THRESHOLD: [0.3, 0.5]                             # of rules that have it
    INSTANCES_CONFIDENCE_THRESH: {from: 0.05, to: 0.95, steps: 10}
    OVERLAP_THRESH: [0.3, 0.5, 0.7]                                # of claim rules that have it
    STUFF_AREA_LIMIT: [0, 1024, 4096]                              # pixels
    STUFF_AREA_FRACTION: [0.001, 0.01]                             # of the image; further limits
    THING_AREA_LIMIT: [0, 64]                                      # pixels
    ISLAND_AREA_FRACTION: [0, 0.001, 0.004]                        # of the image
    PRESET: rap                                                    # the rules where a stage has no key
    RULE_FILES: [my_rules.py]                                      # that register rules of one's own

A list is an axis, and so is a range, which has both its ends. A key left out has Detectron2's default; without
``OVERLAP_THRESH`` each claim rule has its own. A rule of the preset's keeps the preset's parameters. Categories go by
their ids.
"""

import itertools
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import yaml_files
from panoptic_heuristic.formats.files import PathLike
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, STAGES, Pipeline
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.fusion.rule_files import load_rule_files
from panoptic_heuristic.fusion.stages import make_rule, parameter_names, rule_class, rule_name

_THRESHOLDS = {
    "INSTANCES_CONFIDENCE_THRESH": "instances_score_thresh",
    "OVERLAP_THRESH": "claim.overlap_threshold",
    "THING_AREA_LIMIT": "thing_area_thresh",
    "ISLAND_AREA_FRACTION": "island_area_fraction",
}
_LIMITS = ("STUFF_AREA_LIMIT", "STUFF_AREA_FRACTION")
# Claim rules vary faster than other rules.
_STAGES = (*(stage for stage in STAGES if stage != "claim"), "claim")
_KEYS = (*_THRESHOLDS, *_LIMITS, *(stage.upper() for stage in STAGES), "PRESET", "RULE_FILES")
_RANGE = {"from", "to", "steps"}
_MOST_STEPS = 1_000_000


def read_yaml(path: PathLike) -> Mapping[str, Any]:
    """The content of a grid file.

    Raises:
        InputError: the file is missing or no YAML, or a key is unknown.
    """
    content = yaml_files.read_yaml(path, "the grid")
    if content is None:
        raise InputError(f"the grid {path} is empty; give values of {', '.join(_KEYS)}")
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected the keys {', '.join(_KEYS)}, got {content!r}")
    for key in content:
        stage, dot, _ = str(key).partition(".")
        if key not in _KEYS and not (dot and stage.lower() in STAGES and stage.isupper()):
            parameter = "parameters of rules such as ORDER.QUALITY_EXPONENT"
            raise InputError(f"{path} has the key {key!r}; a grid has {', '.join(_KEYS)}, and {parameter}")
    return content


def grid_of_content(content: Mapping[str, Any]) -> Tuple[Pipeline, Tuple[Axis, ...], Tuple[str, ...]]:
    """The base, the axes and the rule files of a grid.

    Args:
        content: with the keys of a grid.

    Raises:
        InputError: names the key and the value that is wrong.
    """
    rule_files = tuple(_listed(content.get("RULE_FILES", [])))
    load_rule_files(rule_files)
    base = Pipeline.from_mapping(preset_rules(content["PRESET"])) if "PRESET" in content else DEFAULT_PIPELINE
    axes = _threshold_axes("ISLAND_AREA_FRACTION", content) + _threshold_axes("THING_AREA_LIMIT", content)
    for stage in _STAGES:
        axes += _stage_axes(stage, content, base)
    if _rules_with("overlap_threshold", "claim", axes, base):
        axes += _threshold_axes("OVERLAP_THRESH", content)
    axes += _threshold_axes("INSTANCES_CONFIDENCE_THRESH", content)
    if any(key in content for key in _LIMITS):
        limits = [_some(key, _numbers(key, content[key])) if key in content else [] for key in _LIMITS]
        axes.append(Axis.of_stuff_limits(*limits))
    return (*_folded(base, axes), rule_files)


def _folded(base: Pipeline, axes: List[Axis]) -> Tuple[Pipeline, Tuple[Axis, ...]]:
    """The base with the values that all settings share, and the axes that are left."""
    varying = {path for axis in axes if len(axis.alternatives) > 1 for path in axis.alternatives[0]}
    shared: Dict[str, Any] = {}
    left = []
    for axis in axes:
        (first, *others) = axis.alternatives
        # Which of the rules of an axis has a parameter is seen setting by setting.
        if others or any(path.partition(".")[0] in varying for path in first):
            left.append(axis)
        else:
            shared.update(first)
    return base.replaced(shared), tuple(left)


def _threshold_axes(key: str, content: Mapping[str, Any]) -> List[Axis]:
    """The axis of a threshold, if the content has it."""
    return [Axis.of(_THRESHOLDS[key], _some(key, _numbers(key, content[key])))] if key in content else []


def _stage_axes(stage: str, content: Mapping[str, Any], base: Pipeline) -> List[Axis]:
    """The rules of a stage, and then its parameters that are given with dots."""
    key, dotted = stage.upper(), f"{stage.upper()}.NAME"
    if key in content and dotted in content:
        raise InputError(f"the grid has the keys {key} and {dotted}; give one of them")
    axes = []
    for name in (key, dotted):
        if name in content:
            rules = [rule for entry in _listed(content[name]) for rule in _rules_of(stage, name, entry, base)]
            axes.append(Axis.of(stage, _some(name, rules)))
    for name, value in content.items():
        if name.startswith(f"{key}.") and name != dotted:
            parameter = name[len(key) + 1 :].lower()
            _check_not_overlap(stage, key, parameter.upper())
            rules = _rules_with(parameter, stage, axes, base)
            if not rules:
                raise InputError(f"{name}: no {stage} rule of the grid has the parameter {parameter.upper()}")
            values = _values(name, value, getattr(rules[0], parameter))
            axes.append(Axis.of(f"{stage}.{parameter}", values))
    return axes


def _rules_with(parameter: str, stage: str, axes: List[Axis], base: Pipeline) -> List[Any]:
    """The rules of a stage in a grid that have a parameter."""
    rules = [one[stage] for axis in axes for one in axis.alternatives if stage in one] or [getattr(base, stage)]
    return [rule for rule in rules if parameter in parameter_names(rule)]


def _rules_of(stage: str, key: str, entry: Any, base: Pipeline) -> List[Any]:
    """The rules that an entry stands for: a name, or a mapping with ``NAME`` and parameters."""
    values = dict(entry) if isinstance(entry, Mapping) else {"NAME": entry}
    names = _listed(values.pop("NAME", None))
    known = sorted(name for name, _ in STAGES[stage])
    for name in names:
        if not isinstance(name, str) or name not in known:
            raise InputError(f"{key} must be of {', '.join(known)}, or mappings with a NAME; got {entry!r}")
    starts = {name: _start(stage, name, base) for name in names}
    has = [parameter.upper() for start in starts.values() for parameter in parameter_names(start)]
    for other in values:
        _check_not_overlap(stage, key, other)
        if other not in has:
            told = ", ".join(dict.fromkeys(["NAME", *has]))
            raise InputError(f"{key} has the key {other!r}; of {' and '.join(names)} it may have {told}")
    rules = []
    for name, start in starts.items():
        parameters = {
            other.lower(): _values(f"{key}.{other}", value, getattr(start, other.lower()))
            for other, value in values.items()
            if other.lower() in parameter_names(start)
        }
        for chosen in itertools.product(*parameters.values()):
            changed = dict(zip(parameters, chosen, strict=True))
            rules.append(make_rule(stage, name, {**_parameters(start), **changed}))
    return rules


def _start(stage: str, name: str, base: Pipeline) -> Any:
    """The rule of a name: the base's, or one with its defaults."""
    own = getattr(base, stage)
    return own if rule_name(stage, own) == name else rule_class(stage, name)()


def _parameters(rule: Any) -> Dict[str, Any]:
    return {name: getattr(rule, name) for name in parameter_names(rule)}


def _check_not_overlap(stage: str, key: str, parameter: str) -> None:
    if (stage, parameter) == ("claim", "OVERLAP_THRESHOLD"):
        raise InputError(f"{key} has the key 'OVERLAP_THRESHOLD', which is swept; give it as OVERLAP_THRESH")


def _values(key: str, value: Any, default: Any) -> List[Any]:
    """The values of a parameter. A list is one value if the default is one, too."""
    if isinstance(default, (list, tuple, Mapping)):
        return [_frozen(value)]
    return _some(key, _range(key, value) if isinstance(value, Mapping) else [_frozen(one) for one in _listed(value)])


def _numbers(key: str, value: Any) -> List[float]:
    """The values of a threshold as floats: a number, a list of numbers, or a range."""
    if isinstance(value, Mapping):
        return _range(key, value)
    values = _listed(value)
    for one in values:
        if isinstance(one, bool) or not isinstance(one, (int, float)):
            raise InputError(f"{key} must be a number, a list of numbers, or {{from, to, steps}}; got {one!r}")
    return [float(one) for one in values]


def _range(key: str, value: Mapping[str, Any]) -> List[float]:
    if set(value) != _RANGE or not all(isinstance(one, (int, float)) for one in value.values()):
        raise InputError(f"{key}: a range has the numbers from, to and steps, got {dict(value)}")
    steps = value["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or not 2 <= steps <= _MOST_STEPS:
        raise InputError(f"{key}: steps must be a whole number of at least 2, got {steps!r}")
    # 0.1 + 2 * 0.1 is not 0.3; ten digits are.
    return [round(float(one), 10) for one in np.linspace(value["from"], value["to"], steps)]


def _some(key: str, values: List[Any]) -> List[Any]:
    if not values:
        raise InputError(f"the grid is empty: {key} has no value")
    return values


def _frozen(value: Any) -> Any:
    """Lists of YAML as tuples, which are hashable."""
    return tuple(_frozen(one) for one in value) if isinstance(value, list) else value


def _listed(value: Any) -> List[Any]:
    return list(value) if isinstance(value, list) else [value]
