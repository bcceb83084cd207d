"""The veto of the semantic labels, drawn: an instance that is stuff by its labels becomes that stuff."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import Claim, Greedy, HeadOutputs, InstanceSet, Need, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.fusion.rules.veto_semantic import SemanticVeto
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion import logit_drawings
from tests.fusion.drawings import (
    CAT,
    CATEGORIES,
    DOG,
    GRASS,
    LABELS,
    SKY,
    assert_map,
    draw,
    fused,
    instances_in,
    mask,
    reasons,
    row,
    stuff_in,
)


def test_an_instance_on_grass_becomes_grass():
    masks = [
        mask(
            """
            ##....
            ##....
            ......
            """
        ),
        mask(
            """
            ......
            ...###
            ...###
            """
        ),
    ]
    labels = draw(
        """
        ..1111
        ..1122
        222222
        """
    )
    result = fused(masks, [0.9, 0.8], labels, veto=SemanticVeto())
    # The pixel that the labels call sky is grass now, too.
    assert_map(
        result,
        """
        112222
        112333
        333333
        """,
    )
    assert (instances_in(result), stuff_in(result)) == ([0], [SKY, GRASS])
    assert reasons(result) == {1: "veto"}


@pytest.mark.parametrize("sky, vetoed", [(3, False), (4, True), (5, True)], ids=["below", "at", "above"])
def test_half_of_the_region_is_a_majority_and_a_pixel_less_is_none(sky, vetoed):
    labels = draw("1" * sky + "." * (9 - sky))
    result = fused([row((0, 8), width=9)], [0.9], labels, veto=SemanticVeto())
    assert reasons(result) == ({0: "veto"} if vetoed else {("stuff", SKY): "covered"})
    assert_map(result, "11111111.")


@pytest.mark.parametrize("pixels, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (49, 50)])
def test_the_fraction_is_compared_in_float64(pixels, area):
    labels = draw("1" * pixels + "." * (area - pixels))
    for majority, vetoed in ((pixels / area, True), (np.nextafter(pixels / area, 1), False)):
        result = fused([row((0, area), width=area)], [0.9], labels, veto=SemanticVeto(majority))
        assert (0 in reasons(result)) == vetoed


def test_pixels_that_it_lost_do_not_count():
    # Half of the second mask is grass, but only a fifth of what it got.
    masks = [row((0, 3), width=8), row((0, 8), width=8)]
    result = fused(masks, [0.9, 0.8], draw("2222...."), claim=Greedy(1.0), veto=SemanticVeto())
    assert_map(result, "22211111")
    assert reasons(result) == {0: "veto"}


def test_of_equal_majorities_the_first_label_wins():
    for labels, winner in (("1122", SKY), ("2211", SKY), ("22.1", GRASS)):
        assert stuff_in(fused([row((0, 4), width=4)], [0.9], draw(labels), veto=SemanticVeto())) == [winner]


def test_below_one_half_the_largest_wins():
    result = fused([row((0, 6), width=6)], [0.9], draw("122..."), veto=SemanticVeto(0.1))
    assert stuff_in(result) == [GRASS]


def test_it_must_be_one_category():
    # Sky and grass are a majority only together.
    assert reasons(fused([row((0, 6), width=6)], [0.9], draw("1122.."), veto=SemanticVeto())) == {
        ("stuff", SKY): "covered",
        ("stuff", GRASS): "covered",
    }


def test_labels_of_one_category_count_together():
    meaning = {0: None, 1: GRASS, 4: SKY, 9: SKY}
    result = fused([row((0, 5), width=6)], [0.9], draw("499.11"), label_to_category=meaning, veto=SemanticVeto(0.6))
    assert_map(result, "222221")
    assert stuff_in(result) == [GRASS, SKY]


def test_labels_of_things_never_veto():
    meaning = {1: DOG, 2: SKY}
    assert instances_in(
        fused([row((0, 4), width=5)], [0.9], draw("11122"), label_to_category=meaning, veto=SemanticVeto())
    ) == [0]


def test_several_go_and_the_others_keep_their_rank():
    masks = [row((2 * k, 2 * k + 2), width=8) for k in range(4)]
    result = fused(masks, [0.6, 0.9, 0.7, 0.8], draw("11..22.."), veto=SemanticVeto())
    assert_map(result, "33114422")
    assert instances_in(result) == [1, 3]
    assert reasons(result) == {0: "veto", 2: "veto"}


def test_its_pixels_count_for_the_limit_of_stuff():
    # 2 pixels of grass are too few, with those of the instance there are 6.
    labels = draw("222..222")
    masks = [row((1, 5), width=8)]
    for thresh, drawn in ((8, "11111111"), (9, "........")):
        assert_map(fused(masks, [0.9], labels, stuff_area=thresh, veto=SemanticVeto()), drawn)


def test_stuff_of_too_few_pixels_leaves_void():
    result = fused([row((0, 3), width=6)], [0.9], draw("111..."), stuff_area=4, veto=SemanticVeto())
    assert_map(result, "......")
    assert reasons(result) == {0: "veto", ("stuff", SKY): "stuff_area"}


class TestNothingToDo:
    def test_no_stuff_in_the_labels(self):
        assert_map(fused([row((0, 2), width=3)], [0.9], draw("..."), veto=SemanticVeto(0.0)), "11.")

    def test_no_semantics(self):
        assert_map(fused([row((0, 2), width=3)], [0.9], veto=SemanticVeto()), "11.")

    def test_none_has_a_majority(self):
        instances = InstanceSet.from_bitmaps([row((0, 2), width=3)], [0.9], [CAT])
        claim = Claim(torch.tensor([[1, 1, 0]], dtype=torch.int32), {0: 2}, {})
        heads = HeadOutputs(instances, SemanticMap(draw("..1"), LABELS), CATEGORIES)
        assert SemanticVeto(0.0).veto(heads, claim) is claim


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_any_integer_type(dtype):
    labels = torch.from_numpy(draw("1.12")).to(dtype)
    instances = InstanceSet.from_bitmaps([row((0, 3), width=4)], [0.9], [CAT])
    result = fuse(
        instances, SemanticMap(labels, LABELS), CATEGORIES, Pipeline(stuff_area_thresh=0, veto=SemanticVeto())
    )
    assert_map(result, "1112")


def test_it_says_what_it_needs():
    assert needs_of(SemanticVeto()) == {Need.SEMANTIC_LABELS}


@pytest.mark.parametrize("majority", [0.0, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
class TestLaws:
    @pytest.fixture
    def pair(self, seed, majority):
        scene = make_scene(seed, image_size=(48, 65), instances=40, things=5, stuff=12)
        heads = HeadOutputs(scene.instances(), scene.semantics(), scene.categories)
        order = Pipeline().order.order(heads, range(40))
        claim = Greedy().claim(heads, order)
        before = claim.panoptic_seg.clone(), heads.semantics.labels.clone()
        after = SemanticVeto(majority).veto(heads, claim)
        assert np.array_equal(claim.panoptic_seg, before[0]) and torch.equal(heads.semantics.labels, before[1])
        return scene, claim, after

    def test_as_in_a_plain_version(self, pair, majority):
        scene, claim, after = pair
        labels, places = scene.semantic_labels.copy(), claim.panoptic_seg
        gone, kept = {}, {}
        for value, (index, area) in enumerate(claim.areas.items(), start=1):
            counts = np.bincount(scene.semantic_labels[places == value], minlength=13)[1:]
            if counts.max() > 0 and counts.max() / area >= majority:
                gone[index] = "veto"
                labels[places == value] = 1 + counts.argmax()
            else:
                kept[index] = area
        assert after.areas == kept
        assert after.dropped == {**claim.dropped, **gone}
        np.testing.assert_array_equal((after.semantics or scene.semantics()).labels.numpy(), labels)
        owners, new = np.array([-1, *claim.areas]), np.array([-1, *kept])
        expected = np.where(np.isin(owners[places], list(gone)), -1, owners[places])
        np.testing.assert_array_equal(new[after.panoptic_seg], expected)
        assert gone or majority > 0.5

    def test_what_stays_is_not_vetoed_again(self, pair, majority):
        scene, _, after = pair
        heads = HeadOutputs(scene.instances(), after.semantics or scene.semantics(), scene.categories)
        assert SemanticVeto(majority).veto(heads, after) is after


def test_of_several_labels_its_pixels_get_the_first():
    meaning = {0: None, 1: GRASS, 4: SKY, 9: SKY}
    instances = InstanceSet.from_bitmaps([row((0, 3), width=5)], [0.9], [CAT])
    claim = Claim(torch.tensor([[1, 1, 1, 0, 0]], dtype=torch.int32), {0: 3}, {})
    heads = HeadOutputs(instances, SemanticMap(draw("99.41"), meaning), CATEGORIES)
    assert SemanticVeto().veto(heads, claim).semantics.labels.tolist() == [[4, 4, 4, 4, 1]]


def test_logits_and_meaning_stay_with_the_labels():
    semantics = SemanticMap(draw("11"), logit_drawings.LABELS, np.zeros((4, 1, 2), dtype=np.float32))
    heads = HeadOutputs(
        InstanceSet.from_bitmaps([row((0, 2), width=2)], [0.9], [CAT]), semantics, logit_drawings.CATEGORIES
    )
    claim = Claim(torch.ones((1, 2), dtype=torch.int32), {0: 2}, {}, semantics)
    after = SemanticVeto().veto(heads, claim).semantics
    assert torch.equal(after.logits, semantics.logits) and after.label_to_category == semantics.label_to_category
