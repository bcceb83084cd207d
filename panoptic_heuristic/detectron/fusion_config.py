"""From a config to the rules and thresholds of fusing."""

import dataclasses
import difflib
import re
from types import MappingProxyType
from typing import Any, Callable, Dict, Mapping

from detectron2.config import CfgNode

from panoptic_heuristic.detectron.fusion_keys import FUSION, THRESHOLD_KEYS, parameters_of
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import STAGES, Need, Pipeline, preset_rules
from panoptic_heuristic.fusion.rule_files import load_rule_files
from panoptic_heuristic.fusion.stages import rule_class

# What may be set per category: whether of things, and the parameter.
_PER_CLASS = {
    "OVERLAP_THRESH": (True, "overlap_threshold_of"),
    "INSTANCES_CONFIDENCE_THRESH": (True, "instances_score_thresh_of"),
    "STUFF_AREA_LIMIT": (False, "stuff_area_thresh_of"),
    "STUFF_AREA_FRACTION": (False, "stuff_area_fraction_of"),
}
# Parameters that are lists of categories in YAML, and mappings or pairs of ids in rules.
_OF_CATEGORIES: Dict[str, Callable[[str, Any, Categories], Any]] = {
    "weights": lambda key, entries, categories: _of_things(key, entries, categories),
    "cut": lambda key, entries, categories: _of_things(key, entries, categories),
    "precedence": lambda key, entries, categories: _pairs_of_things(key, entries, categories),
}


def pipeline_from_config(
    cfg: CfgNode, categories: Categories, missing: Mapping[Need, str] = MappingProxyType({})
) -> Pipeline:
    """The rules and thresholds a config names.

    Args:
        cfg: a config.
        categories: the data set's; values of single categories go by their names.
        missing: what there will not be when it fuses, see :meth:`Pipeline.check_needs`.

    Raises:
        InputError: a rule or a category is unknown, a value is out of its interval, or a rule needs
            what is missing; names the key.
    """
    fusion, combine = cfg.MODEL.PANOPTIC_FUSION, cfg.MODEL.PANOPTIC_FPN.COMBINE
    load_rule_files(fusion.RULE_FILES)
    per_class = _per_class(fusion.PER_CLASS, categories)
    overlaps = per_class.pop("overlap_threshold_of")
    overlap = {"overlap_threshold": combine.OVERLAP_THRESH, "overlap_threshold_of": overlaps}
    rules: Dict[str, Any] = {}
    for stage in STAGES:
        node = fusion[stage.upper()]
        rule = _rule_class(stage, node.NAME)
        _check_keys(fusion, stage, rule)
        names = {field.name for field in dataclasses.fields(rule)}
        values = {name: value for name, value in overlap.items() if stage == "claim" and name in names}
        for parameter, default in parameters_of(rule).items():
            # A config made before a rule of one's own was registered lacks its keys.
            key, value = f"{FUSION}{stage.upper()}.{parameter.upper()}", node.get(parameter.upper(), default)
            read = _OF_CATEGORIES.get(parameter)
            values[parameter] = value if read is None else read(key, value, categories)
        rules[stage] = rule, values
    if overlaps and "overlap_threshold_of" not in rules["claim"][1]:
        raise InputError(
            f"{FUSION}PER_CLASS sets OVERLAP_THRESH, which the claim rule {fusion.CLAIM.NAME} does not have; "
            f"take it out, or set {FUSION}CLAIM.NAME to greedy"
        )
    thresholds = {
        "instances_score_thresh": combine.INSTANCES_CONFIDENCE_THRESH,
        "stuff_area_thresh": combine.STUFF_AREA_LIMIT,
        "stuff_area_fraction": fusion.STUFF_AREA_FRACTION,
        "thing_area_thresh": fusion.THINGS.AREA_LIMIT,
        **per_class,
    }
    made = {stage: _told_by_key(stage, categories, rule, values) for stage, (rule, values) in rules.items()}
    pipeline = _told_by_key("", categories, Pipeline, {**made, **thresholds})
    _told_by_key("", categories, pipeline.check_needs, {"missing": missing})
    return pipeline


def _rule_class(stage: str, name: Any) -> Any:
    try:
        return rule_class(stage, name)
    except InputError as error:
        raise InputError(f"{FUSION}{stage.upper()}.NAME{str(error)[len(stage) :]}") from error


def _check_keys(fusion: CfgNode, stage: str, rule: Any) -> None:
    """Raises if a key is set that the rule does not have.

    Orders and what suppresses are fitted or swept, and switched off by one key: theirs may stay. So
    may those that a preset has set for the rule that was chosen instead.
    """
    if stage in ("order", "suppress"):
        return
    own, node = parameters_of(rule), fusion[stage.upper()]
    of_preset = preset_rules(fusion.PRESET).get(stage, {})
    for name, one in STAGES[stage]:
        for parameter, default in parameters_of(one).items():
            value = node.get(parameter.upper(), default)
            value = list(value) if isinstance(value, tuple) else value
            if parameter not in own and value not in (default, of_preset.get(parameter)):
                key = f"{FUSION}{stage.upper()}."
                raise InputError(
                    f"{key}{parameter.upper()} is {value!r}, which the {stage} rule {node.NAME} does not have; "
                    f"take it out, or set {key}NAME to {name}"
                )


def _per_class(entries: Any, categories: Categories) -> Dict[str, Dict[int, Any]]:
    """Reads ``PER_CLASS``: for each parameter its values by category id."""
    key = f"{FUSION}PER_CLASS"
    values: Dict[str, Dict[int, Any]] = {parameter: {} for _, parameter in _PER_CLASS.values()}
    for category_id, settings in _by_id(key, entries, categories, "{OVERLAP_THRESH: 0.7}").items():
        category = categories[category_id]
        if not isinstance(settings, Mapping) or not settings:
            raise InputError(
                f"{key} of {category.name!r} must be a mapping like {{OVERLAP_THRESH: 0.7}}, got {settings!r}"
            )
        for name, value in settings.items():
            if name not in _PER_CLASS:
                raise InputError(f"{key} of {category.name!r} has the key {name!r}; it may be {', '.join(_PER_CLASS)}")
            isthing, parameter = _PER_CLASS[name]
            if category.isthing != isthing:
                raise InputError(
                    f"{key} of {category.name!r} has the key {name}, which is for {'things' if isthing else 'stuff'}; "
                    f"{category.name!r} is {'a thing' if category.isthing else 'stuff'}"
                )
            values[parameter][category_id] = value
    return values


def _of_things(key: str, entries: Any, categories: Categories) -> Dict[int, Any]:
    """Reads a list of pairs that must be of things."""
    values = _by_id(key, entries, categories, "0.3" if key.endswith("CUT") else "[0, 1, 0, 0, 0]")
    for category_id in values:
        if not categories[category_id].isthing:
            raise InputError(f"{key} names {categories[category_id].name!r}, which is stuff; it is for things")
    return values


def _pairs_of_things(key: str, entries: Any, categories: Categories) -> list:
    """Reads a list of pairs of things, each by its name or its id."""
    if not isinstance(entries, (list, tuple)):
        raise InputError(f"{key} must be a list like [[above, below]], got {entries!r}")
    pairs = []
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or any(type(one) not in (str, int) for one in entry):
            raise InputError(f"{key} must hold pairs like [above, below], names or ids of categories, got {entry!r}")
        pairs.append(tuple(_id_of(key, one, categories) if isinstance(one, str) else one for one in entry))
        for category_id in pairs[-1]:
            if category_id not in categories:
                raise InputError(f"{key} names the id {category_id}, which the data set does not have")
            if not categories[category_id].isthing:
                raise InputError(f"{key} names {categories[category_id].name!r}, which is stuff; it is for things")
    return pairs


def _by_id(key: str, entries: Any, categories: Categories, example: str) -> Dict[int, Any]:
    """Reads a list of pairs of a category's name and a value."""
    if not isinstance(entries, (list, tuple)):
        raise InputError(f"{key} must be a list like [[name, {example}]], got {entries!r}")
    values: Dict[int, Any] = {}
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[0], str):
            raise InputError(f"{key} must hold pairs like [name, {example}], got {entry!r}")
        name, value = entry
        category_id = _id_of(key, name, categories)
        if category_id in values:
            raise InputError(f"{key} names {name!r} twice; put all that is for it into one pair")
        values[category_id] = value
    return values


def _id_of(key: str, name: str, categories: Categories) -> int:
    found = [category.id for category in categories.values() if category.name == name]
    if len(found) > 1:
        ids = " and ".join(map(str, found))
        raise InputError(f"{key} names {name!r}, which is the name of the categories {ids}; give them different names")
    if not found:
        names = [category.name for category in categories.values()]
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {_some(names)}"
        raise InputError(f"{key} names {name!r}, which the data set does not have; {hint}")
    return found[0]


def _some(names: list, most: int = 5) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _told_by_key(stage: str, categories: Categories, make: Callable, values: Mapping[str, Any]) -> Any:
    """Calls something that names parameters and stages in its errors, and puts config keys in their place."""
    try:
        return make(**values)
    except InputError as error:
        message = str(error)
    prefix = f"{FUSION}{stage.upper()}."
    match = re.match(r"(\w+)(?:\[(\d+)\])?", message)
    parameter, category_id = match.groups()
    rest = message[match.end() :]
    if category_id is not None:
        per_class = next((key for key, (_, name) in _PER_CLASS.items() if name == parameter), None)
        key = f"{FUSION}PER_CLASS: {per_class}" if per_class else f"{prefix}{parameter.upper()}"
        message = f"{key} of {categories[int(category_id)].name!r}{rest}"
    elif (parameter in values or parameter in THRESHOLD_KEYS) and not rest.startswith("="):
        message = THRESHOLD_KEYS.get(parameter, f"{prefix}{parameter.upper()}") + rest
    for name in STAGES:
        message = re.sub(rf"\b{name}=", f"{FUSION}{name.upper()}.NAME=", message)
    # Names of one word are too much like other words.
    names = {name for name in values if "_" in name}
    keys = {name: THRESHOLD_KEYS.get(name, f"{prefix}{name.upper()}") for name in names}
    raise InputError(re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda word: keys.get(word[0], word[0]), message))
