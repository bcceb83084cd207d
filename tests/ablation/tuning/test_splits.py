import pytest

from panoptic_heuristic.ablation.tuning.splits import Split, folds_of, given_split
from panoptic_heuristic.errors import InputError


def test_each_image_is_held_out_once_and_never_tuned_on_there():
    for images, folds in ((7, 3), (5, 5), (2, 2), (40, 7)):
        *held_out, final = folds_of(images, folds, seed=3)
        assert sorted(place for part in held_out for place in part.held_out) == list(range(images))
        for part in held_out:
            assert set(part.tuning) | set(part.held_out) == set(range(images))
            assert not set(part.tuning) & set(part.held_out) and part.tuning
            assert images // folds <= len(part.held_out) <= -(-images // folds)
        assert final == Split(tuple(range(images)), ())


def test_the_seed_decides_the_folds():
    assert folds_of(20, 4, 1) == folds_of(20, 4, 1) != folds_of(20, 4, 2)


@pytest.mark.parametrize("folds", [-1, 0, 1, 6, 2.5])
def test_a_wrong_number_of_folds(folds):
    with pytest.raises(InputError, match=rf"must be a whole number in \[2, 5\], the number of images, got {folds}"):
        folds_of(5, folds, 0)


def test_one_image_cannot_be_split():
    with pytest.raises(InputError, match="there is 1 image; at least two"):
        folds_of(1, 2, 0)


def test_a_split_holds_out_the_others():
    assert given_split([3, "a", "b", "5"], ["5", "a"]) == (Split((1, 3), (0, 2)),)
    assert given_split([3, 5, 8, 13], [13, 5]) == (Split((1, 3), (0, 2)),)


@pytest.mark.parametrize(
    "chosen, told",
    [([3, 4], "image 4 of the tuning part is not in the cache, which has 3 images"),
     ([3, "5"], "which has 3 images; there is 5, which is a number: write the id alike in both files"),
     ([3, "a"], "image a of the tuning part is not in the cache, which has 3 images"),
     ([3, 5, 3], "image 3 is in the tuning part twice"),
     ([], "has 0 of 3 images"), ([3, 5, 8], "has 3 of 3 images")],
)  # fmt: skip
def test_a_wrong_split(chosen, told):
    with pytest.raises(InputError, match=told):
        given_split([3, 5, 8], chosen)


