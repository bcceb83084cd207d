"""Checks a data set in COCO panoptic format before anyone trains on it.

Everything is looked at and every problem is told, not the first one only. ``split`` reads the JSON of each split,
``image`` the images and PNGs, each once, ``summary`` counts, and ``dataset`` brings all that together.
"""

from panoptic_heuristic.formats.check.dataset import DEFAULT_STUFF_AREA_THRESH, Problem, Report, check_dataset
from panoptic_heuristic.formats.check.summary import ClassCount, SplitSummary

__all__ = ["DEFAULT_STUFF_AREA_THRESH", "ClassCount", "Problem", "Report", "SplitSummary", "check_dataset"]
