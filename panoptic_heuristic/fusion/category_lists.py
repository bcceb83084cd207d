"""Lists in YAML that stand for values of single categories, by name: ``[[cat, 0.3], [dog, 0.4]]``."""

import difflib
from typing import Any, Dict, List, Optional, Tuple

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories

_MOST_NAMES = 5


class CategoryError(InputError):
    """A config names a category that the data set does not have: it is one for another data set."""


def values_by_id(
    key: str,
    entries: Any,
    categories: Optional[Categories],
    *,
    example: str,
    isthing: Optional[bool] = None,
) -> Dict[int, Any]:
    """Reads a list of pairs of a category's name and a value.

    Args:
        key: where the list stands, for messages.
        entries: of the list.
        categories: the data set's; None if they are not known.
        example: a value, for messages.
        isthing: the kind that the categories must have; None for either.

    Returns:
        The values by dataset category id.

    Raises:
        InputError: it is no such list, or a name is unknown, of the wrong kind, not the only one or there twice.
    """
    if not isinstance(entries, (list, tuple)):
        raise InputError(f"{key} must be a list like [[name, {example}]], got {entries!r}")
    values: Dict[int, Any] = {}
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[0], str):
            raise InputError(f"{key} must hold pairs like [name, {example}], got {entry!r}")
        name, value = entry
        category_id = _id_of(key, name, categories)
        if category_id in values:
            raise InputError(f"{key} names {name!r} twice; put all that is for it into one pair")
        values[category_id] = value
    for category_id in values:
        if isthing is not None and categories[category_id].isthing != isthing:
            kinds = ("a thing", "stuff") if not isthing else ("stuff", "things")
            raise InputError(f"{key} names {categories[category_id].name!r}, which is {kinds[0]}; it is for {kinds[1]}")
    return values


def id_pairs(key: str, entries: Any, categories: Optional[Categories]) -> List[Tuple[int, int]]:
    """Reads a list of pairs of things, each by its name or its id.

    Args:
        key: where the list stands, for messages.
        entries: of the list.
        categories: the data set's; None if they are not known.

    Raises:
        InputError: it is no such list, or a category is unknown or stuff.
    """
    if not isinstance(entries, (list, tuple)):
        raise InputError(f"{key} must be a list like [[above, below]], got {entries!r}")
    pairs = []
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or any(type(one) not in (str, int) for one in entry):
            raise InputError(f"{key} must hold pairs like [above, below], names or ids of categories, got {entry!r}")
        above, below = (_id_of(key, one, categories) if isinstance(one, str) else one for one in entry)
        pairs.append((above, below))
        for category_id in pairs[-1] if categories is not None else ():
            if category_id not in categories:
                raise CategoryError(f"{key} names the id {category_id}, which the data set does not have")
            if not categories[category_id].isthing:
                raise InputError(f"{key} names {categories[category_id].name!r}, which is stuff; it is for things")
    return pairs


def category_name(categories: Optional[Categories], category_id: int) -> str:
    """The name of a category, or its id in words where the data set is not known."""
    if categories is None or category_id not in categories:
        return f"category {category_id}"
    return categories[category_id].name


def _id_of(key: str, name: str, categories: Optional[Categories]) -> int:
    if categories is None:
        raise InputError(f"{key} names {name!r}, but the categories of the data set are not known; give them, too")
    found = [category.id for category in categories.values() if category.name == name]
    if len(found) > 1:
        ids = " and ".join(map(str, found))
        raise InputError(f"{key} names {name!r}, which is the name of the categories {ids}; give them different names")
    if not found:
        names = [category.name for category in categories.values()]
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {_some(names)}"
        raise CategoryError(f"{key} names {name!r}, which the data set does not have; {hint}")
    return found[0]


def _some(names: List[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_NAMES]))
    return f"{shown} and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else shown
