"""From a config to the rules and thresholds of fusing."""

import dataclasses
import difflib
import re
from typing import Any, Dict, Mapping, Optional

from detectron2.config import CfgNode
from fvcore.common.registry import Registry

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import CLAIM_REGISTRY, ORDER_REGISTRY, SUPPRESS_REGISTRY, Pipeline

_COMBINE, _FUSION = "MODEL.PANOPTIC_FPN.COMBINE.", "MODEL.PANOPTIC_FUSION."

# The keys of the parameters of the rules.
_KEY_OF = {
    "overlap_threshold": f"{_COMBINE}OVERLAP_THRESH",
    "stuff_area_thresh": f"{_COMBINE}STUFF_AREA_LIMIT",
    "instances_score_thresh": f"{_COMBINE}INSTANCES_CONFIDENCE_THRESH",
    "stuff_area_fraction": f"{_FUSION}STUFF_AREA_FRACTION",
    "duplicate_threshold": f"{_FUSION}CLAIM.DUPLICATE_THRESHOLD",
    "free_fraction": f"{_FUSION}CLAIM.FREE_FRACTION",
    "intersection_threshold": f"{_FUSION}CLAIM.INTERSECTION_THRESHOLD",
    "on_top": f"{_FUSION}CLAIM.ON_TOP",
    "area_ratio": f"{_FUSION}CLAIM.AREA_RATIO",
    "precedence": f"{_FUSION}CLAIM.PRECEDENCE",
    "kept_fraction": f"{_FUSION}CLAIM.KEPT_FRACTION",
    "by": f"{_FUSION}CLAIM.BY",
    "kept_pixels": f"{_FUSION}CLAIM.KEPT_PIXELS",
    "default_weights": f"{_FUSION}ORDER.DEFAULT_WEIGHTS",
    "default_cut": f"{_FUSION}ORDER.DEFAULT_CUT",
    "score_exponent": f"{_FUSION}ORDER.SCORE_EXPONENT",
    "quality_exponent": f"{_FUSION}ORDER.QUALITY_EXPONENT",
    "agreement_exponent": f"{_FUSION}ORDER.AGREEMENT_EXPONENT",
    "key_cutoff": f"{_FUSION}ORDER.KEY_CUTOFF",
    "iou_threshold": f"{_FUSION}SUPPRESS.IOU_THRESHOLD",
    "kind": f"{_FUSION}SUPPRESS.KIND",
    "keep": f"{_FUSION}SUPPRESS.KEEP",
}
# The same of those that have a value per category.
_KEY_OF_CATEGORIES = {
    "overlap_threshold_of": f"{_FUSION}PER_CLASS: OVERLAP_THRESH",
    "stuff_area_thresh_of": f"{_FUSION}PER_CLASS: STUFF_AREA_LIMIT",
    "instances_score_thresh_of": f"{_FUSION}PER_CLASS: INSTANCES_CONFIDENCE_THRESH",
    "stuff_area_fraction_of": f"{_FUSION}PER_CLASS: STUFF_AREA_FRACTION",
    "weights": f"{_FUSION}ORDER.WEIGHTS",
    "cut": f"{_FUSION}ORDER.CUT",
}
# What may be set per category: whether of things, and the parameter.
_PER_CLASS = {
    "OVERLAP_THRESH": (True, "overlap_threshold_of"),
    "INSTANCES_CONFIDENCE_THRESH": (True, "instances_score_thresh_of"),
    "STUFF_AREA_LIMIT": (False, "stuff_area_thresh_of"),
    "STUFF_AREA_FRACTION": (False, "stuff_area_fraction_of"),
}


def pipeline_from_config(cfg: CfgNode, categories: Categories) -> Pipeline:
    """The rules and thresholds a config names.

    Args:
        cfg: a config.
        categories: the data set's; values of single categories go by their names.

    Raises:
        InputError: a rule or a category is unknown, or a value is out of its interval; names the key.
    """
    fusion, combine = cfg.MODEL.PANOPTIC_FUSION, cfg.MODEL.PANOPTIC_FPN.COMBINE
    per_class = _per_class(fusion.PER_CLASS, categories)
    claim_rule = _rule(CLAIM_REGISTRY, f"{_FUSION}CLAIM.NAME", fusion.CLAIM.NAME)
    suppress_rule = _rule(SUPPRESS_REGISTRY, f"{_FUSION}SUPPRESS.NAME", fusion.SUPPRESS.NAME)
    order_rule = _rule(ORDER_REGISTRY, f"{_FUSION}ORDER.NAME", fusion.ORDER.NAME)
    claim = _claim_values(fusion.CLAIM, claim_rule, categories)
    claim["overlap_threshold"] = combine.OVERLAP_THRESH
    claim["overlap_threshold_of"] = per_class.pop("overlap_threshold_of")
    if claim["overlap_threshold_of"] and "overlap_threshold_of" not in _parameters(claim_rule):
        raise InputError(
            f"{_FUSION}PER_CLASS sets OVERLAP_THRESH, which the claim rule {fusion.CLAIM.NAME} does not have; "
            f"take it out, or set {_FUSION}CLAIM.NAME to greedy"
        )
    order = _values_of("ORDER", fusion.ORDER)
    if "weights" in _parameters(order_rule):
        order["weights"] = _of_things(f"{_FUSION}ORDER.WEIGHTS", fusion.ORDER.WEIGHTS, categories)
        order["cut"] = _of_things(f"{_FUSION}ORDER.CUT", fusion.ORDER.CUT, categories)
    try:
        return Pipeline(
            claim=_made(claim_rule, claim),
            order=_made(order_rule, order),
            suppress=_made(suppress_rule, _values_of("SUPPRESS", fusion.SUPPRESS)),
            instances_score_thresh=combine.INSTANCES_CONFIDENCE_THRESH,
            stuff_area_thresh=combine.STUFF_AREA_LIMIT,
            stuff_area_fraction=fusion.STUFF_AREA_FRACTION,
            **per_class,
        )
    except InputError as error:
        raise InputError(_told_by_key(str(error), categories)) from error


def _rule(registry: Registry, key: str, name: str) -> Any:
    if name not in registry:
        known = ", ".join(sorted(name for name, _ in registry))
        raise InputError(f"{key} must be one of {known}, got {name!r}")
    return registry.get(name)


def _values_of(stage: str, node: CfgNode) -> Dict[str, Any]:
    """What a stage's node holds, by the names of the parameters; lists of pairs are left out."""
    prefix = f"{_FUSION}{stage}."
    return {parameter: node[key[len(prefix) :]] for parameter, key in _KEY_OF.items() if key.startswith(prefix)}


def _claim_values(node: CfgNode, rule: Any, categories: Categories) -> Dict[str, Any]:
    """What the node of the claim stage holds, by the names of the parameters.

    Raises:
        InputError: a key is set that the rule does not have.
    """
    values = _values_of("CLAIM", node)
    for parameter, value in values.items():
        owner, default = next(
            (name, getattr(one, parameter)) for name, one in CLAIM_REGISTRY if parameter in _parameters(one)
        )
        if parameter not in _parameters(rule) and (tuple(value) if isinstance(value, list) else value) != default:
            raise InputError(
                f"{_KEY_OF[parameter]} is {value!r}, which the claim rule {node.NAME} does not have; "
                f"take it out, or set {_FUSION}CLAIM.NAME to {owner}"
            )
    if "precedence" in _parameters(rule):
        values["precedence"] = _pairs_of_things(_KEY_OF["precedence"], node.PRECEDENCE, categories)
    return values


def _parameters(rule: Any) -> set:
    return {field.name for field in dataclasses.fields(rule)}


def _made(rule: Any, values: Mapping[str, Any]) -> Any:
    """A rule with those of the values that it has parameters for."""
    return rule(**{name: value for name, value in values.items() if name in _parameters(rule)})


def _per_class(entries: Any, categories: Categories) -> Dict[str, Dict[int, Any]]:
    """Reads ``PER_CLASS``: for each parameter its values by category id."""
    key = f"{_FUSION}PER_CLASS"
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


def _told_by_key(message: str, categories: Categories) -> str:
    """A rule's message about one of its parameters, with config keys in place of parameters."""
    match = re.match(r"(\w+)(?:\[(\d+)\])?", message)
    parameter: str = match.group(1)
    category_id: Optional[str] = match.group(2)
    if category_id is None:
        key = _KEY_OF[parameter]
    else:
        key = f"{_KEY_OF_CATEGORIES[parameter]} of {categories[int(category_id)].name!r}"
    # Names of one word are too much like other words.
    rest = re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda word: _KEY_OF.get(word[0], word[0]), message[match.end() :])
    return key + rest
