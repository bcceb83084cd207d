import numpy as np
import pytest

from panoptic_heuristic.ablation.predictions import ImagePredictions, SemanticRuns, encoded_masks
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


def test_counts_are_bytes_whichever_they_were():
    assert encoded_masks([{"counts": "01"}, {"counts": b"01"}]) == (b"01", b"01")


@pytest.mark.parametrize("missing", ["image", "scores", "mask_sizes", "measures"])
def test_arrays_of_something_else_are_told(missing):
    arrays = random_image(1).predictions.to_arrays()
    del arrays[missing]
    with pytest.raises(InputError, match=rf"some.arrays holds no predictions of an image \('{missing}'\)"):
        ImagePredictions.from_arrays(arrays, "some.arrays")
