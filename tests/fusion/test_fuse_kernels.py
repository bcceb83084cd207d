"""Fusing gives the same with the compiled kernels and without them, whatever the inputs are made of."""

import contextlib

import numpy as np
import pytest
import torch

from panoptic_heuristic import native
from panoptic_heuristic.fusion import InstanceSet, Pipeline, SemanticMap, fuse
from panoptic_heuristic.testing.scenes import make_scene
from tests.kernels import needs_kernels

PIPELINE = Pipeline(instances_score_thresh=0.1, stuff_area_thresh=60, thing_area_thresh=5)


def instances_of(scene, kind):
    of_scene = scene.scores, scene.category_ids
    if kind == "bitmaps":
        return InstanceSet.from_bitmaps(scene.masks, *of_scene)
    if kind == "tensors":
        rois = torch.from_numpy(scene.probabilities), torch.from_numpy(scene.boxes)
        return InstanceSet.from_rois(*rois, *of_scene, scene.image_size)
    return InstanceSet.from_rois(scene.probabilities, scene.boxes, *of_scene, scene.image_size)


@needs_kernels
@pytest.mark.parametrize("kind", ["bitmaps", "tensors", "rois"])
@pytest.mark.parametrize("dtype", ["uint8", "int64"])
@pytest.mark.parametrize("changes", [{}, {"claim": "per_pixel"}, {"stuff.counted": "before"}], ids=str)
def test_the_same_with_and_without(kind, dtype, changes):
    pipeline = PIPELINE.replaced(changes)
    for seed in range(4):
        scene = make_scene(seed, image_size=(61, 83), instances=50, empty=3)
        labels = scene.semantic_labels.astype(dtype)
        labels = torch.from_numpy(labels) if kind == "tensors" else labels
        results = []
        for on in (True, False):
            with contextlib.nullcontext() if on else native.switched_off():
                semantics = SemanticMap(labels, scene.label_to_category)
                results.append(fuse(instances_of(scene, kind), semantics, scene.categories, pipeline))
        one, other = results
        assert type(one.panoptic_seg) is type(other.panoptic_seg)
        np.testing.assert_array_equal(one.panoptic_seg, other.panoptic_seg)
        assert (one.segments_info, one.dropped) == (other.segments_info, other.dropped)
