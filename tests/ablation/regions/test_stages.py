import numpy as np
import pytest

from panoptic_heuristic.ablation.regions.build import build_regions
from panoptic_heuristic.ablation.regions.claims import claim_regions
from panoptic_heuristic.ablation.regions.exact import is_exact_on_regions
from panoptic_heuristic.ablation.regions.single import settle_pipeline
from panoptic_heuristic.fusion import (
    Adaptive,
    BestStuff,
    Calibrated,
    ClassAware,
    Components,
    DenseCrf,
    DroppedToVoid,
    GuidedFilter,
    JointList,
    LogitSum,
    NextBest,
    Nms,
    PerPixel,
    Pipeline,
    PixelArgmax,
    Power,
    Reclaim,
    SemanticGate,
    SemanticVeto,
)
from tests.ablation.random_images import CATEGORIES, LABELS, predictions_of

FLOOR = 0.25


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"claim": PerPixel()},
        {"claim": ClassAware()},
        {"claim": Reclaim()},
        {"claim": Reclaim(on_top="precedence", precedence=((1, 2),))},
        {"suppress": Nms(), "order": Power(1, 2)},
        {"suppress": Nms(), "order": Calibrated(cut={5: 0.5}), "instances_score_thresh_of": {5: 0.5}},
        {"claim": ClassAware(0.5, overlap_threshold_of={5: 0.5}), "stuff_area_fraction_of": {9: 0.5}},
        {"suppress": SemanticGate(), "veto": SemanticVeto(), "thing_area_thresh": 9},
        {"stuff": DroppedToVoid("before"), "leftover": BestStuff(FLOOR)},
    ],
    ids=str,
)
def test_these_see_regions(rules):
    assert is_exact_on_regions(Pipeline(**rules), FLOOR)


@pytest.mark.parametrize(
    "rules",
    [
        {"claim": Reclaim(on_top="mean_probability")},
        {"claim": PixelArgmax()},
        {"claim": JointList()},
        {"claim": LogitSum()},
        {"claim": Adaptive()},
        {"stuff": DroppedToVoid(probability_floor=0.1)},
        {"stuff": NextBest()},
        {"leftover": Components()},
        {"leftover": BestStuff(0.3)},
        {"border": DenseCrf()},
        {"border": GuidedFilter()},
        {"veto": SemanticVeto(), "stuff": DroppedToVoid("before")},
        {"veto": SemanticVeto(), "leftover": BestStuff(FLOOR)},
    ],
    ids=str,
)
def test_these_see_pixels(rules):
    assert not is_exact_on_regions(Pipeline(**rules), FLOOR)


def test_the_best_stuff_of_an_unknown_floor_is_seen_in_pixels():
    assert not is_exact_on_regions(Pipeline(leftover=BestStuff(FLOOR)), None)


def regions_of(labels, *masks):
    """An image of one row of pixels, without ground truth: a label per pixel, and masks of ``#``."""
    drawn = np.array([[[pixel == "#" for pixel in mask]] for mask in masks]).reshape(-1, 1, len(labels))
    things = [0] * len(masks)
    predictions = predictions_of(1, drawn, np.linspace(0.9, 0.1, len(masks)), things, np.array([[*map(int, labels)]]))
    return build_regions(predictions, LABELS, CATEGORIES, np.zeros((1, len(labels)), np.int32), [])


@pytest.mark.parametrize(
    "labels, becomes",
    [
        ("334", 2),  # most
        ("34", 2),  # as many of both: the first label counts, though stuff 4 comes first in the list
        ("324", 4),  # labels 2 and 4 mean stuff 4
        ("32", 4),
        ("30", 2),  # half is enough
        ("300", None),
        ("77", None),  # a thing
    ],
)
def test_what_an_instance_becomes_by_the_labels(labels, becomes):
    regions = regions_of(labels + "1", "#" * len(labels) + ".")
    candidates = settle_pipeline(regions, CATEGORIES, Pipeline(veto=SemanticVeto(0.5)))
    # All that the instance had, or nothing.
    got = candidates.stuff_outcomes.area[0, 0].tolist()
    ids = [list(CATEGORIES)[place] for place in candidates.stuff]
    expected = [len(labels) * (category_id == becomes) + (category_id == 9) for category_id in ids]
    assert got == expected and candidates.things.area.tolist() == [[0 if becomes else len(labels)]]


def test_the_same_segments_may_own_other_regions():
    """If B takes part it takes half of A, then loses most of it to C and goes; A does not get its pixels back."""
    regions = regions_of("1" * 12, "############", "......######", "........####")
    takes_part = np.array([[True, True, True], [True, False, True], [True, True, True]])
    rule = Reclaim(area_ratio=0.7)
    claims = claim_regions(rule, regions, [0, 1, 2], np.full(3, 0.6), takes_part)
    assert claims.kept.T.tolist() == [[True, False, True]] * 3
    distinct, equal = claims.distinct()
    free = np.where(distinct.owner == 3, regions.pixels[:, None], 0).sum(axis=0)
    assert free[equal].tolist() == [2, 0, 2] and len(free) == 2
