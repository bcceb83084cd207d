"""Whatever two heads may say of an image, as a strategy."""

import dataclasses
import math
from typing import Any, List, Optional, Tuple

import numpy as np
import torch
from hypothesis import strategies as st

from panoptic_heuristic.fusion import InstanceSet, SemanticMap
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, SKY

COLLAPSED, SINGLE = [None, SKY, GRASS], [DOG, SKY, CAT, GRASS]
SIZES = [(1, 1), (1, 5000), (5000, 1), (3, 4), (20, 30)]
ODD_SCORES = [math.nan, math.inf, -math.inf, 1.5, 1e308, -1e308, 30.0, -1.0, 0.0, 1.0, 0.5]
ODD_LOGITS = [math.nan, math.inf, -math.inf, 1e30, -1e30]


@dataclasses.dataclass(frozen=True)
class Heads:
    """The outputs of both heads; ``meaning`` is the category of each channel, ``image`` is noise."""

    size: Tuple[int, int]
    scores: List[float]
    boxes: np.ndarray
    probabilities: np.ndarray
    category_ids: List[int]
    logits: np.ndarray
    meaning: List[Optional[int]]
    image: np.ndarray

    def inputs(self) -> Tuple[Any, ...]:
        """The arguments of :func:`fuse`, made anew, but for the pipeline and the image."""
        instances = InstanceSet.from_rois(
            self.probabilities, self.boxes, np.array(self.scores), self.category_ids, self.size
        )
        labels = torch.from_numpy(self.logits).argmax(dim=0)
        return instances, SemanticMap(labels, self.meaning, self.logits), CATEGORIES


def boxes_of(draw, count, size):
    """Inside and outside of the image, with and without an area, turned round."""
    height, width = size
    odd = st.sampled_from([0.0, -50.0, -0.5, 0.5, height, width, width + 7.0, 1e6, -1e6])
    side = st.one_of(st.floats(-5, max(size) + 5, width=32), odd)
    boxes = draw(st.lists(st.tuples(side, side, side, side), min_size=min(count, 8), max_size=min(count, 8)))
    ordered = [(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)) for x0, y0, x1, y1 in boxes[::2]]
    boxes = [*ordered, *boxes[1::2]]
    return np.array([boxes[place % len(boxes)] for place in range(count)], dtype=np.float32).reshape(count, 4)


@st.composite
def any_heads(draw) -> Heads:
    size = draw(st.sampled_from(SIZES))
    count = draw(st.sampled_from([0, 1, 5, 300] if size[0] * size[1] <= 600 else [0, 1, 5, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.random(count)
    for place in draw(st.lists(st.integers(0, max(count - 1, 0)), max_size=6)) if count else ():
        scores[place] = draw(st.sampled_from(ODD_SCORES))
    probabilities = rng.random((count, 7, 7)).astype(np.float32)
    sharpness = draw(st.sampled_from(["noise", "binary", "full", "empty"]))
    if sharpness == "binary":
        probabilities = probabilities.round()
    elif sharpness != "noise":
        probabilities[:] = sharpness == "full"
    meaning = draw(st.sampled_from([COLLAPSED, SINGLE]))
    logits = rng.normal(size=(len(meaning), *size)).astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))
    logits *= draw(st.sampled_from([0, 1, 10]))
    odd = [value for value in ODD_LOGITS if logits.dtype != np.float16 or not 1e10 < abs(value) < math.inf]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        place = rng.integers(len(meaning)), rng.integers(size[0]), rng.integers(size[1])
        logits[place] = draw(st.sampled_from(odd))
    category_ids = rng.choice([CAT, DOG], size=count).tolist()
    image = rng.integers(256, size=(*size, 3), dtype=np.uint8)
    return Heads(
        size, scores.tolist(), boxes_of(draw, count, size), probabilities, category_ids, logits, meaning, image
    )
