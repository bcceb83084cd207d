"""Each cause of a missed segment, below, at and above what decides it."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.causes import MISSED_STUFF, MISSED_THING
from panoptic_heuristic.ablation.attribution.missed import find_missed
from panoptic_heuristic.fusion import (
    Calibrated,
    DroppedCandidate,
    FusionResult,
    Nms,
    NoRefinement,
    Power,
    Reclaim,
    SemanticVeto,
)
from tests.ablation.attribution_drawings import CAT, DOG, GRASS, SKY, draw, told


def missed(*args, **kwargs):
    return told(find_missed(draw(*args, **kwargs)))


def only(*args, **kwargs):
    (error,) = find_missed(draw(*args, **kwargs))
    return error


# --- things ---


def test_nothing_is_missed():
    assert missed("ccdd", [("##..", 0.9, CAT), ("..##", 0.8, DOG)]) == {}


@pytest.mark.parametrize("score, expected", [(0.49, {"c": ("score", None)}), (0.5, {}), (0.51, {})])
def test_score(score, expected):
    assert missed("cccc", [("####", score, CAT)], score=0.5) == expected


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_below_every_threshold(score):
    assert missed("cccc", [("####", score, CAT)], score=0.0) == {"c": ("score", None)}


@pytest.mark.parametrize("mask, cause", [("##..", "poor_mask"), ("###.", "score")])
def test_an_iou_of_one_half_is_not_right(mask, cause):
    assert missed("cccc", [(mask, 0.1, CAT)]) == {"c": (cause, None)}


def test_void_pixels_of_a_mask_do_not_count():
    assert missed("ccc...", [("######", 0.1, CAT)]) == {"c": ("score", None)}


def test_pixels_of_an_unlisted_id_count():
    assert missed("ccc???", [("######", 0.1, CAT)]) == {"c": ("poor_mask", None)}


@pytest.mark.parametrize(
    "overlap, expected",
    [
        (0.49, ("overlap", ("instance", 0))),
        (0.5, ("starved", ("instance", 0))),
        (0.51, ("starved", ("instance", 0))),
    ],
)
def test_overlap(overlap, expected):
    # Half of the cat's mask is claimed; the other half is not enough.
    instances = [("##..", 0.9, DOG), ("####", 0.8, CAT)]
    assert missed("cccc", instances, overlap=overlap) == {"c": expected}


def test_overlap_is_the_doing_of_who_took_most_before():
    instances = [("#.....", 0.9, DOG), (".###..", 0.8, DOG), ("######", 0.7, CAT), ("....##", 0.6, DOG)]
    assert missed("cccccc", instances, overlap=0.5) == {"c": ("overlap", ("instance", 1))}


def test_of_equal_takers_the_best_is_named():
    instances = [("..##.", 0.8, DOG), ("##...", 0.9, DOG), ("#####", 0.7, CAT)]
    assert missed("ccccc", instances, overlap=0.5) == {"c": ("overlap", ("instance", 1))}


def test_pixels_that_worse_instances_took_are_not_what_it_was_rejected_for():
    # Rejected for the two pixels of instance 1; instance 2 got the other three only after that.
    instances = [("#####", 0.7, CAT), ("##...", 0.9, DOG), ("..###", 0.6, DOG)]
    assert missed("ccccc", instances, overlap=0.3) == {"c": ("overlap", ("instance", 1))}


@pytest.mark.parametrize("overlap", [1.0, None])
def test_covered(overlap):
    instances = [("####.", 0.9, DOG), ("####.", 0.8, CAT)]
    assert missed("ccccc", instances, overlap=overlap) == {"c": ("covered", ("instance", 0))}


def test_a_mask_covered_by_two_was_covered_by_the_larger_part():
    instances = [("#....", 0.9, DOG), (".###.", 0.85, DOG), ("####.", 0.8, CAT)]
    assert missed("ccccc", instances, overlap=1.0) == {"c": ("covered", ("instance", 1))}


def test_starved_of_just_too_many_pixels():
    # Two of four pixels are an IoU of one half; three are enough.
    assert missed("cccc", [("#...", 0.9, DOG), ("####", 0.8, CAT)]) == {}
    assert missed("cccc", [("##..", 0.9, DOG), ("####", 0.8, CAT)]) == {"c": ("starved", ("instance", 0))}


def test_used_up_by_another_segment():
    # With 5 of its 8 pixels on c it would match c; the dog takes these, and the rest is k.
    instances = [("#####...", 0.9, DOG), ("########", 0.8, CAT)]
    assert missed("ccccckkk", instances, overlap=0.7) == {"c": ("used", ("gt", "k"))}


def test_the_right_instance_of_the_highest_score_decides():
    """One is rejected for overlap, and a worse one, right too, is cut by its score."""
    instances = [("####", 0.3, CAT), ("####", 0.8, CAT), ("####", 0.9, DOG)]
    error = only("cccc", instances)
    assert (error.cause, error.instance_id, error.score) == ("overlap", 1, 0.8)


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_a_score_that_is_not_finite_is_not_the_highest(score):
    assert only("cccc", [("####", score, CAT), ("###.", 0.3, CAT)]).instance_id == 1


def test_of_equal_scores_the_first_decides():
    assert only("cccc", [("####", 0.3, CAT), ("####", 0.3, CAT)]).instance_id == 0


def test_a_right_instance_comes_before_one_of_another_category():
    instances = [("####", 0.9, DOG), ("####", 0.3, CAT)]
    assert missed("cccc", instances) == {"c": ("score", None)}


def test_wrong_category():
    # Whether it is in the map or not; of several the one with the highest score.
    instances = [("####", 0.2, DOG), ("###.", 0.4, DOG), ("##..", 0.9, CAT)]
    error = only("cccc", instances)
    assert (error.cause, error.by.id, error.instance_id) == ("wrong_category", 1, 1)
    assert (error.intersection, error.union) == (3, 4)


def test_wrong_category_needs_more_than_one_half():
    assert missed("cccc", [("##..", 0.9, DOG)]) == {"c": ("not_detected", None)}


@pytest.mark.parametrize("length, cause", [(9, "poor_mask"), (10, "not_detected"), (11, "not_detected")])
def test_poor_mask_has_more_than_a_tenth(length, cause):
    error = only("c" * length, [("#" + "." * (length - 1), 0.9, CAT)])
    assert (error.cause, error.instance_id, error.iou) == (cause, 0, 1 / length)


def test_the_poor_mask_of_the_largest_iou_is_named():
    instances = [("#....", 0.9, CAT), ("##...", 0.3, CAT), ("###..", 0.9, DOG)]
    error = only("ccccc", [*instances[:2], ("..#..", 0.9, DOG)])
    assert (error.cause, error.instance_id, error.by) == ("poor_mask", 1, None)
    assert missed("ccccc", instances) == {"c": ("wrong_category", ("instance", 2))}


def test_not_detected_without_any_instance():
    error = only("cccc")
    assert (error.group, error.cause, error.instance_id, error.score) == (MISSED_THING, "not_detected", None, None)
    assert (error.intersection, error.union, error.iou, error.area) == (0, 4, 0.0, 4)


def test_a_segment_without_a_pixel_is_not_detected():
    error = only("dddd", [("####", 0.9, DOG)], listed="c")
    assert (error.category_id, error.cause, error.area, error.iou) == (CAT, "not_detected", 0, 0.0)


def test_crowds_are_never_missed_and_nothing_is_right_on_them():
    assert missed("CCCC", [("####", 0.9, DOG)]) == {}
    # The instance covers the crowd, not the cat.
    assert missed("CCCCc", [("####.", 0.3, CAT)]) == {"c": ("not_detected", None)}


def test_errors_come_in_the_order_of_the_ground_truth():
    assert [error.category_id for error in find_missed(draw("gdsc"))] == [CAT, DOG, SKY, GRASS]


@pytest.mark.parametrize(
    "rules",
    [{"order": Power(agreement_exponent=1.0, key_cutoff=0.1)}, {"order": Calibrated(default_cut=1.0)}],
    ids=["key", "probability"],
)
def test_a_threshold_on_what_ranks_instances_is_one_on_scores(rules):
    # No label agrees with the cat.
    assert missed("cccc", [("####", 0.9, CAT)], **rules) == {"c": ("score", None)}


@pytest.mark.parametrize("area, expected", [(4, {}), (5, {"c": ("otherwise", None)})])
def test_a_thing_that_is_too_small(area, expected):
    assert missed("cccc", [("####", 0.9, CAT)], thing_area_thresh=area) == expected


def test_a_thing_that_labels_make_stuff():
    assert missed("cccc", [("####", 0.9, CAT)], "2222", veto=SemanticVeto())["c"] == ("otherwise", None)


def test_a_suppressed_thing_is_the_doing_of_who_has_its_pixels():
    instances = [("######", 0.9, CAT), (".####.", 0.8, CAT)]
    assert missed("?ccc??", instances, suppress=Nms(0.6)) == {"c": ("otherwise", ("instance", 0))}
    assert missed("?ccc??", instances, suppress=Nms(0.7)) == {"c": ("overlap", ("instance", 0))}


def test_a_worse_thing_that_took_pixels_back_is_to_blame():
    # The second one lies on top of the first by its size.
    instances = [("######", 0.9, CAT), ("...###", 0.8, DOG)]
    assert missed("cccccc", instances, claim=Reclaim(area_ratio=0.6)) == {"c": ("starved", ("instance", 1))}


# --- stuff ---


@pytest.mark.parametrize("limit, expected", [(3, {}), (4, {}), (5, {"s": ("stuff_area", None)})])
def test_stuff_area(limit, expected):
    assert missed("ssss", labels="1111", stuff_area=limit) == expected


@pytest.mark.parametrize("fraction, expected", [(0.5, {}), (0.51, {"s": ("stuff_area", None)})])
def test_stuff_area_as_a_fraction(fraction, expected):
    assert missed("ssss....", labels="11110000", fraction=fraction) == expected


def test_stuff_area_by_what_things_took():
    # Two of four pixels are free; it would be missed without the limit, too, but that comes first.
    found = missed("sssc", [("##..", 0.9, CAT)], labels="1110", stuff_area=2)
    assert found["s"] == ("stuff_area", ("instance", 0))


def test_labels_of_two_numbers_are_one_category():
    assert missed("gggg", labels="2244") == {}


def test_lost_to_false_things():
    found = missed("ssss", [("##..", 0.9, CAT)], labels="1111")
    assert found == {"s": ("false_things", ("instance", 0))}


def test_lost_to_a_right_thing_that_reaches_over():
    # The dog has 3 pixels of its own and 2 of the sky: an IoU of 3/5.
    found = missed("dddssss", [("#####..", 0.9, DOG)], labels="0001111")
    assert found == {"s": ("right_things", ("instance", 0))}


@pytest.mark.parametrize("of_cat, cause", [("...#....", "right_things"), ("...##...", "false_things")])
def test_more_than_half_by_false_things(of_cat, cause):
    # The dog is right and takes one right label; the cat, which is false, takes one or two.
    instances = [("###.....", 0.9, DOG), (of_cat, 0.8, CAT)]
    assert missed("ddssssss", instances, labels="00111110")["s"][0] == cause


def test_lost_wholly():
    found = missed("ssss", [("####", 0.9, CAT)], labels="1111", stuff_area=1)
    assert found == {"s": ("false_things", ("instance", 0))}


def test_lost_to_who_took_most_of_the_segment():
    # The dog took more pixels of the labels, but of those beside the segment.
    instances = [("...####", 0.9, DOG), ("##.....", 0.8, CAT)]
    assert missed("sss????", instances, labels="1110000")["s"] == ("false_things", ("instance", 1))
    assert missed("sss????", instances, labels="1111100")["s"] == ("false_things", ("instance", 1))


def test_a_thing_that_void_excuses_is_not_false():
    found = missed("ss...", [("#####", 0.9, CAT)], labels="11000")
    assert found == {"s": ("right_things", ("instance", 0))}


@pytest.mark.parametrize("labels, cause", [("11112222", "poor_labels"), ("11111222", None)])
def test_labels_of_one_half_are_poor(labels, cause):
    found = missed("ssssssss", labels=labels)
    assert found == ({"s": (cause, ("label", GRASS))} if cause else {})


@pytest.mark.parametrize("length, cause", [(9, "poor_labels"), (10, "wrong_labels")])
def test_poor_labels_have_more_than_a_tenth(length, cause):
    error = only("s" * length, labels="1" + "0" * (length - 1))
    # The collapsed label of things is no category that could be named.
    assert (error.group, error.cause, error.by, error.iou) == (MISSED_STUFF, cause, None, 1 / length)


def test_labels_may_name_a_thing():
    assert missed("sssss", labels="77772") == {"s": ("wrong_labels", ("label", DOG))}


def test_wrong_labels_without_a_semantic_head():
    assert missed("ssss", [("####", 0.9, CAT)]) == {"s": ("wrong_labels", None)}


def test_of_two_segments_of_one_category_the_right_labels_are_those_of_one():
    # 5 of the 8 labels are on s; the dog takes these, and what is left matches t.
    found = missed("ssssstttt", [("#####....", 0.9, CAT)], labels="111111111")
    assert found["s"] == ("false_things", ("instance", 0))


@dataclass(frozen=True)
class WithoutStuff(NoRefinement):
    """A border rule that takes all pixels from stuff."""

    def refine(self, heads, result):
        things = [one for one in result.segments_info if one["isthing"]]
        lost = [DroppedCandidate(False, one["category_id"], "mine") for one in result.segments_info[len(things) :]]
        ids = result.panoptic_seg * (result.panoptic_seg <= len(things))
        return FusionResult(ids, things, (*result.dropped, *lost))


@dataclass(frozen=True)
class ToOtherStuff(NoRefinement):
    """A border rule that gives the pixels of stuff to another category, and says nothing of it."""

    def refine(self, heads, result):
        infos = [one if one["isthing"] else {**one, "category_id": GRASS} for one in result.segments_info]
        return dataclasses.replace(result, segments_info=infos)


@pytest.mark.parametrize("rule", [WithoutStuff(), ToOtherStuff()])
def test_stuff_that_another_rule_moved(rule):
    assert missed("ssss", (), "1111", border=rule) == {"s": ("otherwise", None)}
    # A thing that had some of it is told.
    assert missed("sssss", [("#....", 0.9, CAT)], "11111", border=rule) == {"s": ("otherwise", ("instance", 0))}
