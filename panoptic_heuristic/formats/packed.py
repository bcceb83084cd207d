"""Lists of JSON values as bytes, which take about as much memory as their text, and half of what dicts do.

Python counts the references to each value in the value itself. So worker processes, which share the parent's memory
until it is written to, would soon have a copy each of all that they or the parent only look at.
"""

import marshal
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Callable, Dict, Generic, Hashable, Iterable, Iterator, List, Tuple, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key", bound=Hashable)

# So many lie unpacked at once.
_BATCH = 4096


class Packed(Sequence, Generic[Row]):
    """Rows, made anew each time they are asked for.

    Args:
        make: makes a row of what was packed, such as the ``_make`` of a named tuple.
    """

    __slots__ = ("_length", "_make", "_parts")

    def __init__(self, make: Callable[[Any], Row]):
        self._make = make
        self._parts: List[bytes] = []
        self._length = 0

    def add(self, values: List[Any]) -> None:
        """Adds rows at the end.

        Args:
            values: what ``make`` takes: values of JSON's types and plain tuples of them.

        Raises:
            ValueError: they are nested too deep.
        """
        self._parts.append(marshal.dumps(values))
        self._length += len(values)

    def chosen(self, places: Sequence) -> "Packed[Row]":
        """The rows at some ascending places; if these are all, what is here and no copy."""
        if len(places) == len(self):
            return self
        values = [value for part in self._parts for value in marshal.loads(part)]
        found: Packed[Row] = Packed(self._make)
        found.add([values[place] for place in places])
        return found

    def taken_out(self) -> Iterator[Row]:
        """All rows; the memory of those handed out is freed on the way."""
        self._parts.reverse()
        while self._parts:
            yield from map(self._make, marshal.loads(self._parts.pop()))
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Row]:
        for part in self._parts:
            yield from map(self._make, marshal.loads(part))

    def __getitem__(self, index: Any) -> Any:
        return list(self)[index]


def packed(values: Iterable[Row]) -> Packed[Row]:
    """Packs values of JSON's types, few of which need to be there at once.

    Raises:
        ValueError: they are nested too deep.
    """
    found, batch = Packed[Row](_itself), []
    for value in values:
        batch.append(value)
        if len(batch) == _BATCH:
            found.add(batch)
            batch = []
    if batch:
        found.add(batch)
    return found


def grouped(pairs: Iterable[Tuple[Key, Any]], make: Callable[[Any], Row]) -> Dict[Key, Packed[Row]]:
    """Packs what belongs to each key.

    Args:
        pairs: (key, what ``make`` takes).
        make: as of :class:`Packed`.

    Returns:
        key -> its rows in the order of the pairs; keys by their first pair.
    """
    found: Dict[Key, Packed[Row]] = {}
    loose: Dict[Key, List[Any]] = defaultdict(list)

    def pack() -> None:
        for key, values in loose.items():
            found.setdefault(key, Packed(make)).add(values)
        loose.clear()

    for place, (key, value) in enumerate(pairs, start=1):
        loose[key].append(value)
        if place % _BATCH == 0:
            pack()
    pack()
    return found


def _itself(value: Row) -> Row:
    return value
