"""Semantic logits as pictures, one per channel, and heads with labels of single things."""

from typing import Any, Mapping, Optional, Sequence

import numpy as np

from panoptic_heuristic.formats.categories import Categories, Category
from panoptic_heuristic.fusion import FusionResult, InstanceSet, Pipeline, SemanticMap, fuse
from tests.fusion.drawings import CAT, DOG, GRASS, SKY, draw
from tests.fusion.drawings import CATEGORIES as FEWER

SEA = 5
CATEGORIES = Categories([Category(SEA, "sea", False, (0, 128, 255)), *FEWER.values()])
# 0 is the collapsed label of all things.
LABELS = {0: None, 1: SKY, 2: GRASS, 3: SEA}
# A head with a channel per thing, mixed with stuff.
THING_LABELS = {0: None, 1: DOG, 2: SKY, 3: CAT, 4: GRASS}


def channels(*pictures: str, dtype: Any = np.float32) -> np.ndarray:
    """(C, H, W) logits, a drawing of digits per channel; "." is 0."""
    return np.stack([draw(picture) for picture in pictures]).astype(dtype)


def fused(
    semantics: SemanticMap,
    masks: Sequence[np.ndarray] = (),
    scores: Sequence[float] = (),
    *,
    category_ids: Optional[Sequence[int]] = None,
    **parameters,
) -> FusionResult:
    """Fuses drawings. Instances are cats and there is no stuff limit, unless told; the rest is the pipeline's."""
    ids = [CAT] * len(masks) if category_ids is None else category_ids
    bitmaps = np.array(masks, dtype=bool).reshape(-1, *semantics.image_size)
    pipeline = Pipeline(**{"stuff_area_thresh": 0, **parameters})
    return fuse(InstanceSet.from_bitmaps(bitmaps, scores, ids), semantics, CATEGORIES, pipeline)


def random_semantics(
    seed: int, labels: np.ndarray, label_to_category: Mapping[int, Optional[int]], sharpness: float = 2.0
) -> SemanticMap:
    """Labels with logits that have them as their argmax; the other channels are noise."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(label_to_category), *labels.shape)).astype(np.float32) * sharpness
    np.put_along_axis(logits, labels[None], logits.max(axis=0)[None] + np.float32(0.1), axis=0)
    return SemanticMap(labels, label_to_category, logits)
