"""Config keys, and how a config is put together from a YAML file and the command line."""

import difflib
import io
from typing import IO, Any, List, Mapping, Sequence, Set, Tuple

import yaml
from detectron2.config import CfgNode, get_cfg

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.packaged import config_path
from panoptic_heuristic.formats.yaml_files import read_config_chain
from panoptic_heuristic.fusion import STAGES
from panoptic_heuristic.fusion.config_form import check_fusion_keys, told_by_key
from panoptic_heuristic.fusion.config_keys import FUSION, THRESHOLD_KEYS, fusion_defaults, preset_nodes
from panoptic_heuristic.fusion.pipeline_files import with_preset
from panoptic_heuristic.fusion.rule_files import load_rule_files

_PRESET = f"{FUSION}PRESET"
MAP_FORMATS = ("segments", "label_divisor")


class PanopticHeuristicCfgNode(CfgNode):
    """A config root that takes any number for what is a number in fusing, and knows presets."""

    @classmethod
    def _open_cfg(cls, filename: str) -> IO[str]:
        # File by file, so that a preset overrides the rules of a base file, and keys beside it the preset.
        with super()._open_cfg(filename) as file:
            text = file.read()
        try:
            content = yaml.safe_load(text)
        # Reading it again will tell.
        except (yaml.YAMLError, ValueError, RecursionError):
            return io.StringIO(text)
        if not isinstance(content, Mapping) or (changed := with_preset(content, filename)) is content:
            return io.StringIO(text)
        return io.StringIO(yaml.safe_dump(changed, sort_keys=False))

    def merge_from_other_cfg(self, cfg_other: CfgNode) -> None:
        """As in Detectron2, but numbers of fusing may be int or float."""
        other = cfg_other.clone()
        for key in _number_keys(self):
            node, name = _descend(other, key)
            if node is not None and name in node:
                self._set_number(key, node.pop(name))
        super().merge_from_other_cfg(other)

    def merge_from_list(self, cfg_list: List[Any]) -> None:
        """As in Detectron2, but a preset comes first, and numbers of fusing may be int or float."""
        pairs = list(zip(cfg_list[0::2], cfg_list[1::2], strict=False))
        for key, value in pairs:
            if key == _PRESET:
                fusion = self.MODEL.PANOPTIC_FUSION
                fusion.PRESET = self._decode_cfg_value(value)
                with told_by_key(None):
                    nodes = preset_nodes(fusion.PRESET)
                for stage, keys in nodes.items():
                    fusion[stage].update(keys)
        numbers, others = set(_number_keys(self)), []
        for key, value in pairs:
            node, name = _descend(self, key)
            if key in numbers:
                self._set_number(key, self._decode_cfg_value(value))
            elif isinstance(node, CfgNode) and node.is_new_allowed() and name not in node:
                # The parent class takes new keys from files only.
                node[name] = self._decode_cfg_value(value)
            elif key != _PRESET:
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
    _add_fusion_keys(cfg)
    # A data set of one's own as a YAML file, see datasets/README.md. Its splits are registered as
    # <name>_<split>; DATASETS.TRAIN and DATASETS.TEST default to its splits train and val.
    cfg.DATASETS.PANOPTIC_YAML = ""
    # The classes by contiguous id, as Detectron2's metadata name them: written here when a run starts, so that its
    # saved config says what the channels of its weights mean.
    cfg.DATASETS.THING_CLASSES = []
    cfg.DATASETS.STUFF_CLASSES = []
    # Keep the predictions as COCO panoptic PNGs and JSON under OUTPUT_DIR/inference.
    cfg.TEST.KEEP_PANOPTIC_PREDICTIONS = False
    # "quality": our counts. "detectron2": its own evaluator, which runs panopticapi, for comparison.
    cfg.TEST.PANOPTIC_EVALUATOR = "quality"
    # yacs has no hook for a key's type, and nodes refuse to have attributes set the usual way.
    object.__setattr__(cfg, "__class__", PanopticHeuristicCfgNode)


def _add_fusion_keys(cfg: CfgNode) -> None:
    """Adds ``MODEL.PANOPTIC_FUSION`` to a config, with the rules of Detectron2."""
    cfg.MODEL.PANOPTIC_FUSION = CfgNode(fusion_defaults())
    for stage in STAGES:
        # For the parameters of rules of one's own, which are not known yet; typos are found later.
        cfg.MODEL.PANOPTIC_FUSION[stage.upper()].set_new_allowed(True)


def load_config(config_file: str, overrides: Sequence[str] = ()) -> Tuple[CfgNode, Set[str]]:
    """Puts a config together.

    Args:
        config_file: a YAML file, on ``_BASE_`` files if it likes, or the name of a packaged one.
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
    config_file = str(config_path(config_file))
    try:
        content = _load_yaml(config_file)
        cfg.merge_from_file(config_file)
    except (KeyError, ValueError, AssertionError, TypeError, OSError, RecursionError, yaml.YAMLError) as error:
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
    chain = read_config_chain(config_file)
    files = [{key: _value_at(content, key) for key in _leaf_keys(content)} for content in chain]
    for keys in (*files, given):
        if "SOLVER.BASE_LR" in keys and "SOLVER.IMS_PER_BATCH" in keys:
            reference = (float(keys["SOLVER.BASE_LR"]), int(keys["SOLVER.IMS_PER_BATCH"]))
    return reference


def _load_yaml(config_file: str) -> Mapping:
    """The keys of a file and of its ``_BASE_`` files."""
    try:
        content = PanopticHeuristicCfgNode.load_yaml_with_base(config_file)
    except (TypeError, AttributeError):
        # An empty file, or a list for a mapping, ends like that in there.
        content = None
    if not isinstance(content, Mapping):
        raise InputError("expected a mapping of config keys, in this file and in its _BASE_ files")
    return content


def _number_keys(cfg: CfgNode) -> List[str]:
    """The keys of fusing that have a number; yacs would refuse an int for a float, and people write 1 and 4096.0."""
    keys = list(THRESHOLD_KEYS.values())
    for stage in STAGES:
        node = cfg.MODEL.PANOPTIC_FUSION[stage.upper()]
        keys += [f"{FUSION}{stage.upper()}.{name}" for name, value in node.items() if type(value) in (int, float)]
    return keys


def _check_fusion(cfg: CfgNode) -> None:
    _check_outputs(cfg.MODEL.PANOPTIC_FUSION.OUTPUTS)
    load_rule_files(cfg.MODEL.PANOPTIC_FUSION.RULE_FILES)
    check_fusion_keys(cfg.MODEL.PANOPTIC_FUSION)
    if cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT not in MAP_FORMATS:
        raise InputError(
            f"MODEL.PANOPTIC_FUSION.MAP_FORMAT must be one of {', '.join(MAP_FORMATS)}, "
            f"got {cfg.MODEL.PANOPTIC_FUSION.MAP_FORMAT!r}"
        )


def _check_outputs(outputs: Any) -> None:
    names = "sem_seg, instances, panoptic_seg"
    known = names.split(", ")
    if not isinstance(outputs, (list, tuple)) or not outputs or not all(one in known for one in outputs):
        raise InputError(f"{FUSION}OUTPUTS must be a list of one or more of {names}, got {outputs!r}")


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


def _value_at(root: Mapping, key: str) -> Any:
    node, name = _descend(root, key)
    return node[name]


def _leaf_keys(node: Mapping, prefix: str = ""):
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaf_keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
