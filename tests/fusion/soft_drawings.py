"""One row of pixels with mask probabilities and semantic logits, for the rules that weigh the two."""

from typing import Dict, Optional, Sequence, Union

import numpy as np

from panoptic_heuristic.fusion import FusionResult, InstanceSet, Pipeline, SemanticMap, fuse
from tests.fusion.drawings import CAT, DOG, GRASS, SKY, draw, eighths
from tests.fusion.logit_drawings import CATEGORIES

# A head with one channel for all things, and one with a channel each, mixed with stuff.
COLLAPSED = {0: None, 1: SKY, 2: GRASS}
SINGLE = {0: DOG, 1: SKY, 2: CAT, 3: GRASS}

Line = Union[float, Sequence[float]]


def instances_of(
    lines: Sequence[str], scores: Sequence[float], *, boxes=None, category_ids=None, width: Optional[int] = None
) -> InstanceSet:
    """Cats unless told, each a line of :func:`eighths` over a box that starts at x = 0, unless told.

    The image is one row of ``width`` pixels, as many as the first line has, unless told.
    """
    side = len(lines[0]) if lines else 4
    probabilities = np.array([eighths(" ".join([line] * side)) for line in lines], np.float32).reshape(-1, side, side)
    boxes = [(0, 0, side, side)] * len(lines) if boxes is None else boxes
    category_ids = np.array([CAT] * len(lines) if category_ids is None else category_ids, int)
    return InstanceSet.from_rois(
        probabilities, np.array(boxes, float).reshape(-1, 4), scores, category_ids, (1, width or side)
    )


def semantics_of(logits: Dict[int, Line], meaning, width: int, labels: Optional[str] = None) -> SemanticMap:
    """A row of logits by channel, one number for all pixels or one each; -60 in the channels left out.

    The labels are where the logits are largest, unless they are drawn.
    """
    channels = np.full((len(meaning), 1, width), -60, dtype=np.float32)
    for label, values in logits.items():
        channels[label, 0] = values
    return SemanticMap(channels.argmax(axis=0) if labels is None else draw(labels), meaning, channels)


def fused_row(
    lines: Sequence[str],
    scores: Sequence[float],
    logits: Dict[int, Line],
    *,
    claim,
    meaning=COLLAPSED,
    labels: Optional[str] = None,
    boxes=None,
    category_ids=None,
    width: Optional[int] = None,
    **others,
) -> FusionResult:
    """Fuses a row; see :func:`instances_of` and :func:`semantics_of`. ``others`` are those of :class:`Pipeline`."""
    instances = instances_of(lines, scores, boxes=boxes, category_ids=category_ids, width=width)
    semantics = semantics_of(logits, meaning, instances.image_size[1], labels)
    pipeline = Pipeline(claim, **{"stuff_area_thresh": 0, **others})
    return fuse(instances, semantics, CATEGORIES, pipeline)
