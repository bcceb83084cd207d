"""The search for thresholds: rounds of pipelines to try, each around the best one so far.

A search counts nothing itself: it says what it wants counted, and is told the PQ. So many searches go on side
by side, and what they want of one image is counted at once.
"""

import copy
from typing import Callable, Dict, Iterator, Optional, Sequence, Tuple

from panoptic_heuristic.ablation.tuning.counters import Counter
from panoptic_heuristic.ablation.tuning.counts import pq_of
from panoptic_heuristic.fusion import Pipeline

Round = Callable[[Pipeline], Sequence[Pipeline]]
"""The pipelines to try, given the best so far, which is one of them; those to be preferred come first."""


class Search:
    """One search.

    Args:
        start: the best one before anything is known.
        rounds: what to try, in this order.

    Attributes:
        best: the best of what was counted; of equals the one that its round prefers.
        wanted: what to count next, nothing twice; empty when the search is over.
        error: why a pipeline could not be counted; the search is over then.
    """

    def __init__(self, start: Pipeline, rounds: Sequence[Round]):
        self.best = start
        self.wanted: Tuple[Pipeline, ...] = ()
        self.error: Optional[str] = None
        self._rounds = list(rounds)
        self._tried: Sequence[Pipeline] = ()
        self._pq: Dict[Pipeline, float] = {}
        self._go_on()

    def copy(self) -> "Search":
        """Another search that is as far as this one."""
        other = copy.copy(self)
        other._rounds, other._pq = list(self._rounds), dict(self._pq)
        return other

    @property
    def rounds(self) -> int:
        """The number of times that there may still be something to count."""
        return len(self._rounds) + bool(self.wanted)

    def tell(self, pq: Sequence[float]) -> None:
        """Takes the PQ of what is wanted, and goes on. NaN, where nothing occurs, is less than any PQ."""
        self._pq.update((one, -1.0 if value != value else value) for one, value in zip(self.wanted, pq, strict=True))
        self._go_on()

    def fail(self, error: str) -> None:
        """Ends the search."""
        self.error, self.wanted, self._rounds = error, (), []

    def _go_on(self) -> None:
        self.wanted = ()
        while not self.wanted:
            if self._tried:
                self.best = max(self._tried, key=self._pq.__getitem__)
            if not self._rounds:
                return
            self._tried = self._rounds.pop(0)(self.best)
            self.wanted = tuple(one for one in dict.fromkeys(self._tried) if one not in self._pq)


def run_searches(searches: Sequence[Search], images: Sequence[Sequence[int]], counter: Counter) -> Iterator[None]:
    """Brings searches to their end, round by round.

    Args:
        searches: any number.
        images: that each of them counts on, by place.
        counter: of the images.

    Yields:
        After each step of the counter.
    """
    while active := [(search, places) for search, places in zip(searches, images, strict=True) if search.wanted]:
        totals = yield from counter.totals([(places, search.wanted) for search, places in active])
        for (search, _), total in zip(active, totals, strict=True):
            error = next((counter.failed[one] for one in search.wanted if one in counter.failed), None)
            if error is None:
                search.tell(pq_of(total, counter.categories).tolist())
            else:
                search.fail(error)


def steps_of(searches: Sequence[Search], images: Sequence[Sequence[int]], counter: Counter) -> int:
    """The number of times that :func:`run_searches` yields, at most."""
    return max((search.rounds for search in searches), default=0) * counter.steps(images)
