"""The laws that adaptive and logit_sum share, drawn in rows of pixels: both add the values of the two heads."""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import Adaptive, HeadOutputs, InstanceSet, LogitSum, Need, Order, SemanticMap
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.fusion.stages import rule_name
from tests.fusion.drawings import CAT, DOG, SKY, assert_map, draw, instances_in, reasons, row
from tests.fusion.logit_drawings import CATEGORIES
from tests.fusion.soft_drawings import SINGLE, fused_row, instances_of, semantics_of

# The channels of soft_drawings.COLLAPSED and SINGLE.
THINGS, SKY_OF_COLLAPSED = 0, 1
DOGS, SKIES, CATS = 0, 1, 2

pytestmark = pytest.mark.parametrize("rule", [Adaptive, LogitSum])


class TestInstancesAgainstEachOther:
    LOGITS = {THINGS: 3, SKY_OF_COLLAPSED: 1}

    def test_the_surer_mask_wins_and_not_the_better_rank(self, rule):
        assert_map(fused_row(["8864", ".688"], [0.9, 0.8], self.LOGITS, claim=rule(1.0)), "1122")

    def test_of_equal_values_the_better_rank_wins(self, rule):
        for scores, winner in (([0.9, 0.8], 0), ([0.8, 0.9], 1), ([0.9, 0.9], 0)):
            result = fused_row(["6666", "6666"], scores, self.LOGITS, claim=rule(1.0))
            assert instances_in(result) == [winner]
            assert reasons(result) == {1 - winner: "outvoted"}

    def test_the_semantic_logit_of_their_categories_decides_between_equal_masks(self, rule):
        logits, ids = {DOGS: [3, 3, 2, 2], CATS: [2, 2, 3, 3], SKIES: 0}, [CAT, DOG]
        result = fused_row(["6666"] * 2, [0.9, 0.8], logits, meaning=SINGLE, category_ids=ids, claim=rule(1.0))
        assert_map(result, "2211")
        assert instances_in(result) == [0, 1]

    def test_ids_go_by_rank(self, rule):
        result = fused_row(["88..", "..88"], [0.8, 0.9], self.LOGITS, claim=rule())
        assert_map(result, "2211")
        assert instances_in(result) == [1, 0]


def test_the_area_limit_of_stuff_comes_after(rule):
    result = fused_row(["88.."], [0.9], {THINGS: 0, SKY_OF_COLLAPSED: 3}, claim=rule(), stuff_area_thresh=3)
    assert_map(result, "11..")
    assert reasons(result) == {("stuff", SKY): "stuff_area"}


class TestChannels:
    @pytest.mark.parametrize("category_id, wins", [(CAT, True), (DOG, False)], ids=["its own", "that of all things"])
    def test_which_channel_counts(self, rule, category_id, wins):
        # The cats' channel says 4, that of all things -4; sky has 0, and the mask too.
        meaning, ids = {0: None, 1: CAT, 2: SKY}, [category_id]
        result = fused_row(["4444"], [0.9], {0: -4, 1: 4, 2: 0}, meaning=meaning, category_ids=ids, claim=rule())
        assert bool(instances_in(result)) == wins

    def test_of_several_the_largest(self, rule):
        meaning, logits = {0: CAT, 1: SKY, 2: CAT, 3: DOG}, {0: [4, 1, 1, 4], 1: 2, 2: [1, 4, 1, 4]}
        assert_map(fused_row(["4444"], [0.9], logits, meaning=meaning, labels="1111", claim=rule()), "1121")


BELOW_AT_ABOVE = pytest.mark.parametrize(
    "beside, kept", [(-1, True), (0, True), (1, False)], ids=["below", "at", "above"]
)


class TestOverlap:
    def kept(self, claim, lines, category_ids=None):
        scores = [0.9 - 0.1 * place for place in range(len(lines))]
        result = fused_row(lines, scores, {THINGS: 3, SKY_OF_COLLAPSED: 0}, category_ids=category_ids, claim=claim)
        return [index for index in range(len(lines)) if reasons(result).get(index) != "overlap"]

    def lines(self, claimed):
        # The second has 10 pixels.
        return ["8" * 8 + "." * 8, "." * (8 - claimed) + "6" * 10 + "." * (claimed - 2)]

    @BELOW_AT_ABOVE
    def test_so_much_may_be_covered_and_not_a_pixel_more(self, rule, beside, kept):
        for claim, claimed in ((rule(0.3), 3), (rule(), 5)):
            assert self.kept(claim, self.lines(claimed + beside)) == [0, 1][: 1 + kept]

    def test_the_fraction_is_compared_in_float64(self, rule):
        assert self.kept(rule(0.7), self.lines(7)) == [0, 1]
        assert self.kept(rule(np.nextafter(0.7, 0)), self.lines(7)) == [0]

    def test_only_those_that_stay_count(self, rule):
        # The second goes; of the third the first covers a quarter, and the two together all.
        lines = ["8" * 5 + "." * 11, "." * 3 + "6" * 5 + "." * 8, "." * 4 + "6" * 4 + "." * 8]
        assert self.kept(rule(0.3), lines) == [0, 2]

    def test_those_that_stay_count_together(self, rule):
        lines = ["8" * 2 + "." * 14, "." * 2 + "8" * 2 + "." * 12, "." + "6" * 10 + "." * 5]
        assert self.kept(rule(0.3), lines) == [0, 1, 2]
        lines = ["8" * 3 + "." * 13, "." * 3 + "8" * 2 + "." * 11, "." + "6" * 10 + "." * 5]
        assert self.kept(rule(0.3), lines) == [0, 1]

    def test_one_that_goes_does_not_compete(self, rule):
        # It would have won its pixels from sky, and the unknown is as if it were not there.
        lines, boxes, logits = ["8888", "4444"], [(0, 0, 4, 4), (2, 0, 6, 4)], {THINGS: 2, SKY_OF_COLLAPSED: 1}
        result = fused_row(lines, [0.9, 0.8], logits, boxes=boxes, width=6, claim=rule(0.3))
        assert_map(result, "1111..")
        assert reasons(result) == {1: "overlap"}
        assert_map(fused_row(lines, [0.9, 0.8], logits, boxes=boxes, width=6, claim=rule(0.5)), "111122")

    @BELOW_AT_ABOVE
    def test_a_category_may_have_a_threshold_of_its_own(self, rule, beside, kept):
        claim, lines = rule(0.3, overlap_threshold_of={CAT: 0.5}), self.lines(5 + beside)
        assert self.kept(claim, lines, [CAT, CAT]) == [0, 1][: 1 + kept]
        assert self.kept(claim, lines, [DOG, DOG]) == [0]


class TestBoxes:
    def test_an_unrelated_instance_wins_nothing_outside_its_box(self, rule):
        # Its value there would be 0 in the public code.
        logits, boxes = {THINGS: -9, SKY_OF_COLLAPSED: -5}, [(2, 0, 6, 4)]
        assert_map(fused_row(["8888"], [0.9], logits, boxes=boxes, width=8, claim=rule()), "22111122")

    def test_it_may_leave_the_image(self, rule):
        logits, boxes = {THINGS: -5, SKY_OF_COLLAPSED: 0}, [(-2, -1, 2, 3)]
        assert_map(fused_row(["8888"], [0.9], logits, boxes=boxes, width=4, claim=rule()), "1122")

    @pytest.mark.parametrize("box", [(9, 9, 13, 13), (-9, -9, -5, -5), (1, 0, 1, 4)])
    def test_outside_the_image(self, rule, box):
        logits, boxes = {THINGS: 0, SKY_OF_COLLAPSED: 1}, [box, (0, 0, 4, 4)]
        result = fused_row(["8888", "8888"], [0.9, 0.8], logits, boxes=boxes, claim=rule())
        assert_map(result, "1111")
        assert reasons(result) == {0: "empty", ("stuff", SKY): "covered"}


def test_what_it_needs(rule):
    assert needs_of(rule()) == {Need.LOGITS, Need.ROI_PROBABILITIES}


CATS_ONLY = InstanceSet.from_bitmaps([row((0, 3), width=4)], [0.9], [CAT])
OF_SKY = semantics_of({1: 0}, {0: None, 1: SKY}, 4)


@pytest.mark.parametrize(
    "instances, semantics, message",
    [
        (CATS_ONLY, OF_SKY, "RoI mask probabilities, but"),
        (None, SemanticMap(draw("1111"), {1: SKY}), "semantic logits, but there are only labels"),
        (None, None, "semantic logits, but there are no semantics"),
        (None, semantics_of({0: np.inf}, {0: None, 1: SKY}, 4), "semantic logits that are finite"),
        (
            None,
            semantics_of({0: 0}, {0: DOG, 1: SKY}, 4),
            "a semantic channel of category 7, or one of all things, but each label means another category; "
            "use another rule",
        ),
    ],
    ids=["no probabilities", "no logits", "no semantics", "not finite", "no channel for a thing"],
)
def test_what_is_missing_is_named(rule, instances, semantics, message):
    heads = HeadOutputs(instances or instances_of(["8888"], [0.9]), semantics, CATEGORIES)
    with pytest.raises(InputError, match=f"{rule_name('claim', rule())} needs {message}"):
        rule().claim(heads, Order((0,), (0.9,), {}))
