"""Panoptic quality: integer counts, and PQ, SQ and RQ from them."""

from panoptic_heuristic.quality.counts import IOU_UNIT, CategoryCounts, PQCounts, add_counts, count_image
from panoptic_heuristic.quality.summary import Quality, Summary, category_quality, summarize

__all__ = [
    "IOU_UNIT",
    "CategoryCounts",
    "PQCounts",
    "Quality",
    "Summary",
    "add_counts",
    "category_quality",
    "count_image",
    "summarize",
]
