"""Panoptic quality: integer counts of images, the measures made of them, and how sure they are.

:class:`PanopticQuality` adds up maps in memory, :func:`score_images` reads them from files.
"""

from panoptic_heuristic.quality.bootstrap import REPLICATES, CountTables, Interval, Resampled, resample
from panoptic_heuristic.quality.boundary import boundary_distance
from panoptic_heuristic.quality.counts import (
    IOU_UNIT,
    CategoryCounts,
    PQCounts,
    add_counts,
    add_into,
    count_image,
    repeated_crowds,
)
from panoptic_heuristic.quality.intervals import Intervals, bootstrap_intervals
from panoptic_heuristic.quality.matching import Matching, match_image
from panoptic_heuristic.quality.measures import ImageMeasures, MeasureSettings, measure_image
from panoptic_heuristic.quality.overlap import places_of
from panoptic_heuristic.quality.panoptic_quality import PanopticQuality
from panoptic_heuristic.quality.result import Coverage, Result
from panoptic_heuristic.quality.scoring import ScoredImage, ScoringSettings, ScoringWarnings, score_image, score_images
from panoptic_heuristic.quality.summary import (
    Quality,
    Summary,
    category_quality,
    groups_of,
    mean_of_occurring,
    summarize,
)
from panoptic_heuristic.quality.tables import (
    RESULT_FILES,
    class_table,
    group_table,
    measure_table,
    worst_table,
    write_result,
)
from panoptic_heuristic.quality.worst_images import ImageQuality, worst_images

__all__ = [
    "IOU_UNIT",
    "REPLICATES",
    "RESULT_FILES",
    "CategoryCounts",
    "CountTables",
    "Coverage",
    "ImageMeasures",
    "ImageQuality",
    "Interval",
    "Intervals",
    "Matching",
    "MeasureSettings",
    "PQCounts",
    "PanopticQuality",
    "Quality",
    "Resampled",
    "Result",
    "ScoredImage",
    "ScoringSettings",
    "ScoringWarnings",
    "Summary",
    "add_counts",
    "add_into",
    "bootstrap_intervals",
    "boundary_distance",
    "category_quality",
    "class_table",
    "count_image",
    "group_table",
    "groups_of",
    "match_image",
    "mean_of_occurring",
    "measure_image",
    "measure_table",
    "places_of",
    "repeated_crowds",
    "resample",
    "score_image",
    "score_images",
    "summarize",
    "worst_images",
    "worst_table",
    "write_result",
]
