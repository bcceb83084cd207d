"""Limits of stuff per category, solved directly.

Given the things, stuff categories are independent of each other: each takes the pixels that its
label has left. So for each category the free areas of all images are sorted once, and every limit
is a cut in that list. Shrinkage is that of :mod:`panoptic_heuristic.ablation.tuning.classes`: a
category has a limit of its own only if its gain exceeds so many standard errors. The images that
add to it are those whose segment the limit decides about, or the groups of images if images come in groups.
"""

import math
from typing import Dict, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.regions.single import settle_pipeline
from panoptic_heuristic.ablation.tuning.classes import FEWEST_SEGMENTS, NO_GAIN
from panoptic_heuristic.ablation.tuning.counts import segments_of
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import IOU_UNIT

KINDS = ("stuff_area_thresh", "stuff_area_fraction")
"""Of limits: in pixels, and as a fraction of the image."""


def tune_stuff(
    images: Sequence[Regions],
    categories: Categories,
    pipeline: Pipeline,
    *,
    shrinkage: float,
    groups: Optional[Sequence[int]] = None,
) -> Pipeline:
    """Gives stuff categories limits of their own where that pays; never worse on these images.

    Limits are in pixels, or fractions of the image if the pipeline's own limit is one.

    Args:
        images: to tune on.
        categories: the data set's.
        pipeline: exact on regions. Its things are kept, its limit for all, and limits of single categories
            that are of the other kind or that nothing beats.
        shrinkage: in standard errors; 0 for none.
        groups: the number of each image's group; None if each image is one.
    """
    by_fraction = pipeline.stuff_area_fraction > 0
    kind, other = KINDS[::-1] if by_fraction else KINDS
    common, limits = pipeline.value(kind), dict(pipeline.value(f"{kind}_of"))
    segments = segments_of(images, categories)
    places, sizes, worth, matched, image_of = _candidates(images, categories, pipeline, by_fraction)
    group_of = image_of if groups is None else np.asarray(groups)[image_of]
    for place, category in enumerate(categories.values()):
        if category.isthing or segments[place] < FEWEST_SEGMENTS or category.id in pipeline.value(f"{other}_of"):
            continue
        own, limit = places == place, limits.get(category.id, common)
        found = best_limit(
            sizes[own], worth[own], matched[own], int(segments[place]), limit, shrinkage, group_of[own]
        )
        if found is not None:
            limits[category.id] = _readable(*found, by_fraction)
    return pipeline.replaced({f"{kind}_of": dict(sorted(limits.items()))})


def best_limit(
    sizes: np.ndarray,
    ious: np.ndarray,
    matched: np.ndarray,
    segments: int,
    limit: float,
    shrinkage: float,
    groups: np.ndarray,
) -> Optional[Tuple[float, float]]:
    """The limit of one category that its PQ gains most by.

    Args:
        sizes: (n,) of its candidates; one is kept if its size is not below the limit.
        ious: (n,) IoU of those that match a segment, 0 of the others.
        matched: (n,) bool. Candidates that are neither matches nor false positives must be left out.
        segments: its ground-truth segments, at least 1.
        limit: the one that it has.
        shrinkage: in standard errors; 0 for none.
        groups: (n,) the number of the group that each one's image is of.

    Returns:
        Any limit above the first and not above the second number is best; None if its own is.
    """
    order = np.argsort(-sizes, kind="stable")
    sizes, ious, matched, groups = sizes[order], ious[order], matched[order], groups[order]
    # Cut k keeps the k largest; equal sizes are kept or dropped together.
    cuts = np.flatnonzero(np.diff(sizes, prepend=np.inf, append=-np.inf))
    kept = int(np.count_nonzero(sizes >= limit))
    iou_sums = np.concatenate([[0.0], ious.cumsum()])
    # TP + FP / 2 + FN / 2: a candidate adds one half, match or not.
    pq = iou_sums / ((np.arange(len(sizes) + 1) + segments) / 2)
    squares = np.concatenate([[0.0], _squares_of_groups(ious - pq[kept] / 2, groups, kept).cumsum()])
    error = np.sqrt(np.abs(squares[cuts] - squares[kept])) / ((cuts + segments) / 2)
    worth = pq[cuts] - pq[kept] - shrinkage * error
    # Of equals the one that changes least.
    best = np.lexsort([np.abs(cuts - kept), -worth])[0]
    if not worth[best] > NO_GAIN:
        return None
    cut = cuts[best]
    return float(sizes[cut]) if cut < len(sizes) else 0.0, float(sizes[cut - 1])


def _squares_of_groups(added: np.ndarray, groups: np.ndarray, kept: int) -> np.ndarray:
    """(n,) how much each candidate adds to the sum of squares of what groups add, counted away from a cut.

    Args:
        added: (n,) what each adds by itself.
        groups: (n,) their groups.
        kept: the cut, so many candidates before it.
    """
    steps = np.square(added)
    for outward in (range(kept, len(added)), range(kept - 1, -1, -1)):
        sums: Dict[int, float] = {}
        for place in outward:
            before = sums.get(groups[place], 0.0)
            steps[place] += 2 * before * added[place]
            sums[groups[place]] = before + added[place]
    return steps


def _candidates(
    images: Sequence[Regions], categories: Categories, pipeline: Pipeline, by_fraction: bool
) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of all stuff segments that count for something: category place, size, IoU, whether it matches, and its image."""
    found = []
    for number, image in enumerate(images):
        candidates = settle_pipeline(image, categories, pipeline)
        outcomes, pixels = candidates.stuff_outcomes, candidates.counted[0, 0]
        iou, matched, false = outcomes.iou[0, 0], outcomes.matched[0, 0], outcomes.false[0, 0]
        sizes = pixels / image.area if by_fraction else pixels
        of_image = np.full(len(sizes), number)
        found.append(np.stack([candidates.stuff, sizes, iou / IOU_UNIT, matched, of_image])[:, matched | false])
    places, sizes, ious, matched, numbers = np.concatenate(found, axis=1)
    return places, sizes, ious, matched > 0, numbers.astype(np.int64)


def _readable(low: float, high: float, by_fraction: bool) -> float:
    """A limit in the middle of (low, high]: pixels are whole, fractions have few digits."""
    if not by_fraction:
        return float(math.ceil((low + high) / 2))
    for digits in range(3, 17):
        value = float(f"{(low + high) / 2:.{digits}g}")
        if low < value <= high:
            return value
    return high
