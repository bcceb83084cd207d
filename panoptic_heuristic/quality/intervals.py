"""How sure a PQ is, and which images it is worst on.

PQ is a ratio of sums over images, not a mean of images' PQ. So the bootstrap draws images with
replacement, adds up their counts and takes the PQ of the sum (percentile intervals: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13).
"""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories, Category, is_integer
from panoptic_heuristic.quality.counts import IOU_UNIT, CategoryCounts, PQCounts
from panoptic_heuristic.quality.result import Result
from panoptic_heuristic.quality.summary import category_quality

# Of 5,000 images a chunk's weights are 4 MB.
_REPLICATES_AT_ONCE = 100

# In these units sums of up to two million IoUs are whole numbers below 2**53, so that matrix
# products are exact and do not depend on threads or on the order of adding.
_COARSE_UNIT = 2**32


@dataclass(frozen=True)
class Interval:
    """Bounds of a PQ, each 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class Intervals:
    """Intervals of the PQ of a summary's groups, None where nothing occurs, and of each category that occurs."""

    all: Optional[Interval]
    things: Optional[Interval]
    stuff: Optional[Interval]
    by_category: Dict[int, Interval]


def bootstrap_intervals(
    result: Result,
    categories: Categories,
    *,
    measure: str = "pq",
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Intervals:
    """How far PQ would vary had other images of the same kind been drawn.

    A category that a replicate does not have is in no mean of it, as in a summary.

    Args:
        result: with the counts of each image.
        categories: the data set's categories.
        measure: which PQ; the result must keep it per image.
        confidence: the share of replicates inside the interval, in (0, 1).
        replicates: how many times the images are drawn anew, at least 2.
        seed: equal arguments give equal intervals.

    Raises:
        InputError: an argument is out of range, or the result does not keep ``measure`` per image.
    """
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), got {confidence!r}")
    if not is_integer(replicates) or replicates < 2:
        raise InputError(f"replicates must be an integer of at least 2, got {replicates!r}")
    per_image = _per_image(result, measure)
    occurring = [category for category in categories.values() if any(category.id in one for one in per_image)]
    ious, segments = _tables(per_image, occurring)
    drawn = list(_replicates(ious, segments, replicates, np.random.default_rng(seed)))
    pq = np.concatenate(drawn) if drawn else np.zeros((0, len(occurring)))

    def interval(values: np.ndarray) -> Optional[Interval]:
        values = values[~np.isnan(values)]
        if not values.size:
            return None
        outside = 50 * (1 - confidence)
        return Interval(*(float(value) for value in np.percentile(values, (outside, 100 - outside))))

    def group(isthing: Tuple[bool, ...]) -> Optional[Interval]:
        return interval(_mean_of_occurring(pq[:, [category.isthing in isthing for category in occurring]]))

    by_category = {category.id: interval(pq[:, place]) for place, category in enumerate(occurring)}
    return Intervals(
        all=group((True, False)),
        things=group((True,)),
        stuff=group((False,)),
        by_category={category_id: found for category_id, found in by_category.items() if found is not None},
    )


@dataclass(frozen=True)
class ImageQuality:
    """One image alone.

    Attributes:
        image_id: the image.
        pq: 0 to 1; the mean over the categories that occur in it.
        errors: its misses and false positives.
    """

    image_id: int
    pq: float
    errors: int


def image_qualities(result: Result, *, measure: str = "pq") -> Tuple[ImageQuality, ...]:
    """PQ of each image alone, in the order of their ids; an image where nothing is counted has none.

    Raises:
        InputError: the result does not keep ``measure`` per image.
    """
    qualities = []
    for image_id, counts in sorted(zip(result.images, _per_image(result, measure), strict=True)):
        each = [quality.pq for quality in map(category_quality, counts.values()) if quality is not None]
        if each:
            errors = sum(value.fp + value.fn for value in counts.values())
            qualities.append(ImageQuality(image_id, sum(each) / len(each), errors))
    return tuple(qualities)


def worst_images(result: Result, n: Optional[int] = None, *, measure: str = "pq") -> Tuple[ImageQuality, ...]:
    """The images of the lowest PQ, worst first.

    Equals, such as the many of PQ 0, are in the order of their errors, most first, and then of
    their ids.

    Args:
        result: with the counts of each image.
        n: how many; None for all.
        measure: which PQ.

    Raises:
        InputError: the result does not keep ``measure`` per image.
    """
    ranked = sorted(image_qualities(result, measure=measure), key=lambda image: (image.pq, -image.errors))
    return tuple(ranked[:n])


def _per_image(result: Result, measure: str) -> List[PQCounts]:
    for image_id, image in result.images.items():
        if measure not in image.counts:
            kept = ", ".join(image.counts) or "none"
            raise InputError(f"the result has no {measure!r} of image {image_id}; measures kept per image: {kept}")
    return [image.counts[measure] for image in result.images.values()]


def _tables(per_image: List[PQCounts], categories: List[Category]) -> Tuple[np.ndarray, np.ndarray]:
    """(images, categories) float64 each: sums of IoU in coarse units, and TP + FP / 2 + FN / 2 doubled."""
    ious, segments = np.zeros((2, len(per_image), len(categories)))
    for row, counts in enumerate(per_image):
        for column, category in enumerate(categories):
            value = counts.get(category.id)
            if value is not None:
                ious[row, column] = value.iou_sum * _COARSE_UNIT // IOU_UNIT
                segments[row, column] = _segments(value)
    return ious, segments


def _segments(value: CategoryCounts) -> int:
    return 2 * value.tp + value.fp + value.fn


def _replicates(
    ious: np.ndarray, segments: np.ndarray, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yields (some replicates, categories) PQ; NaN where a category does not occur."""
    images = len(ious)
    for start in range(0, replicates if images else 0, _REPLICATES_AT_ONCE):
        drawn = rng.integers(images, size=(min(_REPLICATES_AT_ONCE, replicates - start), images))
        times = np.stack([np.bincount(row, minlength=images) for row in drawn]).astype(np.float64)
        of_segments = times @ segments
        with np.errstate(invalid="ignore"):
            yield 2 * (times @ ious) / _COARSE_UNIT / of_segments


def _mean_of_occurring(pq: np.ndarray) -> np.ndarray:
    """(replicates,) means over the categories that occur; NaN where none does."""
    occurs = ~np.isnan(pq)
    with np.errstate(invalid="ignore"):
        return np.where(occurs, pq, 0).sum(axis=1) / occurs.sum(axis=1)
