"""Panoptic quality: integer counts, the measures made of them, and what to say about them."""

from panoptic_heuristic.quality.comparison import Comparison, compare
from panoptic_heuristic.quality.counts import (
    IOU_UNIT,
    CategoryCounts,
    PQCounts,
    add_counts,
    count_image,
    repeated_crowds,
)
from panoptic_heuristic.quality.intervals import (
    ImageQuality,
    Interval,
    Intervals,
    bootstrap_intervals,
    image_qualities,
    worst_images,
)
from panoptic_heuristic.quality.measures import ImageMeasures, MeasureSettings, measure_comparison, measure_image
from panoptic_heuristic.quality.result import Coverage, Result
from panoptic_heuristic.quality.summary import Quality, Summary, category_quality, summarize

__all__ = [
    "IOU_UNIT",
    "CategoryCounts",
    "Comparison",
    "Coverage",
    "ImageMeasures",
    "ImageQuality",
    "Interval",
    "Intervals",
    "MeasureSettings",
    "PQCounts",
    "Quality",
    "Result",
    "Summary",
    "add_counts",
    "bootstrap_intervals",
    "category_quality",
    "compare",
    "count_image",
    "image_qualities",
    "measure_comparison",
    "measure_image",
    "repeated_crowds",
    "summarize",
    "worst_images",
]
