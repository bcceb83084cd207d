import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.examples import examples_of
from tests.ablation.tuning_images import drawn_image


def logistic(values):
    return 1 / (1 + np.exp(-values))


def test_true_positives_of_a_drawing():
    image = drawn_image(
        "aaaabbbbcccc........",
        [
            ("####................", 0.4, 0),  # a again, but worse than the next: not true.
            ("#####...............", 0.9, 0),  # a with an IoU of 4 / 5.
            ("....##..............", 0.8, 0),  # Half of b: an IoU of one half is no match.
            ("....####............", 0.3, 31),  # b, but of another category.
            ("........###.........", 0.2, 31),  # c with an IoU of 3 / 4.
            ("........####........", 0.04, 31),  # Below the floor.
            ("............####....", 0.7, 0),  # On void: neither true nor false.
            ("....................", 0.6, 0),  # No pixel.
            ("........####........", float("nan"), 31),
        ],
    )
    found = examples_of([image], 0.05)
    # Best first.
    assert np.round(logistic(found.features[:, 0]), 6).tolist() == [0.9, 0.8, 0.4, 0.3, 0.2]
    assert found.labels.tolist() == [True, False, False, False, True]
    assert found.ious == pytest.approx([4 / 5, 0, 0, 0, 3 / 4])
    assert found.category_ids.tolist() == [0, 0, 0, 31, 31]
    assert found.per_category() == {0: (3, 1), 31: (2, 1)}


def test_images_without_instances_have_no_examples():
    found = examples_of([drawn_image("aa", []), drawn_image("aa", [("##", 0.5, 0)])], 0.05)
    assert found.labels.tolist() == [True] and found.features.shape == (1, 4)
    assert examples_of([drawn_image("aa", [])], 0.05).per_category() == {}
