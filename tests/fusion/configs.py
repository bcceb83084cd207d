"""Configs as mappings, from keys and values in turn."""

from ast import literal_eval
from typing import Any, Dict


def config(*overrides: Any) -> Dict[str, Any]:
    """A config with some keys.

    Args:
        overrides: key and value in turn; a text is what somebody would write on the command line.
    """
    content: Dict[str, Any] = {}
    for key, value in zip(overrides[0::2], overrides[1::2], strict=True):
        *parents, name = key.split(".")
        node = content
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = _value(value)
    return content


def _value(value: Any) -> Any:
    try:
        return literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value
