"""The stages of fusing in their order, and the rules of each by the names they have in YAML."""

from typing import Any, Dict, Mapping

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.border import BORDER_REGISTRY
from panoptic_heuristic.fusion.claim import CLAIM_REGISTRY
from panoptic_heuristic.fusion.leftover import LEFTOVER_REGISTRY
from panoptic_heuristic.fusion.order import ORDER_REGISTRY
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


def rule_class(stage: str, name: Any) -> Any:
    """A rule by its name.

    Raises:
        InputError: the stage has none of that name; names those it has.
    """
    registry = STAGES[stage]
    if not isinstance(name, str) or name not in registry:
        raise InputError(f"{stage} must be one of {', '.join(sorted(known for known, _ in registry))}, got {name!r}")
    return registry.get(name)


def rule_name(stage: str, rule: Any) -> str:
    """The name of a rule; that of its class if it is not registered."""
    return next((name for name, one in STAGES[stage] if one is type(rule)), type(rule).__name__)


def rule_to_json(stage: str, rule: Any) -> Dict[str, Any]:
    """A rule's name and parameters as JSON values."""
    values = {name: _plain(value) for name, value in vars(rule).items()}
    return {"name": rule_name(stage, rule), **values}


def rule_from_json(stage: str, data: Mapping[str, Any]) -> Any:
    """Reads what :func:`rule_to_json` gave.

    Raises:
        InputError: there is no such rule, or a value is out of its range.
    """
    values = {name: value for name, value in data.items() if name != "name"}
    return rule_class(stage, data["name"])(**{name: _read(value) for name, value in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        # Keys of JSON are strings.
        return {"of_category": [[key, _plain(one)] for key, one in sorted(value.items())]}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(one) for key, one in value["of_category"]}
    return tuple(_read(one) for one in value) if isinstance(value, list) else value
