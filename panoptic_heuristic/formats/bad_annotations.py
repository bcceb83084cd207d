"""Annotations whose mask cannot be read, one of thousands perhaps: an error, or left out, counted and told.

Annotation tools write them: an empty ``segmentation`` for a mere box, a polygon of two points for a stray click, the
run lengths of an image that was resized later.
"""

import contextlib
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.rle import run_ends
from panoptic_heuristic.formats.run_counts import MaskError

BAD_ANNOTATIONS = ("fail", "skip")

_REMEDY = "--bad-annotations skip leaves such annotations out"


class BadAnnotations:
    """Counts annotations whose mask cannot be read.

    Args:
        fate: one of :data:`BAD_ANNOTATIONS`.

    Attributes:
        fate: as given.
        count: how many were left out.
        first: what is wrong with the first of them, and where; None if there is none.

    Raises:
        InputError: there is no such fate.
    """

    def __init__(self, fate: str = "fail"):
        if fate not in BAD_ANNOTATIONS:
            raise InputError(f"bad annotations can {' or '.join(BAD_ANNOTATIONS)}, got {fate!r}")
        self.fate = fate
        self.count = 0
        self.first: Optional[str] = None

    def add(self, problem: str) -> None:
        """Leaves one out.

        Args:
            problem: what is wrong with which annotation.

        Raises:
            InputError: bad annotations are to fail.
        """
        if self.fate == "fail":
            raise InputError(f"{problem}; {_REMEDY}")
        self.count += 1
        self.first = self.first or problem

    def readable(
        self, segmentations: Sequence[Any], height: int, width: int, where: Callable[[int], str]
    ) -> List[int]:
        """The places of the masks that can be read; the others are left out, see :meth:`add`."""
        found, problems = readable_run_ends(segmentations, height, width, where)
        for problem in problems:
            self.add(problem)
        return list(found)

    def notes(self) -> List[str]:
        """A line on how many were left out, with the first of them; nothing if there is none."""
        if not self.count:
            return []
        return [f"note: {self.count} annotations left out (--bad-annotations skip), the first: {self.first}"]


def readable_run_ends(
    segmentations: Sequence[Any], height: int, width: int, where: Callable[[int], str]
) -> Tuple[Dict[int, np.ndarray], List[str]]:
    """As :func:`panoptic_heuristic.formats.rle.run_ends`, of the masks that can be read.

    Returns:
        the ends by place, ascending, and a sentence for each other mask.
    """
    found: Dict[int, np.ndarray] = {}
    problems: List[str] = []
    # Halves are tried again until the bad one is alone, since many at once are much faster than one by one.
    waiting = [range(len(segmentations))]
    while waiting:
        places = waiting.pop()
        some = [segmentations[k] for k in places]
        try:
            ends = run_ends(some, height, width, partial(_nth_name, where, places))
        except MaskError as error:
            if len(places) == 1:
                problems.append(str(error))
            else:
                middle = len(places) // 2
                waiting += [places[middle:], places[:middle]]
        else:
            found.update(zip(places, ends, strict=True))
    return found, problems


def _nth_name(where: Callable[[int], str], places: Sequence[int], k: int) -> str:
    return where(places[k])


@contextlib.contextmanager
def telling_the_remedy() -> Iterator[None]:
    """Adds to the error of a mask that cannot be read how it is left out.

    Raises:
        InputError: the block raised a :class:`.MaskError`; other errors pass as they are, since no mask that is left
            out would mend them.
    """
    try:
        yield
    except MaskError as error:
        raise InputError(f"{error}; {_REMEDY}") from error
