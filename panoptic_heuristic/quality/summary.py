"""PQ, SQ and RQ from counts."""

from dataclasses import dataclass
from typing import Iterable, Optional

from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.quality.counts import IOU_UNIT, CategoryCounts, PQCounts


@dataclass(frozen=True)
class Quality:
    """Means over the categories of a group that occur at all.

    Attributes:
        pq, sq, rq: each 0 to 1.
        categories: how many categories the means are over, at least 1.
    """

    pq: float
    sq: float
    rq: float
    categories: int


@dataclass(frozen=True)
class Summary:
    """Quality of all categories, of the things and of the stuff; None where none occurs."""

    all: Optional[Quality]
    things: Optional[Quality]
    stuff: Optional[Quality]


def summarize(counts: PQCounts, categories: Categories) -> Summary:
    """PQ, SQ and RQ per group, as panopticapi averages them.

    A category without a match, a false positive or a miss is left out of the mean. A group
    without any is None; panopticapi divides by zero there.

    Args:
        counts: by dataset category id.
        categories: the data set's categories.
    """
    return Summary(
        all=_mean(counts, categories.values()),
        things=_mean(counts, categories.things),
        stuff=_mean(counts, categories.stuff),
    )


def category_quality(counts: CategoryCounts) -> Optional[Quality]:
    """PQ, SQ and RQ of one category; None if it does not occur."""
    segments = counts.tp + counts.fp / 2 + counts.fn / 2
    if segments == 0:
        return None
    iou_sum = counts.iou_sum / IOU_UNIT
    return Quality(iou_sum / segments, iou_sum / counts.tp if counts.tp else 0.0, counts.tp / segments, 1)


def _mean(counts: PQCounts, group: Iterable[Category]) -> Optional[Quality]:
    each = [category_quality(counts.get(category.id, CategoryCounts())) for category in group]
    occurring = [quality for quality in each if quality is not None]
    if not occurring:
        return None
    n = len(occurring)
    return Quality(
        sum(q.pq for q in occurring) / n, sum(q.sq for q in occurring) / n, sum(q.rq for q in occurring) / n, n
    )
