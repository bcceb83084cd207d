"""The stages of fusing in their order, and the rules of each by the names they have in YAML."""

import dataclasses
from typing import Any, Dict, Mapping, Tuple

from panoptic_heuristic.fusion.border import BORDER_REGISTRY
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY
from panoptic_heuristic.fusion.order import ORDER_REGISTRY
from panoptic_heuristic.fusion.parameters import ParameterError
from panoptic_heuristic.fusion.registry import NamedRegistry
from panoptic_heuristic.fusion.stuff import STUFF_REGISTRY
from panoptic_heuristic.fusion.suppress import SUPPRESS_REGISTRY
from panoptic_heuristic.fusion.veto import VETO_REGISTRY

STAGES: Mapping[str, NamedRegistry] = {
    "suppress": SUPPRESS_REGISTRY,
    "order": ORDER_REGISTRY,
    "claim": CLAIM_REGISTRY,
    "veto": VETO_REGISTRY,
    "stuff": STUFF_REGISTRY,
    "leftover": LEFTOVER_REGISTRY,
    "border": BORDER_REGISTRY,
}
"""Stage -> registry."""

DEFAULT_RULES: Mapping[str, str] = {
    "suppress": "none",
    "order": "score",
    "claim": "greedy",
    "veto": "none",
    "stuff": "void",
    "leftover": "void",
    "border": "none",
}
"""Stage -> the name of the rule that Detectron2 has there."""

THRESHOLDS = (
    "instances_score_thresh",
    "stuff_area_thresh",
    "stuff_area_fraction",
    "thing_area_thresh",
    "island_area_fraction",
)
"""The thresholds of a pipeline that belong to no rule."""


def rule_class(stage: str, name: Any) -> Any:
    """A rule by its name.

    Raises:
        ParameterError: the stage has none of that name; names those it has.
    """
    registry = STAGES[stage]
    if not isinstance(name, str) or name not in registry:
        known = ", ".join(sorted(known for known, _ in registry))
        raise ParameterError(None, f"must be one of {known}, got {name!r}", stage=stage)
    return registry.get(name)


def rule_name(stage: str, rule: Any) -> str:
    """The name of a rule; that of its class if it is not registered."""
    return next((name for name, one in STAGES[stage] if one is type(rule)), type(rule).__name__)


def parameter_names(rule: Any) -> Tuple[str, ...]:
    """The parameters of a rule or of its class, in their order."""
    return tuple(field.name for field in dataclasses.fields(rule))


def make_rule(stage: str, name: Any, parameters: Mapping[str, Any]) -> Any:
    """A rule with some of its parameters; the others have their defaults.

    Args:
        stage: of the rule.
        name: of the rule, in YAML.
        parameters: by name.

    Raises:
        ParameterError: there is no such rule, it lacks a parameter, or a value is out of its range.
    """
    made = rule_class(stage, name)
    _check_parameters(stage, name, parameters, parameter_names(made))
    try:
        return made(**parameters)
    except ParameterError as error:
        raise error.of_stage(stage) from error


def changed_rule(stage: str, rule: Any, parameters: Mapping[str, Any]) -> Any:
    """A rule with other values of some parameters.

    Raises:
        ParameterError: it lacks a parameter, or a value is out of its range.
    """
    _check_parameters(stage, rule_name(stage, rule), parameters, parameter_names(rule))
    try:
        return dataclasses.replace(rule, **parameters)
    except ParameterError as error:
        raise error.of_stage(stage) from error


def _check_parameters(stage: str, name: str, parameters: Mapping[str, Any], known: Tuple[str, ...]) -> None:
    for parameter in parameters:
        if parameter not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ParameterError(parameter, f"is no parameter of the {stage} rule {name}; {has}", stage=stage)


def rule_to_mapping(stage: str, rule: Any) -> Dict[str, Any]:
    """A rule's name and parameters as JSON values."""
    values = {name: value_to_json(value) for name, value in vars(rule).items()}
    return {"name": rule_name(stage, rule), **values}


def rule_from_mapping(stage: str, data: Any) -> Any:
    """Reads what :func:`rule_to_mapping` gave.

    Raises:
        ParameterError: there is no such rule, it lacks a parameter, or a value is out of its range.
    """
    if not isinstance(data, Mapping) or "name" not in data:
        raise ParameterError(None, f"must be a mapping with the name of a rule, got {data!r}", stage=stage)
    parameters = {name: value_from_json(value) for name, value in data.items() if name != "name"}
    return make_rule(stage, data["name"], parameters)


def value_to_json(value: Any) -> Any:
    """A parameter's value as JSON values; :func:`value_from_json` is the inverse."""
    if isinstance(value, Mapping):
        # Keys of JSON are strings.
        return {"of_category": [[key, value_to_json(one)] for key, one in sorted(value.items())]}
    return [value_to_json(one) for one in value] if isinstance(value, (list, tuple)) else value


def value_from_json(value: Any) -> Any:
    """Reads what :func:`value_to_json` gave."""
    if isinstance(value, Mapping) and set(value) == {"of_category"}:
        return {key: value_from_json(one) for key, one in value["of_category"]}
    return tuple(value_from_json(one) for one in value) if isinstance(value, list) else value
