"""Config keys, and how a config is put together from a YAML file and the command line."""

import difflib
import os
from typing import Any, List, Mapping, Sequence, Set, Tuple

import yaml
from detectron2.config import CfgNode, get_cfg

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import SCORE_WEIGHTS, ClassAware, PixelArgmax, Reclaim

# These are int or float, and yacs refuses the other one; people write 1 and 4096.0.
_NUMBERS = (
    "MODEL.PANOPTIC_FPN.COMBINE.OVERLAP_THRESH",
    "MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT",
    "MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH",
    "MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION",
    "MODEL.PANOPTIC_FUSION.CLAIM.DUPLICATE_THRESHOLD",
    "MODEL.PANOPTIC_FUSION.CLAIM.FREE_FRACTION",
    "MODEL.PANOPTIC_FUSION.CLAIM.INTERSECTION_THRESHOLD",
    "MODEL.PANOPTIC_FUSION.CLAIM.AREA_RATIO",
    "MODEL.PANOPTIC_FUSION.CLAIM.KEPT_FRACTION",
    "MODEL.PANOPTIC_FUSION.ORDER.DEFAULT_CUT",
    "MODEL.PANOPTIC_FUSION.ORDER.SCORE_EXPONENT",
    "MODEL.PANOPTIC_FUSION.ORDER.QUALITY_EXPONENT",
    "MODEL.PANOPTIC_FUSION.ORDER.AGREEMENT_EXPONENT",
    "MODEL.PANOPTIC_FUSION.ORDER.KEY_CUTOFF",
    "MODEL.PANOPTIC_FUSION.SUPPRESS.IOU_THRESHOLD",
    "MODEL.PANOPTIC_FUSION.SUPPRESS.KEEP",
)
MAP_FORMATS = ("segments", "label_divisor")


class PanopticHeuristicCfgNode(CfgNode):
    """A config root that takes any number for the fusion thresholds."""

    def merge_from_other_cfg(self, cfg_other: CfgNode) -> None:
        """As in Detectron2, but the fusion thresholds may be int or float."""
        other = cfg_other.clone()
        for key in _NUMBERS:
            node, name = _descend(other, key)
            if node is not None and name in node:
                self._set_number(key, node.pop(name))
        super().merge_from_other_cfg(other)

    def merge_from_list(self, cfg_list: List[Any]) -> None:
        """As in Detectron2, but the fusion thresholds may be int or float."""
        others = []
        for key, value in zip(cfg_list[0::2], cfg_list[1::2], strict=False):
            if key in _NUMBERS:
                self._set_number(key, self._decode_cfg_value(value))
            else:
                others += [key, value]
        super().merge_from_list(others + list(cfg_list[len(cfg_list) // 2 * 2 :]))

    @classmethod
    def _decode_cfg_value(cls, value: Any) -> Any:
        # Makes nodes of dicts: they must be plain ones, since yacs merges nodes of one class only.
        return CfgNode._decode_cfg_value(value)

    def _set_number(self, key: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{key} must be a number, got {value!r}")
        node, name = _descend(self, key)
        # Whole numbers stay of the type the key has, so that a saved config merges in Detectron2.
        whole = isinstance(node[name], int) and float(value).is_integer()
        node[name] = int(value) if whole else float(value)


def add_panoptic_heuristic_config(cfg: CfgNode) -> None:
    """Adds this project's keys to a Detectron2 config.

    The three thresholds stay under ``MODEL.PANOPTIC_FPN.COMBINE``, where Detectron2 has them; any
    number is accepted for them from now on. Values of single categories are lists of pairs with the
    category's name, since nodes refuse new keys.
    """
    cfg.MODEL.PANOPTIC_FUSION = CfgNode()
    # "segments": (map of ids, segments_info), as Detectron2. "label_divisor": (map of dataset
    # category id * label_divisor + instance with -1 for void, None).
    cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT = "segments"
    # Who gets a contested pixel: "greedy"; "per_pixel"; "class_aware", where only an instance's own
    # category and its duplicates keep it off; "reclaim", where what lies on top takes pixels back;
    # "pixel_argmax", the largest score times mask probability. Keys of another rule must be left out.
    cfg.MODEL.PANOPTIC_FUSION.CLAIM = CfgNode()
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.NAME = "greedy"
    # For "class_aware": a duplicate shares this fraction of both, and more than this must be free.
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.DUPLICATE_THRESHOLD = ClassAware.duplicate_threshold
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.FREE_FRACTION = ClassAware.free_fraction
    # For "reclaim": the fraction of either that must be contested, and what lies on top: by "area",
    # a mask at most AREA_RATIO as large; "mean_probability"; or "precedence", pairs of names or ids
    # of categories, [above, below].
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.INTERSECTION_THRESHOLD = Reclaim.intersection_threshold
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.ON_TOP = Reclaim.on_top
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.AREA_RATIO = Reclaim.area_ratio
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.PRECEDENCE = []
    # For "pixel_argmax": the least fraction of its mask that an instance must win; by "score", which
    # is score times probability, or "mask", the probability; whether it keeps of these pixels its
    # "mask" or all it "won".
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.KEPT_FRACTION = PixelArgmax.kept_fraction
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.BY = PixelArgmax.by
    cfg.MODEL.PANOPTIC_FUSION.CLAIM.KEPT_PIXELS = PixelArgmax.kept_pixels
    # What goes before instances are ordered: "none", "nms", or "semantic_gate", the pixels of a mask
    # whose semantic label disagrees with it.
    cfg.MODEL.PANOPTIC_FUSION.SUPPRESS = CfgNode()
    cfg.MODEL.PANOPTIC_FUSION.SUPPRESS.NAME = "none"
    # For "nms": an instance goes if its IoU with a better one exceeds it, of "mask" or "box".
    cfg.MODEL.PANOPTIC_FUSION.SUPPRESS.IOU_THRESHOLD = 0.5
    cfg.MODEL.PANOPTIC_FUSION.SUPPRESS.KIND = "mask"
    # For "semantic_gate": an instance goes if less than this fraction of its mask is left, or nothing.
    cfg.MODEL.PANOPTIC_FUSION.SUPPRESS.KEEP = 0.0
    # In which order instances claim: "score", or "calibrated", the probability of a true positive,
    # 1 / (1 + exp(-x)), x = bias + the sum of weights times logit of the score, agreement with the
    # semantic labels, log of the area, fraction covered by better instances; or "power", the score,
    # the mask's mean probability and the agreement with the semantic labels, to a power each.
    cfg.MODEL.PANOPTIC_FUSION.ORDER = CfgNode()
    cfg.MODEL.PANOPTIC_FUSION.ORDER.NAME = "score"
    # For "calibrated": [category name, [bias, four weights]], and for the other categories.
    cfg.MODEL.PANOPTIC_FUSION.ORDER.WEIGHTS = []
    cfg.MODEL.PANOPTIC_FUSION.ORDER.DEFAULT_WEIGHTS = list(SCORE_WEIGHTS)
    # For "calibrated": [category name, the probability it needs], and for the other categories.
    cfg.MODEL.PANOPTIC_FUSION.ORDER.CUT = []
    cfg.MODEL.PANOPTIC_FUSION.ORDER.DEFAULT_CUT = 0.0
    # For "power": the three exponents, and what their product needs, besides the score's cutoff.
    cfg.MODEL.PANOPTIC_FUSION.ORDER.SCORE_EXPONENT = 1.0
    cfg.MODEL.PANOPTIC_FUSION.ORDER.QUALITY_EXPONENT = 0.0
    cfg.MODEL.PANOPTIC_FUSION.ORDER.AGREEMENT_EXPONENT = 0.0
    cfg.MODEL.PANOPTIC_FUSION.ORDER.KEY_CUTOFF = 0.0
    # A stuff segment needs this fraction of the image, besides STUFF_AREA_LIMIT pixels.
    cfg.MODEL.PANOPTIC_FUSION.STUFF_AREA_FRACTION = 0.0
    # [category name, {OVERLAP_THRESH: 0.7, INSTANCES_CONFIDENCE_THRESH: 0.4}] of things, and
    # [category name, {STUFF_AREA_LIMIT: 1000, STUFF_AREA_FRACTION: 0.01}] of stuff.
    cfg.MODEL.PANOPTIC_FUSION.PER_CLASS = []
    # A data set of one's own as a YAML file, see datasets/README.md. Its splits are registered as
    # <name>_<split>; DATASETS.TRAIN and DATASETS.TEST default to its splits train and val.
    cfg.DATASETS.PANOPTIC_YAML = ""
    # Keep the predictions as COCO panoptic PNGs and JSON under OUTPUT_DIR/inference.
    cfg.TEST.KEEP_PANOPTIC_PREDICTIONS = False
    # "quality": our counts. "detectron2": its own evaluator, which runs panopticapi, for comparison.
    cfg.TEST.PANOPTIC_EVALUATOR = "quality"
    # yacs has no hook for a key's type, and nodes refuse to have attributes set the usual way.
    object.__setattr__(cfg, "__class__", PanopticHeuristicCfgNode)


def load_config(config_file: str, overrides: Sequence[str] = ()) -> Tuple[CfgNode, Set[str]]:
    """Puts a config together.

    Args:
        config_file: a YAML file, on ``_BASE_`` files if it likes.
        overrides: ``KEY VALUE`` pairs.

    Returns:
        The config, not frozen, and the keys that the file or the overrides set.

    Raises:
        InputError: the file is missing or no YAML, a key does not exist, or a value has the wrong type.
    """
    cfg = get_cfg()
    add_panoptic_heuristic_config(cfg)
    if len(overrides) % 2:
        raise InputError(f"expected KEY VALUE pairs after the options, but {overrides[-1]!r} has no value")
    if not os.path.isfile(config_file):
        raise InputError(f"there is no config file {config_file!r}; name one with --config-file")
    try:
        content = _load_yaml(config_file)
        cfg.merge_from_file(config_file)
    except (KeyError, ValueError, AssertionError, TypeError, OSError, yaml.YAMLError) as error:
        raise _config_error(error, config_file, cfg) from error
    try:
        cfg.merge_from_list(list(overrides))
    except (KeyError, ValueError, AssertionError, TypeError) as error:
        wrong = _first_unknown(overrides[0::2], cfg)
        raise _config_error(KeyError(wrong) if wrong else error, "the command line", cfg) from error
    _check_fusion(cfg)
    return cfg, set(_leaf_keys(content)) | set(overrides[0::2])


def reference_schedule(config_file: str, overrides: Sequence[str] = ()) -> Tuple[float, int]:
    """A learning rate and the batch size it was chosen for.

    Whoever sets both keys at once knows what they do; whoever sets one of them may forget the
    other. So this is the pair of the last file, going up from the ``_BASE_`` files, or of the
    overrides, that sets both; Detectron2's 0.02 at 16 images if none does.

    Args:
        config_file: a YAML file that :func:`load_config` has accepted.
        overrides: ``KEY VALUE`` pairs.

    Returns:
        ``SOLVER.BASE_LR`` and ``SOLVER.IMS_PER_BATCH``.
    """
    reference = (0.02, 16)
    given = {key: CfgNode._decode_cfg_value(value) for key, value in zip(overrides[0::2], overrides[1::2], strict=True)}
    for keys in (*_chain(config_file), given):
        if "SOLVER.BASE_LR" in keys and "SOLVER.IMS_PER_BATCH" in keys:
            reference = (float(keys["SOLVER.BASE_LR"]), int(keys["SOLVER.IMS_PER_BATCH"]))
    return reference


def _chain(config_file: str) -> List[Mapping[str, Any]]:
    """The keys that each file sets itself, from the lowest ``_BASE_`` file up."""
    with open(config_file, encoding="utf-8") as file:
        content = yaml.safe_load(file)
    base = content.pop("_BASE_", None)
    own = {key: _descend(content, key)[0][key.rsplit(".", 1)[-1]] for key in _leaf_keys(content)}
    if base is None:
        return [own]
    return [*_chain(os.path.join(os.path.dirname(config_file), os.path.expanduser(base))), own]


def _load_yaml(config_file: str) -> Mapping:
    """The keys of a file and of its ``_BASE_`` files."""
    try:
        content = CfgNode.load_yaml_with_base(config_file)
    except (TypeError, AttributeError):
        # An empty file, or a list for a mapping, ends like that in there.
        content = None
    if not isinstance(content, Mapping):
        raise InputError("expected a mapping of config keys, in this file and in its _BASE_ files")
    return content


def _check_fusion(cfg: CfgNode) -> None:
    if cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT not in MAP_FORMATS:
        raise InputError(
            f"MODEL.PANOPTIC_FUSION.MAP_FORMAT must be one of {', '.join(MAP_FORMATS)}, "
            f"got {cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT!r}"
        )


def _config_error(error: Exception, where: str, cfg: CfgNode) -> InputError:
    if isinstance(error, InputError):
        return InputError(f"{where}: {error}")
    # The text of a KeyError is in quotes; that of the others says more than their first argument.
    message = " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())
    if not isinstance(error, KeyError):
        return InputError(f"{where}: {message}")
    key = message.rsplit(": ", 1)[-1]
    close = difflib.get_close_matches(key, list(_leaf_keys(cfg)), n=1, cutoff=0.6)
    return InputError(f"{where}: there is no config key {key}" + (f"; did you mean {close[0]}?" if close else ""))


def _first_unknown(keys: Sequence[str], cfg: CfgNode) -> str:
    known = set(_leaf_keys(cfg))
    return next((key for key in keys if key not in known), "")


def _descend(root: Mapping, key: str) -> Tuple[Any, str]:
    *path, name = key.split(".")
    node = root
    for part in path:
        if not isinstance(node, Mapping) or part not in node:
            return None, name
        node = node[part]
    return node, name


def _leaf_keys(node: Mapping, prefix: str = ""):
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaf_keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
