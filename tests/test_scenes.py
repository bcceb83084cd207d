"""The scenes have what they are for; otherwise tests and benchmarks on them would say little."""

import dataclasses

import numpy as np
import pytest

from panoptic_heuristic.scenes import make_scene


def test_equal_arguments_give_equal_scenes():
    first, second = (make_scene(3, image_size=(60, 81), instances=20, empty=2) for _ in range(2))
    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first.scores, make_scene(4, image_size=(60, 81), instances=20, empty=2).scores)


@pytest.mark.parametrize("count, empty", [(0, 0), (1, 0), (1, 1), (25, 5)])
def test_instances_and_empty_masks_are_as_many_as_asked_for(count, empty):
    scene = make_scene(0, image_size=(60, 81), instances=count, empty=empty)
    assert len(scene.masks) == len(scene.scores) == len(scene.boxes) == len(scene.instances()) == count
    assert np.count_nonzero(~scene.probabilities.any(axis=(1, 2))) == empty
    assert np.count_nonzero(~scene.masks.any(axis=(1, 2))) >= empty


def test_scores_are_different_unless_ties_are_asked_for():
    for seed in range(20):
        assert len(set(make_scene(seed, image_size=(8, 8)).scores.tolist())) == 100
        assert len(set(make_scene(seed, image_size=(8, 8), tied_scores=True).scores.tolist())) <= 11


def test_a_scene_is_as_large_and_as_rough_as_real_ones():
    for seed in range(3):
        scene = make_scene(seed)
        assert scene.masks.shape == (100, 480, 640)
        # Pixels with the same label and the same covering instances: about 1,600 on real images.
        keys = np.concatenate([np.packbits(scene.masks, axis=0), scene.semantic_labels[None].astype(np.uint8)])
        regions = {pixel.tobytes() for pixel in np.ascontiguousarray(keys.reshape(len(keys), -1).T)}
        assert 800 < len(regions) < 4000
        assert 5 <= np.count_nonzero(scene.scores >= 0.5) <= 35
        assert (scene.semantic_labels == 0).any() and len(np.unique(scene.semantic_labels)) >= 4
