"""The order in which the channels of a model's heads mean the categories of a data set."""

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence, Tuple, Union

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category, is_integer

_KINDS = ("things", "stuff")


@dataclass(frozen=True)
class ClassOrder:
    """An order of classes, such as ``class_order`` in a data set's YAML file.

    Attributes:
        things: the things in the order of the instance head's classes, each by its id or its name; None for ascending
            ids, which pycocotools follows.
        stuff: the stuff in the order of the semantic head's labels, likewise; None for the order of the data set's
            list, which Detectron2 follows.
    """

    things: Optional[Tuple[Union[int, str], ...]] = None
    stuff: Optional[Tuple[Union[int, str], ...]] = None

    @classmethod
    def read(cls, entry: Any, where: str) -> "ClassOrder":
        """Reads ``class_order``.

        Args:
            entry: its value.
            where: the file and the key, for messages.

        Raises:
            InputError: it is no mapping of ``things`` and ``stuff`` to lists of ids or names.
        """
        if not isinstance(entry, Mapping) or set(entry) - set(_KINDS):
            raise InputError(f"{where} must be a mapping like {{things: [dog, cat], stuff: [sky]}}, got {entry!r}")
        for kind, names in entry.items():
            if not isinstance(names, list) or not all(isinstance(one, str) or is_integer(one) for one in names):
                raise InputError(f"{where}.{kind} must be a list of names or ids of categories, got {names!r}")
        return cls(**{kind: tuple(names) for kind, names in entry.items()})

    def applied(self, categories: Categories, where: str) -> Tuple[Tuple[Category, ...], Tuple[Category, ...]]:
        """The things and the stuff of a data set in this order.

        Args:
            categories: of the data set.
            where: the file that ``class_order`` stands in, for messages.

        Raises:
            InputError: an entry is no thing, or no stuff, of the data set, or the name of several, or there twice; or
                one is missing.
        """
        things, stuff = categories.things, categories.stuff
        if self.things is not None:
            things = _sorted(self.things, things, f"{where}: class_order.things")
        if self.stuff is not None:
            stuff = _sorted(self.stuff, stuff, f"{where}: class_order.stuff")
        return things, stuff


DEFAULT_ORDER = ClassOrder()
"""That of the ids and of the list."""


def _sorted(names: Sequence[Union[int, str]], categories: Sequence[Category], where: str) -> Tuple[Category, ...]:
    found = [_named(name, categories, where) for name in names]
    for category in found:
        if found.count(category) > 1:
            raise InputError(f"{where} names {category.name!r} twice")
    for category in categories:
        if category not in found:
            raise InputError(f"{where} lacks {category.name!r} (id {category.id}); it must name all of them")
    return tuple(found)


def _named(name: Union[int, str], categories: Sequence[Category], where: str) -> Category:
    matches = [one for one in categories if name in (one.id, one.name)]
    if not matches:
        raise InputError(f"{where} names {name!r}; there are {', '.join(one.name for one in categories) or 'none'}")
    if len(matches) > 1:
        ids = " and ".join(str(one.id) for one in matches)
        raise InputError(f"{where} names {name!r}, which is the name of {ids}; write their ids")
    return matches[0]
