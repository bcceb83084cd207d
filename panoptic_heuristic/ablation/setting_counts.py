"""PQ counts of many settings at once.

Shape legend: C categories in the order of the data set's list, S settings.
"""

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.regions.plan import ImageCounts
from panoptic_heuristic.ablation.regions.regions import GtSegments
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality import (
    IOU_UNIT,
    REPLICATES,
    CategoryCounts,
    CountTables,
    PQCounts,
    Resampled,
    mean_of_occurring,
    resample,
)


@dataclass(eq=False)
class SettingCounts:
    """The counts that PQ of every setting follows from. Sums of two are sums of their arrays, which may grow in place.

    Attributes:
        iou_sum: (C, S) int64, in units of 2**-40.
        tp, fp: (C, S) int64.
        segments: (C,) int64, ground-truth segments, crowds left out; FN is this less TP.
        images: how many images were counted.
    """

    iou_sum: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    segments: np.ndarray
    images: int

    @classmethod
    def zeros(cls, categories: int, settings: int) -> "SettingCounts":
        """The counts of no image."""
        iou_sum, tp, fp = np.zeros((3, categories, settings), dtype=np.int64)
        return cls(iou_sum, tp, fp, np.zeros(categories, dtype=np.int64), 0)

    def __add__(self, other: "SettingCounts") -> "SettingCounts":
        return SettingCounts(
            self.iou_sum + other.iou_sum,
            self.tp + other.tp,
            self.fp + other.fp,
            self.segments + other.segments,
            self.images + other.images,
        )

    def add_gt(self, gt: GtSegments, categories: Categories) -> None:
        """Adds one image and its ground-truth segments."""
        self.segments += gt.per_category(categories)
        self.images += 1

    def add_image(self, counts: ImageCounts, settings: Optional[Sequence[int]] = None) -> None:
        """Adds what some settings, or all, found in an image; its ground truth is not touched, see :meth:`add_gt`."""
        at = counts.places if settings is None else np.ix_(counts.places, np.asarray(settings))
        for total, values in zip((self.iou_sum, self.tp, self.fp), counts.values, strict=True):
            total[at] += values

    def add_to_setting(self, setting: int, counts: PQCounts, categories: Categories) -> None:
        """Adds what one setting found in an image; its ground truth is not touched, see :meth:`add_gt`."""
        for category_id, value in counts.items():
            at = categories.place_of[category_id], setting
            self.iou_sum[at] += value.iou_sum
            self.tp[at] += value.tp
            self.fp[at] += value.fp

    def of_settings(self, settings: Sequence[int]) -> "SettingCounts":
        """The counts of some settings only, in the order asked for."""
        chosen = list(settings)
        return SettingCounts(
            self.iou_sum[:, chosen], self.tp[:, chosen], self.fp[:, chosen], self.segments, self.images
        )

    def beside(self, other: "SettingCounts") -> "SettingCounts":
        """The settings of both, those of the other one last, counted on the same images."""
        iou_sum, tp, fp = (
            np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in ("iou_sum", "tp", "fp")
        )
        return SettingCounts(iou_sum, tp, fp, self.segments, self.images)

    def of_setting(self, setting: int, categories: Categories) -> PQCounts:
        """The counts of one setting, without categories that do not occur."""
        counts = {}
        for place, category_id in enumerate(categories):
            tp = int(self.tp[place, setting])
            value = CategoryCounts(
                int(self.iou_sum[place, setting]), tp, int(self.fp[place, setting]), int(self.segments[place]) - tp
            )
            if value.tp or value.fp or value.fn:
                counts[category_id] = value
        return counts

    def quality(self) -> "SettingQuality":
        """PQ, SQ and RQ of every category and setting."""
        segments = self.tp + self.fp / 2 + (self.segments[:, None] - self.tp) / 2
        iou_sum = self.iou_sum / IOU_UNIT
        with np.errstate(invalid="ignore"):
            pq, rq = iou_sum / segments, self.tp / segments
            sq = np.where(segments > 0, iou_sum / np.maximum(self.tp, 1), np.nan)
        return SettingQuality(pq, sq, rq)

    def to_arrays(self) -> Dict[str, np.ndarray]:
        """Arrays for a file: the categories that occur, by their places; most buckets lack most categories."""
        places = np.flatnonzero(self.segments + self.tp.any(axis=1) + self.fp.any(axis=1))
        return {
            "places": places,
            "iou_sum": self.iou_sum[places],
            "tp": _narrow(self.tp[places]),
            "fp": _narrow(self.fp[places]),
            "segments": self.segments[places],
            "images": np.array(self.images, dtype=np.int64),
        }

    def add_arrays(self, arrays: Mapping[str, np.ndarray], settings: Optional[Sequence[int]] = None) -> None:
        """Adds what :meth:`to_arrays` of counts of the same categories gave.

        Args:
            arrays: the counts.
            settings: which of their settings these S are; None if all.
        """
        places, chosen = arrays["places"], slice(None) if settings is None else list(settings)
        for name in ("iou_sum", "tp", "fp"):
            getattr(self, name)[places] += arrays[name][:, chosen]
        self.segments[places] += arrays["segments"]
        self.images += int(arrays["images"])


def _narrow(counts: np.ndarray) -> np.ndarray:
    """Counts in the smallest unsigned type that holds them all: there may be millions, and few exceed 255."""
    return counts.astype(np.min_scalar_type(counts.max(initial=0)))


@dataclass(frozen=True, eq=False)
class SettingQuality:
    """Quality per category and setting; NaN where the category does not occur.

    Attributes:
        pq, sq, rq: (C, S) float64, 0 to 1.
    """

    pq: np.ndarray
    sq: np.ndarray
    rq: np.ndarray

    def mean(self, measure: str, chosen: np.ndarray) -> np.ndarray:
        """(S,) the mean over the chosen categories that occur; NaN where none does.

        Args:
            measure: ``pq``, ``sq`` or ``rq``.
            chosen: (C,) bool.
        """
        return mean_of_occurring(getattr(self, measure)[chosen], axis=0)


def resample_settings(
    parts: Sequence[SettingCounts],
    settings: Sequence[int],
    categories: Categories,
    *,
    pair: Tuple[int, int],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Optional[Resampled]:
    """PQ of settings in percent, had other images of the same kind been drawn.

    Args:
        parts: the counts of the settings, bucket by bucket or image by image.
        settings: their numbers, none twice.
        categories: the data set's.
        pair: two of the settings, whose PQ of each category is kept.
        replicates: how many times parts are drawn, at least 2.
        seed: equal arguments give equal results.

    Returns:
        None if fewer than two parts have images, of which nothing can be drawn.
    """
    parts = [part for part in parts if part.images]
    if len(parts) < 2:
        return None
    tables = CountTables(
        np.stack([part.iou_sum for part in parts]),
        np.stack([part.tp + part.fp + part.segments[:, None] for part in parts]),
    )
    return resample(
        tables, categories, settings=settings, by_category=pair, scale=100, replicates=replicates, seed=seed
    )
