"""Values of another kind than documented are refused in one sentence, and none is taken quietly."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.fusion import InstanceSet, SemanticMap, fuse

CATEGORIES = Categories.from_lists(["cat"], ["sky"])
SIZE = (40, 50)
SEMANTICS = SemanticMap(np.ones(SIZE, np.int64), {0: None, 1: 2})
RUNS = {"size": list(SIZE), "counts": [0, SIZE[0] * SIZE[1]]}


def instances(**changes):
    values = {"rles": [RUNS], "scores": [0.9], "category_ids": [1], "image_size": SIZE, **changes}
    return InstanceSet.from_rle(**values)


def rois(probabilities, boxes=((2, 2, 9, 9),), kind=np.float32):
    return InstanceSet.from_rois(np.full((1, 4, 4), probabilities, kind), boxes, [0.9], [1], SIZE)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((None, SEMANTICS, CATEGORIES), "instances must be an InstanceSet, such as .*; got NoneType"),
        ((np.ones((1, *SIZE)), SEMANTICS, CATEGORIES), "instances must be an InstanceSet, such as .*; got ndarray"),
        ((instances(), SEMANTICS.labels, CATEGORIES), "semantics must be a SemanticMap, such as .*; got Tensor"),
        ((instances(), None, [{"id": 1}]), "categories must be a Categories, such as .*; got list"),
    ],
)
def test_fusing(arguments, message):
    with pytest.raises(InputError, match=message):
        fuse(*arguments)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"scores": [30.01]}, "percentages"),
        ({"scores": [100]}, "percentages"),
        ({"scores": [90]}, r"scores\[0\] is 90, which is neither a probability nor the logit of one"),
        ({"scores": np.array([0.5], np.longdouble)}, "expected an array of numbers of up to 64 bits"),
        ({"category_ids": np.array([2**63], np.uint64)}, "expected integers below 2"),
        ({"category_ids": torch.tensor([2**63], dtype=torch.uint64)}, "expected integers below 2"),
        ({"category_ids": [True]}, "category_ids must be integers, got torch.bool"),
        ({"boxes": [[0.1, 0.2, 0.5, 1.0]]}, r"boxes must be in pixels, but all lie within \[0, 1\]"),
        ({"rles": 5}, "rles must be a list"),
        ({"image_size": None}, "image_size must be a list"),
        ({"image_size": "44"}, "image_size must be a list"),
        ({"image_size": (40,)}, r"image_size must be \(height, width\)"),
        ({"image_size": (40.5, 50)}, "a side of image_size must be a whole number, got 40.5"),
        ({"image_size": (True, 50)}, "a side of image_size must be a whole number, got True"),
        ({"image_size": (0, 50)}, "a side of image_size must be at least 1, got 0"),
        ({"image_size": (2**20, 2**20)}, "image_size must be of at most 2147483647 pixels"),
    ],
)
def test_instances(changes, message):
    with pytest.raises(InputError, match=message):
        instances(**changes)


class TestProbabilities:
    @pytest.mark.parametrize("value", [-3.0, 1.01, 8.0])
    def test_logits_are_none(self, value):
        with pytest.raises(InputError, match=r"probabilities must be in \[0, 1\], got .*; of logits take the sigmoid"):
            rois(value)

    @pytest.mark.parametrize("value", [0.0, 1.0, 1.0000001, -1e-7])
    def test_both_ends_and_their_roundings_are_some(self, value):
        assert len(rois(value)) == 1

    def test_a_box_in_pixels_beside_one_in_the_first_pixel(self):
        values = np.ones((2, 4, 4), np.float32), [(0, 0, 1, 1), (0, 0, 1.5, 1)], [0.9, 0.8], [1, 1], SIZE
        assert len(InstanceSet.from_rois(*values)) == 2


@pytest.mark.parametrize("score", [-3.0, 1.5, 30.0, np.nan, np.inf])
def test_scores_may_be_logits_or_not_finite(score):
    assert len(instances(scores=[score])) == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"label_to_category": None}, "label_to_category must be a list"),
        ({"label_to_category": {"a": 1}}, "a label of label_to_category must be a whole number, got 'a'"),
        ({"label_to_category": {1.5: 1}}, "a label of label_to_category must be a whole number, got 1.5"),
        ({"label_to_category": {1: "sky"}}, "a category id of label_to_category must be a whole number, got 'sky'"),
        ({"logits": np.ones((2, *SIZE), int)}, "logits must be floating point, got torch.int64"),
        ({"best_stuff": 3}, "best_stuff must be a pair of maps, got int"),
    ],
)
def test_semantics(changes, message):
    values = {"labels": np.ones(SIZE, np.int64), "label_to_category": {0: None, 1: 2}, **changes}
    with pytest.raises(InputError, match=message):
        SemanticMap(**values)
