"""The joint list of things and stuff, drawn in rows of pixels.

How probable a pixel's label is, is drawn as the number of channels that share its probability: "1" is
1, "2" is 1/2, and so on to "5", all of them.
"""

from typing import Optional

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    Greedy,
    HeadOutputs,
    InstanceSet,
    JointList,
    Need,
    Order,
    Pipeline,
    SemanticMap,
    SemanticVeto,
    fuse,
)
from panoptic_heuristic.fusion.head_outputs import needs_of
from tests.fusion.drawings import CAT, DOG, GRASS, SKY, assert_map, draw, instances_in, reasons, row, stuff_in
from tests.fusion.logit_drawings import CATEGORIES, SEA, fused

LABELS = {0: None, 1: SKY, 2: GRASS, 3: SEA, 4: None}


def semantics_of(labels: str, shares: Optional[str] = None, meaning=LABELS) -> SemanticMap:
    """Labels, and how many channels share their probability, by default 1: the label's and the next ones."""
    labels, shares = draw(labels), np.ones_like(draw(labels)) if shares is None else draw(shares)
    # The others have the probability 0.
    logits = np.full((len(meaning), *labels.shape), -1000, dtype=np.float32)
    for (y, x), label in np.ndenumerate(labels):
        for place in range(shares[y, x]):
            logits[(label + place) % len(meaning), y, x] = 7
    return SemanticMap(labels, meaning, logits)


def run(masks, scores, labels, shares=None, *, meaning=LABELS, **others):
    others.setdefault("claim", JointList())
    return fused(semantics_of(labels, shares, meaning), masks, scores, **others)


class TestOneList:
    def test_a_thing_before_stuff_keeps_its_pixels(self):
        # Sky has 3/4.
        result = run([row((0, 2), width=8)], [0.8], "11111111", "11112222", claim=JointList(0.5, 0.5))
        assert_map(result, "11222222")

    def test_a_thing_after_stuff_gets_what_is_free(self):
        # Sky has 3/4, and 2 of the cat's 4 pixels; the others are no stuff.
        result = run([row((0, 4), width=8)], [0.7], "00111111", "11111222")
        assert_map(result, "11222222")

    @pytest.mark.parametrize("score, first", [(0.74, SKY), (0.75, CAT), (0.76, CAT)], ids=["below", "at", "above"])
    def test_of_equal_keys_the_thing_comes_first(self, score, first):
        # Sky has 3/4, over 4 pixels of which the cat has 1.
        result = run([row((3, 5), width=5)], [score], "11110", "11221", claim=JointList(0.5, 0.5))
        assert_map(result, "22211" if first == CAT else "22221")

    def test_keys_are_means_over_the_mask_and_not_over_what_is_free(self):
        # 5/8 over all of sky. The cat takes the two pixels that are sure; the others alone have 1/4.
        masks = [row((0, 2), width=4), row((2, 3), width=4)]
        for score, drawn in ((0.62, "1122"), (0.63, "1123")):
            result = run(masks, [0.9, score], "1111", "1144", claim=JointList(1.0, 1.0), category_ids=[CAT, DOG])
            assert_map(result, drawn)

    def test_the_keys_of_the_order_stage_count_and_not_scores(self):
        instances = InstanceSet.from_bitmaps([row((0, 2), width=4)], [0.9], [CAT])
        heads = HeadOutputs(instances, semantics_of("1111", "2222"), CATEGORIES)
        for key, areas in ((0.6, {0: 2}), (0.4, {})):
            assert JointList(1.0, 1.0).claim(heads, Order((0,), (key,), {})).areas == areas

    def test_ids_of_things_go_by_rank_and_stuff_comes_after(self):
        masks = [row((0, 2), width=8), row((6, 8), width=8)]
        result = run(masks, [0.4, 0.9], "22221111", "33332222", claim=JointList(0.5, 0.5), instances_score_thresh=0)
        assert_map(result, "22443311")
        assert (instances_in(result), stuff_in(result)) == ([1, 0], [SKY, GRASS])


class TestStuffOverlap:
    @pytest.mark.parametrize("claimed, kept", [(1, True), (2, True), (3, False)], ids=["below", "at", "above"])
    def test_a_fifth_may_be_claimed_and_not_a_pixel_more(self, claimed, kept):
        # Sky has 1/2.
        result = run([row((0, claimed), width=10)], [0.9], "1" * 10, "2" * 10)
        assert_map(result, "1" * claimed + ("2" if kept else ".") * (10 - claimed))
        assert reasons(result) == ({} if kept else {("stuff", SKY): "overlap"})

    @pytest.mark.parametrize("claimed, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (5, 7)])
    def test_the_fraction_is_compared_in_float64(self, claimed, area):
        for threshold, kept in ((claimed / area, True), (np.nextafter(claimed / area, 0), False)):
            claim = JointList(0.5, threshold)
            result = run([row((0, claimed), width=area)], [0.9], "1" * area, "2" * area, claim=claim)
            assert bool(stuff_in(result)) == kept

    def test_what_was_claimed_by_several_counts_together(self):
        masks = [row((0, 1), width=10), row((4, 6), width=10)]
        result = run(masks, [0.9, 0.8], "1" * 10, "2" * 10)
        assert reasons(result) == {("stuff", SKY): "overlap"}

    def test_what_a_later_thing_would_like_does_not_count(self):
        assert_map(run([row((0, 4), width=5)], [0.9], "11111", "11111"), "11111")

    def test_without_a_test_what_is_left_nothing_is_covered(self):
        result = run([row((0, 4), width=4)], [0.9], "1111", "2222", claim=JointList(0.5, 1.0))
        assert reasons(result) == {("stuff", SKY): "covered"}
        result = run([row((0, 3), width=4)], [0.9], "1111", "2222", claim=JointList(0.5, 1.0))
        assert_map(result, "1112")

    def test_each_category_is_tested_by_itself(self):
        result = run([row((3, 5), width=10)], [0.9], "1111222222", "2222222222")
        # A quarter of sky, and a sixth of grass.
        assert_map(result, "...1122222")
        assert reasons(result) == {("stuff", SKY): "overlap"}


class TestStuffScore:
    def test_a_quarter_is_enough_and_less_is_not(self):
        # 1/4, then 1/5, then the mean of both.
        for shares, kept in (("4444", True), ("5555", False), ("4455", False), ("3355", True)):
            result = run([], [], "1111", shares)
            assert_map(result, "1111" if kept else "....")
            assert reasons(result) == ({} if kept else {("stuff", SKY): "score"})

    @pytest.mark.parametrize("shares", ["13", "133", "1233", "12345", "3333333"])
    def test_the_mean_is_compared_in_float64(self, shares):
        mean = float(np.sum(1 / np.array([float(one) for one in shares]))) / len(shares)
        labels = "1" * len(shares)
        assert stuff_in(run([], [], labels, shares, claim=JointList(stuff_score_thresh=mean)))
        above = JointList(stuff_score_thresh=np.nextafter(mean, 1))
        assert reasons(run([], [], labels, shares, claim=above)) == {("stuff", SKY): "score"}

    def test_it_is_dropped_before_it_takes_or_is_tested(self):
        # All of it is the cat's, and sky would be overlap.
        result = run([row((0, 4), width=4)], [0.9], "1111", "5555")
        assert reasons(result) == {("stuff", SKY): "score"}

    def test_at_0_all_stuff_is_listed(self):
        assert_map(run([], [], "1111", "5555", claim=JointList(stuff_score_thresh=0)), "1111")

    def test_several_labels_of_one_category_have_one_mean(self):
        # 1 and 1/5.
        meaning = {0: None, 1: SKY, 2: GRASS, 3: SKY, 4: None}
        for threshold, drawn in ((0.6, "1111"), (0.61, "....")):
            claim = JointList(stuff_score_thresh=threshold)
            assert_map(run([], [], "1133", "1155", meaning=meaning, claim=claim), drawn)


class TestDroppedStuff:
    def test_its_pixels_are_void_and_other_stuff_does_not_get_them(self):
        result = run([], [], "11112222", "55551111")
        assert_map(result, "....1111")

    @pytest.mark.parametrize("shares", ["5555555555", "2222222222"], ids=["score", "overlap"])
    def test_later_things_get_them(self, shares):
        # The first has 3 of the 10 pixels; the second comes after sky, if that is listed.
        masks = [row((0, 3), width=10), row((3, 6), width=10)]
        result = run(masks, [0.9, 0.4], "1" * 10, shares, instances_score_thresh=0)
        assert_map(result, "111222....")

    def test_it_is_no_stuff_for_the_area_limit_either(self):
        result = run([], [], "11112222", "55551111", stuff_area_thresh=5)
        assert reasons(result) == {("stuff", SKY): "score", ("stuff", GRASS): "stuff_area"}

    def test_the_area_limit_comes_after_the_list(self):
        # Sky keeps the second cat off, and then is too small itself.
        masks = [row((4, 6), width=6)]
        result = run(masks, [0.4], "000111", "111111", instances_score_thresh=0, stuff_area_thresh=4)
        assert_map(result, "......")
        assert reasons(result) == {0: "overlap", ("stuff", SKY): "stuff_area"}


class TestThings:
    @pytest.mark.parametrize("claimed, kept", [(3, True), (4, True), (5, False)], ids=["below", "at", "above"])
    def test_half_may_be_claimed_by_stuff_and_not_a_pixel_more(self, claimed, kept):
        labels = "1" * claimed + "0" * (10 - claimed)
        result = run([row((0, 8), width=10)], [0.9], labels)
        assert reasons(result) == ({} if kept else {0: "overlap"})

    @pytest.mark.parametrize("claimed, kept", [(3, True), (4, True), (5, False)], ids=["below", "at", "above"])
    def test_or_by_things(self, claimed, kept):
        masks = [row((0, 5), width=16), row((5 - claimed, 13 - claimed), width=16)]
        assert reasons(run(masks, [0.9, 0.8], "0" * 16)) == ({} if kept else {1: "overlap"})

    def test_one_without_a_pixel_is_empty(self):
        result = run([row(width=4), row((0, 2), width=4)], [0.9, 0.8], "0000")
        assert_map(result, "11..")
        assert reasons(result) == {0: "empty"}

    def test_one_that_gets_no_pixel_is_covered(self):
        result = run([row((0, 2), width=4)], [0.9], "1111", claim=JointList(1.0))
        assert_map(result, "1111")
        assert reasons(result) == {0: "covered"}

    @pytest.mark.parametrize("claimed, kept", [(1, True), (2, True), (3, False)], ids=["below", "at", "above"])
    def test_a_category_may_have_a_threshold_of_its_own(self, claimed, kept):
        labels, masks = "1" * claimed + "0" * (10 - claimed), [row((0, 8), width=10)]
        claim = JointList(overlap_threshold_of={DOG: 0.25})
        assert len(instances_in(run(masks, [0.9], labels, claim=claim, category_ids=[DOG]))) == kept
        assert len(instances_in(run(masks, [0.9], labels, claim=claim, category_ids=[CAT]))) == 1

    def test_labels_of_things_are_no_stuff(self):
        meaning = {0: CAT, 1: SKY, 2: DOG}
        result = run([row((0, 4), width=6)], [0.5], "000122", meaning=meaning)
        # The cat has 3 of its 4 pixels; sky was first.
        assert_map(result, "1112..")


class TestLaterStages:
    def test_the_veto_sees_the_labels_of_stuff_that_stays(self):
        # Both cats are on stuff; sky stays, grass was overlapped.
        masks = [row((0, 1), width=12), row((10, 12), width=12)]
        result = run(masks, [0.9, 0.9], "111111222222", "222222222222", veto=SemanticVeto())
        assert_map(result, "222222....11")
        assert reasons(result) == {0: "veto", ("stuff", GRASS): "overlap"}

    def test_what_is_too_small_leaves_its_pixels_to_them(self):
        masks = [row((0, 1), width=12), row((11, 12), width=12)]
        result = run(masks, [0.9, 0.9], "111111222333", "2" * 12, thing_area_thresh=2)
        assert_map(result, "111111222...")
        assert reasons(result) == {0: "thing_area", 1: "thing_area", ("stuff", SEA): "overlap"}


class TestWithoutOneKind:
    def test_without_semantics_it_is_greedy(self):
        masks = [row((0, 5), width=12), row((3, 9), width=12), row((0, 6), width=12), row(width=12)]
        instances = InstanceSet.from_bitmaps(masks, [0.9, 0.8, 0.7, 0.6], [CAT] * 4)
        results = [
            fuse(instances, None, CATEGORIES, Pipeline(claim, stuff_area_thresh=0)) for claim in (JointList(), Greedy())
        ]
        assert_map(results[0], "111112222...")
        assert_map(results[1], "111112222...")
        assert reasons(results[0]) == reasons(results[1]) == {2: "overlap", 3: "empty"}

    def test_without_stuff_it_needs_no_logits(self):
        semantics = SemanticMap(draw("0000"), LABELS)
        assert_map(fused(semantics, [row((0, 2), width=4)], [0.9], claim=JointList()), "11..")


class TestErrors:
    def test_no_logits(self):
        with pytest.raises(InputError, match="the claim rule joint_list needs semantic logits, but there are only lab"):
            fused(SemanticMap(draw("1111"), LABELS), claim=JointList())

    def test_a_label_without_a_channel(self):
        semantics = SemanticMap(draw("1122"), LABELS, np.zeros((2, 1, 4), np.float32))
        with pytest.raises(InputError, match="the claim rule joint_list needs logits of every label, but there are 2"):
            fused(semantics, claim=JointList())


def test_what_it_needs():
    assert needs_of(JointList()) == {Need.LOGITS}
    assert (JointList().overlap_threshold, JointList().stuff_overlap_threshold) == (0.5, 0.2)
