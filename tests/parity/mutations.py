"""Seeded damage to files: what a bad disk, another program, a careless edit or an attacker leaves.

Every function takes a generator and a file, and says in a few words what it did.
"""

import copy
import json
from pathlib import Path
from typing import Any, List, Tuple

import numpy as np
import yaml

from panoptic_heuristic.formats.arrays import read_arrays, write_arrays

_ODD = (
    None, True, False, 0, 1, -1, 1.5, float("nan"), float("inf"), -0.0, 1e308, 2**31, 2**63, 2**64, -(2**63), 10**400,
    "", "x", "0", "../x", "/", "\0", "\ud800", "a\nb", "\u202e", "x" * 300, [], {}, [[]], [None], {"": None}, [1, 2],
)  # fmt: skip
_MAGICS = (b"", b"\xef\xbb\xbf", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"PK\x03\x04", b"\x80\x04", b"GIF89a", b"[")
_NUMBERS = (0, 1, -1, 2, 255, 65535, 2**31 - 1, 2**40, -(2**40), 2**62, float("nan"), float("inf"), -float("inf"), 1e30)


def mutate(rng: np.random.Generator, path: Path) -> str:
    """Damages a file by one of the ways that its kind has. It takes the place of a file that may have other links."""
    way = rng.random()
    before = path.read_bytes()
    path.unlink()
    path.write_bytes(before)
    if way < 0.3:
        return _bytes(rng, path)
    inside = {".json": _json, ".yaml": _yaml, ".arrays": _arrays}.get(path.suffix, _bytes)
    return inside(rng, path)


def _bytes(rng: np.random.Generator, path: Path) -> str:
    content = path.read_bytes()
    way = int(rng.integers(8))
    place = int(rng.integers(len(content) + 1))
    if way == 0:
        content = content[:place]
    elif way in (1, 2):
        changed = bytearray(content)
        for _ in range(1 if way == 1 else 20):
            if changed:
                changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
        content = bytes(changed)
    elif way == 3:
        content = _MAGICS[int(rng.integers(len(_MAGICS)))] + content[int(rng.integers(2)) * 8 :]
    elif way == 4:
        content = content[:place] + content[: int(rng.integers(200))] + content[place:]
    elif way == 5:
        content = bytes(len(content))
    elif way == 6:
        content = b"\xff\xfe" + content.decode("latin-1").encode("utf-16-le")
    else:
        content = content[:place] + content[place + int(rng.integers(1, 50)) :]
    path.write_bytes(content)
    return f"bytes {way} at {place}"


def _json(rng: np.random.Generator, path: Path) -> str:
    if rng.random() < 0.1:
        depth = int(rng.integers(100, 100000))
        path.write_text("[" * depth + "]" * int(rng.integers(2)) * depth)
        return f"{depth} brackets"
    value, what = _changed(rng, json.loads(path.read_text()))
    path.write_text(json.dumps(value))
    return what


def _yaml(rng: np.random.Generator, path: Path) -> str:
    if rng.random() < 0.1:
        path.write_text("a: &a [x, x, x, x, x, x, x, x, x]\n" + "b: " + "[" * int(rng.integers(1, 20000)))
        return "brackets"
    value, what = _changed(rng, yaml.safe_load(path.read_text()))
    path.write_text(yaml.safe_dump(json.loads(json.dumps(value))))
    return what


def _changed(rng: np.random.Generator, value: Any) -> Tuple[Any, str]:
    """A value of JSON with one to three parts changed."""
    said: List[str] = []
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.3 else 1):
        value, what = _changed_once(rng, value)
        said.append(what)
    return value, "; ".join(said)


def _changed_once(rng: np.random.Generator, value: Any) -> Tuple[Any, str]:
    value = copy.deepcopy(value)
    odd = _ODD[int(rng.integers(len(_ODD)))]
    at, path = value, ""
    while isinstance(at, (dict, list)) and len(at):
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[int(rng.integers(len(keys)))]
        path += f"/{key}"
        one = at[key]
        if isinstance(one, (dict, list)) and len(one) and rng.random() < 0.85:
            at = one
            continue
        way = int(rng.integers(7))
        if way == 0:
            del at[key]
        elif way == 1:
            at[key] = [one]
        elif way == 2 and isinstance(at, list):
            at.append(one)
        elif way == 3 and isinstance(at, dict):
            at[f"{key}x"] = at.pop(key)
        elif way == 4 and isinstance(one, (int, float)) and not isinstance(one, bool):
            at[key] = [-one, one + 1, one * 1000, float(one), str(one)][int(rng.integers(5))]
        else:
            at[key] = odd
        return value, f"JSON {way} at {path} ({odd!r:.20})"
    return odd, f"all is {odd!r:.20}"


def _arrays(rng: np.random.Generator, path: Path) -> str:
    """Changes one array and gives the file the checksum that fits."""
    arrays = read_arrays(path)
    names = sorted(arrays)
    name = names[int(rng.integers(len(names)))]
    array, way = arrays[name].copy(), int(rng.integers(9))
    if way == 0:
        del arrays[name]
    elif way == 1:
        arrays[name] = array.astype(["f4", "f8", "i1", "i8", "u8", "U3", "?", "c8"][int(rng.integers(8))])
    elif way == 2:
        arrays[name] = array[..., :-1] if array.ndim and array.shape[-1] else array[None]
    elif way == 3:
        arrays[name] = array.reshape(-1)[:, None]
    elif way == 4:
        arrays[name] = np.concatenate([array, array]) if array.ndim else np.stack([array, array])
    elif way == 5:
        arrays[name] = arrays[names[int(rng.integers(len(names)))]]
    elif array.size:
        flat = array.reshape(-1)
        number = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
        chosen = slice(None) if way == 6 else int(rng.integers(flat.size))
        with np.errstate(all="ignore"):
            flat[chosen] = np.array(number).astype(array.dtype)
        arrays[name] = flat.reshape(array.shape)
    write_arrays(path, arrays)
    return f"array {name} {way}"
