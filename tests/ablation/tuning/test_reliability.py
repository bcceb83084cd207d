import pytest

from panoptic_heuristic.ablation.tuning.counters import RegionCounter
from panoptic_heuristic.ablation.tuning.reliability import BINS, bins_of, count_reliability, reliability_sums
from panoptic_heuristic.fusion import Calibrated, Pipeline
from tests.ablation.tuning.generators import returned
from tests.ablation.tuning_images import CATEGORIES, drawn_image

# The probability is the score.
PIPELINE = Pipeline(instances_score_thresh=0.1, order=Calibrated())
IMAGES = [
    drawn_image(
        "aaaabbbb",
        [
            ("####....", 0.95, 0),  # a.
            ("....####", 0.92, 0),  # b.
            ("....####", 0.91, 0),  # b again: not true.
            ("##......", 0.1, 0),  # At the floor, in the second bin, and not true.
            ("##......", 0.09, 0),  # Below it.
        ],
    ),
    drawn_image("aaaa", [("####", 1.0, 0), ("#...", 0.54, 0), ("##..", 0.5, 31)]),
]


def test_predicted_and_observed_of_a_drawing():
    bins = bins_of(reliability_sums(IMAGES, PIPELINE))
    assert [(one.low, one.high) for one in bins] == [(place / 10, (place + 1) / 10) for place in range(BINS)]
    assert [one.instances for one in bins] == [0, 1, 0, 0, 0, 2, 0, 0, 0, 4]
    assert (bins[0].predicted, bins[0].observed) == (None, None)
    assert (bins[1].predicted, bins[1].observed) == (pytest.approx(0.1), 0.0)
    assert (bins[5].predicted, bins[5].observed) == (pytest.approx(0.52), 0.0)
    # A score of 1 counts as the highest below it.
    assert (bins[9].predicted, bins[9].observed) == (pytest.approx((0.95 + 0.92 + 0.91 + 1) / 4, abs=1e-6), 0.75)


def test_requests_are_added():
    counter = RegionCounter(IMAGES, CATEGORIES)
    found = returned(count_reliability(counter, [([0], PIPELINE), ([1], PIPELINE)]))
    assert [vars(one) for one in found] == [
        vars(one) for one in bins_of(reliability_sums(IMAGES, PIPELINE))
    ]


def test_without_instances_all_bins_are_empty():
    assert {one.instances for one in bins_of(reliability_sums([drawn_image("aa", [])], PIPELINE))} == {0}
