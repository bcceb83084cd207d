"""Pictures from panoptic maps."""

from panoptic_heuristic.visual.panels import SegmentMap, class_legend, difference_legend, draw_panels
from panoptic_heuristic.visual.photo import read_photo
from panoptic_heuristic.visual.picture import color_panoptic
from panoptic_heuristic.visual.sheet import Row, make_sheet, save_picture

__all__ = [
    "Row",
    "SegmentMap",
    "class_legend",
    "color_panoptic",
    "difference_legend",
    "draw_panels",
    "make_sheet",
    "read_photo",
    "save_picture",
]
