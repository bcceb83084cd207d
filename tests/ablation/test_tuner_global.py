import pytest

from panoptic_heuristic.ablation.tuning.global_thresholds import Baselines, tune_global
from panoptic_heuristic.errors import InputError
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


def test_the_cutoff_goes_between_right_and_wrong():
    """Right instances have scores above 0.3, wrong ones below 0.28: only the second round's steps fit between."""
    images = [
        drawn_image("aaaa....cccc", [("####........", 0.3, 0), ("........####", 0.28, 0)], image_id=k) for k in (0, 1)
    ]
    assert 0.28 < tune_global(images, CATEGORIES, BASELINES, 0.05).instances_score_thresh <= 0.3


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
