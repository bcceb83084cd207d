import dataclasses

import numpy as np
import pytest
import torch

from panoptic_heuristic.ablation.cache.predictions import ImagePredictions, SemanticRuns, encoded_masks
from panoptic_heuristic.errors import InputError
from tests.ablation.random_images import random_image


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (3, 4)])
def test_runs_of_maps_and_maps_of_runs(size):
    labels = np.random.default_rng(0).integers(0, 3, size)
    runs = SemanticRuns.of_maps(labels, labels % 2, labels > 1)
    assert runs.lengths.sum() == labels.size and (runs.lengths > 0).all()
    assert runs.to_map(runs.labels, size).tolist() == labels.tolist()
    assert runs.to_map(runs.best_stuff, size).tolist() == (labels % 2).tolist()
    assert runs.to_map(runs.above_floor.astype(np.uint8), size).tolist() == (labels > 1).astype(int).tolist()


def test_labels_up_to_65535_are_kept():
    labels = np.array([[65535, 0], [1, 65534]])
    runs = SemanticRuns.of_maps(labels, labels, labels > 0)
    assert runs.to_map(runs.labels, (2, 2)).tolist() == labels.tolist()


def test_runs_of_masks_end_with_the_image():
    for seed in range(20):
        predictions = random_image(seed).predictions
        height, width = predictions.image_size
        assert len(predictions.mask_runs) == len(predictions.scores)
        for index, ends in enumerate(predictions.mask_runs):
            crop = predictions.to_instances().crop(index)
            assert ends[-1] == height * width
            assert sum(ends[1::2] - ends[: len(ends) // 2 * 2 : 2]) == int(crop.mask.sum())


def test_measures_that_are_not_known_are_not_handed_on():
    predictions = next(p for p in (random_image(seed).predictions for seed in range(99)) if len(p.scores) > 1)
    instances = predictions.to_instances()
    assert instances.boxes is None and instances.mask_quality is None
    assert instances.semantic_agreement.tolist() == [0.0] * len(instances)


def with_runs(runs, size):
    return dataclasses.replace(random_image(1).predictions, image_size=size, semantics=runs)


def test_best_stuff_is_handed_over_with_its_floor():
    labels = np.array([[0, 1], [1, 1]])
    best, above = np.array([[1, 1], [2, 1]]), np.array([[True, False], [True, True]])
    predictions = with_runs(SemanticRuns.of_maps(labels, best, above), (2, 2))
    semantics = predictions.to_semantics({0: None, 1: 9}, best_stuff_floor=0.25)
    assert [one.tolist() for one in semantics.best_stuff] == [best.tolist(), above.tolist()]
    assert (semantics.best_stuff_floor, semantics.logits) == (0.25, None)
    assert predictions.to_semantics({0: None, 1: 9}).best_stuff is None


def test_logits_are_enlarged_and_leave_the_labels():
    labels = np.array([[0, 1, 1, 1]] * 4)
    kept = np.array([[[0.0, 1.0]], [[5.0, 5.0]]])
    predictions = with_runs(SemanticRuns.of_maps(labels, labels, labels > 0, kept), (4, 4))
    semantics = predictions.to_semantics({0: None, 1: 9}, with_logits=True)
    # Kept values stand in the middle of two pixels each; beyond the first and the last nothing changes.
    assert semantics.logits.tolist() == [[[0.0, 0.25, 0.75, 1.0]] * 4, [[5.0] * 4] * 4]
    assert semantics.logits.dtype == torch.float32
    assert semantics.labels.tolist() == labels.tolist()
    assert predictions.to_semantics({0: None, 1: 9}).logits is None
    without = with_runs(SemanticRuns.of_maps(labels, labels, labels > 0), (4, 4))
    assert without.to_semantics({0: None, 1: 9}, with_logits=True).logits is None


def test_counts_are_bytes_whichever_they_were():
    assert encoded_masks([{"counts": "01"}, {"counts": b"01"}]) == (b"01", b"01")


@pytest.mark.parametrize("missing", ["image", "scores", "mask_sizes", "measures"])
def test_arrays_of_something_else_are_told(missing):
    arrays = random_image(1).predictions.to_arrays()
    del arrays[missing]
    with pytest.raises(InputError, match=rf"some.arrays is wrong inside: it has no array '{missing}'"):
        ImagePredictions.from_arrays(arrays, "some.arrays")
