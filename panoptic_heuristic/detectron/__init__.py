"""The Detectron2 side: config, meta-architecture, data sets, training and evaluation.

The only part of the package that imports Detectron2. Importing it makes Detectron2 importable
where it is not the official build, and registers :class:`PanopticHeuristicFPN`.
"""

from panoptic_heuristic.detectron.compat import make_detectron2_importable, quiet_known_warnings

make_detectron2_importable()
quiet_known_warnings()

from panoptic_heuristic.detectron.config import add_panoptic_heuristic_config, load_config  # noqa: E402
from panoptic_heuristic.detectron.ids import ContiguousIds  # noqa: E402
from panoptic_heuristic.detectron.meta_arch import PanopticHeuristicFPN  # noqa: E402
from panoptic_heuristic.detectron.quality_evaluator import PanopticQualityEvaluator  # noqa: E402
from panoptic_heuristic.detectron.traceable import TraceableNetwork  # noqa: E402

__all__ = [
    "ContiguousIds",
    "PanopticHeuristicFPN",
    "PanopticQualityEvaluator",
    "TraceableNetwork",
    "add_panoptic_heuristic_config",
    "load_config",
]
