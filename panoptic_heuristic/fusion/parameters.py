"""What parameter dataclasses share: checks, and values of single categories."""

import dataclasses
import itertools
import math
import numbers
from collections.abc import Mapping
from typing import Any, Dict, Iterable, Iterator, Sequence

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


class ThingPairs(tuple):
    """A parameter's pairs of different things, each a tuple of two dataset category ids."""


def check_number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> None:
    """Raises if a parameter is no finite number of the closed interval [low, high].

    Raises:
        InputError: names the parameter, its interval and the value.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        interval = f"{'[' if math.isfinite(low) else '('}{low}, {high}{']' if math.isfinite(high) else ')'}"
        raise InputError(f"{name} must be a finite number in {interval}, got {value!r}")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raises if a parameter is not one of some words.

    Raises:
        InputError: names the parameter, the words and the value.
    """
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


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


def thing_pairs(name: str, values: Any) -> ThingPairs:
    """Checks and wraps a parameter that is a list of pairs of category ids.

    Args:
        name: of the parameter.
        values: pairs of dataset category ids; no pair may be there both ways, nor twice.

    Raises:
        InputError: names the parameter and the pair.
    """
    if not isinstance(values, (list, tuple)):
        raise InputError(f"{name} must be a list of pairs of category ids, got {values!r}")
    pairs = []
    for pair in values:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise InputError(f"{name} must be a list of pairs of category ids, got {pair!r}")
        for one in pair:
            if not isinstance(one, numbers.Integral) or isinstance(one, bool):
                raise InputError(f"{name} must be a list of pairs of category ids, which are integers, got {one!r}")
        first, second = map(int, pair)
        if first == second:
            raise InputError(f"{name} must be of pairs of different categories, got {pair!r}")
        for other in ((first, second), (second, first)):
            if other in pairs:
                raise InputError(f"{name} must have one pair of the same two categories, got {other} and {pair!r}")
        pairs.append((first, second))
    return ThingPairs(pairs)


def check_categories(rule: Any, categories: Categories) -> None:
    """Raises if a parameter names a category that is unknown or of the wrong kind.

    Args:
        rule: a dataclass; its fields of type :class:`OfCategory` or :class:`ThingPairs` are checked.
        categories: the data set's categories.

    Raises:
        InputError: names the parameter and the category.
    """
    for field in dataclasses.fields(rule):
        values = getattr(rule, field.name)
        if isinstance(values, OfCategory):
            _check_kind(field.name, values, categories, isthing=values.isthing)
        elif isinstance(values, ThingPairs):
            _check_kind(field.name, itertools.chain(*values), categories, isthing=True)


def _check_kind(name: str, category_ids: Iterable[int], categories: Categories, *, isthing: bool) -> None:
    for category_id in category_ids:
        if category_id not in categories:
            raise InputError(f"{name} names category {category_id}, which is not among the categories")
        if categories[category_id].isthing != isthing:
            kinds = ("a thing", "stuff") if categories[category_id].isthing else ("stuff", "things")
            raise InputError(
                f"{name} names category {category_id}, which is {kinds[0]}; it is a parameter of {kinds[1]}"
            )
