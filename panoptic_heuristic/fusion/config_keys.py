"""The names that rules and thresholds have in configs: a key per value, where Detectron2's users look for it.

The three thresholds of Panoptic FPN stand under ``MODEL.PANOPTIC_FPN.COMBINE``, as in Detectron2. All else
stands under ``MODEL.PANOPTIC_FUSION``: a node per stage with the ``NAME`` of its rule, and in it one key per
parameter: ``kept_fraction`` of a claim rule is ``CLAIM.KEPT_FRACTION``. Rules of a stage may share a
parameter, if they have the same default for it.
"""

import dataclasses
from typing import Any, Dict, Mapping, Optional

from panoptic_heuristic.fusion.presets import preset_rules
from panoptic_heuristic.fusion.stages import DEFAULT_RULES, STAGES

COMBINE, FUSION = "MODEL.PANOPTIC_FPN.COMBINE.", "MODEL.PANOPTIC_FUSION."

THRESHOLD_KEYS: Mapping[str, str] = {
    "claim.overlap_threshold": f"{COMBINE}OVERLAP_THRESH",
    "stuff_area_thresh": f"{COMBINE}STUFF_AREA_LIMIT",
    "instances_score_thresh": f"{COMBINE}INSTANCES_CONFIDENCE_THRESH",
    "stuff_area_fraction": f"{FUSION}STUFF_AREA_FRACTION",
    "thing_area_thresh": f"{FUSION}THINGS.AREA_LIMIT",
    "island_area_fraction": f"{FUSION}ISLAND_AREA_FRACTION",
}
"""Path -> key of the values that are not in the node of a stage."""

PER_CLASS_KEYS: Mapping[str, str] = {
    "OVERLAP_THRESH": "claim.overlap_threshold_of",
    "INSTANCES_CONFIDENCE_THRESH": "instances_score_thresh_of",
    "STUFF_AREA_LIMIT": "stuff_area_thresh_of",
    "STUFF_AREA_FRACTION": "stuff_area_fraction_of",
}
"""Key of an entry of ``MODEL.PANOPTIC_FUSION.PER_CLASS`` -> path. The first two are for things."""

OF_THINGS = ("OVERLAP_THRESH", "INSTANCES_CONFIDENCE_THRESH")
"""The keys of :data:`PER_CLASS_KEYS` that are for things; the others are for stuff."""

# These stand where Detectron2 has them, or under PER_CLASS.
_ELSEWHERE = ("overlap_threshold", "overlap_threshold_of")


def key_of(stage: Optional[str], parameter: Optional[str]) -> str:
    """The config key of a value.

    Args:
        stage: of the rule; None for what belongs to no stage.
        parameter: its name; None for the choice of the rule.
    """
    path = ".".join(part for part in (stage, parameter) if part)
    if path in THRESHOLD_KEYS:
        return THRESHOLD_KEYS[path]
    for key, of_category in PER_CLASS_KEYS.items():
        if path == of_category:
            return f"{FUSION}PER_CLASS: {key}"
    if parameter is None:
        return f"{FUSION}{path.upper()}.NAME"
    return f"{FUSION}{path.upper()}"


def stage_parameters(rule: Any) -> Dict[str, Any]:
    """The parameters of a rule's class that have keys in its stage's node, and their defaults as in YAML."""
    return {field.name: _default(field) for field in dataclasses.fields(rule) if field.name not in _ELSEWHERE}


def stage_defaults(stage: str) -> Dict[str, Any]:
    """Key -> default in the node of a stage, for the rules that are registered now."""
    keys = {"NAME": DEFAULT_RULES[stage]}
    for _, rule in STAGES[stage]:
        for parameter, default in stage_parameters(rule).items():
            keys.setdefault(parameter.upper(), default)
    return keys


def fusion_defaults() -> Dict[str, Any]:
    """The keys of ``MODEL.PANOPTIC_FUSION`` with their defaults, which fuse as Detectron2 does."""
    return {
        # A published system's rules; setting it sets the keys of all stages.
        "PRESET": "detectron2",
        # Python files that register rules of one's own.
        "RULE_FILES": [],
        **{stage.upper(): stage_defaults(stage) for stage in STAGES},
        # An instance needs so many pixels in the map.
        "THINGS": {"AREA_LIMIT": 0},
        # A stuff segment needs this fraction of the image, besides STUFF_AREA_LIMIT pixels.
        "STUFF_AREA_FRACTION": 0.0,
        # A connected part of one semantic label with less than this fraction of the image takes the labels around it.
        "ISLAND_AREA_FRACTION": 0.0,
        # [category name, {OVERLAP_THRESH: 0.7, INSTANCES_CONFIDENCE_THRESH: 0.4}] of things, and
        # [category name, {STUFF_AREA_LIMIT: 1000, STUFF_AREA_FRACTION: 0.01}] of stuff: lists, since
        # nodes of Detectron2 refuse new keys.
        "PER_CLASS": [],
        # "segments": (map of ids, segments_info), as Detectron2. "label_divisor": (map of dataset
        # category id * label_divisor + instance with -1 for void, None).
        "MAP_FORMAT": "segments",
        # What the model returns. With ["panoptic_seg"] alone it is faster and needs less memory.
        "OUTPUTS": ["sem_seg", "instances", "panoptic_seg"],
    }


def preset_nodes(name: Any) -> Dict[str, Dict[str, Any]]:
    """The node of every stage, such as ``CLAIM``, for the rules of a preset; its thresholds are not in it.

    Raises:
        ParameterError: there is none of that name.
    """
    rules = preset_rules(name)
    return {
        stage.upper(): {
            **stage_defaults(stage),
            **{parameter.upper(): value for parameter, value in rules.get(stage, {}).items()},
        }
        for stage in STAGES
    }


def _default(field: dataclasses.Field) -> Any:
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return list(value) if isinstance(value, (tuple, Mapping)) else value
