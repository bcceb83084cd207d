"""Rules and thresholds in the form of a config: out of it and into it.

Categories go by their names there, and lists of pairs stand for mappings, since Detectron2's configs refuse
new keys.
"""

import contextlib
import difflib
from typing import Any, Dict, Iterator, List, Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion.category_lists import category_name, id_pairs, values_by_id
from panoptic_heuristic.fusion.config_keys import (
    FUSION,
    OF_THINGS,
    PER_CLASS_KEYS,
    THRESHOLD_KEYS,
    fusion_defaults,
    key_of,
    preset_nodes,
    stage_defaults,
    stage_parameters,
)
from panoptic_heuristic.fusion.parameters import OfCategory, ParameterError, ThingPairs
from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.fusion.rule_files import files_of_rules, load_rule_files
from panoptic_heuristic.fusion.stages import STAGES, make_rule, parameter_names, rule_class, rule_name


@contextlib.contextmanager
def told_by_key(categories: Optional[Categories]) -> Iterator[None]:
    """Turns a :class:`ParameterError` into an :class:`InputError` that names config keys."""
    try:
        yield
    except ParameterError as error:
        raise InputError(error.told(key_of, lambda one: category_name(categories, one))) from error


def config_values(content: Mapping[str, Any], categories: Optional[Categories]) -> Dict[str, Any]:
    """The arguments of a pipeline out of a config.

    Args:
        content: see :meth:`panoptic_heuristic.fusion.Pipeline.from_config`.
        categories: likewise.

    Raises:
        InputError: a key, a rule or a category is unknown, or a rule is given a parameter it lacks.
        ParameterError: a value is out of its interval.
    """
    fusion = _node(content, "MODEL.PANOPTIC_FUSION")
    load_rule_files(fusion.get("RULE_FILES", []))
    check_fusion_keys(fusion)
    per_class = _per_class(fusion.get("PER_CLASS", []), categories)
    values: Dict[str, Any] = {path: value for path, value in per_class.items() if "." not in path}
    for path, key in THRESHOLD_KEYS.items():
        parent, _, name = key.rpartition(".")
        node = _node(content, parent)
        if name in node and "." not in path:
            values[path] = node[name]
    overlap = {"overlap_threshold_of": per_class["claim.overlap_threshold_of"]}
    if "OVERLAP_THRESH" in (combine := _node(content, "MODEL.PANOPTIC_FPN.COMBINE")):
        overlap["overlap_threshold"] = combine["OVERLAP_THRESH"]
    preset = preset_nodes(fusion.get("PRESET", "detectron2"))
    for stage in STAGES:
        node = {**preset[stage.upper()], **_node(fusion, stage.upper(), FUSION)}
        values[stage] = _rule(stage, node, overlap, categories, fusion.get("PRESET", "detectron2"))
    return values


def check_fusion_keys(fusion: Mapping[str, Any]) -> None:
    """Raises if ``MODEL.PANOPTIC_FUSION`` has a key that nothing reads.

    Raises:
        InputError: names the key, and one that is spelled like it.
    """
    known = list(fusion_defaults())
    for name in fusion:
        if name not in known:
            raise InputError(f"there is no config key {FUSION}{name}{_hint(FUSION, name, known)}")
    for stage in STAGES:
        of_stage, node = f"{FUSION}{stage.upper()}.", _node(fusion, stage.upper(), FUSION)
        for name in node:
            if name not in (defaults := stage_defaults(stage)):
                raise InputError(f"there is no config key {of_stage}{name}{_hint(of_stage, name, list(defaults))}")


def pipeline_to_config(pipeline: Any, categories: Optional[Categories]) -> Dict[str, Any]:
    """See :meth:`panoptic_heuristic.fusion.Pipeline.to_config`."""
    per_class: Dict[int, Dict[str, Any]] = {}
    for key, path in PER_CLASS_KEYS.items():
        for category_id, value in (pipeline.value(path) or {}).items():
            per_class.setdefault(category_id, {})[key] = _number(value)
    content: Dict[str, Any] = {"MODEL": {"PANOPTIC_FPN": {"COMBINE": {}}, "PANOPTIC_FUSION": {"PRESET": "detectron2"}}}
    for path, key in THRESHOLD_KEYS.items():
        value = pipeline.value(path)
        if value is not None:
            *parents, name = key.split(".")
            node = content
            for parent in parents:
                node = node.setdefault(parent, {})
            node[name] = _number(value)
    fusion = content["MODEL"]["PANOPTIC_FUSION"]
    fusion["PER_CLASS"] = _named(per_class, categories)
    if files := files_of_rules(pipeline.rules.values()):
        fusion["RULE_FILES"] = files
    for stage, rule in pipeline.rules.items():
        parameters = {
            parameter.upper(): _written(getattr(rule, parameter), categories) for parameter in stage_parameters(rule)
        }
        fusion[stage.upper()] = {"NAME": rule_name(stage, rule), **parameters}
    return content


def _node(content: Mapping[str, Any], path: str, where: str = "") -> Mapping[str, Any]:
    """A node of a config; an empty one if it is not there."""
    node: Any = content
    for part in path.split("."):
        node = node.get(part, {})
        if not isinstance(node, Mapping):
            raise InputError(f"{where}{path} must be a mapping of keys, got {node!r}")
    return node


def _hint(prefix: str, name: str, known: List[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _rule(
    stage: str, node: Mapping[str, Any], overlap: Mapping[str, Any], categories: Optional[Categories], preset: str
) -> Any:
    """The rule of a stage, given the keys of its node."""
    made = rule_class(stage, node["NAME"])
    names = parameter_names(made)
    if stage == "claim" and overlap["overlap_threshold_of"] and "overlap_threshold_of" not in names:
        raise InputError(
            f"{FUSION}PER_CLASS sets OVERLAP_THRESH, which the claim rule {node['NAME']} does not have; "
            f"take it out, or set {FUSION}CLAIM.NAME to greedy"
        )
    _check_other_rules(stage, node, made, preset)
    values = {name: value for name, value in overlap.items() if stage == "claim" and name in names}
    defaults = made()
    for parameter in stage_parameters(made):
        if parameter.upper() in node:
            key, value = key_of(stage, parameter), node[parameter.upper()]
            default = getattr(defaults, parameter)
            if isinstance(default, OfCategory):
                value = values_by_id(key, value, categories, example=default.example, isthing=default.isthing)
            elif isinstance(default, ThingPairs):
                value = id_pairs(key, value, categories)
            values[parameter] = value
    return make_rule(stage, node["NAME"], values)


def _check_other_rules(stage: str, node: Mapping[str, Any], rule: Any, preset: str) -> None:
    """Raises if a key is set that the rule does not have.

    Orders and suppress rules are fitted or swept, and switched off by one key: their keys may stay. So may
    those that a preset has set for the rule that was chosen instead.
    """
    if stage in ("order", "suppress"):
        return
    own, of_preset = stage_parameters(rule), preset_rules(preset).get(stage, {})
    for name, one in STAGES[stage]:
        for parameter, default in stage_parameters(one).items():
            value = node.get(parameter.upper(), default)
            value = list(value) if isinstance(value, tuple) else value
            if parameter not in own and value not in (default, of_preset.get(parameter)):
                key = f"{FUSION}{stage.upper()}."
                raise InputError(
                    f"{key}{parameter.upper()} is {value!r}, which the {stage} rule {node['NAME']} does not have; "
                    f"take it out, or set {key}NAME to {name}"
                )


def _per_class(entries: Any, categories: Optional[Categories]) -> Dict[str, Dict[int, Any]]:
    """Reads ``PER_CLASS``: for each path its values by category id."""
    key = f"{FUSION}PER_CLASS"
    values: Dict[str, Dict[int, Any]] = {path: {} for path in PER_CLASS_KEYS.values()}
    for category_id, settings in values_by_id(key, entries, categories, example="{OVERLAP_THRESH: 0.7}").items():
        category = categories[category_id]
        if not isinstance(settings, Mapping) or not settings:
            raise InputError(
                f"{key} of {category.name!r} must be a mapping like {{OVERLAP_THRESH: 0.7}}, got {settings!r}"
            )
        for name, value in settings.items():
            if name not in PER_CLASS_KEYS:
                may = ", ".join(PER_CLASS_KEYS)
                raise InputError(f"{key} of {category.name!r} has the key {name!r}; it may be {may}")
            isthing = name in OF_THINGS
            if category.isthing != isthing:
                raise InputError(
                    f"{key} of {category.name!r} has the key {name}, which is for {'things' if isthing else 'stuff'}; "
                    f"{category.name!r} is {'a thing' if category.isthing else 'stuff'}"
                )
            values[PER_CLASS_KEYS[name]][category_id] = value
    return values


def _named(of_category: Mapping[int, Any], categories: Optional[Categories]) -> List[List[Any]]:
    """Pairs of a category's name and a value, in the order of the data set's list."""
    order = list(categories or of_category)
    for category_id in of_category:
        name = category_name(categories, category_id)
        if categories is not None and [one.name for one in categories.values()].count(name) > 1:
            raise InputError(
                f"two categories are called {name!r}, and values of single categories go by name in a config; "
                "give them different names"
            )
    return [[category_name(categories, one), of_category[one]] for one in order if one in of_category]


def _written(value: Any, categories: Optional[Categories]) -> Any:
    """A parameter as it stands in YAML."""
    if isinstance(value, OfCategory):
        return _named({key: _plain(one) for key, one in value.items()}, categories)
    if isinstance(value, ThingPairs):
        return [[category_name(categories, one) for one in pair] for pair in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) > 1 else value
