"""YAML files, alone and as Detectron2's chains of ``_BASE_`` files."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import yaml

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import PathLike, write_text

_BASE = "_BASE_"


def read_yaml(path: PathLike, what: str = "") -> Any:
    """The content of a YAML file; None if it is empty.

    Args:
        path: the file.
        what: what it is, for the message where it cannot be read, such as ``the grid``.

    Raises:
        InputError: the file is missing, or no YAML.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            return yaml.safe_load(file)
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror}".replace("  ", " ", 1)) from error
    # A date that is none is a plain ValueError, brackets nested thousands deep a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def write_yaml(path: PathLike, value: Any) -> None:
    """Writes YAML whole or not at all; mappings keep their order."""
    write_text(path, yaml.safe_dump(value, sort_keys=False))


def read_config_chain(path: PathLike) -> List[Mapping[str, Any]]:
    """The keys that each file of a config sets itself, from the lowest ``_BASE_`` file up.

    Args:
        path: of the topmost file. Bases are relative to the file that names them.

    Raises:
        InputError: a file is missing, no YAML, no mapping, or its own base.
    """
    return _chain(Path(path), ())


def merged(chain: List[Mapping[str, Any]]) -> Dict[str, Any]:
    """The keys of a chain of files together; those of later files win, node by node."""
    content: Dict[str, Any] = {}
    for keys in chain:
        _merge_into(content, keys)
    return content


def _chain(path: Path, above: Tuple[Path, ...]) -> List[Mapping[str, Any]]:
    if path.resolve() in above:
        raise InputError(f"{path} is its own {_BASE}; a config cannot lie on itself")
    content = read_yaml(path)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: expected a mapping of config keys, got {type(content).__name__}")
    own = {key: value for key, value in content.items() if key != _BASE}
    bases = content.get(_BASE, [])
    chain: List[Mapping[str, Any]] = []
    for base in [bases] if isinstance(bases, str) else bases:
        chain += _chain(path.parent / Path(base).expanduser(), (*above, path.resolve()))
    return [*chain, own]


def _merge_into(content: Dict[str, Any], keys: Mapping[str, Any]) -> None:
    for key, value in keys.items():
        if isinstance(value, Mapping):
            node = content.setdefault(key, {})
            if not isinstance(node, dict):
                node = content[key] = {}
            _merge_into(node, value)
        else:
            content[key] = value
