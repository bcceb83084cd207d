import dataclasses
import zlib

import pytest

from panoptic_heuristic.ablation.tuning.rounds import MOST_TRIALS, ascent_rounds, grid_rounds
from panoptic_heuristic.ablation.tuning.search import Search
from panoptic_heuristic.ablation.tuning.thresholds import REFERENCE_PIXELS, Baselines
from panoptic_heuristic.fusion import ClassAware, Greedy, Nms, PerPixel, Pipeline, PixelArgmax, Power, Reclaim
from tests.ablation.random_images import CATEGORIES
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning_images import baselines_of, drawn_image, global_best, of_scenes, total_pq

BASELINES = baselines_of(4096, 0.01)


# --- the grid ---


def test_never_worse_than_the_baselines_on_itself():
    for first in (0, 10, 20):
        scenes = small_scenes(first + 5)[first:]
        images, categories = of_scenes(scenes).images, scenes[0].categories
        # At 48 x 65 pixels Detectron2's limit leaves no stuff; the other one is close to the best.
        for stuff_area, fraction in ((4096, 0.03), (31, 0.9)):
            baselines = baselines_of(stuff_area, fraction)
            tuned = total_pq(images, global_best(images, categories, baselines, 0.05), categories)
            assert tuned >= total_pq(images, baselines.start, categories)
            assert tuned >= total_pq(images, baselines.scaled, categories)


@pytest.mark.parametrize(
    "claim", [ClassAware(free_fraction=0.2), Reclaim(area_ratio=0.7)], ids=["class_aware", "reclaim"]
)
def test_other_claim_rules_are_tuned_with_their_parameters(claim):
    scenes = small_scenes(5, instances=40)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    baselines = baselines_of(31, 0.03, claim=claim)
    assert baselines.start.claim == claim
    tuned = global_best(images, categories, baselines, 0.05)
    assert dataclasses.replace(tuned.claim, overlap_threshold=0.5) == claim
    best, before = (total_pq(images, one, categories) for one in (tuned, baselines.scaled))
    assert best > before


@pytest.mark.parametrize(
    "pipeline",
    [
        Pipeline(PerPixel(), stuff_area_thresh=31),
        Pipeline(suppress=Nms(0.3), stuff_area_thresh=31),
        Pipeline(order=Power(quality_exponent=0.0, key_cutoff=0.5), instances_score_thresh=0.05),
        Pipeline(stuff_area_thresh=31, thing_area_thresh=4),
    ],
    ids=["per_pixel", "nms", "power", "thing_area"],
)
def test_any_rules_that_are_exact_on_regions(pipeline):
    scenes = small_scenes(5, instances=40)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    baselines = Baselines.of(pipeline, images[0].area)
    best = global_best(images, categories, baselines, 0.05)
    assert {stage: type(rule) for stage, rule in best.rules.items()} == {
        stage: type(rule) for stage, rule in pipeline.rules.items()
    }
    quality = total_pq(images, best, categories)
    assert quality > max(total_pq(images, one, categories) for one in (baselines.start, baselines.scaled))


def test_a_key_is_cut_in_place_of_the_score():
    """Down to zero, whatever the floor of scores is; and a threshold of nothing is still that of the key."""
    key = Pipeline(order=Power(quality_exponent=1.0, key_cutoff=0.2), instances_score_thresh=0.4)
    coarse, around, _ = grid_rounds(Baselines.of(key, 100), score_floor=0.4, image_area=100)
    tried = coarse(key)
    assert {one.instances_score_thresh for one in tried} == {0.4}
    assert {one.order.key_cutoff for one in tried} >= {0.0, 0.2, 0.95}
    lowest = min(tried, key=lambda one: one.order.key_cutoff)
    assert {one.order.key_cutoff for one in around(lowest)} == {0.0, 0.025}


def test_the_threshold_goes_between_right_and_wrong():
    """Only the small steps fit between."""
    images = [
        drawn_image("aaaa....cccc", [("####........", 0.29, 0), ("........####", 0.27, 0)], image_id=k) for k in (0, 1)
    ]
    assert 0.27 < global_best(images, CATEGORIES, BASELINES, 0.05).instances_score_thresh <= 0.29


def stuff_image(length, right, image_id):
    """Stuff of so many pixels of an image of 100, which is right or wrong."""
    rest = 100 - length
    return drawn_image(length * ("s" if right else "c") + rest * "t", [], length * "s" + rest * "t", image_id=image_id)


@pytest.mark.parametrize("limit", [(31, 0.9), (4096, 0.31)], ids=["pixels", "fraction"])
def test_the_baselines_are_tried(limit):
    """Of 30 pixels all is wrong, of 31 all is right, and no other limit is between."""
    images = [stuff_image(length, length == 31, k) for k, length in enumerate([30, 30, 31, 31])]
    baselines = baselines_of(*limit)
    # The things are missed.
    assert total_pq(images, global_best(images, CATEGORIES, baselines, 0.05), CATEGORIES) == pytest.approx(2 / 3)


def test_small_steps_of_a_fraction():
    """Wrong are 0.04 and 0.055 of large images, right 0.07 of a small one: the grid has 0.053 and 0.107."""
    large = [drawn_image(n * "c" + (400 - n) * "t", [], n * "s" + (400 - n) * "t", image_id=n) for n in (16, 22)]
    small = drawn_image(7 * "s" + 93 * "t", [], 7 * "s" + 93 * "t", image_id=1)
    pipeline = global_best([*large, small], CATEGORIES, BASELINES, 0.05)
    assert 0.055 < pipeline.stuff_area_fraction <= 0.07


def test_nothing_changes_without_a_reason():
    images = [drawn_image(40 * "a" + 60 * "s", [(40 * "#" + 60 * ".", 0.9, 0)], 100 * "s")]
    baselines = baselines_of(3, 0.03, 0.45, claim=Greedy(0.55))
    assert global_best(images, CATEGORIES, baselines, 0.05) in (baselines.start, baselines.scaled)


def test_no_threshold_below_the_floor():
    """The lower, the better here: the right instance has a score of 0.1."""
    images = [drawn_image("aaaa", [("####", 0.1, 0)])]
    assert global_best(images, CATEGORIES, BASELINES, 0.05).instances_score_thresh <= 0.1
    # As if those below had been left out of the cache, and the grid's 0.4 and 0.45 were below it.
    assert global_best(images, CATEGORIES, BASELINES, 0.47).instances_score_thresh >= 0.47


def test_the_limit_of_images_of_two_sizes_is_a_fraction():
    """Stuff of 3 pixels is right in the small image and wrong in the large one, which no limit in pixels can tell."""
    small = drawn_image("sss.....", [], "sss.....", image_id=1)
    large = drawn_image("ccc" + 61 * "t", [], "sss" + 61 * "t", image_id=2)
    pipeline = global_best([small, large], CATEGORIES, BASELINES, 0.05)
    assert pipeline.stuff_area_thresh == 0 and 3 / 64 < pipeline.stuff_area_fraction <= 3 / 8
    assert total_pq([small, large], pipeline, CATEGORIES) == pytest.approx(2 / 3)  # The thing is missed.


# --- the ascent ---


AREA = 100 * 100


def tried(pipeline, name, zoom, *, floor=0.05):
    """The values of a threshold that a round looks at around a pipeline, which comes first."""
    names = ["score", "overlap_threshold", "stuff_area_fraction"]
    rounds = ascent_rounds(Baselines.of(pipeline, AREA), score_floor=floor)
    before, *found = rounds[1 + len(names) * zoom + names.index(name)](pipeline)
    assert before == pipeline
    path = {
        "score": "order.key_cutoff" if isinstance(pipeline.order, Power) else "instances_score_thresh",
        "overlap_threshold": "claim.overlap_threshold",
    }.get(name, name)
    return [one.value(path) for one in found]


def test_values_are_coarse_then_close():
    pipeline = Pipeline(Greedy(0.4), instances_score_thresh=0.4)
    assert tried(pipeline, "score", 0) == [0.2, 0.4, 0.6, 0.8]
    assert tried(pipeline, "score", 1) == [0.3, 0.5]
    assert tried(pipeline, "score", 2) == [0.35, 0.45]
    assert tried(pipeline, "overlap_threshold", 0) == [0.2, 0.5, 0.8]
    assert tried(pipeline, "overlap_threshold", 1) == [0.3, 0.5]


def test_scores_stay_at_or_above_the_floor_and_fractions_in_their_interval():
    low, high = Pipeline(Greedy(0.0), 0.25), Pipeline(Greedy(1.0), 0.98)
    assert tried(low, "score", 0, floor=0.4) == [0.4, 0.4, 0.6, 0.8]
    assert tried(low, "score", 1, floor=0.15) == [0.15, 0.35]
    assert tried(low, "score", 1, floor=0.16) == [0.16, 0.35]
    assert tried(high, "score", 1) == [0.88, 1.0]
    assert tried(low, "overlap_threshold", 1) == [0.0, 0.1]
    assert tried(high, "overlap_threshold", 1) == [0.9, 1.0]
    # A key is a product of what was kept: its threshold has no floor.
    assert tried(Pipeline(order=Power(key_cutoff=0.05)), "score", 1, floor=0.4) == [0.0, 0.15]


def test_stuff_limits_are_fractions_that_differ_by_factors():
    pipeline = Pipeline(stuff_area_thresh=4096, stuff_area_fraction=0.01)
    assert tried(pipeline, "stuff_area_fraction", 0) == [0.0, 0.003, 0.01, 0.03]
    assert tried(pipeline, "stuff_area_fraction", 1) == [0.005556, 0.018]
    assert tried(Pipeline(stuff_area_fraction=0.9), "stuff_area_fraction", 1) == [0.5, 1.0]
    # Of nothing there is no factor.
    assert tried(Pipeline(), "stuff_area_fraction", 1) == [0.001]
    assert tried(Pipeline(), "stuff_area_fraction", 2) == [0.0005]
    # Beside them no limit in pixels is left.
    for one in ascent_rounds(Baselines.of(pipeline, AREA), score_floor=0)[3::3]:
        assert {other.stuff_area_thresh for other in one(pipeline)[1:]} == {0}


def climbed(pipeline, height, *, floor=0.0):
    """The search of a pipeline whose PQ is a function of it, and all that was counted, in order."""
    search = Search(pipeline, ascent_rounds(Baselines.of(pipeline, AREA), score_floor=floor))
    trials = []
    while search.wanted:
        trials += search.wanted
        search.tell([height(one) for one in search.wanted])
    return search, trials


def hill(score, overlap, area):
    """A PQ that falls with the distance from one setting, each threshold by itself."""
    return lambda one: (
        1.0
        - abs(one.instances_score_thresh - score)
        - abs(one.claim.overlap_threshold - overlap)
        - 10 * abs(one.stuff_area_fraction - area)
        - one.stuff_area_thresh / 1e5
    )


@pytest.mark.parametrize("score, overlap, area", [(0.35, 0.55, 0.004), (0.75, 0.35, 0.0), (0.5, 0.5, 0.0133)])
def test_it_comes_close_to_the_top_of_a_hill(score, overlap, area):
    search, trials = climbed(Pipeline(), hill(score, overlap, area))
    best = search.best
    assert abs(best.instances_score_thresh - score) <= 0.05 and abs(best.claim.overlap_threshold - overlap) <= 0.05
    assert abs(best.stuff_area_fraction - area) <= 0.3 * area + 0.0005 and best.stuff_area_thresh == 0
    assert len(trials) == len(set(trials)) <= MOST_TRIALS


@pytest.mark.parametrize(
    "pipeline",
    [
        Pipeline(),
        Pipeline(PerPixel(), stuff_area_thresh=0),
        Pipeline(PixelArgmax(kept_fraction=0.0)),
        Pipeline(order=Power(key_cutoff=0.2), instances_score_thresh=0.0),
    ],
)
def test_no_more_than_the_budget_whatever_pays(pipeline):
    """Many small heights, so that each threshold keeps moving."""
    for seed in range(20):

        def height(one, seed=seed):
            return zlib.crc32(f"{seed} {one!r}".encode()) % 1000

        search, trials = climbed(pipeline, height)
        assert len(trials) == len(set(trials)) <= MOST_TRIALS
        heights = [height(one) for one in trials]
        # Of equals the first.
        assert search.best == trials[heights.index(max(heights))]


def test_published_thresholds_stay_where_nothing_is_better():
    for height in (lambda one: 0.5, lambda one: float(one == Pipeline())):
        assert climbed(Pipeline(), height)[0].best == Pipeline()


def test_no_score_below_the_floor():
    _, trials = climbed(Pipeline(), hill(0.0, 0.5, 0.01), floor=0.25)
    assert min(one.instances_score_thresh for one in trials) == 0.25


def test_rules_and_other_parameters_stay():
    pipeline = Pipeline(
        Greedy(0.4, overlap_threshold_of={2: 0.7}), thing_area_thresh=3, instances_score_thresh_of={2: 0.6}
    )
    for one in climbed(pipeline, hill(0.3, 0.3, 0.01))[1]:
        assert one.claim.overlap_threshold_of == {2: 0.7} and one.instances_score_thresh_of == {2: 0.6}
        assert one.rules.keys() == pipeline.rules.keys() and one.order == pipeline.order


def test_it_starts_from_the_published_and_the_scaled_limits():
    pipeline = Pipeline(stuff_area_thresh=6400, thing_area_thresh=400)
    baselines = Baselines.of(pipeline, AREA)
    first = ascent_rounds(baselines, score_floor=0)[0]
    assert first(pipeline) == [pipeline, baselines.scaled]
    assert baselines.scaled.stuff_area_fraction == 6400 / REFERENCE_PIXELS


def test_rules_without_an_overlap_threshold():
    for claim, names in ((PerPixel(), 2), (PixelArgmax(), 3)):
        rounds = ascent_rounds(Baselines.of(Pipeline(claim), AREA), score_floor=0.05)
        assert len(rounds) == 1 + 3 * names
    assert [one.claim.kept_fraction for one in rounds[2](Pipeline(PixelArgmax()))[1:]] == [0.2, 0.5, 0.8]
