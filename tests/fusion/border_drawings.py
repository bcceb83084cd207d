"""Images and maps for border rules, drawn with one character per pixel."""

import dataclasses

import numpy as np
import torch

from panoptic_heuristic.fusion import FusionResult, HeadOutputs, InstanceSet, Pipeline, fuse
from panoptic_heuristic.testing.scenes import Scene
from tests.fusion.cases import photo
from tests.fusion.drawings import CAT, CATEGORIES

COLOURS = {"r": (220, 40, 40), "g": (40, 200, 60), "b": (40, 60, 220), "y": (230, 220, 40)}


def paint(picture: str) -> np.ndarray:
    """(H, W, 3) uint8: a colour per character."""
    return np.array([[COLOURS[pixel] for pixel in line] for line in picture.split()], dtype=np.uint8)


def heads_of(image, size=None) -> HeadOutputs:
    return HeadOutputs(
        InstanceSet.from_bitmaps(np.zeros((0, *(size or image.shape[:2])), bool), [], []), None, CATEGORIES, image
    )


def result_of(panoptic_seg: np.ndarray, stuff=()) -> FusionResult:
    """Segments are cats but for the last ones, which are of the stuff given; instances count backwards from 20."""
    count = panoptic_seg.max()
    segments_info = []
    for i in range(1, count + 1):
        segment = {"id": i, "isthing": i <= count - len(stuff), "area": int((panoptic_seg == i).sum())}
        if segment["isthing"]:
            segment.update(category_id=CAT, score=i / 16, instance_id=20 - i)
        else:
            segment.update(category_id=stuff[i - count - 1])
        segments_info.append(segment)
    return FusionResult(torch.from_numpy(panoptic_seg.astype(np.int32)), segments_info, ())


def fused_scene(scene: Scene, seed: int) -> tuple:
    """The outputs of both heads for a scene, with a photo of it, and the map that a border rule gets."""
    heads = HeadOutputs(
        scene.instances(), scene.semantics(), scene.categories, torch.from_numpy(photo(scene.gt_ids, seed))
    )
    pipeline = Pipeline(instances_score_thresh=0.3, stuff_area_thresh=30)
    result = fuse(heads.instances, heads.semantics, heads.categories, pipeline)
    return heads, dataclasses.replace(result, panoptic_seg=torch.from_numpy(result.panoptic_seg))
