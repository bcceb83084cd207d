"""Keys that the model of a config takes and does not use: they are refused by name, before any work."""

from typing import Optional, Tuple

from detectron2.config import CfgNode
from detectron2.modeling import META_ARCH_REGISTRY, PanopticFPN

from panoptic_heuristic.detectron.meta_arch import PanopticHeuristicFPN, pipeline_of_model
from panoptic_heuristic.detectron.near_names import near_names
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.semantic_targets import IGNORE_LABEL
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.fusion.unused_keys import OWN_ARCHITECTURE, check_not_set

# Key, the value that is obeyed, why others are not.
_Refused = Tuple[Tuple[str, int, str], ...]

# Of Panoptic FPN, ours and Detectron2's.
_OF_PANOPTIC_FPN: _Refused = (
    ("MODEL.LOAD_PROPOSALS", False, "a Panoptic FPN makes its proposals itself"),
    (
        "MODEL.PANOPTIC_FPN.COMBINE.ENABLED",
        True,
        "Detectron2 no longer reads it; say what is returned with MODEL.PANOPTIC_FUSION.OUTPUTS",
    ),
)

_OF_OTHER_MODELS: _Refused = (
    ("TEST.AUG.ENABLED", False, f"no model but {OWN_ARCHITECTURE} is tested on several versions of an image here"),
)

_OF_AUGMENTATION: _Refused = (
    ("MODEL.KEYPOINT_ON", False, "TEST.AUG merges no keypoints of several versions of an image"),
)

# Of data sets that are read from panoptic PNGs.
_OF_PANOPTIC_PNGS: _Refused = (
    ("MODEL.KEYPOINT_ON", False, "the data set of DATASETS.PANOPTIC_YAML has no keypoints"),
    ("MODEL.SEM_SEG_HEAD.IGNORE_VALUE", IGNORE_LABEL, "labels that are made from panoptic PNGs have it for void"),
)


def model_class(cfg: CfgNode) -> type:
    """The class that ``MODEL.META_ARCHITECTURE`` names; ``object`` for a function that makes a model.

    Raises:
        InputError: nothing registered it.
    """
    name = cfg.MODEL.META_ARCHITECTURE
    registered = dict(iter(META_ARCH_REGISTRY))
    if name not in registered:
        raise InputError(
            f"MODEL.META_ARCHITECTURE names {name!r}, which nothing has registered; {near_names(name, registered)}"
        )
    found = registered[name]
    return found if isinstance(found, type) else object


def fuses_by_pipeline(cfg: CfgNode) -> bool:
    """True if the model of a config fuses by ``MODEL.PANOPTIC_FUSION``: it is ours, or derived from it.

    Raises:
        InputError: nothing registered a model of that name.
    """
    return issubclass(model_class(cfg), PanopticHeuristicFPN)


def pipeline_in_force(cfg: CfgNode) -> Optional[Pipeline]:
    """The rules and thresholds by which the model of a config fuses.

    Returns:
        Those of Detectron2's own Panoptic FPN as well; None for a model that fuses in a way of its own or not at all.

    Raises:
        InputError: they are wrong, or do not fit each other or the model.
    """
    if fuses_by_pipeline(cfg):
        return pipeline_of_model(cfg)
    if model_class(cfg) is PanopticFPN:
        return Pipeline.from_config({"MODEL": {"PANOPTIC_FPN": cfg.MODEL.PANOPTIC_FPN}})
    return None


def check_model_keys(cfg: CfgNode) -> None:
    """Raises if a config has a key that its model would ignore.

    Raises:
        InputError: names the key, and what to do.
    """
    refused = _OF_PANOPTIC_FPN if issubclass(model_class(cfg), PanopticFPN) else ()
    if not fuses_by_pipeline(cfg):
        check_not_set(cfg.MODEL.PANOPTIC_FUSION, cfg.MODEL.META_ARCHITECTURE)
        refused += _OF_OTHER_MODELS
    elif cfg.TEST.AUG.ENABLED:
        refused += _OF_AUGMENTATION
    if cfg.DATASETS.PANOPTIC_YAML:
        refused += _OF_PANOPTIC_PNGS
    for key, obeyed, why in refused:
        value = _value_of(cfg, key)
        if value != obeyed:
            raise InputError(f"{key} is {value}, but {why}; set it to {obeyed}")


def _value_of(cfg: CfgNode, key: str):
    node = cfg
    for part in key.split("."):
        node = node[part]
    return node
