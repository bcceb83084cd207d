"""The config keys of fusing: one node per stage, and in it one key per parameter of its rules.

A rule's parameter ``kept_fraction`` has the key ``MODEL.PANOPTIC_FUSION.CLAIM.KEPT_FRACTION``, with
the rule's default. Rules of a stage may share a parameter, if they have the same default for it.
"""

import dataclasses
from typing import Any, Dict, Iterator, Mapping, Tuple

from detectron2.config import CfgNode

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DEFAULT_PIPELINE, STAGES, preset_rules
from panoptic_heuristic.fusion.stages import rule_name

COMBINE, FUSION = "MODEL.PANOPTIC_FPN.COMBINE.", "MODEL.PANOPTIC_FUSION."

THRESHOLD_KEYS = {
    "overlap_threshold": f"{COMBINE}OVERLAP_THRESH",
    "stuff_area_thresh": f"{COMBINE}STUFF_AREA_LIMIT",
    "instances_score_thresh": f"{COMBINE}INSTANCES_CONFIDENCE_THRESH",
    "stuff_area_fraction": f"{FUSION}STUFF_AREA_FRACTION",
    "thing_area_thresh": f"{FUSION}THINGS.AREA_LIMIT",
}
"""Parameter -> key of the thresholds, which are not in the node of a stage."""

# These stand where Detectron2 has them, or under PER_CLASS.
_ELSEWHERE = ("overlap_threshold", "overlap_threshold_of")


def parameters_of(rule: Any) -> Dict[str, Any]:
    """The parameters of a rule's class that have keys in its stage's node, and their defaults as in YAML."""
    return {
        field.name: _default(field) for field in dataclasses.fields(rule) if field.name not in _ELSEWHERE
    }  # fmt: skip


def stage_defaults(stage: str) -> Dict[str, Any]:
    """Key -> default in the node of a stage, for the rules that are registered now."""
    keys = {"NAME": rule_name(stage, getattr(DEFAULT_PIPELINE, stage))}
    for _, rule in STAGES[stage]:
        for parameter, default in parameters_of(rule).items():
            keys.setdefault(parameter.upper(), default)
    return keys


def add_fusion_keys(cfg: CfgNode) -> None:
    """Adds ``MODEL.PANOPTIC_FUSION`` to a config, with the rules of Detectron2."""
    cfg.MODEL.PANOPTIC_FUSION = CfgNode()
    fusion = cfg.MODEL.PANOPTIC_FUSION
    # A published system's rules; setting it sets the keys of all stages.
    fusion.PRESET = "detectron2"
    # Python files that register rules of one's own.
    fusion.RULE_FILES = []
    for stage in STAGES:
        fusion[stage.upper()] = CfgNode(stage_defaults(stage))
        # For the parameters of rules of one's own, which are not known yet; typos are found later.
        fusion[stage.upper()].set_new_allowed(True)
    # An instance needs so many pixels in the map.
    fusion.THINGS = CfgNode({"AREA_LIMIT": 0})
    # A stuff segment needs this fraction of the image, besides STUFF_AREA_LIMIT pixels.
    fusion.STUFF_AREA_FRACTION = 0.0
    # [category name, {OVERLAP_THRESH: 0.7, INSTANCES_CONFIDENCE_THRESH: 0.4}] of things, and
    # [category name, {STUFF_AREA_LIMIT: 1000, STUFF_AREA_FRACTION: 0.01}] of stuff: lists, since
    # nodes refuse new keys.
    fusion.PER_CLASS = []
    # "segments": (map of ids, segments_info), as Detectron2. "label_divisor": (map of dataset
    # category id * label_divisor + instance with -1 for void, None).
    fusion.MAP_FORMAT = "segments"
    # What the model returns. With ["panoptic_seg"] alone it is faster and needs less memory.
    fusion.OUTPUTS = ["sem_seg", "instances", "panoptic_seg"]


def rules_of_preset(name: Any) -> Dict[str, Dict[str, Any]]:
    """The node of every stage, such as ``CLAIM``, for the rules of a preset.

    Raises:
        InputError: there is none of that name.
    """
    try:
        rules = preset_rules(name)
    except InputError as error:
        raise InputError(str(error).replace("preset", f"{FUSION}PRESET", 1)) from error
    return {
        stage.upper(): {
            **stage_defaults(stage),
            **{key.upper(): value for key, value in rules.get(stage, {}).items()},
        }
        for stage in STAGES
    }


def stage_keys(node: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    """Stage and key of all that is in the stages' nodes of ``MODEL.PANOPTIC_FUSION``, or of a part of it."""
    for stage in STAGES:
        keys = node.get(stage.upper(), {})
        if isinstance(keys, Mapping):
            yield from ((stage, key) for key in keys)


def _default(field: dataclasses.Field) -> Any:
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return list(value) if isinstance(value, (tuple, Mapping)) else value
