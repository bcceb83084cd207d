import pytest

from panoptic_heuristic.ablation.report import words
from panoptic_heuristic.ablation.sweeping.columns import row_of
from panoptic_heuristic.fusion import BestStuff, ClassAware, Greedy, Nms, PerPixel, Pipeline
from tests.ablation.grids import grid_of


@pytest.mark.parametrize(
    "value, digits, text",
    [(58.94, 1, "58.9"), (-1.5, 2, "−1.50"), (-0.001, 2, "0.00"), (float("nan"), 2, "–"), (None, 2, "–")],
)
def test_measures(value, digits, text):
    assert words.measure(value, digits) == text


@pytest.mark.parametrize(
    "value, text", [(1.5, "+1.50"), (-0.25, "−0.25"), (0.001, "0.00"), (-0.001, "0.00"), (float("nan"), "–")]
)
def test_differences_have_a_sign_unless_they_round_to_zero(value, text):
    assert words.signed(value) == text


def test_intervals():
    assert words.between((-0.5, 2.1), 1) == "[−0.5, +2.1]"
    assert words.between(None) == ""


@pytest.mark.parametrize(
    "value, text", [(0.5, "0.5"), (16384.0, "16384"), (4096 / 307200, "0.0133"), (1.0, "1"), (0.0, "0"), (None, "–")]
)
def test_thresholds_are_short(value, text):
    assert words.threshold(value) == text


def test_counts_and_nouns():
    assert words.plural(1, "image") == "1 image"
    assert words.plural(5000, "image") == "5,000 images"
    assert (words.signed_count(12), words.signed_count(-1200), words.signed_count(0)) == ("+12", "−1,200", "0")


@pytest.mark.parametrize(
    "claim, limit, text",
    [
        (
            Greedy(0.5), (4096.0, 0.0),
            "greedy, instances_score_thresh 0.3, overlap_threshold 0.5, stuff_area_thresh 4096",
        ),
        (PerPixel(), (0.0, 0.01), "per_pixel, instances_score_thresh 0.3, stuff_area_fraction 0.01"),
        (PerPixel(), (0.0, 0.0), "per_pixel, instances_score_thresh 0.3, stuff_area_thresh 0"),
        (
            PerPixel(), (64.0, 0.01),
            "per_pixel, instances_score_thresh 0.3, stuff_area_thresh 64, stuff_area_fraction 0.01",
        ),
    ],
)  # fmt: skip
def test_a_setting_in_words(claim, limit, text):
    assert words.describe(row_of(Pipeline(claim, 0.3, *limit))) == text


def test_columns_are_the_thresholds_that_differ():
    claims = (Greedy(0.5), PerPixel())
    limit = ((64.0, 0.0),)
    names, rows = words.setting_columns(grid_of(claims, (0.3, 0.6), limit), [3, 0])
    assert names == ("claim", "instances_score_thresh", "overlap_threshold")
    assert rows == [("per_pixel", "0.6", "–"), ("greedy", "0.3", "0.5")]
    assert words.setting_columns(grid_of(claims[:1], (0.3,), limit), [0]) == (("claim",), [("greedy",)])


def test_the_rules_that_settings_share():
    greedy, limit = Greedy(0.5), ((64.0, 0.0),)
    plain = grid_of((greedy, Greedy(0.3), PerPixel()), (0.5,), limit)
    assert (words.claim_rules(plain), words.other_rules(plain)) == ("greedy, per_pixel", "")
    base = Pipeline(suppress=Nms(0.7), leftover=BestStuff(), thing_area_thresh=64)
    claims = greedy, ClassAware(0.5, free_fraction=0.2)
    other = grid_of(claims, (0.5,), limit, base)
    assert words.claim_rules(other) == "greedy, class_aware (duplicate_threshold 0.5, free_fraction 0.2)"
    expected = "suppress nms (iou_threshold 0.7, kind mask), leftover best_stuff (floor 0.25), thing_area_thresh 64"
    assert words.other_rules(other) == expected
