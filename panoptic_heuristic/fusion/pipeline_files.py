"""Files that say how images are fused: presets, tuned YAMLs, configs, and what was stored with results."""

from ast import literal_eval
from pathlib import Path
from typing import Any, Dict, Mapping, Sequence, Tuple

import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, read_json
from panoptic_heuristic.formats.yaml_files import merged, read_config_chain
from panoptic_heuristic.fusion.config_form import told_by_key
from panoptic_heuristic.fusion.config_keys import preset_nodes
from panoptic_heuristic.fusion.unused_keys import check_keys_of_file


def read_pipeline_file(path: PathLike) -> Tuple[Mapping[str, Any], bool]:
    """The content of a file.

    Args:
        path: a JSON of :meth:`panoptic_heuristic.fusion.Pipeline.to_mapping`, or a config in YAML.

    Returns:
        The content, and True if it is a config.

    Raises:
        InputError: the file is missing, or neither, has no ``MODEL``, or sets fusion keys for a model that does not
            use them.
    """
    if Path(path).suffix == ".json":
        return read_json(path), False
    # File by file, so that a preset overrides the rules of a base file, and keys beside it the preset.
    content = merged([with_preset(_decoded(keys), path) for keys in read_config_chain(path)])
    # Such as a grid, of which no key would count.
    if "MODEL" not in content:
        raise InputError(f"{path} is no config that says how to fuse: it has no key MODEL")
    try:
        check_keys_of_file(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return content, True


def with_preset(content: Mapping[str, Any], path: PathLike) -> Mapping[str, Any]:
    """The keys of one file, with those that its ``MODEL.PANOPTIC_FUSION.PRESET`` stands for.

    Args:
        content: of the file. Not changed.
        path: of the file, for the message.

    Raises:
        InputError: there is no preset of that name.
    """
    model = content.get("MODEL")
    fusion = model.get("PANOPTIC_FUSION") if isinstance(model, Mapping) else None
    if not isinstance(fusion, Mapping) or "PRESET" not in fusion:
        return content
    try:
        with told_by_key(None):
            nodes = preset_nodes(fusion["PRESET"])
    except InputError as error:
        raise InputError(f"{error}, in {path}") from error
    own = {stage: fusion.get(stage, {}) for stage in nodes}
    nodes = {
        stage: {**keys, **own[stage]} if isinstance(own[stage], Mapping) else own[stage]
        for stage, keys in nodes.items()
    }
    return {**content, "MODEL": {**model, "PANOPTIC_FUSION": {**fusion, **nodes}}}


def config_text(content: Mapping[str, Any], comments: Sequence[str] = ()) -> str:
    """A config as YAML, short lists in one line.

    Args:
        content: of :meth:`panoptic_heuristic.fusion.Pipeline.to_config`, with more keys if you like.
        comments: lines for the top.
    """
    # Texts come from outside, and a line break would end the comment.
    lines = [f"# {' '.join(comment.split())}" for comment in comments]
    body = yaml.dump(_in_lines(content), Dumper=_Dumper, sort_keys=False, width=float("inf"), allow_unicode=True)
    return "\n".join([*lines, body])


class _Dumper(yaml.SafeDumper):
    """Writes values of single categories one per line."""


class _OneLine(list):
    """A list that stands in one line."""


_Dumper.add_representer(
    _OneLine, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _in_lines(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _in_lines(one) for key, one in value.items()}
    if isinstance(value, list):
        pairs = value and all(isinstance(one, list) for one in value)
        return [_OneLine(one) for one in value] if pairs else _OneLine(value)
    return value


def _decoded(keys: Mapping[str, Any]) -> Dict[str, Any]:
    """The values as Detectron2 reads them: a text that is a number in Python, such as 1e-05, is one."""
    return {key: _decoded(value) if isinstance(value, Mapping) else _literal(value) for key, value in keys.items()}


def _literal(value: Any) -> Any:
    try:
        return literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value
