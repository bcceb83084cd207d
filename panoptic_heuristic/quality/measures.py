"""Every measure of one image from one comparison of its two maps.

All of them are counts like those of PQ, so that they add over images and
:func:`panoptic_heuristic.quality.summarize` sums them up. In the order of their names:

- ``pq``: Kirillov et al., "Panoptic Segmentation", CVPR 2019, as panopticapi counts it.
- ``pq_iou_0.75`` and the like: the same, but a match must exceed that IoU. Above 0.5 matches stay
  unique. A pair at or below it is a miss and, unless void and crowds excuse it, a false positive.
- ``pq_small``, ``pq_medium``, ``pq_large``: areas below 32**2, from there below 96**2, and from there,
  the bounds of COCO's detection evaluation. A match and a miss have the area of the ground-truth
  segment, a false positive that of the prediction, all pixels of it in the map. So each counted
  segment is in one of the three, and their counts add up to those of ``pq``.
- ``boundary_pq``: see :mod:`panoptic_heuristic.quality.boundary`.
- ``pq_dagger``: see :mod:`panoptic_heuristic.quality.dagger`.
"""

import math
from dataclasses import asdict, dataclass
from fractions import Fraction
from numbers import Real
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.quality.boundary import with_boundaries
from panoptic_heuristic.quality.comparison import Comparison, compare
from panoptic_heuristic.quality.counts import Outcome, PQCounts, outcomes_of, total_of
from panoptic_heuristic.quality.dagger import dagger_counts

# Name and upper bound in pixels, which is no part of it.
_SIZES = (("small", 32**2), ("medium", 96**2), ("large", math.inf))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True)
class MeasureSettings:
    """The measures to count beside PQ, and how.

    Attributes:
        iou_thresholds: also PQ with matches above these IoUs, each in [0.5, 1) and there once.
        sizes: also PQ of small, medium and large segments.
        boundary: also boundary PQ; it takes several times as long as all the rest.
        boundary_dilation: width of the boundary as a fraction of the image diagonal, in (0, inf).
        dagger: also PQ-dagger.
        all_crowds: every crowd segment of a category counts. If False, only the last one listed
            does, as in panopticapi.

    Raises:
        InputError: a value is outside its interval or of another type.
    """

    iou_thresholds: Tuple[float, ...] = (0.75,)
    sizes: bool = True
    boundary: bool = False
    boundary_dilation: float = 0.02
    dagger: bool = True
    all_crowds: bool = False

    def __post_init__(self):
        if isinstance(self.iou_thresholds, str) or not isinstance(self.iou_thresholds, Sequence):
            raise InputError(f"iou_thresholds must be a list of numbers, got {self.iou_thresholds!r}")
        for value in self.iou_thresholds:
            if not _is_number(value) or not 0.5 <= value < 1:
                raise InputError(f"iou_thresholds must be in [0.5, 1), where matches are unique; got {value!r}")
        thresholds = tuple(float(value) for value in self.iou_thresholds)
        if len(set(thresholds)) < len(thresholds):
            raise InputError(f"iou_thresholds must differ from each other, got {list(thresholds)}")
        object.__setattr__(self, "iou_thresholds", thresholds)
        for name in ("sizes", "boundary", "dagger", "all_crowds"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if not _is_number(self.boundary_dilation) or not 0 < self.boundary_dilation < math.inf:
            raise InputError(f"boundary_dilation must be in (0, inf), got {self.boundary_dilation!r}")

    @property
    def names(self) -> Tuple[str, ...]:
        """The measures these settings ask for, as in :attr:`ImageMeasures.counts`."""
        names = ["pq", *(_threshold_name(value) for value in self.iou_thresholds)]
        if self.sizes:
            names += [f"pq_{name}" for name, _ in _SIZES]
        if self.boundary:
            names.append("boundary_pq")
        if self.dagger:
            names.append("pq_dagger")
        return tuple(names)

    def to_params(self) -> Dict[str, Any]:
        """The settings as JSON values, for a result's ``params``."""
        return {**asdict(self), "iou_thresholds": list(self.iou_thresholds)}


@dataclass(frozen=True, slots=True)
class ImageMeasures:
    """The counts of one image, by measure.

    Attributes:
        counts: by measure, in the order of :attr:`MeasureSettings.names`.
        pixels: pixels of the image.
        void_pixels: those the prediction leaves void, whatever the ground truth is there.
    """

    counts: Mapping[str, PQCounts]
    pixels: int
    void_pixels: int


_DEFAULT = MeasureSettings()


def measure_image(
    gt_ids: np.ndarray,
    gt_segments: Sequence[Mapping[str, Any]],
    pred_ids: np.ndarray,
    pred_segments: Sequence[Mapping[str, Any]],
    categories: Categories,
    settings: MeasureSettings = _DEFAULT,
) -> ImageMeasures:
    """Measures one image.

    Args:
        gt_ids, pred_ids: (H, W) integers; 0 is void. Ground-truth pixels of an id that
            ``gt_segments`` lacks are neither void nor a segment.
        gt_segments: dicts with ``id``, ``category_id`` (dataset ids) and ``iscrowd``.
        pred_segments: dicts with ``id`` and ``category_id``.
        categories: the data set's categories.
        settings: what to measure; nothing else is computed.

    Raises:
        InputError: as :func:`panoptic_heuristic.quality.count_image`.
    """
    comparison = compare(gt_ids, gt_segments, pred_ids, pred_segments, categories, all_crowds=settings.all_crowds)
    return measure_comparison(comparison, categories, settings)


def measure_comparison(
    comparison: Comparison, categories: Categories, settings: MeasureSettings = _DEFAULT
) -> ImageMeasures:
    """Measures one image that is compared already, by the same ``settings.all_crowds``."""
    outcomes = outcomes_of(comparison)
    counts = {"pq": total_of(outcomes)}
    for threshold in settings.iou_thresholds:
        counts[_threshold_name(threshold)] = total_of(outcomes_of(comparison, _as_written(threshold)))
    if settings.sizes:
        counts.update(_by_size(outcomes))
    if settings.boundary:
        counts["boundary_pq"] = total_of(outcomes_of(with_boundaries(comparison, settings.boundary_dilation)))
    if settings.dagger:
        counts["pq_dagger"] = dagger_counts(comparison, outcomes, categories)
    return ImageMeasures(counts, math.prod(comparison.shape), comparison.void_pixels)


def _by_size(outcomes: List[Outcome]) -> Dict[str, PQCounts]:
    counts: Dict[str, PQCounts] = {}
    lower: float = 0
    for name, upper in _SIZES:
        counts[f"pq_{name}"] = total_of(outcome for outcome in outcomes if lower <= outcome.area < upper)
        lower = upper
    return counts


def _as_written(threshold: float) -> Fraction:
    """0.7 as seven tenths: the nearest float is below, and an IoU of seven tenths would exceed it."""
    return Fraction(repr(threshold))


def _threshold_name(threshold: float) -> str:
    return f"pq_iou_{threshold!r}"
