"""Images of one row or more as pictures, fused region by region, for tests of attribution."""

from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from panoptic_heuristic.ablation.attribution.fused_regions import FusedRegions
from panoptic_heuristic.ablation.attribution.fusing import fuse_pixels, fuse_regions
from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.exact import asks_best_stuff, is_exact_on_regions
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import Greedy, HeadOutputs, PerPixel, Pipeline, fuse
from tests.ablation.random_images import BEST_STUFF_FLOOR, CATEGORIES, LABELS, RandomImage, predictions_of

# Of random_images: labels are other numbers than categories, and two labels mean grass.
CAT, DOG, SKY, GRASS = 0, 31, 9, 4

# Capitals are crowds; "." is void, "?" an id that the segments do not list. Segments keep this order.
LETTERS = {"c": CAT, "k": CAT, "d": DOG, "s": SKY, "g": GRASS, "t": SKY, "C": CAT, "S": SKY}
ID_OF = {".": 0, "?": 999, **{letter: 100 + 7 * place for place, letter in enumerate(LETTERS)}}

Instance = Tuple[str, float, int]


def draw_image(
    gt: str, instances: Sequence[Instance] = (), labels: Optional[str] = None, listed: str = ""
) -> RandomImage:
    """An image from drawings.

    Args:
        gt: a letter of :data:`LETTERS` per pixel.
        instances: drawings ("#" is inside), scores and categories.
        labels: a label of the semantic head per pixel; None for no stuff anywhere.
        listed: letters of segments without a pixel.
    """
    rows = gt.split()
    ids = np.array([[ID_OF[letter] for letter in row] for row in rows], dtype=np.int32)
    masks = np.array([[[one == "#" for one in row] for row in drawing.split()] for drawing, _, _ in instances])
    semantic = None if labels is None else np.array([[int(label) for label in row] for row in labels.split()])
    predictions = predictions_of(
        3,
        masks.reshape(-1, *ids.shape).astype(bool),
        np.array([score for _, score, _ in instances], dtype=float),
        np.array([category_id for _, _, category_id in instances], dtype=int),
        np.zeros_like(ids, dtype=np.int64) if semantic is None else semantic,
    )
    segments = [
        {"id": ID_OF[letter], "category_id": category_id, "iscrowd": int(letter.isupper())}
        for letter, category_id in LETTERS.items()
        if letter in gt + listed
    ]
    return RandomImage(predictions, ids, segments)


def pipeline_of(
    overlap: Optional[float] = 0.5, score: float = 0.5, stuff_area: float = 0.0, fraction: float = 0.0, **others
) -> Pipeline:
    """Without a stuff limit unless told; ``overlap`` None is the rule that rejects nothing.

    ``others`` are those of :class:`Pipeline`.
    """
    claim = PerPixel() if overlap is None else Greedy(overlap)
    values = {"claim": claim, "instances_score_thresh": score}
    return Pipeline(**{**values, "stuff_area_thresh": stuff_area, "stuff_area_fraction": fraction, **others})


def fuse_image(
    image: RandomImage,
    pipeline: Pipeline,
    categories: Categories = CATEGORIES,
    labels: Mapping[int, Optional[int]] = LABELS,
    *,
    by_pixels: bool = False,
) -> FusedRegions:
    """An image fused region by region; pixel by pixel where the rules see more than regions know, or if told."""
    semantics = image.predictions.to_semantics(labels, best_stuff_floor=BEST_STUFF_FLOOR)
    heads = HeadOutputs(image.predictions.to_instances(), semantics, categories)
    result = fuse(heads.instances, semantics, categories, pipeline)
    drawn, gt = (image.predictions, labels, categories), (image.gt_ids, image.gt_segments)
    islands = {"island_area_fraction": pipeline.island_area_fraction}
    if is_exact_on_regions(pipeline, BEST_STUFF_FLOOR) and not by_pixels:
        regions = build_regions(*drawn, *gt, with_best_stuff=asks_best_stuff(pipeline), **islands)
        return fuse_regions(regions, categories, pipeline, result)
    regions = build_regions(*drawn, *gt, fused_ids=result.panoptic_seg, **islands)
    return fuse_pixels(regions, heads, gt, pipeline, result)


def draw(
    gt: str, instances: Sequence[Instance] = (), labels: Optional[str] = None, listed: str = "", **values
) -> FusedRegions:
    """A drawing, fused; see :func:`draw_image` and :func:`pipeline_of`."""
    return fuse_image(draw_image(gt, instances, labels, listed), pipeline_of(**values))


def told(errors: List) -> Dict:
    """Cause and culprit of each error by its segment: a letter of the ground truth, or an id of the map.

    A culprit is ("instance", place), ("gt", letter) or ("label", category).
    """
    letter_of = {segment_id: letter for letter, segment_id in ID_OF.items()}
    found = {}
    for error in errors:
        by = error.by
        if by is not None:
            by = (by.kind, letter_of[by.id] if by.kind == "gt" else by.id)
        key = letter_of[error.segment_id] if error.group.startswith("missed") else error.segment_id
        found[key] = (error.cause, by)
    return found
