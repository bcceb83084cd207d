"""PQ, SQ and RQ from counts."""

from dataclasses import dataclass
from typing import Dict, Iterable, Optional

import numpy as np

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
    """Quality of groups of categories, and of each category.

    Attributes:
        all, things, stuff: means over the categories of the group that occur; None where none does.
        by_category: of each category that occurs, by dataset category id, in the order of the data set's list.
    """

    all: Optional[Quality]
    things: Optional[Quality]
    stuff: Optional[Quality]
    by_category: Dict[int, Quality]


def summarize(counts: PQCounts, categories: Categories) -> Summary:
    """PQ, SQ and RQ per group, as panopticapi averages them, and per category.

    A category without a match, a false positive or a miss is left out of the mean. A group
    without any is None; panopticapi divides by zero there.

    Args:
        counts: by dataset category id.
        categories: the data set's categories.
    """
    each = {category_id: category_quality(counts.get(category_id, CategoryCounts())) for category_id in categories}
    occurring = {category_id: quality for category_id, quality in each.items() if quality is not None}
    return Summary(
        all=_mean(occurring, categories.values()),
        things=_mean(occurring, categories.things),
        stuff=_mean(occurring, categories.stuff),
        by_category=occurring,
    )


def category_quality(counts: CategoryCounts) -> Optional[Quality]:
    """PQ, SQ and RQ of one category; None if it does not occur."""
    segments = counts.tp + counts.fp / 2 + counts.fn / 2
    if segments == 0:
        return None
    iou_sum = counts.iou_sum / IOU_UNIT
    return Quality(iou_sum / segments, iou_sum / counts.tp if counts.tp else 0.0, counts.tp / segments, 1)


def groups_of(categories: Categories) -> Dict[str, np.ndarray]:
    """(C,) bool per group of a summary, over categories in the order of the data set's list."""
    things = np.array([category.isthing for category in categories.values()])
    return {"all": np.ones(len(things), dtype=bool), "things": things, "stuff": ~things}


def mean_of_occurring(values: np.ndarray, axis: int) -> np.ndarray:
    """Means over the categories that occur.

    Args:
        values: floats, one axis of which is categories; NaN where a category does not occur.
        axis: that axis.

    Returns:
        The values without that axis; NaN where no category occurs.
    """
    occurs = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(occurs, values, 0).sum(axis=axis) / occurs.sum(axis=axis)


def _mean(of_category: Dict[int, Quality], group: Iterable[Category]) -> Optional[Quality]:
    occurring = [of_category[category.id] for category in group if category.id in of_category]
    if not occurring:
        return None
    n = len(occurring)
    return Quality(
        sum(q.pq for q in occurring) / n, sum(q.sq for q in occurring) / n, sum(q.rq for q in occurring) / n, n
    )
