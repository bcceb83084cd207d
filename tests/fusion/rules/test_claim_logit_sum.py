"""The vote of stuff, instances and the unknown by their logits, drawn in rows of pixels.

Mask probabilities are drawn in eighths: the logit of "4" is 0, that of "6" is log 3 = 1.10, that of
"2" is -1.10, and those of "8" and "." are 13.8 and -13.8.
"""

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    HeadOutputs,
    LogitSum,
    Order,
    Pipeline,
    SemanticMap,
    SemanticVeto,
    explain,
    fuse,
)
from tests.fusion.drawings import CAT, DOG, GRASS, SKY, assert_map, draw, instances_in, reasons, stuff_in
from tests.fusion.logit_drawings import CATEGORIES
from tests.fusion.soft_drawings import SINGLE, fused_row, instances_of, semantics_of

# The channels of soft_drawings.COLLAPSED and SINGLE.
THINGS, SKY_OF_COLLAPSED, GRASS_OF_COLLAPSED = 0, 1, 2
DOGS, SKIES, CATS, GRASSES = 0, 1, 2, 3


def run(lines, scores, logits, **others):
    return fused_row(lines, scores, logits, claim=others.pop("claim", LogitSum(0.3)), **others)


class TestInstancesAgainstStuff:
    def test_the_sum_of_both_logits_wins(self):
        # 1 + 13.8, 1 + 1.1, 1 + 0 and 1 - 1.1 against 1.5. Only the first two are above it.
        result = run(["8642"], [0.9], {THINGS: 1, SKY_OF_COLLAPSED: 1.5})
        assert_map(result, "1122")
        assert stuff_in(result) == [SKY]

    def test_of_equal_values_stuff_wins(self):
        # The logit of 1/2 is 0.
        below, above = np.nextafter(np.float32(2), np.float32([1, 3]))
        result = run(["4444"], [0.9], {THINGS: [2, 2, 2, 1], SKY_OF_COLLAPSED: [below, 2, above, 1]})
        assert_map(result, "1222")

    def test_the_semantic_head_can_win_where_the_mask_says_no(self):
        # 9 - 1.1 against 2.
        assert_map(run(["4422"], [0.9], {THINGS: 9, SKY_OF_COLLAPSED: 2}), "1111")

    @pytest.mark.parametrize("line, semantic, wins", [("8", -10, True), ("8", -20, False), ("4", 20, True)], ids=str)
    def test_a_mask_that_is_all_sure_does_not_win_whatever_the_semantic_head_says(self, line, semantic, wins):
        # 13.8 - 10 and 13.8 - 20 against 3.
        result = run([line * 4], [0.9], {THINGS: semantic, SKY_OF_COLLAPSED: 3})
        assert_map(result, "1111")
        assert bool(instances_in(result)) == wins

    @pytest.mark.parametrize("semantic, wins", [(20, True), (10, False)], ids=str)
    def test_nor_does_a_probability_of_0_lose_whatever_it_says(self, semantic, wins):
        # 20 - 13.8 and 10 - 13.8 against 3. The last pixel is in the mask.
        result = run(["...8"], [0.9], {THINGS: semantic, SKY_OF_COLLAPSED: 3})
        assert_map(result, "1111" if wins else "2221")

    def test_one_that_wins_no_pixel_is_outvoted(self):
        result = run(["6666"], [0.9], {THINGS: 1, SKY_OF_COLLAPSED: 4})
        assert_map(result, "1111")
        assert reasons(result) == {0: "outvoted"}

    def test_an_empty_mask_does_not_compete(self):
        # 9 - 0.5 would win; now there is a thing without an instance.
        result = run(["3333"], [0.9], {THINGS: 9, SKY_OF_COLLAPSED: 2})
        assert_map(result, "....")
        assert reasons(result) == {0: "empty"}


class TestStuff:
    def test_the_best_stuff_of_a_pixel_wins_and_of_equal_ones_the_lower_label(self):
        result = run([], [], {SKY_OF_COLLAPSED: [3, 3, 3, 1], GRASS_OF_COLLAPSED: [2, 4, 3, 2], THINGS: 0})
        assert_map(result, "1212")
        assert stuff_in(result) == [SKY, GRASS]

    def test_it_gets_pixels_whose_label_is_a_thing(self):
        # 4 - 1.1 against 3 in the last two: no label names sky.
        instances, semantics = (
            instances_of(["8822"], [0.9]),
            semantics_of({THINGS: 4, SKY_OF_COLLAPSED: 3}, {0: None, 1: SKY}, 4),
        )
        assert semantics.areas == {0: 4}
        result = fuse(instances, semantics, CATEGORIES, Pipeline(LogitSum(), stuff_area_thresh=0))
        assert_map(result, "1122")
        assert stuff_in(result) == [SKY]
        cat, sky = explain(result, instances, semantics)
        assert (cat.area_kept, sky.kept, sky.area_before, sky.area_gained) == (2, True, 0, 2)

    def test_one_that_loses_all_its_pixels_is_covered(self):
        result = run(["8888"], [0.9], {THINGS: 0, SKY_OF_COLLAPSED: 3})
        assert reasons(result) == {("stuff", SKY): "covered"}

    def test_two_labels_of_one_category_are_one_segment(self):
        meaning = {0: None, 1: SKY, 2: SKY}
        result = run([], [], {0: 0, 1: [3, 3, 1, 1], 2: [1, 1, 3, 3]}, meaning=meaning, width=4)
        assert_map(result, "1111")


class TestUnknown:
    @pytest.mark.parametrize("thing, void", [(2, False), (3, False), (4, True)], ids=["below", "at", "above"])
    def test_a_thing_without_an_instance_is_void(self, thing, void):
        result = run([], [], {THINGS: thing, SKY_OF_COLLAPSED: 3})
        assert_map(result, "...." if void else "1111")

    def test_in_a_box_it_is_what_the_instances_there_do_not_explain(self):
        # Dogs less cats against sky at 4, and against a cat of 0 + 0: 5, 4, 3 and 0.
        logits = {DOGS: [5, 4, 3, 0], CATS: 0, SKIES: 4}
        result = run(["4444"], [0.9], logits, meaning=SINGLE)
        assert_map(result, ".111")

    def test_an_instance_wins_before_it(self):
        # A cat of 3 + 0 against 7 - 3, 6 - 3 and 5 - 3.
        logits = {DOGS: [7, 6, 5, 4], CATS: 3, SKIES: 0}
        assert_map(run(["4444"], [0.9], logits, meaning=SINGLE), ".111")

    def test_of_several_instances_the_one_that_explains_most_counts(self):
        # A dog is there too, if with a mask that says no: the unknown is 0, and sky has 1.
        logits = {DOGS: 6, CATS: -3, SKIES: 1}
        lines, category_ids = ["4444", "...8"], [CAT, DOG]
        assert_map(run(lines[:1], [0.9], logits, meaning=SINGLE), "....")
        assert_map(run(lines, [0.9, 0.8], logits, meaning=SINGLE, category_ids=category_ids), "2221")
        assert_map(run(lines, [0.8, 0.9], logits, meaning=SINGLE, category_ids=category_ids), "2221")

    def test_one_that_was_left_out_explains_nothing(self):
        # The cat below the threshold, and the one without a pixel.
        for lines, scores in ((["8888"], [0.4]), (["3333"], [0.9])):
            assert_map(run(lines, scores, {THINGS: 4, SKY_OF_COLLAPSED: 3}), "....")

    def test_outside_of_boxes_it_is_the_thing_itself(self):
        # In the public code an instance elsewhere says 0 here, and 0 would be more than -2.
        boxes = [(0, 0, 4, 4)]
        result = run(["8888"], [0.9], {THINGS: -1, SKY_OF_COLLAPSED: -2}, boxes=boxes, width=8)
        assert_map(result, "1111....")
        result = run(["8888"], [0.9], {THINGS: -2, SKY_OF_COLLAPSED: -1}, boxes=boxes, width=8)
        assert_map(result, "11112222")

    def test_it_may_win_where_the_label_is_stuff_and_stays_void(self):
        # -3 + 5 against -1.
        result = run(["4444"], [0.9], {DOGS: -3, CATS: -5, SKIES: -1}, meaning=SINGLE)
        assert_map(result, "....")
        assert reasons(result) == {0: "outvoted", ("stuff", SKY): "covered"}

    def test_a_head_whose_labels_all_mean_something_has_void_too(self):
        assert None not in SINGLE.values()
        result = run([], [], {DOGS: [4, 4, 2, 2], SKIES: 3}, meaning=SINGLE)
        assert_map(result, "..11")

    def test_a_channel_of_no_category_is_no_thing_if_all_things_have_one(self):
        other = {0: None, 1: CAT, 2: SKY, 3: DOG}
        assert_map(run([], [], {0: 9, 2: 1}, meaning=other), "1111")
        assert_map(run([], [], {0: 9, 2: 1}, meaning={0: None, 1: CAT, 2: SKY}), "....")


class TestChannels:
    def test_without_stuff_things_are_instances_or_unknown(self):
        meaning = {0: DOG, 1: CAT}
        result = run(["8888"], [0.9], {0: [1, 1, 30, 1, 1, 1], 1: 1}, meaning=meaning, boxes=[(0, 0, 4, 4)], width=6)
        assert_map(result, "11.1..")

    def test_without_things_and_instances_there_is_nothing_unknown(self):
        assert_map(run([], [], {0: [1, 2, 1, 2], 1: [2, 1, 2, 1]}, meaning={0: SKY, 1: GRASS}), "2121")

    def test_labels_without_a_channel(self):
        # Sky has 2, and a cat 0 + 1.1.
        labels, logits = draw("1111"), np.float32([0, 2])[:, None, None].repeat(4, axis=2)
        instances = instances_of(["6666"], [0.9])
        # 255 and -1 are ignored; grass would need one.
        semantics = SemanticMap(labels, {0: None, 1: SKY, 255: None, -1: None}, logits)
        result = fuse(instances, semantics, CATEGORIES, Pipeline(LogitSum(), stuff_area_thresh=0))
        assert stuff_in(result) == [SKY]
        assert_map(result, "1111")
        semantics = SemanticMap(labels, {0: None, 1: SKY, 2: GRASS}, logits)
        with pytest.raises(InputError, match="label 2 means category 12 and there are 2 channels"):
            fuse(instances, semantics, CATEGORIES, Pipeline(LogitSum()))


def test_only_better_instances_of_its_own_category_cover():
    logits = {DOGS: 3, CATS: 3, SKIES: 0}
    for category_ids, dropped in (([CAT, CAT], {1: "overlap"}), ([CAT, DOG], {1: "outvoted"})):
        result = run(["8888", "6666"], [0.9, 0.8], logits, meaning=SINGLE, category_ids=category_ids)
        assert reasons(result) == dropped


class TestBoxes:
    def test_it_is_rounded_outwards_and_has_no_margin(self):
        # Where a box is, nothing is unknown. Pasting looks one pixel further on either side.
        for box, drawn in (((2, 0, 6, 4), "..1111.."), ((2.2, 0, 5.8, 4), "..1111.."), ((1.9, 0, 6.1, 4), ".111111.")):
            result = run(["8888"], [0.9], {THINGS: 30, SKY_OF_COLLAPSED: 1}, boxes=[box], width=8)
            assert_map(result, drawn)


class TestLaterStages:
    def test_the_veto_sees_the_labels_under_instances(self):
        # The labels say sky of half of the cat.
        logits = {THINGS: [0, 0, 3, 3], SKY_OF_COLLAPSED: 2}
        assert_map(run(["8888"], [0.9], logits), "1111")
        result = run(["8888"], [0.9], logits, veto=SemanticVeto())
        assert_map(result, "1111")
        assert (reasons(result), stuff_in(result)) == ({0: "veto"}, [SKY])

    def test_what_is_too_small_leaves_its_pixels_to_their_labels(self):
        logits = {THINGS: [0, 3, 3, 0], SKY_OF_COLLAPSED: [2, 2, 2, 4]}
        result = run(["888."], [0.9], logits, thing_area_thresh=4)
        assert_map(result, "1..1")
        assert reasons(result) == {0: "thing_area"}


def test_no_instances():
    order = Order((), (), {})
    semantics = semantics_of({THINGS: 0, SKY_OF_COLLAPSED: [1, 1, 0, -1]}, {0: None, 1: SKY}, 4)
    claim = LogitSum().claim(HeadOutputs(instances_of([], []), semantics, CATEGORIES), order)
    assert (claim.areas, claim.dropped) == ({}, {})
    np.testing.assert_array_equal(claim.semantics.labels.numpy(), [[1, 1, 1, 0]])
    np.testing.assert_array_equal(semantics.labels.numpy(), [[1, 1, 0, 0]])
