"""The stuff that stays, drawn: counted before or after things, and where labels are probable enough."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DroppedToVoid, Need, NextBest, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion import drawings
from tests.fusion.drawings import GRASS, SKY, assert_map, draw, reasons, row, stuff_in
from tests.fusion.logit_drawings import LABELS, SEA, THING_LABELS, channels, fused, random_semantics


def with_probabilities(labels: str, *of_label: float) -> SemanticMap:
    """One row of pixels whose labels have these probabilities, by four channels."""
    drawn = draw(labels)
    own = np.array([of_label], dtype=np.float64)
    logits = np.broadcast_to(np.log((1 - own) / 3), (4, *drawn.shape)).copy()
    np.put_along_axis(logits, drawn[None], np.log(own)[None], axis=0)
    return SemanticMap(drawn, LABELS, logits)


class TestCounted:
    LABELS = draw("1112222222")
    MASKS = [row((2, 6), width=10)]

    @pytest.mark.parametrize("thresh, kept", [(3, True), (4, True), (5, False)], ids=["above", "at", "below"])
    def test_after_things_took_theirs(self, thresh, kept):
        # Grass has 4 free pixels of 7.
        result = drawings.fused(self.MASKS, [0.9], self.LABELS, stuff_area=thresh, stuff=DroppedToVoid("after"))
        assert (GRASS in stuff_in(result)) == kept
        assert reasons(result).get(("stuff", GRASS)) == (None if kept else "stuff_area")

    @pytest.mark.parametrize("thresh, kept", [(6, True), (7, True), (8, False)], ids=["above", "at", "below"])
    def test_before(self, thresh, kept):
        result = drawings.fused(self.MASKS, [0.9], self.LABELS, stuff_area=thresh, stuff=DroppedToVoid("before"))
        assert (GRASS in stuff_in(result)) == kept
        if kept:
            assert result.segments_info[-1]["area"] == 4

    def test_whatever_counts_it_needs_a_free_pixel(self):
        result = drawings.fused([row((0, 3), width=5)], [0.9], draw("11122"), stuff=DroppedToVoid("before"))
        assert reasons(result) == {("stuff", SKY): "covered"}
        assert_map(result, "11122")

    @pytest.mark.parametrize("counted, kept", [("after", 4), ("before", 7)])
    def test_a_fraction_of_the_image_is_of_the_same_pixels(self, counted, kept):
        for fraction, there in ((kept / 10, True), (np.nextafter(kept / 10, 1), False)):
            result = drawings.fused(
                self.MASKS, [0.9], self.LABELS, stuff_area_fraction=fraction, stuff=DroppedToVoid(counted)
            )
            assert (GRASS in stuff_in(result)) == there

    def test_several_labels_of_one_category_count_together(self):
        meaning = {0: None, 1: SKY, 2: GRASS, 3: SKY}
        for counted, pixels in (("after", 4), ("before", 6)):
            for limit, drawn in ((pixels, "2112.22"), (pixels + 1, ".11....")):
                result = drawings.fused(
                    [row((1, 3), width=7)], [0.9], draw("1333.13"), label_to_category=meaning, stuff_area=limit,
                    stuff=DroppedToVoid(counted),
                )  # fmt: skip
                assert_map(result, drawn)


@pytest.mark.parametrize("counted", ["after", "before"])
@pytest.mark.parametrize("rule", [DroppedToVoid, NextBest])
class TestProbabilityFloor:
    def test_the_floor_itself_is_enough(self, rule, counted):
        # Equal logits of four channels are exactly a quarter each.
        semantics = SemanticMap(draw("123"), LABELS, np.zeros((4, 1, 3), dtype=np.float32))
        assert_map(fused(semantics, stuff=rule(counted, 0.25)), "123")
        above = fused(semantics, stuff=rule(counted, np.nextafter(0.25, 1)))
        assert_map(above, "...")
        assert reasons(above) == dict.fromkeys([("stuff", SKY), ("stuff", GRASS), ("stuff", SEA)], "probability")

    def test_pixels_below_it_are_void_and_do_not_count(self, rule, counted):
        semantics = with_probabilities("1111", 0.9, 0.4, 0.6, 0.5)
        for limit, drawn in ((2, "1.1."), (3, "....")):
            result = fused(semantics, stuff=rule(counted, 0.55), stuff_area_thresh=limit)
            assert_map(result, drawn)
        assert reasons(result) == {("stuff", SKY): "stuff_area"}

    def test_pixels_of_things_count_before_if_they_are_probable(self, rule, counted):
        # Of five pixels of sky four are probable, and three of these are free.
        semantics = with_probabilities("11111", 0.9, 0.9, 0.9, 0.4, 0.9)
        for limit, kept in ((3, True), (4, counted == "before"), (5, False)):
            result = fused(semantics, [row((0, 1), width=5)], [0.9], stuff=rule(counted, 0.5), stuff_area_thresh=limit)
            assert_map(result, "122.2" if kept else "1....")

    def test_without_a_free_pixel_it_is_covered_however_improbable(self, rule, counted):
        semantics = with_probabilities("1122", 0.3, 0.3, 0.3, 0.9)
        result = fused(semantics, [row((0, 3), width=4)], [0.9], stuff=rule(counted, 0.5))
        assert reasons(result) == {("stuff", SKY): "covered"}

    def test_improbable_where_it_is_free(self, rule, counted):
        # The probable pixel is the cat's.
        semantics = with_probabilities("112", 0.9, 0.3, 0.9)
        result = fused(semantics, [row((0, 1), width=3)], [0.9], stuff=rule(counted, 0.5))
        assert_map(result, "1.2")
        assert reasons(result) == {("stuff", SKY): "probability"}

    def test_at_1_nothing_stays(self, rule, counted):
        assert stuff_in(fused(with_probabilities("11", 0.9, 0.999), stuff=rule(counted, 1.0))) == []

    def test_of_things_labels_no_channel_is_asked_for(self, rule, counted):
        meaning = {**LABELS, 9: None}
        semantics = SemanticMap(draw("19."), meaning, np.zeros((4, 1, 3)))
        assert_map(fused(semantics, stuff=rule(counted, 0.25)), "1..")

    def test_stuff_without_a_channel_is_an_error(self, rule, counted):
        semantics = SemanticMap(draw("15"), {**LABELS, 5: SKY}, np.zeros((4, 1, 2)))
        with pytest.raises(InputError, match="needs logits of every label, but there are 4 channels and label 5"):
            fused(semantics, stuff=rule(counted, 0.25))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_logits_of_any_precision(self, rule, counted, dtype):
        logits = torch.zeros((4, 1, 3), dtype=dtype)
        logits[1, 0, 0] = 2.0
        semantics = SemanticMap(draw("112"), LABELS, logits)
        assert_map(fused(semantics, stuff=rule(counted, 0.25)), "112")
        # A thousand logits of 0 in half precision add up to more than 1000 there.
        many = SemanticMap(draw("1"), {0: None, 1: SKY}, torch.zeros((3000, 1, 1), dtype=dtype))
        assert_map(fused(many, stuff=rule(counted, 1 / 3000)), "1")
        assert_map(fused(many, stuff=rule(counted, np.nextafter(1 / 3000, 1))), ".")

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_logits_that_are_not_finite_are_one_error(self, rule, counted, value):
        logits = np.zeros((4, 1, 2), dtype=np.float32)
        logits[2, 0, 1] = value
        with pytest.raises(InputError, match="needs semantic logits that are finite, but some are NaN or infinite"):
            fused(SemanticMap(draw("11"), LABELS, logits), stuff=rule(counted, 0.25))

    def test_without_logits_it_is_an_error(self, rule, counted):
        with pytest.raises(InputError, match="needs semantic logits, but there are only labels; give logits, or anoth"):
            fused(SemanticMap(draw("11"), LABELS), stuff=rule(counted, 0.25))


def test_without_a_floor_no_logits_are_needed():
    assert needs_of(DroppedToVoid()) == frozenset()
    assert needs_of(DroppedToVoid(probability_floor=0.1)) == {Need.LOGITS}
    wrong = SemanticMap(draw("11"), LABELS, np.full((4, 1, 2), np.nan))
    assert_map(fused(wrong, stuff=DroppedToVoid()), "11")


@pytest.mark.parametrize("counted", ["after", "before"])
@pytest.mark.parametrize("floor", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_as_in_a_plain_version(seed, floor, counted):
    scene = make_scene(seed, image_size=(48, 65), instances=20, things=5, stuff=12)
    semantics = random_semantics(seed, scene.semantic_labels, dict(enumerate(scene.label_to_category)))
    before = semantics.labels.clone(), semantics.logits.clone()
    pipeline = Pipeline(instances_score_thresh=0.2, stuff_area_thresh=100, stuff=DroppedToVoid(counted, floor))
    result = fuse(scene.instances(), semantics, scene.categories, pipeline)
    assert torch.equal(semantics.labels, before[0]) and torch.equal(semantics.logits, before[1])

    things = fuse(scene.instances(), None, scene.categories, pipeline)
    taken, expected = things.panoptic_seg > 0, things.panoptic_seg.copy()
    softmax = np.exp(semantics.logits.double().numpy())
    softmax /= softmax.sum(axis=0)
    own = np.take_along_axis(softmax, scene.semantic_labels[None], axis=0)[0]
    told, next_id = {}, len(things.segments_info) + 1
    for label in np.unique(scene.semantic_labels[scene.semantic_labels > 0]):
        mine = scene.semantic_labels == label
        probable, category_id = mine & (own >= floor), scene.label_to_category[label]
        if not (mine & ~taken).any():
            told["stuff", category_id] = "covered"
        elif not (probable & ~taken).any():
            told["stuff", category_id] = "probability"
        elif (probable if counted == "before" else probable & ~taken).sum() < 100:
            told["stuff", category_id] = "stuff_area"
        else:
            expected[probable & ~taken] = next_id
            next_id += 1
    np.testing.assert_array_equal(result.panoptic_seg, expected)
    assert {who: reason for who, reason in reasons(result).items() if isinstance(who, tuple)} == told
    areas = np.bincount(expected.ravel(), minlength=next_id)
    assert [segment["area"] for segment in result.segments_info] == areas[1:].tolist()


def test_labels_of_things_get_no_stuff():
    semantics = SemanticMap(draw("1234"), THING_LABELS, channels("....", "9...", ".9..", "..9.", "...9"))
    assert_map(fused(semantics, stuff=DroppedToVoid(probability_floor=0.9)), ".1.2")
