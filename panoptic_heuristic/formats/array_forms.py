"""Declared forms of the arrays in this project's files, against which it reads them.

A checksum tells that a file is as it was written, not that what wrote it was this project.
"""

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple, Union

import numpy as np

from panoptic_heuristic.errors import InputError

_TYPES = {
    "floating-point numbers": np.floating,
    "true or false": np.bool_,
    "bytes": np.uint8,
    "words of 64 bits": np.uint64,
}


@dataclass(frozen=True)
class ArrayForm:
    """The form of an array.

    Attributes:
        values: ``whole numbers``, ``floating-point numbers``, ``true or false``, ``bytes`` or ``words of 64 bits``.
        shape: of each side its length, or a letter; sides of one letter are of one length.
        low, high: the range of the values, both ends included; None for any. NaN is in every range.
        optional: whether the array may be missing.
    """

    values: str
    shape: Tuple[Union[int, str], ...]
    low: Optional[float] = None
    high: Optional[float] = None
    optional: bool = False


def check_arrays(
    arrays: Mapping[str, np.ndarray], forms: Mapping[str, ArrayForm], where: str, **lengths: int
) -> Dict[str, int]:
    """Compares arrays with their forms. Others may be there, too.

    Args:
        arrays: by name.
        forms: likewise.
        where: the file, for the error.
        lengths: those that are known beforehand, by letter.

    Returns:
        The length that each letter stands for.

    Raises:
        InputError: an array is missing, or of another form.
    """
    for name, form in forms.items():
        if name in arrays:
            _check(arrays[name], form, lengths, where, name)
        elif not form.optional:
            raise wrong_inside(where, f"it has no array {name!r}")
    return lengths


def wrong_inside(where: str, reason: str) -> InputError:
    """The error of a file whose arrays are not what they should be."""
    return InputError(f"{where} is wrong inside: {reason}; delete it and run again what wrote it")


def _has_type(array: np.ndarray, values: str) -> bool:
    # Sums of unsigned words of 64 bits with others would be floating-point numbers.
    is_whole = np.issubdtype(array.dtype, np.integer) and np.can_cast(array.dtype, np.int64)
    return is_whole if values == "whole numbers" else np.issubdtype(array.dtype, _TYPES[values])


def _check(array: np.ndarray, form: ArrayForm, lengths: Dict[str, int], where: str, name: str) -> None:
    sides = [side if isinstance(side, int) else lengths.get(side) for side in form.shape]
    fits = array.ndim == len(sides) and all(one in (None, side) for one, side in zip(sides, array.shape, strict=True))
    if not fits or not _has_type(array, form.values):
        shape = ", ".join(str(letter if side is None else side) for letter, side in zip(form.shape, sides, strict=True))
        raise wrong_inside(
            where, f"expected {name!r} to be {form.values} of shape ({shape}), got {array.dtype} of shape {array.shape}"
        )
    for letter, length in zip(form.shape, array.shape, strict=True):
        if isinstance(letter, str):
            lengths[letter] = length
    if form.low is None and form.high is None:
        return
    outside = np.zeros(array.shape, dtype=bool)
    if form.low is not None:
        outside |= array < form.low
    if form.high is not None:
        outside |= array > form.high
    if outside.any():
        low, high = ("any" if bound is None else f"{bound:g}" for bound in (form.low, form.high))
        raise wrong_inside(where, f"{name!r} holds {array[outside][0]}, which is not in [{low}, {high}]")
