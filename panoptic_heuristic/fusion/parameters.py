"""What parameter dataclasses share: checks, and values of single categories."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any, Dict, Iterator

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories


class OfCategory(Mapping):
    """A parameter's values of single categories: read-only and hashable, and it can be pickled.

    Args:
        values: hashable values by dataset category id. Copied.
        isthing: whether the parameter is one of things or of stuff.
    """

    def __init__(self, values: Mapping, *, isthing: bool):
        self._values: Dict[int, Any] = dict(values)
        self.isthing = isthing

    def __getitem__(self, category_id: int) -> Any:
        return self._values[category_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


def check_number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> None:
    """Raises if a parameter is no finite number of the closed interval [low, high].

    Raises:
        InputError: names the parameter, its interval and the value.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        interval = f"{'[' if math.isfinite(low) else '('}{low}, {high}{']' if math.isfinite(high) else ')'}"
        raise InputError(f"{name} must be a finite number in {interval}, got {value!r}")


def check_ids(name: str, values: Any) -> None:
    """Raises if a parameter is no mapping from category ids.

    Raises:
        InputError: names the parameter and what it is.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{name} must be a mapping from category ids, got {values!r}")
    for category_id in values:
        if not isinstance(category_id, numbers.Integral) or isinstance(category_id, bool):
            raise InputError(f"{name} must be a mapping from category ids, which are integers, got {category_id!r}")


def numbers_of_categories(
    name: str, values: Any, low: float = -math.inf, high: float = math.inf, *, isthing: bool
) -> OfCategory:
    """Checks and wraps a parameter that has one number per category.

    Args:
        name: of the parameter.
        values: a mapping from dataset category id to a finite number in [low, high].
        low: see ``values``.
        high: see ``values``.
        isthing: see :class:`OfCategory`.

    Raises:
        InputError: names parameter, category, interval and value.
    """
    check_ids(name, values)
    for category_id, value in values.items():
        check_number(f"{name}[{category_id}]", value, low, high)
    return OfCategory(values, isthing=isthing)


def check_categories(rule: Any, categories: Categories) -> None:
    """Raises if a parameter names a category that is unknown or of the wrong kind.

    Args:
        rule: a dataclass; its fields of type :class:`OfCategory` are checked.
        categories: the data set's categories.

    Raises:
        InputError: names the parameter and the category.
    """
    for field in dataclasses.fields(rule):
        values = getattr(rule, field.name)
        if not isinstance(values, OfCategory):
            continue
        for category_id in values:
            if category_id not in categories:
                raise InputError(f"{field.name} names category {category_id}, which is not among the categories")
            if categories[category_id].isthing != values.isthing:
                kinds = ("a thing", "stuff") if categories[category_id].isthing else ("stuff", "things")
                raise InputError(
                    f"{field.name} names category {category_id}, which is {kinds[0]}; it is a parameter of {kinds[1]}"
                )
