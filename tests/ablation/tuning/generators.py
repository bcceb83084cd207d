"""The steps of a tuning are generators that return something at their end."""

from typing import Any, Generator, Tuple


def finished(steps: Generator[None, None, Any]) -> Tuple[Any, int]:
    """The value that a generator returns, and the number of times it yields."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def returned(steps: Generator[None, None, Any]) -> Any:
    """The value that a generator returns."""
    return finished(steps)[0]
