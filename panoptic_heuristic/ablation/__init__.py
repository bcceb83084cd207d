"""The network runs once; what every fusion setting makes of its predictions is worked out afterwards.

:func:`sweep` counts a grid of settings, :func:`tune` finds thresholds on some images and counts them on others,
:func:`compare` sets rules side by side, and :func:`attribute` traces each error to the rule that made it. All take
the folder that ``cache-predictions`` wrote, and their results have ``rows()`` and ``write(folder)``.
"""

from panoptic_heuristic.ablation.attribution.attribute import attribute
from panoptic_heuristic.ablation.attribution.result import Attribution
from panoptic_heuristic.ablation.sweeping.axes import Axis
from panoptic_heuristic.ablation.sweeping.grid import Grid
from panoptic_heuristic.ablation.sweeping.result import SweepResult
from panoptic_heuristic.ablation.sweeping.sweep import sweep
from panoptic_heuristic.ablation.tuning.compare import compare
from panoptic_heuristic.ablation.tuning.comparison import Comparison
from panoptic_heuristic.ablation.tuning.result import TuningResult
from panoptic_heuristic.ablation.tuning.tune import tune

__all__ = [
    "Attribution",
    "Axis",
    "Comparison",
    "Grid",
    "SweepResult",
    "TuningResult",
    "attribute",
    "compare",
    "sweep",
    "tune",
]
