"""Declared forms of the JSON files that this project writes, against which it reads them.

A form is a function of a value and of its place, such as ``sweep.json, grid, axes[0]``; it raises an
:class:`InputError` that names the place, the form and the value.
"""

import re
from typing import Any, Callable, Mapping, Optional

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.files import is_encodable
from panoptic_heuristic.formats.image_ids import is_image_id

Form = Callable[[Any, str], None]

# What int64 holds; JSON has larger ones.
_LARGEST = 2**63 - 1
_SHOWN = 60
_WHOLE = re.compile("0|-?[1-9][0-9]{0,18}").fullmatch


def anything(value: Any, where: str) -> None:
    """Any JSON value."""


def text(value: Any, where: str) -> None:
    """A text."""
    if not isinstance(value, str):
        _refuse(where, "a text", value)


def file_name(value: Any, where: str) -> None:
    """A text that can name a file: without a null character and halves of characters."""
    if not isinstance(value, str) or not value or "\0" in value or not is_encodable(value):
        _refuse(where, "the name of a file", value)


def flag(value: Any, where: str) -> None:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        _refuse(where, "true or false", value)


def whole(low: int = -_LARGEST, high: int = _LARGEST) -> Form:
    """A whole number from ``low`` to ``high``; ``true`` and ``1.0`` are none."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            _refuse(where, _bounded("a whole number", low, high), value)

    return check


def number(low: float = -float(_LARGEST), high: float = float(_LARGEST)) -> Form:
    """A number from ``low`` to ``high``; NaN is none."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            _refuse(where, _bounded("a number", low, high), value)

    return check


def one_of(*values: Any) -> Form:
    """One of some texts or numbers."""

    def check(value: Any, where: str) -> None:
        if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in values:
            _refuse(where, f"one of {', '.join(map(str, values))}", value)

    return check


def or_null(form: Form) -> Form:
    """A form, or ``null``."""
    return lambda value, where: None if value is None else form(value, where)


def list_of(form: Form, length: Optional[int] = None) -> Form:
    """A list whose elements have a form; of any length, if none is given."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            _refuse(where, "a list" if length is None else f"a list of {length}", value)
        for place, one in enumerate(value):
            form(one, f"{where}[{place}]")

    return check


def row_of(*forms: Form) -> Form:
    """A list of as many elements as there are forms, each of its own."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) != len(forms):
            _refuse(where, f"a list of {len(forms)}", value)
        for place, (form, one) in enumerate(zip(forms, value, strict=True)):
            form(one, f"{where}[{place}]")

    return check


def image_id(value: Any, where: str) -> None:
    """The id of an image: a whole number of 64 bits or a text that is not empty."""
    if not is_image_id(value):
        _refuse(where, "the id of an image", value)


def object_of(form: Form, key: Form = anything) -> Form:
    """An object of any keys of a form, whose values have a form."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(where, "an object", value)
        for name, one in value.items():
            key(name, f"{where}, the key {name!r}")
            form(one, f"{where}, {name}")

    return check


def fields(needed: Mapping[str, Form], optional: Optional[Mapping[str, Form]] = None) -> Form:
    """An object that has some keys and may have others, each with its form. Keys that are neither may be there, too."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(where, "an object", value)
        for name, form in needed.items():
            if name not in value:
                raise InputError(f"{where} has no {name!r}; make it anew")
            form(value[name], f"{where}, {name}")
        for name, form in (optional or {}).items():
            if name in value:
                form(value[name], f"{where}, {name}")

    return check


def whole_key(value: Any, where: str) -> None:
    """A whole number as it stands in a key, such as the id of a category; ``" 7"`` and ``"+7"`` are none."""
    if not is_whole_key(value):
        _refuse(where, "a whole number", value)


def is_whole_key(value: Any) -> bool:
    """True for what :func:`whole_key` takes: of two texts that it takes, none are one number."""
    return isinstance(value, str) and _WHOLE(value) is not None


def _bounded(kind: str, low: float, high: float) -> str:
    if high >= _LARGEST:
        return f"{kind} of at least {low}" if low > -_LARGEST else kind
    return f"{kind} in [{low}, {high}]"


def _refuse(where: str, expected: str, value: Any) -> None:
    shown = type(value).__name__ if isinstance(value, (list, Mapping)) else repr(value)
    raise InputError(f"{where}: expected {expected}, got {shown[:_SHOWN]}; make it anew")
