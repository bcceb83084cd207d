import zlib

import pytest

from panoptic_heuristic.ablation.tuning.preset_ascent import MOST_TRIALS, Ascent
from panoptic_heuristic.ablation.tuning.preset_thresholds import scaled
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline, PixelArgmax, Power

AREA = 100 * 100


def climbed(pipeline, height, *, floor=0.0):
    """The search of a pipeline whose PQ is a function of it, and all that was measured, in order."""
    ascent, trials = Ascent(pipeline, score_floor=floor, image_area=AREA), []
    told = ascent.rounds
    while not ascent.is_done:
        trials += ascent.wanted
        ascent.tell({one: height(one) for one in ascent.wanted})
        told -= 1
        assert ascent.rounds == told
    return ascent, trials


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
    ascent, trials = climbed(Pipeline(), hill(score, overlap, area))
    best = ascent.best
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

        ascent, trials = climbed(pipeline, height)
        assert len(trials) == len(set(trials)) <= MOST_TRIALS
        heights = [height(one) for one in trials]
        # Of equals the first.
        assert ascent.best == trials[heights.index(max(heights))]


def test_published_thresholds_stay_where_nothing_is_better():
    for height in (lambda one: 0.5, lambda one: float(one == Pipeline())):
        assert climbed(Pipeline(), height)[0].best == Pipeline()


def test_it_starts_from_the_published_and_the_scaled_limits():
    pipeline = Pipeline(stuff_area_thresh=6400, thing_area_thresh=400)
    ascent = Ascent(pipeline, score_floor=0, image_area=AREA)
    assert ascent.wanted == [pipeline, scaled(pipeline, AREA)]
    ascent.tell({pipeline: 0.1, scaled(pipeline, AREA): 0.2})
    assert ascent.best == scaled(pipeline, AREA)
    # What does not change by scaling is measured once.
    assert len(Ascent(Pipeline(stuff_area_thresh=0), score_floor=0, image_area=AREA).wanted) == 1


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
