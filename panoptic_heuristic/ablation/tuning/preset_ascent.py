"""Tuning one pipeline with few trials: threshold by threshold, from coarse to fine."""

import itertools
from typing import Dict, List, Mapping, Tuple

from panoptic_heuristic.ablation.tuning.preset_thresholds import ZOOMS, scaled, thresholds_of
from panoptic_heuristic.fusion import Pipeline

MOST_TRIALS = 25
"""More settings than this are never tried of one pipeline."""


class Ascent:
    """Coordinate ascent from the thresholds a pipeline comes with, and from its scaled area limits.

    It does not fuse anything: ask for ``wanted``, measure, ``tell``, and so on until ``is_done``.
    So the trials of many pipelines can be measured together, image by image.

    Args:
        pipeline: with the thresholds it comes with.
        score_floor: the lowest score that may be asked for; the pipeline's own is not below it.
        image_area: the pixels of an image.

    Attributes:
        best: the best of what was measured; of equals the first.
    """

    def __init__(self, pipeline: Pipeline, *, score_floor: float, image_area: float):
        self.best = pipeline
        self._known: Dict[Pipeline, float] = {}
        # The start, then each threshold at each zoom.
        self._steps = list(itertools.product(range(ZOOMS), thresholds_of(pipeline, score_floor)))
        self._candidates: Tuple[Pipeline, ...] = (pipeline, scaled(pipeline, image_area))

    @property
    def rounds(self) -> int:
        """How many more times to ``tell``."""
        return len(self._steps) + 1 if self._candidates else 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to measure."""
        return not self._candidates

    @property
    def wanted(self) -> List[Pipeline]:
        """What to measure next, each once; may be nothing before it is done."""
        return [one for one in dict.fromkeys(self._candidates) if one not in self._known]

    def tell(self, pq: Mapping[Pipeline, float]) -> None:
        """Takes the PQ of what was wanted, and goes on to the next threshold."""
        self._known.update((one, pq[one]) for one in self.wanted)
        self.best = max((self.best, *self._candidates), key=self._known.__getitem__)
        if not self._steps:
            self._candidates = ()
            return
        zoom, threshold = self._steps.pop(0)
        self._candidates = threshold.nearby(self.best, zoom)
