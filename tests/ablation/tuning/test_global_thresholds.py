import dataclasses

import pytest

from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines, tune_global
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import ClassAware, PerPixel, Pipeline, Reclaim
from tests.ablation.random_images import CATEGORIES
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import drawn_image, of_scenes, total_pq

BASELINES = Baselines.of_values(0.5, 0.5, 4096, 0.01)


def values(pipeline):
    return (
        pipeline.instances_score_thresh,
        pipeline.claim.overlap_threshold,
        pipeline.stuff_area_thresh,
        pipeline.stuff_area_fraction,
    )


def test_baselines_differ_in_the_limit_only():
    baselines = Baselines.of_values(0.4, 0.3, 100, 0.02)
    assert values(baselines.default) == (0.4, 0.3, 100, 0.0)
    assert values(baselines.scaled) == (0.4, 0.3, 0, 0.02)


@pytest.mark.parametrize(
    "wrong, name",
    [((0.5, 1.5, 0, 0), "overlap_threshold"), ((0.5, 0.5, -1, 0), "stuff_area_thresh"),
     ((0.5, 0.5, 0, 2), "stuff_area_fraction"), ((float("nan"), 0.5, 0, 0), "instances_score_thresh")],
)  # fmt: skip
def test_a_wrong_baseline_is_named(wrong, name):
    with pytest.raises(InputError, match=name):
        Baselines.of_values(*wrong)


def test_never_worse_than_the_baselines_on_itself():
    for first in (0, 10, 20):
        scenes = small_scenes(first + 5)[first:]
        images, categories = of_scenes(scenes).images, scenes[0].categories
        # At 48 x 65 pixels Detectron2's limit leaves no stuff; the other one is close to the best.
        for stuff_area, fraction in ((4096, 0.03), (31, 0.9)):
            baselines = Baselines.of_values(0.5, 0.5, stuff_area, fraction)
            tuned = total_pq(images, tune_global(images, categories, baselines, 0.05), categories)
            assert tuned >= total_pq(images, baselines.default, categories)
            assert tuned >= total_pq(images, baselines.scaled, categories)


@pytest.mark.parametrize(
    "claim", [ClassAware(free_fraction=0.2), Reclaim(area_ratio=0.7)], ids=["class_aware", "reclaim"]
)
def test_other_claim_rules_are_tuned_with_their_parameters(claim):
    scenes = small_scenes(5, instances=40)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    baselines = Baselines.of_values(0.5, 0.5, 31, 0.03, claim)
    assert baselines.default.claim == claim
    tuned = tune_global(images, categories, baselines, 0.05)
    assert dataclasses.replace(tuned.claim, overlap_threshold=0.5) == claim
    best, before = (total_pq(images, one, categories) for one in (tuned, baselines.scaled))
    assert best > before


def test_a_claim_rule_that_cannot_be_tuned_is_named():
    with pytest.raises(InputError, match="claim=per_pixel cannot be tuned"):
        Baselines(Pipeline(PerPixel()), Pipeline(PerPixel()))


def test_the_cutoff_goes_between_right_and_wrong():
    """Only the small steps fit between."""
    images = [
        drawn_image("aaaa....cccc", [("####........", 0.29, 0), ("........####", 0.27, 0)], image_id=k) for k in (0, 1)
    ]
    assert 0.27 < tune_global(images, CATEGORIES, BASELINES, 0.05).instances_score_thresh <= 0.29


def stuff_image(length, right, image_id):
    """Stuff of so many pixels of an image of 100, which is right or wrong."""
    rest = 100 - length
    return drawn_image(length * ("s" if right else "c") + rest * "t", [], length * "s" + rest * "t", image_id=image_id)


@pytest.mark.parametrize("limit", [(31, 0.9), (4096, 0.31)], ids=["pixels", "fraction"])
def test_the_baselines_are_tried(limit):
    """Of 30 pixels all is wrong, of 31 all is right, and no other limit is between."""
    images = [stuff_image(length, length == 31, k) for k, length in enumerate([30, 30, 31, 31])]
    baselines = Baselines.of_values(0.5, 0.5, *limit)
    # The things are missed.
    assert total_pq(images, tune_global(images, CATEGORIES, baselines, 0.05), CATEGORIES) == pytest.approx(2 / 3)


def test_small_steps_of_a_fraction():
    """Wrong are 0.04 and 0.055 of large images, right 0.07 of a small one: the grid has 0.053 and 0.107."""
    large = [drawn_image(n * "c" + (400 - n) * "t", [], n * "s" + (400 - n) * "t", image_id=n) for n in (16, 22)]
    small = drawn_image(7 * "s" + 93 * "t", [], 7 * "s" + 93 * "t", image_id=1)
    pipeline = tune_global([*large, small], CATEGORIES, BASELINES, 0.05)
    assert 0.055 < pipeline.stuff_area_fraction <= 0.07


def test_nothing_changes_without_a_reason():
    images = [drawn_image(40 * "a" + 60 * "s", [(40 * "#" + 60 * ".", 0.9, 0)], 100 * "s")]
    baselines = Baselines.of_values(0.45, 0.55, 3, 0.03)
    assert tune_global(images, CATEGORIES, baselines, 0.05) in (baselines.default, baselines.scaled)


def test_no_cutoff_below_the_floor():
    """The lower, the better here: the right instance has a score of 0.1."""
    images = [drawn_image("aaaa", [("####", 0.1, 0)])]
    assert tune_global(images, CATEGORIES, BASELINES, 0.05).instances_score_thresh <= 0.1
    # As if those below had been left out of the cache, and the grid's 0.4 and 0.45 were below it.
    assert tune_global(images, CATEGORIES, BASELINES, 0.47).instances_score_thresh >= 0.47


def test_the_limit_of_images_of_two_sizes_is_a_fraction():
    """Stuff of 3 pixels is right in the small image and wrong in the large one, which no limit in pixels can tell."""
    small = drawn_image("sss.....", [], "sss.....", image_id=1)
    large = drawn_image("ccc" + 61 * "t", [], "sss" + 61 * "t", image_id=2)
    pipeline = tune_global([small, large], CATEGORIES, BASELINES, 0.05)
    assert pipeline.stuff_area_thresh == 0 and 3 / 64 < pipeline.stuff_area_fraction <= 3 / 8
    assert total_pq([small, large], pipeline, CATEGORIES) == pytest.approx(2 / 3)  # The thing is missed.
