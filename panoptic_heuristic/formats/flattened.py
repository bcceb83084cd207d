"""Nested objects as one."""

from typing import Any, Dict, Mapping


def flattened(values: Mapping[str, Any], before: str = "") -> Dict[str, Any]:
    """Nested mappings as one, whose keys are paths such as ``source.config.MODEL.MASK_ON``.

    Args:
        values: mappings in mappings; an empty one leaves nothing.
        before: what the keys begin with.
    """
    flat: Dict[str, Any] = {}
    for key, value in values.items():
        flat.update(flattened(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value})
    return flat
