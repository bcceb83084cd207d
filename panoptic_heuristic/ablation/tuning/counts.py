"""Counts of pipelines on the regions of some images.

Shape legend: S pipelines, C categories in the order of the data set's list.
"""

from typing import Iterable, Sequence

import numpy as np

from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.regions.regions import Regions
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import groups_of


def count_pipelines(images: Sequence[Regions], pipelines: Sequence[Pipeline], categories: Categories) -> np.ndarray:
    """(images, 3, C, S) int64: iou_sum, TP and FP of each image under each pipeline.

    Args:
        images: the images.
        pipelines: S of them, exact on regions.
        categories: the data set's.
    """
    plan = SettingsPlan.of(pipelines, categories)
    counts = np.zeros((len(images), 3, len(categories), len(pipelines)), dtype=np.int64)
    for row, image in zip(counts, images, strict=True):
        found = plan.count(image)
        row[:, found.places] = found.values
    return counts


def total_counts(images: Sequence[Regions], pipelines: Sequence[Pipeline], categories: Categories) -> SettingCounts:
    """The counts of all images together; arguments are those of :func:`count_pipelines`."""
    plan = SettingsPlan.of(pipelines, categories)
    total = SettingCounts.zeros(len(categories), len(pipelines))
    for image in images:
        total.add_image(plan.count(image))
        total.add_gt(image.gt, categories)
    return total


def segments_of(images: Iterable[Regions], categories: Categories) -> np.ndarray:
    """(C,) int64, ground-truth segments of some images, crowds left out."""
    none = np.zeros(len(categories), dtype=np.int64)
    return sum((image.gt.per_category(categories) for image in images), none)


def pq_of(counts: SettingCounts, categories: Categories) -> np.ndarray:
    """(S,) PQ of all categories that occur, 0 to 1."""
    return counts.quality().mean("pq", groups_of(categories)["all"])


def best_of(pq: np.ndarray) -> int:
    """The place of the highest PQ, the first of equal ones; those without a PQ come last."""
    return int(np.nan_to_num(pq, nan=-1.0).argmax())
