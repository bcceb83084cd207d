"""Arrays in JSON: what ``parts/arrays.js`` reads."""

import base64
import zlib
from typing import Any, Dict

import numpy as np

# A map takes a fourteenth of the time that it takes at level 9, and 7 % more bytes.
_LEVEL = 6

# Those that a browser has as typed arrays.
_TYPES = ("uint8", "uint16", "uint32", "int16", "int32", "float32", "float64")


def packed(values: np.ndarray) -> Dict[str, Any]:
    """JSON values of an array: its type, its shape, and its bytes, little-endian, deflated and in base 64."""
    assert values.dtype.name in _TYPES
    content = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
    return {
        "type": values.dtype.name,
        "shape": list(values.shape),
        "data": base64.b64encode(zlib.compress(content, _LEVEL)).decode("ascii"),
    }


def packed_map(values: np.ndarray) -> Dict[str, Any]:
    """:func:`packed` for an (H, W) map, each row but the first as what differs from the one above, by XOR.

    Most pixels are as the one above, and zeros take no space.
    """
    kind = np.uint16 if values.max(initial=0) < 1 << 16 else np.uint32
    changes = np.bitwise_xor(values[1:], values[:-1])
    return packed(np.concatenate([values[:1], changes]).astype(kind))
