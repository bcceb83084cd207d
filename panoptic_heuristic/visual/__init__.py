"""Pictures from panoptic maps."""

from panoptic_heuristic.visual.picture import color_panoptic, save_comparison

__all__ = ["color_panoptic", "save_comparison"]
