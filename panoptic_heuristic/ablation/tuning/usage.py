"""How tuned settings are put to use: the config keys that change, and the command that evaluates them."""

import shlex
from pathlib import Path
from typing import Any, List, Mapping, NamedTuple, Optional

from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.flattened import flattened
from panoptic_heuristic.fusion import Need, Pipeline

_FILES_COMMAND = (
    "panoptic-heuristic fuse-predictions --images IMAGES.json --instances INSTANCES.json --semantics SEMANTICS "
    "{}--config-file {} --output fused"
)


class ChangedKey(NamedTuple):
    """A config key with two values.

    Attributes:
        key: as Detectron2 spells it.
        before, after: its values, lists of classes in short; None where the rules do not have it.
    """

    key: str
    before: Optional[str]
    after: Optional[str]


def changed_keys(before: Pipeline, after: Pipeline, categories: Categories) -> List[ChangedKey]:
    """The config keys in which two pipelines differ, thresholds first."""
    ours, theirs = (flattened(one.to_config(categories)) for one in (before, after))
    keys = [key for key in dict.fromkeys((*ours, *theirs)) if ours.get(key) != theirs.get(key)]
    return [ChangedKey(key, _told(ours, key), _told(theirs, key)) for key in keys]


def evaluating_command(
    config: Path, pipeline: Pipeline, *, has_base: bool, predictions: Mapping[str, Any]
) -> Optional[str]:
    """The command that runs a tuned config.

    Args:
        config: the YAML.
        pipeline: that it has.
        has_base: it builds on the config of a model.
        predictions: what made those that were tuned on, see :attr:`.Manifest.source`.

    Returns:
        None if there is no such command: the predictions are of a model, and the config has none.
    """
    path = shlex.quote(str(config))
    if "config" not in predictions:
        return _FILES_COMMAND.format("--image-root IMAGES " if Need.IMAGE in pipeline.needs else "", path)
    if not has_base:
        return None
    weights = shlex.quote(str(predictions.get("weights") or "WEIGHTS.pth"))
    return f"panoptic-heuristic train-net --eval-only --config-file {path} MODEL.WEIGHTS {weights}"


def _told(values: Mapping[str, Any], key: str) -> Optional[str]:
    if key not in values:
        return None
    value = values[key]
    if isinstance(value, list) and all(isinstance(one, list) for one in value):
        return f"of {len(value)} class{'es' if len(value) > 1 else ''}" if value else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
