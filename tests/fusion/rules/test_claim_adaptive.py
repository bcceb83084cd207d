"""The vote of EfficientPS, drawn in rows of pixels.

Mask probabilities are drawn in eighths: four times the logit of "4" is 0, that of "6" is 4.39, that of
"2" is -4.39, and those of "8" and "." are 55.3 and -55.3. At 0 and B an instance has (1/2 + sigmoid(B)) * B.
"""

import math

import numpy as np
import pytest

from panoptic_heuristic.fusion import Adaptive, SemanticVeto
from tests.fusion.drawings import CAT, DOG, GRASS, SKY, assert_map, reasons, stuff_in
from tests.fusion.soft_drawings import fused_row

# The channels of soft_drawings.COLLAPSED and SINGLE.
THINGS, SKY_OF_COLLAPSED, GRASS_OF_COLLAPSED = 0, 1, 2
DOGS, SKIES, CATS, GRASSES = 0, 1, 2, 3


def run(lines, scores, logits, **others):
    return fused_row(lines, scores, logits, claim=others.pop("claim", Adaptive()), **others)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class TestInstancesAgainstStuff:
    @pytest.mark.parametrize("eighth, semantic", [(6, 1), (6, -1), (2, 8), (5, 0), (7, -3), (1, -5), (3, 2.5)])
    def test_the_formula(self, eighth, semantic):
        mask = 4 * math.log(eighth / (8 - eighth))
        value = (sigmoid(mask) + sigmoid(semantic)) * (mask + semantic)
        # The last two pixels are of the mask, so that it is not empty.
        stuff = [value - 0.01, value + 0.01, 50, 50]
        result = run([f"{eighth}{eighth}44"], [0.9], {THINGS: semantic, SKY_OF_COLLAPSED: stuff}, labels="1111")
        assert_map(result, "1222")

    def test_of_equal_values_stuff_wins(self):
        # (1/2 + 1/2) * (0 + 0) is 0.
        below, above = np.nextafter(np.float32(0), np.float32([-1, 1]))
        result = run(["4444"], [0.9], {THINGS: 0, SKY_OF_COLLAPSED: [below, 0, above, -1]}, labels="1111")
        assert_map(result, "1221")

    def test_a_sure_mask_does_not_win_whatever_the_semantic_head_says(self):
        # 55.3 - 50 and 55.3 - 60 against 3.
        assert_map(run(["8888"], [0.9], {THINGS: [-50, -50, -60, -60], SKY_OF_COLLAPSED: 3}), "1122")

    def test_nor_does_a_probability_of_0_lose_whatever_it_says(self):
        # 60 - 55.3 and 50 - 55.3 against 3.
        assert_map(run([".8.8"], [0.9], {THINGS: [60, 60, 50, 50], SKY_OF_COLLAPSED: 3}), "11.1")

    def test_one_that_wins_no_pixel_is_outvoted(self):
        # 9.3 against 10.
        result = run(["6666"], [0.9], {THINGS: 1, SKY_OF_COLLAPSED: 10})
        assert_map(result, "1111")
        assert reasons(result) == {0: "outvoted"}

    def test_an_empty_mask_does_not_compete(self):
        result = run(["3333"], [0.9], {THINGS: 9, SKY_OF_COLLAPSED: 2}, labels="1111")
        assert_map(result, "1111")
        assert reasons(result) == {0: "empty"}


class TestStuff:
    def test_it_has_its_label_and_not_what_it_wins(self):
        # Sky wins all pixels but the first.
        logits = {THINGS: 0, SKY_OF_COLLAPSED: 3, GRASS_OF_COLLAPSED: 2}
        result = run(["8..."], [0.9], logits, labels="2210")
        assert_map(result, "132.")
        assert stuff_in(result) == [SKY, GRASS]

    def test_where_the_heads_disagree_it_is_void(self):
        # A thing by its label, not by the mask: 20 - 55.3 against 3.
        assert_map(run(["88.."], [0.9], {THINGS: 20, SKY_OF_COLLAPSED: 3}), "11..")

    def test_a_thing_without_an_instance_is_void(self):
        assert_map(run([], [], {THINGS: [4, 2, 4, 2], SKY_OF_COLLAPSED: 3}), ".1.1")

    def test_the_veto_sees_the_labels_under_instances(self):
        logits = {THINGS: 0, SKY_OF_COLLAPSED: 2}
        assert_map(run(["8888"], [0.9], logits), "1111")
        result = run(["8888"], [0.9], logits, veto=SemanticVeto())
        assert (reasons(result), stuff_in(result)) == ({0: "veto"}, [SKY])

    def test_without_stuff_an_instance_has_its_box(self):
        result = run(["8888"], [0.9], {0: -3, 1: 1}, meaning={0: DOG, 1: CAT}, boxes=[(0, 0, 4, 4)], width=6)
        assert_map(result, "1111..")


def test_better_instances_of_any_category_cover():
    for category_ids in ([CAT, CAT], [DOG, CAT]):
        result = run(["8888", ".666"], [0.9, 0.8], {THINGS: 3, SKY_OF_COLLAPSED: 0}, category_ids=category_ids)
        assert reasons(result) == {1: "overlap"}


class TestBoxes:
    def test_it_is_rounded_outwards_and_has_no_margin(self):
        # Pasting looks one pixel further; the value there would be just below 0, more than -50.
        for box, drawn in (((2, 0, 6, 4), "..1111.."), ((2.2, 0, 5.8, 4), "..1111.."), ((1.9, 0, 6.1, 4), ".111111.")):
            result = run(["8888"], [0.9], {THINGS: -20, SKY_OF_COLLAPSED: -50}, boxes=[box], width=8)
            assert_map(result, drawn)
