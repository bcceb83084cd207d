import math

import pytest

from panoptic_heuristic.ablation.setting_counts import SettingCounts
from panoptic_heuristic.ablation.tuning.search import Search, run_searches, steps_of
from panoptic_heuristic.fusion import Pipeline
from panoptic_heuristic.quality import IOU_UNIT
from tests.ablation.random_images import CATEGORIES

LOW, MIDDLE, HIGH = (Pipeline(instances_score_thresh=score) for score in (0.2, 0.5, 0.8))


def test_a_round_is_around_the_best_of_the_one_before():
    given = []

    def second(best):
        given.append(best)
        return [best, MIDDLE]

    search = Search(LOW, [lambda best: [LOW, HIGH, LOW], second])
    assert search.wanted == (LOW, HIGH) and search.rounds == 2
    search.tell([0.1, 0.3])
    # What is known already is not asked for again.
    assert given == [HIGH] and search.wanted == (MIDDLE,) and search.best == HIGH and search.rounds == 1
    search.tell([0.2])
    assert (search.best, search.wanted, search.rounds) == (HIGH, (), 0)


@pytest.mark.parametrize("tried", [[LOW, MIDDLE, HIGH], [HIGH, MIDDLE, LOW]])
def test_of_equals_the_preferred_one_is_best(tried):
    search = Search(MIDDLE, [lambda best: tried])
    search.tell([0.5, 0.1, 0.5])
    assert search.best == tried[0]


def test_no_pq_is_less_than_any():
    search = Search(LOW, [lambda best: [LOW, HIGH]])
    search.tell([math.nan, 0.0])
    assert search.best == HIGH


def test_a_round_of_what_is_known_asks_nothing():
    search = Search(LOW, [lambda best: [LOW, HIGH], lambda best: [best, LOW], lambda best: [best, MIDDLE]])
    search.tell([0.1, 0.3])
    assert search.wanted == (MIDDLE,)


def test_without_rounds_nothing_changes():
    search = Search(LOW, [])
    assert (search.best, search.wanted, search.rounds) == (LOW, (), 0)


class Heights:
    """Counts whose PQ is the score threshold; one pipeline cannot be counted."""

    categories, failed = CATEGORIES, {}

    def __init__(self, unable=None):
        self.unable, self.failed, self.requests = unable, {}, []

    def steps(self, images):
        return len(images)

    def totals(self, requests):
        self.requests.append(requests)
        totals = []
        for _, pipelines in requests:
            counts = SettingCounts.zeros(len(CATEGORIES), len(pipelines))
            counts.segments[0] = counts.tp[0] = 1
            counts.iou_sum[0] = [int(one.instances_score_thresh * IOU_UNIT) for one in pipelines]
            if self.unable in pipelines:
                self.failed[self.unable] = "no such thing"
            totals.append(counts)
            yield
        return totals


def test_searches_go_on_side_by_side():
    searches = [Search(LOW, [lambda best: [LOW, MIDDLE], lambda best: [best, HIGH]]), Search(LOW, [lambda best: [LOW]])]
    counter = Heights()
    total = steps_of(searches, [[0], [1, 2]], counter)
    steps = sum(1 for _ in run_searches(searches, [[0], [1, 2]], counter))
    assert [one.best for one in searches] == [HIGH, LOW]
    assert counter.requests == [[([0], (LOW, MIDDLE)), ([1, 2], (LOW,))], [([0], (HIGH,))]]
    assert steps == 3 <= total == 4


def test_a_pipeline_that_cannot_be_counted_ends_its_search_alone():
    rounds = [lambda best: [LOW, MIDDLE], lambda best: [best, HIGH]]
    searches = [Search(LOW, rounds), Search(LOW, [lambda best: [LOW], lambda best: [best, HIGH]])]
    for _ in run_searches(searches, [[0], [0]], Heights(unable=MIDDLE)):
        pass
    assert (searches[0].error, searches[0].wanted) == ("no such thing", ())
    assert (searches[1].error, searches[1].best) == (None, HIGH)
