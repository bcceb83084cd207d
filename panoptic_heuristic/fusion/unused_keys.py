"""Fusion keys of a config whose model does not read them: they would be in force nowhere."""

from typing import Any, List, Mapping

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion.config_keys import FUSION, fusion_defaults

OWN_ARCHITECTURE = "PanopticHeuristicFPN"
"""The ``MODEL.META_ARCHITECTURE`` that fuses by these keys."""

DETECTRON2_ARCHITECTURES = (
    "FCOS", "GeneralizedRCNN", "PanopticFPN", "ProposalNetwork", "RetinaNet", "SemanticSegmentor"
)  # fmt: skip
"""Those of Detectron2 itself, none of which does."""


def check_keys_of_file(content: Mapping[str, Any]) -> None:
    """Raises if a config file sets fusion keys for a model that is known not to read them.

    A file without ``MODEL.META_ARCHITECTURE`` is to be laid over another one, and a model of one's own may be
    derived from ours.

    Args:
        content: of a config file and its ``_BASE_`` files.

    Raises:
        InputError: names the keys.
    """
    model = content.get("MODEL")
    fusion = model.get("PANOPTIC_FUSION") if isinstance(model, Mapping) else None
    if isinstance(fusion, Mapping) and model.get("META_ARCHITECTURE") in DETECTRON2_ARCHITECTURES:
        check_not_set(fusion, model["META_ARCHITECTURE"])


def check_not_set(fusion: Mapping[str, Any], architecture: str) -> None:
    """Raises if ``MODEL.PANOPTIC_FUSION`` asks for anything but Detectron2's fusion.

    Args:
        fusion: the node, or a part of it.
        architecture: of a model that does not read it.

    Raises:
        InputError: names the keys.
    """
    # Files of rules are loaded whatever the model is.
    defaults = {**fusion_defaults(), "RULE_FILES": fusion.get("RULE_FILES")}
    if keys := _changed(fusion, defaults, FUSION):
        raise InputError(
            f"MODEL.META_ARCHITECTURE {architecture} does not use {', '.join(keys)}; "
            f"set it to {OWN_ARCHITECTURE}, or leave the keys out"
        )


def _changed(node: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str) -> List[str]:
    """The keys whose values are not their defaults."""
    keys: List[str] = []
    for name, value in node.items():
        default = defaults.get(name)
        if isinstance(value, Mapping):
            keys += _changed(value, default if isinstance(default, Mapping) else {}, f"{prefix}{name}.")
        elif (list(value) if isinstance(value, tuple) else value) != default:
            keys.append(f"{prefix}{name}")
    return keys
