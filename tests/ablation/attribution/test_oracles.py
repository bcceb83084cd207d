"""Oracles by drawings, and against the same changes made pixel by pixel and fused and scored as always."""

import numpy as np
import pytest

from panoptic_heuristic.ablation.attribution.oracles import (
    ORACLES,
    TITLES,
    count_oracles,
    perfect_acceptance,
    perfect_category,
    perfect_masks,
    perfect_order,
    perfect_semantics,
)
from panoptic_heuristic.fusion import BestStuff, DroppedToVoid, PerPixel, Pipeline, SemanticVeto
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts
from tests.ablation.attribution_drawings import CAT, DOG, GRASS, SKY, draw, fuse_image
from tests.ablation.pixel_oracles import PixelOracles
from tests.ablation.random_images import (
    BEST_STUFF_FLOOR,
    CATEGORIES,
    random_image,
    random_pipelines,
    random_thresholds,
    with_best_stuff,
)

ONE = IOU_UNIT


def half_up(part, whole):
    return (2 * part * IOU_UNIT + whole) // (2 * whole)


# --- drawings ---


def test_acceptance_ignores_the_score_threshold_and_the_overlap():
    fused = draw("ccck", [("####", 0.9, CAT), ("###.", 0.1, CAT), ("...#", 0.2, CAT), ("####", 0.8, DOG)])
    # The first cat is right, and the second one better.
    assert fused.counts() == {CAT: CategoryCounts(half_up(3, 4), 1, 0, 1)}
    assert perfect_acceptance(fused) == {CAT: CategoryCounts(2 * ONE, 2, 0, 0)}


def test_acceptance_rejects_what_is_not_right():
    fused = draw("cc??", [("##..", 0.9, CAT), ("..#.", 0.8, CAT), ("...#", 0.7, DOG)])
    assert fused.counts() == {CAT: CategoryCounts(ONE, 1, 1, 0), DOG: CategoryCounts(0, 0, 1, 0)}
    assert perfect_acceptance(fused) == {CAT: CategoryCounts(ONE, 1, 0, 0)}


def test_accepted_instances_claim_in_the_order_of_their_scores():
    # Both are right; by IoU the second one would come first, and take the fourth pixel.
    fused = draw("ccckkk", [("####..", 0.9, CAT), ("...###", 0.8, CAT)], overlap=0.0)
    assert perfect_acceptance(fused) == {CAT: CategoryCounts(half_up(3, 4) + half_up(2, 3), 2, 0, 0)}


def test_of_equal_ious_acceptance_takes_the_higher_score():
    fused = draw("cccccdddd", [("####.....", 0.7, CAT), (".####....", 0.8, CAT), ("....#####", 0.75, DOG)])
    # The second cat has pixel 4, which the dog would have had without it.
    assert perfect_acceptance(fused) == {CAT: CategoryCounts(half_up(4, 5), 1, 0, 0), DOG: CategoryCounts(ONE, 1, 0, 0)}


def test_acceptance_never_takes_a_score_that_is_not_finite():
    assert perfect_acceptance(draw("cc", [("##", np.nan, CAT)])) == {CAT: CategoryCounts(0, 0, 0, 1)}


def test_order():
    fused = draw("cccc??", [("######", 0.9, DOG), ("####..", 0.8, CAT)], overlap=0.7)
    assert fused.counts() == {CAT: CategoryCounts(0, 0, 0, 1), DOG: CategoryCounts(0, 0, 1, 0)}
    assert perfect_order(fused) == {CAT: CategoryCounts(ONE, 1, 0, 0), DOG: CategoryCounts(0, 0, 1, 0)}


def test_order_keeps_the_score_threshold_and_the_overlap_test():
    fused = draw("cccc", [("###.", 0.6, CAT), ("####", 0.4, CAT), ("####", 0.9, DOG)])
    # The cat comes first now, and the dog is rejected.
    assert perfect_order(fused) == {CAT: CategoryCounts(half_up(3, 4), 1, 0, 0)}


def test_order_leaves_equal_ious_in_the_order_of_scores():
    fused = draw("????", [("###.", 0.6, CAT), (".###", 0.7, DOG)], overlap=0.7)
    assert perfect_order(fused) == fused.counts()


def test_category():
    fused = draw("cccc", [("###.", 0.9, DOG)])
    assert perfect_category(fused) == {CAT: CategoryCounts(half_up(3, 4), 1, 0, 0)}


def test_category_of_masks_that_exceed_one_half_with_things_only():
    half, stuff = draw("cccc", [("##..", 0.9, DOG)]), draw("ssss", [("####", 0.9, DOG)])
    assert perfect_category(half) == half.counts()
    assert perfect_category(stuff) == stuff.counts()


def test_category_may_cost_a_match():
    # By its mask it is a cat, and what it kept is the dog it says it is.
    fused = draw("cccccddd", [("#####...", 0.9, CAT), ("########", 0.8, DOG)], overlap=0.7)
    assert fused.counts()[DOG] == CategoryCounts(ONE, 1, 0, 0)
    assert perfect_category(fused)[DOG] == CategoryCounts(0, 0, 0, 1)


def test_masks_of_the_matched():
    # The cat gives its two pixels of the sky back and gets its own; the dog, which is false, yields one.
    fused = draw("ccccccssss", [(".....#....", 0.9, DOG), ("########..", 0.8, CAT)], "0000001111")
    before = fused.counts()
    assert before[CAT] == CategoryCounts(half_up(5, 8), 1, 0, 0)
    assert before[SKY] == CategoryCounts(0, 0, 1, 1)
    # The dog has no pixel left.
    assert perfect_masks(fused) == {CAT: CategoryCounts(ONE, 1, 0, 0), SKY: CategoryCounts(ONE, 1, 0, 0)}


def test_masks_of_what_matches_nothing_stay():
    fused = draw("cccc", [("##..", 0.9, CAT)])
    assert perfect_masks(fused) == fused.counts() == {CAT: CategoryCounts(0, 0, 1, 1)}


def test_freed_pixels_go_to_stuff_and_its_limit_is_asked_anew():
    instances = [("####", 0.9, CAT)]
    assert perfect_masks(draw("cccs", instances, "1111", stuff_area=1))[SKY] == CategoryCounts(ONE, 1, 0, 0)
    assert perfect_masks(draw("cccs", instances, "1111", stuff_area=2))[SKY] == CategoryCounts(0, 0, 0, 1)
    # No other instance gets them.
    instances += [("..##", 0.8, DOG)]
    assert DOG not in perfect_masks(draw("cccs", instances, "1111", overlap=0.9))


def test_semantics():
    fused = draw("ssggc.", [(".#..##", 0.9, CAT)], "222222")
    # The cat keeps what it took; grass has its pixels, and the collapsed label means no stuff.
    assert perfect_semantics(fused) == {
        SKY: CategoryCounts(0, 0, 1, 1),
        GRASS: CategoryCounts(ONE, 1, 0, 0),
        CAT: fused.counts()[CAT],
    }


def test_semantics_keeps_the_limit_and_knows_crowds():
    assert perfect_semantics(draw("ssgggS", stuff_area=4)) == {
        SKY: CategoryCounts(0, 0, 0, 1),
        GRASS: CategoryCounts(0, 0, 0, 1),
    }
    # With the crowd's pixel the sky has an IoU of 2/3.
    assert perfect_semantics(draw("ssS"))[SKY] == CategoryCounts(half_up(2, 3), 1, 0, 0)


def test_every_oracle_has_a_title():
    assert ORACLES.keys() == TITLES.keys()


# --- pixel by pixel ---


NAMES = {"masks": "perfect_masks"}


@pytest.mark.parametrize("seed", range(40))
def test_oracles_are_what_they_are_pixel_by_pixel(seed):
    image = random_image(seed)
    for pipeline in random_pipelines(seed, image, 3):
        check(image, pipeline)


@pytest.mark.parametrize(
    "rules",
    [
        Pipeline(veto=SemanticVeto()),
        Pipeline(PerPixel(), veto=SemanticVeto(0.8), thing_area_thresh=3),
        Pipeline(thing_area_thresh=4),
        Pipeline(stuff=DroppedToVoid("before")),
        Pipeline(leftover=BestStuff(BEST_STUFF_FLOOR)),
    ],
    ids=str,
)
def test_oracles_of_other_rules_after_the_claim(rules):
    for seed in range(30):
        image = with_best_stuff(random_image(seed))
        if image.predictions.semantics is not None or not rules.needs:
            check(image, random_thresholds(image, np.random.default_rng(seed), rules))


def check(image, pipeline):
    """All oracles count what they count pixel by pixel."""
    fused = fuse_image(image, pipeline)
    assert fused.counts() == PixelOracles(image, pipeline).none()
    assert count_oracles(fused).keys() == ORACLES.keys()
    for name, counts in count_oracles(fused).items():
        by_pixels = getattr(PixelOracles(image, pipeline), NAMES.get(name, name))
        assert counts == by_pixels(), (name, pipeline)


@pytest.mark.parametrize("seed", range(10))
def test_what_oracles_promise(seed):
    image = random_image(seed)
    fused = fuse_image(image, *random_pipelines(seed, image, 1))
    before, with_masks = fused.counts(), perfect_masks(fused)
    for category in CATEGORIES.things:
        tp = before.get(category.id, CategoryCounts()).tp
        # Whatever matched is exact now.
        assert with_masks.get(category.id, CategoryCounts()).iou_sum >= tp * IOU_UNIT
    for counts in (with_masks, *(oracle(fused) for oracle in ORACLES.values())):
        segments = {key: one.tp + one.fn for key, one in counts.items() if one.tp + one.fn}
        assert segments == {key: one.tp + one.fn for key, one in before.items() if one.tp + one.fn}
