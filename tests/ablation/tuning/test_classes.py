import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.plan import ImageCounts
from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.ascents import Start
from panoptic_heuristic.ablation.tuning.classes import choose, gains_of_changes, tune_classes, with_values
from panoptic_heuristic.ablation.tuning.counts import count_pipelines, total_counts
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline
from panoptic_heuristic.quality import IOU_UNIT
from tests.ablation.random_images import CATEGORIES
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import PLACES, baselines_of, drawn_image, global_best, of_scenes, total_pq

GLOBAL = Pipeline(stuff_area_thresh=0)
# The only segment of category 0 is found; where there is no more of it, it is seen at a score of 0.6.
RIGHT = "aaaa....", [("####....", 0.9, 0)]
WRONG = "cccc....", [("####....", 0.9, 31), ("....####", 0.6, 0)]


def images_of(*drawings):
    return [drawn_image(*drawing, image_id=k) for k, drawing in enumerate(drawings)]


def tuned(images, shrinkage=1.0, pipeline=GLOBAL, score_floor=0.05, groups=None, categories=CATEGORIES):
    start = Start(range(len(images)), pipeline, groups)
    (found,) = tune_classes(images, categories, [start], score_floor=score_floor, shrinkage=shrinkage)
    return found


# The wrong ones are on void and would not count; this makes them count.
WRONG = WRONG[0].replace(".", "t"), WRONG[1]


@pytest.mark.parametrize("segments", [0, 1])
def test_a_rare_category_keeps_the_global_values(segments):
    """Ten false positives would go with a higher threshold, but one segment does not say how high it may be."""
    images = images_of(*[RIGHT] * segments, *[WRONG] * 10)
    assert images[0].gt.per_category(CATEGORIES)[PLACES.index(0)] == segments
    assert tuned(images) == GLOBAL
    assert tuned(images, shrinkage=0.0) == GLOBAL


def test_a_category_with_more_segments_moves():
    images = images_of(*[RIGHT] * 2, *[WRONG] * 10)
    pipeline = tuned(images)
    assert dict(pipeline.instances_score_thresh_of).keys() == {0}
    assert 0.6 < pipeline.instances_score_thresh_of[0] <= 0.9
    assert pipeline.instances_score_thresh == GLOBAL.instances_score_thresh
    assert not pipeline.claim.overlap_threshold_of
    assert total_pq(images, pipeline, CATEGORIES) > total_pq(images, GLOBAL, CATEGORIES)


def test_rules_without_an_overlap_threshold_have_scores_of_their_own():
    images = images_of(*[RIGHT] * 2, *[WRONG] * 10)
    pipeline = tuned(images, pipeline=Pipeline(PerPixel(), stuff_area_thresh=0))
    assert pipeline.claim == PerPixel() and 0.6 < pipeline.instances_score_thresh_of[0] <= 0.9


def test_one_image_moves_nothing_and_two_do():
    """However large the gain of one image is, it is one standard error."""
    rights = [RIGHT] * 5
    assert tuned(images_of(*rights, WRONG)) == GLOBAL
    assert 0 in tuned(images_of(*rights, WRONG), shrinkage=0.0).instances_score_thresh_of
    assert 0 in tuned(images_of(*rights, WRONG, WRONG)).instances_score_thresh_of


def test_an_overlap_threshold_of_its_own():
    """Category 31 lies behind category 0, which leaves it a quarter of its mask; category 0 repeats itself."""
    behind = "aaaaaacc", [("######..", 0.9, 0), ("########", 0.8, 31)]
    twice = "aaaaaacc", [("######..", 0.9, 0), ("#######.", 0.8, 0)]
    images = images_of(*[behind] * 3, *[twice] * 3)
    pipeline = tuned(images)
    assert dict(pipeline.claim.overlap_threshold_of).keys() == {31}
    assert pipeline.claim.overlap_threshold_of[31] >= 6 / 8
    # Three of the six behind are not seen at all.
    assert total_pq(images, pipeline, CATEGORIES) == pytest.approx((1 + 3 / 4.5) / 2)


def test_each_move_raises_the_quality():
    moved = 0
    for first in (0, 8):
        scenes = small_scenes(first + 8, image_size=(64, 80), instances=60)[first:]
        images, categories = of_scenes(scenes).images, scenes[0].categories
        start = global_best(images, categories, baselines_of(31, 0.03), 0.05)
        before = total_pq(images, start, categories)
        qualities = []
        for shrinkage in (0.0, 1.0, 1e6):
            pipeline = tuned(images, shrinkage, start, categories=categories)
            qualities.append(total_pq(images, pipeline, categories))
        assert qualities[0] >= before and qualities[1] >= before
        assert qualities[2] == before and pipeline == start
        moved += qualities[0] > before
    assert moved


def test_no_threshold_below_the_floor():
    found_late = "aaaa....", [("####....", 0.2, 0)]
    images = images_of(*[found_late] * 4)
    assert tuned(images, score_floor=0.05).instances_score_thresh_of[0] <= 0.2
    # As if the instance were not there, though it is: the floor is the cache's word.
    assert tuned(images, score_floor=0.3) == GLOBAL
    # Nor by the small steps of the second round.
    near = Pipeline(instances_score_thresh=0.23, stuff_area_thresh=0)
    assert tuned(images, pipeline=near, score_floor=0.05) != near
    assert tuned(images, pipeline=near, score_floor=0.21) == near


def test_ascents_side_by_side_end_where_each_ends_alone(kernels):
    """Though they share images, have other thresholds and rules, and groups of their own."""
    scenes = small_scenes(8, image_size=(64, 80), instances=60)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    pipelines = [Pipeline(Greedy(0.3), 0.3, 20), Pipeline(Greedy(0.8), 0.6, 40), Pipeline(PerPixel(), 0.5, 20)]
    # Rules without small things are a family of their own.
    pipelines.append(pipelines[0].replaced({"thing_area_thresh": 30}))
    places = [range(8), (0, 1, 2, 5, 7), (3, 4, 5, 6), (1, 2, 3, 6, 7)]
    starts = [Start(some, one) for some, one in zip(places, pipelines, strict=True)]
    starts.append(Start(range(8), pipelines[1], (0, 0, 1, 1, 2, 2, 3, 3)))
    together = tune_classes(images, categories, starts, score_floor=0.05, shrinkage=0.5)
    for start, found in zip(starts, together, strict=True):
        own = [images[place] for place in start.places]
        assert found == tuned(own, 0.5, start.pipeline, groups=start.groups, categories=categories)
    assert sum(found != start.pipeline for start, found in zip(starts, together, strict=True)) >= 3


def test_an_ascent_sees_its_own_images_alone():
    """Others may be such that no rule could count them."""
    images = images_of(*[RIGHT] * 2, *[WRONG] * 10)
    expected = tuned(images)
    start = Start(range(1, 13), GLOBAL)
    assert tune_classes([None, *images], CATEGORIES, [start], score_floor=0.05, shrinkage=1.0) == [expected]


# --- the pieces ---


def test_gains_are_exact_and_sum_over_images():
    """Against counting everything anew, on scenes where a change moves pixels between categories."""
    scenes = small_scenes(5)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    pipelines = [Pipeline(stuff_area_thresh=20), Pipeline(Greedy(0.3), 0.3, 20), Pipeline(Greedy(0.9), 0.1, 20)]
    table = count_pipelines(images, pipelines, categories)
    before = total_counts(images, pipelines[:1], categories)
    everything = np.arange(len(categories))
    changes = [ImageCounts(everything, row - row[..., :1]) for row in table]
    gain, error = gains_of_changes(before, changes, range(5), 3, categories)
    expected = [total_pq(images, pipeline, categories) for pipeline in pipelines]
    assert gain == pytest.approx(np.array(expected) - expected[0], abs=1e-12)
    assert gain[0] == 0 and error[0] == 0 and (error[1:] > 0).all()


def test_the_gain_of_one_image_is_its_error():
    places = np.array([0, 3])
    nothing = np.zeros((len(PLACES), 1), dtype=np.int64)
    before = SettingCounts(nothing + 3 * IOU_UNIT, nothing + 4, nothing + 2, nothing[:, 0] + 5, 7)
    added = np.array([[[IOU_UNIT // 2, 0], [0, 0]], [[1, 0], [0, 0]], [[0, -1], [0, -1]]])
    one = ImageCounts(places, added)
    gain, error = gains_of_changes(before, [one], [0], 2, CATEGORIES)
    assert error == pytest.approx(np.abs(gain), abs=1e-15)
    # Two such images: the gain doubles, all but, its error grows by the root of two.
    gain, error = gains_of_changes(before, [one, one], [0, 1], 2, CATEGORIES)
    assert error * np.sqrt(2) == pytest.approx(np.abs(gain), abs=1e-15)
    # Of one group they are one: the gain is its error again.
    gain, error = gains_of_changes(before, [one, one], [7, 7], 2, CATEGORIES)
    assert error == pytest.approx(np.abs(gain), abs=1e-15)


def test_images_of_one_group_are_one_image():
    """Two images would move the category, two frames of one video do not."""
    images = images_of(*[RIGHT] * 5, *[WRONG] * 2)

    def found(groups):
        return tuned(images, groups=groups)

    assert found(None) == found(range(7)) != GLOBAL
    assert found([0, 0, 0, 0, 0, 1, 2]) == found(None)
    assert found([0, 1, 2, 3, 4, 5, 5]) == GLOBAL


def test_of_equal_values_the_nearest_is_chosen():
    tried = [(0.1, 0.5), (0.4, 0.5), (0.5, 0.5), (0.5, 0.6), (0.7, 0.5)]
    current = (0.5, 0.5)
    assert choose(np.array([0.2, 0.2, 0.0, 0.1, 0.2]), tried, current) == 1
    assert choose(np.array([-1.0, 0.0, 0.0, 0.0, -2.0]), tried, current) == 2


def test_values_equal_to_the_global_ones_are_not_listed():
    pipeline = with_values(with_values(GLOBAL, 31, (0.7, 0.5)), 0, (0.5, 0.2))
    assert dict(pipeline.instances_score_thresh_of) == {31: 0.7}
    assert dict(pipeline.claim.overlap_threshold_of) == {0: 0.2}
    assert with_values(with_values(pipeline, 31, (0.5, 0.5)), 0, (0.5, 0.5)) == GLOBAL
