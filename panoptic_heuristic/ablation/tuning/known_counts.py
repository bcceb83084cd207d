"""The counts of an image that are known before it is fused: from a pipeline that fuses it alike.

Thresholds on scores say which instances take part, and limits of stuff which stuff stays. In a search many settings
differ in neither on an image.
"""

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import Dict, Hashable, List, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import PQCounts

Question = Tuple[int, int, int]
"""The arguments of :meth:`.Pipeline.is_too_small`."""


@dataclass(frozen=True, eq=False)
class Questioned(Pipeline):
    """A pipeline that notes what its limits of stuff were asked.

    Attributes:
        asked: each question, and the answer.
    """

    asked: Dict[Question, bool] = field(default_factory=dict)

    @classmethod
    def like(cls, pipeline: Pipeline) -> "Questioned":
        """The same rules and thresholds, asked nothing so far."""
        questioned = cls.__new__(cls)
        # Not by its arguments, which were checked before.
        vars(questioned).update(vars(pipeline), asked={})
        return questioned

    def is_too_small(self, category_id: int, area: int, image_area: int) -> bool:
        """See :meth:`.Pipeline.is_too_small`."""
        question = category_id, area, image_area
        self.asked[question] = super().is_too_small(*question)
        return self.asked[question]


class KnownCounts:
    """What is known of one image.

    Args:
        scores: (N,) float64, of its instances, finite or not.
        category_ids: N, their categories.
    """

    def __init__(self, scores: np.ndarray, category_ids: Sequence[int]):
        # What is not finite never takes part, whatever the threshold.
        self._scores = np.where(np.isfinite(scores), scores, -np.inf)
        self._category_ids = np.array(category_ids, dtype=np.int64)
        self._known: Dict[Hashable, List[Tuple[Dict[Question, bool], PQCounts]]] = {}

    def like(self, pipeline: Pipeline) -> Hashable:
        """Stands for the rules of a pipeline and the instances that take part, by its thresholds on scores."""
        needed = np.full(len(self._scores), pipeline.instances_score_thresh, dtype=np.float64)
        for category_id, threshold in pipeline.instances_score_thresh_of.items():
            needed[self._category_ids == category_id] = threshold
        return _without_thresholds(pipeline), np.packbits(self._scores >= needed).tobytes()

    def find(self, like: Hashable, pipeline: Pipeline) -> Optional[PQCounts]:
        """The counts of a pipeline, if another one that is :meth:`like` it let the same stuff take part."""
        for asked, counts in self._known.get(like, ()):
            if all(pipeline.is_too_small(*question) == answer for question, answer in asked.items()):
                return counts
        return None

    def add(self, like: Hashable, pipeline: Questioned, counts: PQCounts) -> None:
        """Keeps the counts of a pipeline that has fused the image."""
        self._known.setdefault(like, []).append((dict(pipeline.asked), counts))


# As many as a search has around one image, and some more.
@functools.lru_cache(maxsize=4096)
def _without_thresholds(pipeline: Pipeline) -> Pipeline:
    """What is left of a pipeline beside the instances that take part and the limits of stuff."""
    values = {each.name: getattr(pipeline, each.name) for each in dataclasses.fields(Pipeline)}
    for name in ("instances_score_thresh", "stuff_area_thresh", "stuff_area_fraction"):
        values.update({name: 0.0, f"{name}_of": {}})
    return Pipeline(**values)
