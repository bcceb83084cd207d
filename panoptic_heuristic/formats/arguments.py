"""Checks of arguments, for the functions that people call: one sentence where something of another kind came."""

import numbers
from typing import Any, Iterable, Optional, Tuple

from panoptic_heuristic.errors import InputError


def check_type(name: str, value: Any, kind: type, example: str) -> None:
    """Raises if an argument is of another type.

    Args:
        name: of the argument.
        value: any.
        kind: the type, or a base of all that fit.
        example: a value of it as one writes it in Python.

    Raises:
        InputError: names the argument, both types and the example.
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise InputError(f"{name} must be {article} {kind.__name__}, such as {example}; got {type(value).__name__}")


def whole_number(name: str, value: Any, low: int = -(2**63), high: Optional[int] = None) -> int:
    """An argument as an int.

    Args:
        name: of the argument.
        value: a whole number of any type, Python's or NumPy's; ``True`` and ``2.0`` are none.
        low, high: the bounds, both included.

    Raises:
        InputError: it is something else, or out of bounds.
    """
    # Asking for the exact type first takes a quarter of the time.
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise InputError(f"{name} must be a whole number, got {value!r:.80}")
    number = int(value)
    if number < low or (high is not None and number > high):
        bounds = f"at least {low}" if high is None else f"in [{low}, {high}]"
        raise InputError(f"{name} must be {bounds}, got {number}")
    return number


def listed(name: str, values: Any, example: str) -> Tuple[Any, ...]:
    """The elements of an argument that is a list or the like; one text is no list.

    Raises:
        InputError: it is something else.
    """
    # Asking for the usual types first takes a tenth of the time.
    if not isinstance(values, (tuple, list)) and (isinstance(values, (str, bytes)) or not isinstance(values, Iterable)):
        raise InputError(f"{name} must be a list, such as {example}; got {values!r:.80}")
    return tuple(values)
