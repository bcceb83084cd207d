"""Pixels that say a category and an instance number, as segments.

All forms that do so agree where a thing has a number and stuff has none. What else there may be, a number of stuff, a
thing without one or a category that the data set lacks, differs from tool to tool, and so the caller says its fate.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.formats.label_divisor.codes import VOID, decode_label_divisor

CROWDS = ("keep", "void", "fail")
UNLISTED = ("fail", "void")
STUFF_NUMBERS = ("fail", "ignore")
THING_ZERO = ("fail", "ignore", "crowd", "segment")


@dataclass(frozen=True)
class Fates:
    """The fates of pixels that forms disagree about.

    Attributes:
        crowds: "keep" crowds, make them "void", or "fail".
        unlisted: pixels of a category that the data set lacks "fail" or are "void". Cityscapes
            has many labels that are not evaluated.
        stuff_numbers: instance numbers of stuff "fail", or are "ignore"d: all pixels of a stuff
            category are one segment. BDD100K's bitmasks and DeepLab2's predictions number stuff.
        thing_zero: a thing without an instance number is the "crowd" of its category, to which
            ``crowds`` applies, one ordinary "segment", or void ("ignore"); or it "fail"s.

    Raises:
        InputError: there is no such fate.
    """

    crowds: str = "keep"
    unlisted: str = "fail"
    stuff_numbers: str = "fail"
    thing_zero: str = "crowd"

    def __post_init__(self):
        for name, choices in (
            ("crowds", CROWDS),
            ("unlisted", UNLISTED),
            ("stuff_numbers", STUFF_NUMBERS),
            ("thing_zero", THING_ZERO),
        ):
            if getattr(self, name) not in choices:
                raise InputError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class NumberedPairs:
    """The different pixels of a map.

    Attributes:
        category_ids: (N,) integers, dataset category ids.
        numbers: (N,) integers, instances counted from 1; 0 for no number.
        is_void: (N,) bool; their category and number mean nothing.
        tell: names a pair by its place as the file has it, for error messages.
        advice: a question that an error ends in: which settings may be wrong.
    """

    category_ids: np.ndarray
    numbers: np.ndarray
    is_void: np.ndarray
    tell: Callable[[int], str]
    advice: str


def pairs_to_segments(
    pairs: NumberedPairs, categories: Categories, fates: Fates
) -> Tuple[np.ndarray, List[Dict[str, Any]]]:
    """Numbers the segments that pairs of category and instance mean.

    Args:
        pairs: the pairs, each once.
        categories: the data set's categories.
        fates: of pairs that forms disagree about.

    Returns:
        (N,) int32 segment ids, 0 for void and 1 to n without gaps, and their ``segments_info``:
        dicts with ``id``, ``category_id`` and ``iscrowd``. Crowds come last.

    Raises:
        InputError: a pair's fate is to fail; the pair is named.
    """
    category_ids, numbers = pairs.category_ids, pairs.numbers
    unlisted = ~np.isin(category_ids, list(categories)) & ~pairs.is_void
    if unlisted.any() and fates.unlisted == "fail":
        place = int(unlisted.argmax())
        raise InputError(
            f"the map holds {pairs.tell(place)}, which means category {category_ids[place]}, and that is not among "
            f"the categories; {pairs.advice}"
        )
    is_void = pairs.is_void | unlisted
    things = [category.id for category in categories.things]
    is_thing = np.isin(category_ids, things)
    numbered_stuff = ~is_thing & (numbers > 0) & ~is_void
    if numbered_stuff.any() and fates.stuff_numbers == "fail":
        raise InputError(
            f"{_told(pairs, numbered_stuff, categories)} with an instance number, but that is stuff, which has none; "
            f"--stuff-numbers ignore takes all its pixels for one segment; or {pairs.advice}"
        )
    unnumbered = is_thing & (numbers == 0) & ~is_void
    if unnumbered.any() and fates.thing_zero == "fail":
        raise InputError(
            f"{_told(pairs, unnumbered, categories)}, a thing, with instance number 0, which is none; --thing-zero "
            f"says what such pixels are: void (ignore), a crowd (crowd) or one segment (segment); or {pairs.advice}"
        )
    if unnumbered.any() and fates.thing_zero == "crowd" and fates.crowds == "fail":
        category_id = category_ids[unnumbered][0]
        raise InputError(f"the map holds a crowd of category {category_id}, and crowds are to fail")
    # A number that no other thing has.
    spare = numbers.max(initial=0) + 1
    numbers = np.where(numbered_stuff, 0, numbers)
    if fates.thing_zero == "segment":
        numbers = np.where(unnumbered, spare, numbers)
        unnumbered = np.zeros_like(unnumbered)
    codes = np.where(is_void | unnumbered, VOID, category_ids * (spare + 1) + numbers)
    ids, segments = decode_label_divisor(codes, int(spare) + 1, things, void=VOID)
    entries = [{"id": one["id"], "category_id": one["category_id"], "iscrowd": 0} for one in segments]
    if fates.thing_zero == "crowd" and fates.crowds == "keep":
        for place in np.flatnonzero(unnumbered).tolist():
            ids[place] = len(entries) + 1
            entries.append({"id": int(ids[place]), "category_id": int(category_ids[place]), "iscrowd": 1})
    return ids, entries


def _told(pairs: NumberedPairs, which: np.ndarray, categories: Categories) -> str:
    place = int(which.argmax())
    category = categories[int(pairs.category_ids[place])]
    return f"the map holds {pairs.tell(place)}, which is category {category.id} ({category.name})"
