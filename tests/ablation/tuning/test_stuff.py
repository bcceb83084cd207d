import numpy as np
import pytest

from panoptic_heuristic.ablation.tuning.stuff import best_limit, tune_stuff
from panoptic_heuristic.fusion import Pipeline
from tests.ablation.random_images import CATEGORIES
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import drawn_image, of_scenes, total_pq


def pq(sizes, ious, limit, segments):
    kept = sizes >= limit
    return ious[kept].sum() / ((kept.sum() + segments) / 2)


def test_the_best_cut_is_that_of_trying_all():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(0, 12))
        sizes = rng.integers(1, 9, size=n).astype(float)
        matched = rng.random(n) < 0.6
        ious = np.where(matched, rng.uniform(0.5, 1, n), 0.0)
        segments, common = int(matched.sum() + rng.integers(1, 4)), float(rng.integers(0, 10))
        qualities = {limit: pq(sizes, ious, limit, segments) for limit in range(11)}
        found = best_limit(sizes, ious, matched, segments, common, 0.0, np.arange(len(sizes)))
        best = max(qualities.values())
        if found is None:
            assert qualities[int(common)] == pytest.approx(best, abs=1e-9)
        else:
            low, high = found
            assert low < high and qualities[int(common)] < best
            # Any limit of the interval, both of its kind of ends included.
            assert {qualities[limit] for limit in range(11) if low < limit <= high} == {qualities[int(high)]}
            assert qualities[int(high)] == pytest.approx(best)


def test_shrinkage_asks_for_more_than_one_candidate():
    """The limit decides about candidates that are all wrong: one is one standard error, three are the root of three."""
    right = [(20.0, 0.9)] * 4
    for wrong, shrinkage, moves in ((1, 0.0, True), (1, 1.0, False), (3, 1.0, True), (3, 1.8, False)):
        sizes, ious = (np.array(column) for column in zip(*right, *[(5.0, 0.0)] * wrong, strict=True))
        found = best_limit(sizes, ious, ious > 0, 4, 0.0, shrinkage, np.arange(len(sizes)))
        assert found == ((5.0, 20.0) if moves else None)


def test_candidates_of_one_group_are_one():
    """Their shares are added up before they are squared, on both sides of the limit."""
    sizes, ious = np.array([20.0] * 4 + [5.0] * 4), np.array([0.9] * 4 + [0.0] * 4)
    for groups, shrinkage, moves in (
        (range(8), 1.9, True), (range(8), 2.1, False),  # Four alike are two standard errors.
        ((0, 1, 2, 3, 4, 4, 5, 5), 1.4, True), ((0, 1, 2, 3, 4, 4, 5, 5), 1.5, False),  # Two are the root of two.
        ((0, 1, 2, 3, 0, 0, 0, 0), 0.9, True), ((0, 1, 2, 3, 0, 0, 0, 0), 1.1, False),  # One is one.
    ):  # fmt: skip
        for limit in (0.0, 5.0):
            found = best_limit(sizes, ious, ious > 0, 4, limit, shrinkage, np.array(groups))
            assert found == ((5.0, 20.0) if moves else None)
        # The other way round: all were dropped, and nearly as many standard errors speak for keeping them.
        right = np.full(8, 0.9)
        assert (best_limit(sizes, right, right > 0, 8, 10.0, shrinkage, np.array(groups)) is not None) == moves


def test_stuff_of_one_group_of_images_is_one():
    images = images_of(*DRAWINGS)
    apart = tune_stuff(images, CATEGORIES, START, shrinkage=1.0)
    assert apart != START and tune_stuff(images, CATEGORIES, START, shrinkage=1.0, groups=range(8)) == apart
    one_video = (0, 1, 2, 3, 4, 4, 4, 4)
    assert tune_stuff(images, CATEGORIES, START, shrinkage=1.0, groups=one_video) == START
    assert tune_stuff(images, CATEGORIES, START, shrinkage=0.9, groups=one_video) == apart


def images_of(*drawings):
    return [drawn_image(gt, [], semantic, image_id=k) for k, (gt, semantic) in enumerate(drawings)]


START = Pipeline(stuff_area_thresh=1)
# Two pixels of s are wrong, four are right; of t all are right.
DRAWINGS = [("ssss..tt", "ssss..tt")] * 4 + [("cccccctt", "ss....tt")] * 4


def test_limits_are_of_single_categories_and_whole_pixels():
    images = images_of(*DRAWINGS)
    pipeline = tune_stuff(images, CATEGORIES, Pipeline(stuff_area_thresh=1), shrinkage=1.0)
    assert dict(pipeline.stuff_area_thresh_of) == {9: 3}
    assert not pipeline.stuff_area_fraction_of and pipeline.stuff_area_thresh == 1
    # A common limit that is too high is undone where that is right; half of the least that must stay.
    pipeline = tune_stuff(images, CATEGORIES, Pipeline(stuff_area_thresh=4), shrinkage=1.0)
    assert dict(pipeline.stuff_area_thresh_of) == {4: 1}


def test_limits_follow_the_kind_of_the_common_one():
    start = Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.001)
    pipeline = tune_stuff(images_of(*DRAWINGS), CATEGORIES, start, shrinkage=1.0)
    assert dict(pipeline.stuff_area_fraction_of) == {9: 0.375}
    assert not pipeline.stuff_area_thresh_of


def test_a_limit_that_a_category_has_already_stays_unless_another_is_better():
    images = images_of(*DRAWINGS)
    own = Pipeline(stuff_area_thresh=1, stuff_area_thresh_of={9: 4, 4: 2})
    assert tune_stuff(images, CATEGORIES, own, shrinkage=1.0) == own
    wrong = Pipeline(stuff_area_thresh=1, stuff_area_thresh_of={9: 5})
    assert dict(tune_stuff(images, CATEGORIES, wrong, shrinkage=1.0).stuff_area_thresh_of) == {9: 3}
    # One of the other kind is left alone.
    other = Pipeline(stuff_area_thresh=1, stuff_area_fraction_of={9: 0.9})
    assert tune_stuff(images, CATEGORIES, other, shrinkage=1.0) == other


def test_neighbouring_areas_are_told_apart():
    drawings = [("sss..ttt", "sss..ttt")] * 4 + [("ccccc...", "ss......")] * 4
    assert dict(tune_stuff(images_of(*drawings), CATEGORIES, START, shrinkage=1.0).stuff_area_thresh_of) == {9: 3}


def test_what_counts_for_nothing_has_no_say():
    """On void a segment is neither right nor wrong, however often it is there."""
    drawings = [("ssss..tt", "ssss..tt")] * 4 + [("ccc.....", ".....sss")] * 9
    assert tune_stuff(images_of(*drawings), CATEGORIES, START, shrinkage=0.0) == START


@pytest.mark.parametrize("segments", [0, 1])
def test_a_rare_category_keeps_the_common_limit(segments):
    images = images_of(*DRAWINGS[:segments], *DRAWINGS[4:])
    pipeline = tune_stuff(images, CATEGORIES, Pipeline(stuff_area_thresh=1), shrinkage=0.0)
    assert not pipeline.stuff_area_thresh_of


def test_never_worse_on_itself():
    scenes = small_scenes(6)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    for pipeline in (Pipeline(stuff_area_thresh=300), Pipeline(stuff_area_thresh=0, stuff_area_fraction=0.3)):
        before = total_pq(images, pipeline, categories)
        for shrinkage in (0.0, 1.0):
            tuned = tune_stuff(images, categories, pipeline, shrinkage=shrinkage)
            assert total_pq(images, tuned, categories) >= before
        # Nothing is to be had from doing it again.
        free = tune_stuff(images, categories, pipeline, shrinkage=0.0)
        assert total_pq(images, free, categories) > before
        assert tune_stuff(images, categories, free, shrinkage=0.0) == free
