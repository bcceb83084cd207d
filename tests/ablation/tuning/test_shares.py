from panoptic_heuristic.ablation.regions.plan import SettingsPlan
from panoptic_heuristic.ablation.tuning.classes import with_values
from panoptic_heuristic.ablation.tuning.counters import RegionCounter
from panoptic_heuristic.ablation.tuning.counts import total_counts
from panoptic_heuristic.ablation.tuning.shares import MOST_OF_SHARE, Share, Together, shares_of
from panoptic_heuristic.fusion import Greedy, PerPixel, Pipeline
from tests.ablation.small_caches import small_scenes
from tests.ablation.tuning.generators import returned
from tests.ablation.tuning_images import of_scenes

LOW, MIDDLE, HIGH = (Pipeline(Greedy(value), 0.3, 20) for value in (0.1, 0.5, 0.9))


def test_images_that_the_same_requests_ask_for_are_a_share():
    assert shares_of([[1, 2], [0, 1], [], [0]]) == [Share((1, 3), (0,)), Share((0, 1), (1,)), Share((0,), (2,))]
    assert shares_of([]) == shares_of([[]]) == []


def test_a_share_has_no_more_images_than_a_step_takes():
    shares = shares_of([range(MOST_OF_SHARE), range(2 * MOST_OF_SHARE + 1)])
    assert [len(share.places) for share in shares] == [MOST_OF_SHARE, MOST_OF_SHARE, 1]
    assert [place for share in shares for place in share.places] == list(range(2 * MOST_OF_SHARE + 1))


def test_pipelines_of_several_requests_are_there_once():
    together = Together.of({0: [LOW, HIGH], 2: [HIGH, MIDDLE, HIGH]})
    assert list(together.pipelines) == [LOW, HIGH, MIDDLE]
    assert {request: list(numbers) for request, numbers in together.numbers.items()} == {0: [0, 1], 2: [1, 2, 1]}
    same = Together.of({0: [LOW, HIGH], 2: [LOW, HIGH]})
    assert list(same.pipelines) == [LOW, HIGH] and list(same.numbers[0]) == list(same.numbers[2]) == [0, 1]


def test_requests_that_overlap_get_the_counts_that_each_has_alone():
    scenes = small_scenes(4)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    requests = [([0, 1, 2], [LOW, HIGH]), ([1, 2, 3], [HIGH, MIDDLE]), ([3], [LOW]), ([], [LOW])]
    totals = returned(RegionCounter(images, categories).totals(requests))
    each = returned(RegionCounter(images, categories).each(requests))
    for (places, pipelines), total, of_image in zip(requests, totals, each, strict=True):
        assert same_counts(total, total_counts([images[place] for place in places], pipelines, categories))
        for place, counts in zip(places, of_image, strict=True):
            assert same_counts(counts, total_counts([images[place]], pipelines, categories))


def test_a_varied_plan_counts_what_its_pipelines_would():
    scenes = small_scenes(4)
    images, categories = of_scenes(scenes).images, scenes[0].categories
    values = [(score, overlap) for score in (0.0, 0.3, 0.31, 0.9) for overlap in (0.0, 0.5, 1.0)]
    (first, second, *_) = (category.id for category in categories.values() if category.isthing)
    own = with_values(LOW, second, (0.6, 0.2))
    for start, tried in ((LOW, values), (own, values), (Pipeline(PerPixel(), 0.3, 20), [(0.2, 1.0), (0.7, 1.0)])):
        for category_id in (first, second):
            plan = SettingsPlan.of([with_values(start, category_id, one) for one in tried], categories)
            varied = SettingsPlan.of([start], categories).varied(category_id, tried)
            for image in images:
                expected, found = plan.count(image), varied.count(image)
                assert expected.places.tolist() == found.places.tolist()
                assert expected.values.tolist() == found.values.tolist()


def same_counts(one, other):
    arrays = ("iou_sum", "tp", "fp", "segments")
    return one.images == other.images and all(
        getattr(one, name).tolist() == getattr(other, name).tolist() for name in arrays
    )
