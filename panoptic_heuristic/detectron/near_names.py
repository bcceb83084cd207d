"""Help for a name that is not among those that are known."""

import difflib
from typing import Iterable

_MOST_NEAR, _MOST_LISTED = 3, 10


def near_names(name: str, known: Iterable[str]) -> str:
    """A question or a list for the end of a message: the names that are spelled like one, or some of all."""
    known = sorted(known)
    if close := difflib.get_close_matches(name, known, n=_MOST_NEAR, cutoff=0.6):
        return f"did you mean {' or '.join(close)}?"
    return f"there are {', '.join(known)}" if len(known) <= _MOST_LISTED else "no name is like it"
