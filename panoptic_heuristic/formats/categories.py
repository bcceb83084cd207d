"""The data set's categories, in the one id space the core knows: the dataset category id."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from PIL import ImageColor

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.arguments import check_type, listed, whole_number
from panoptic_heuristic.formats.default_colors import default_color
from panoptic_heuristic.formats.files import PathLike, read_json

MAX_CATEGORY_ID = 2**63 - 1
"""Ids are counted in arrays, whose integers have 64 bits."""


@dataclass(frozen=True)
class Category:
    """One category of a data set.

    Attributes:
        id: dataset category id, an int >= 0. 0 is legal.
        name: a name for people.
        isthing: True for countable objects, False for stuff.
        color: (R, G, B), each 0 to 255.
    """

    id: int
    name: str
    isthing: bool
    color: Tuple[int, int, int]

    @property
    def kind(self) -> str:
        """``thing`` or ``stuff``."""
        return "thing" if self.isthing else "stuff"


class Categories(Mapping):
    """An ordered, read-only mapping from dataset category id to :class:`Category`.

    Args:
        categories: the categories; their order is kept.

    Raises:
        InputError: there is no category, one is something else, or an id is out of [0, 2**63) or occurs twice.
    """

    def __init__(self, categories: Iterable[Category]):
        ordered = listed("categories", categories, "Categories.from_lists(['cat'], ['sky'])")
        for category in ordered:
            check_type("one of the categories", category, Category, "those that Categories.from_coco makes of dicts")
            whole_number("the id of a category", category.id, 0, MAX_CATEGORY_ID)
        if not ordered:
            raise InputError("expected at least one category, got none")
        self._by_id: Dict[int, Category] = {}
        for category in ordered:
            if category.id in self._by_id:
                first = self._by_id[category.id].name
                raise InputError(f"category id {category.id} occurs twice: {first!r} and {category.name!r}")
            self._by_id[category.id] = category

    @classmethod
    def from_coco(cls, entries: Sequence[Mapping[str, Any]], where: str = "categories") -> "Categories":
        """Reads the ``categories`` list of a COCO panoptic JSON.

        Args:
            entries: dicts with ``id``, ``name`` and ``isthing`` (0 or 1); ``color`` is optional.
                A category without a colour gets one that depends on its place in the list only.
            where: the file, for error messages.

        Raises:
            InputError: an entry lacks a key or holds a value of the wrong type.
        """
        if not isinstance(entries, Sequence) or isinstance(entries, str):
            raise InputError(f"{where}: expected a list of categories, got {type(entries).__name__}")
        return cls(_category(entry, place, where) for place, entry in enumerate(entries))

    @classmethod
    def from_lists(cls, things: Sequence[str], stuff: Sequence[str]) -> "Categories":
        """Categories numbered from 1, things first, for heads that come without a data set.

        Args:
            things: names of the thing categories; they get the ids 1 to T.
            stuff: names of the stuff categories; they get the ids T + 1 to T + S.
        """
        names = listed("things", things, "['cat', 'dog']"), listed("stuff", stuff, "['sky']")
        entries = [(name, isthing) for some, isthing in zip(names, (True, False), strict=True) for name in some]
        return cls(
            Category(place + 1, name, isthing, default_color(place))
            for place, (name, isthing) in enumerate(entries)
        )

    @property
    def things(self) -> Tuple[Category, ...]:
        """The thing categories by ascending id: pycocotools, which computes AP, takes them in that order."""
        things = (category for category in self.values() if category.isthing)
        return tuple(sorted(things, key=lambda category: category.id))

    @property
    def stuff(self) -> Tuple[Category, ...]:
        """The stuff categories, in the order of the list, which Detectron2's semantic labels follow."""
        return tuple(category for category in self.values() if not category.isthing)

    @cached_property
    def place_of(self) -> Mapping[int, int]:
        """The place of each category id in the list, from 0."""
        return {category_id: place for place, category_id in enumerate(self)}

    @cached_property
    def ids(self) -> np.ndarray:
        """(C,) int64, the ids in the order of the list. Not to be changed."""
        return np.array(list(self), dtype=np.int64)

    @cached_property
    def is_stuff(self) -> np.ndarray:
        """(C,) bool, by place in the list. Not to be changed."""
        return np.array([not category.isthing for category in self.values()], dtype=bool)

    def labels_of_stuff(self, label_to_category: Mapping[int, Optional[int]]) -> List[int]:
        """The labels that mean stuff, ascending.

        Args:
            label_to_category: the dataset category id of each label, None for a label that means none.
        """
        return sorted(label for label, one in label_to_category.items() if one is not None and not self[one].isthing)

    def to_coco(self) -> list:
        """The ``categories`` list of a COCO panoptic JSON."""
        return [
            {
                "id": category.id,
                "name": category.name,
                "supercategory": category.name,
                "isthing": int(category.isthing),
                "color": list(category.color),
            }
            for category in self.values()
        ]

    def __getitem__(self, category_id: int) -> Category:
        return self._by_id[category_id]

    def __contains__(self, category_id: object) -> bool:
        # Asked for each segment; the abstract class would go through __getitem__ and its exceptions.
        return category_id in self._by_id

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"Categories({len(self.things)} things, {len(self.stuff)} stuff)"


def read_categories(path: PathLike) -> Categories:
    """Reads the categories of a JSON that is COCO's list of them, or has it under ``categories``.

    Raises:
        InputError: the file is missing, or an entry of the list is wrong.
    """
    return Categories.from_coco(category_entries_in(path), str(path))


def category_entries_in(path: PathLike) -> Any:
    """The list that :func:`read_categories` reads, unchecked, with whatever else its entries say."""
    data = read_json(path)
    return data.get("categories") if isinstance(data, Mapping) else data


def is_integer(value: Any) -> bool:
    """True for a whole number that is not a bool: JSON's ``true`` and ``1.5`` are no ids."""
    return isinstance(value, int) and not isinstance(value, bool)


def _category(entry: Any, place: int, where: str) -> Category:
    if not isinstance(entry, Mapping):
        raise InputError(f"{where}: category {place} must be a mapping, got {type(entry).__name__}")
    for key in ("id", "name", "isthing"):
        if key not in entry:
            raise InputError(
                f"{where}: category {place} has no {key!r}; panoptic categories need id, name and isthing"
            )
    if not is_integer(entry["id"]) or not 0 <= entry["id"] <= MAX_CATEGORY_ID:
        raise InputError(f"{where}: category {place} has id {entry['id']!r:.80}; expected an integer >= 0")
    if entry["isthing"] not in (0, 1):
        raise InputError(f"{where}: category {entry['id']} has isthing {entry['isthing']!r}; expected 0 or 1")
    color = entry.get("color")
    if color is None:
        color = default_color(place)
    elif isinstance(color, str) and re.fullmatch("#[0-9a-fA-F]{6}", color):
        color = ImageColor.getrgb(color)
    three = isinstance(color, (list, tuple)) and len(color) == 3
    if not three or not all(is_integer(c) and 0 <= c <= 255 for c in color):
        raise InputError(
            f"{where}: category {entry['id']} has color {color!r}; expected three integers from 0 to 255, or '#rrggbb'"
        )
    return Category(entry["id"], str(entry["name"]), bool(entry["isthing"]), tuple(color))
