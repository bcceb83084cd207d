"""Stuff whose dropped pixels go to the next best stuff, drawn."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import DroppedToVoid, Need, NextBest, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import GRASS, SKY, assert_map, draw, reasons, row, stuff_in
from tests.fusion.logit_drawings import LABELS, SEA, THING_LABELS, channels, fused, random_semantics


def test_pixels_of_what_is_too_small_go_to_the_stuff_with_the_largest_logit_there():
    labels = draw(
        """
        111133
        112233
        11.233
        """
    )
    logits = channels(
        """
        ......
        ......
        ..9...
        """,
        """
        999911
        993199
        991499
        """,
        """
        ......
        ..99..
        ...9..
        """,
        """
        ......
        ..2599
        ...399
        """,
    )
    logits[3, 0, 4:] = logits[3, 1:, 4:] = 9.5
    result = fused(SemanticMap(labels, LABELS, logits), stuff=NextBest(), stuff_area_thresh=4)
    # Grass has 3 pixels: sky has 3, 1 and 4 there and the sea 2, 5 and 3. The label of things stays void.
    assert_map(
        result,
        """
        111122
        111222
        11.122
        """,
    )
    assert stuff_in(result) == [SKY, SEA]
    assert reasons(result) == {("stuff", GRASS): "stuff_area"}


@pytest.mark.parametrize("thresh, drawn", [(1, "1122"), (2, "1122"), (3, "....")], ids=["above", "at", "below"])
def test_nothing_moves_while_nothing_is_too_small(thresh, drawn):
    semantics = SemanticMap(draw("1122"), LABELS, channels("....", "99..", "..99", "...."))
    assert_map(fused(semantics, stuff=NextBest(), stuff_area_thresh=thresh), drawn)


def test_what_stays_is_decided_by_its_own_pixels():
    # With the pixel of grass the sea would have two, but it is too small itself.
    semantics = SemanticMap(draw("11123"), LABELS, channels("." * 5, "999..", "...9.", "...89"))
    result = fused(semantics, stuff=NextBest(), stuff_area_thresh=2)
    assert_map(result, "11111")
    assert reasons(result) == {("stuff", GRASS): "stuff_area", ("stuff", SEA): "stuff_area"}


def test_a_larger_logit_of_a_thing_or_of_what_goes_does_not_matter():
    logits = channels("...8.", "99.1.", "..798", "..5..")
    result = fused(SemanticMap(draw("11222"), LABELS, logits), stuff=NextBest(), stuff_area_thresh_of={GRASS: 4})
    assert_map(result, "11111")


def test_of_equal_logits_the_first_label_wins():
    logits = channels("...", "9.4", ".94", "..9")
    result = fused(SemanticMap(draw("123"), LABELS, logits), stuff=NextBest(), stuff_area_thresh_of={SEA: 2})
    assert_map(result, "121")


def test_if_none_stays_pixels_are_void():
    semantics = SemanticMap(draw("112."), LABELS, channels("...9", "99..", "..9.", "...."))
    result = fused(semantics, stuff=NextBest(), stuff_area_thresh=3)
    assert_map(result, "....")
    assert reasons(result) == {("stuff", SKY): "stuff_area", ("stuff", GRASS): "stuff_area"}


def test_only_free_pixels_move():
    semantics = SemanticMap(draw("11222"), LABELS, channels("." * 5, "99...", "..999", "." * 5))
    result = fused(semantics, [row((2, 4), width=5)], [0.9], stuff=NextBest(), stuff_area_thresh=2)
    assert_map(result, "22112")


def test_what_is_covered_is_no_next_best():
    # The cat is on all of the sea, where grass would go.
    semantics = SemanticMap(draw("1123"), LABELS, channels("....", "99..", "..9.", "..89"))
    result = fused(semantics, [row((3, 4), width=4)], [0.9], stuff=NextBest(), stuff_area_thresh_of={GRASS: 2})
    assert_map(result, "2221")
    assert reasons(result) == {("stuff", GRASS): "stuff_area", ("stuff", SEA): "covered"}


def test_what_counts_decides_who_gains():
    semantics = SemanticMap(draw("111223"), LABELS, channels("." * 6, "999..7", "...99.", "." * 5 + "9"))
    for counted, thresh, stays in (("before", 3, SKY), ("after", 2, GRASS)):
        result = fused(semantics, [row((1, 3), width=6)], [0.9], stuff=NextBest(counted), stuff_area_thresh=thresh)
        assert_map(result, "211222")
        assert stuff_in(result) == [stays]


class TestFloor:
    def test_it_is_about_the_label_that_a_pixel_had(self):
        # Two pixels of grass: one with 1/2 for it and next to nothing for sky, one below the floor.
        logits = np.log(
            np.float64([[[0.05, 0.44, 0.3]], [[0.9, 0.01, 0.2]], [[0.02, 0.5, 0.35]], [[0.03, 0.05, 0.15]]])
        )
        semantics = SemanticMap(draw("122"), LABELS, logits)
        result = fused(semantics, stuff=NextBest(probability_floor=0.45), stuff_area_thresh_of={GRASS: 3})
        assert_map(result, "11.")

    @pytest.mark.parametrize("floor, drawn", [(0.25, "111"), (np.nextafter(0.25, 1), "11.")], ids=["at", "above"])
    def test_the_floor_itself_is_enough(self, floor, drawn):
        logits = np.zeros((4, 1, 3), dtype=np.float32)
        logits[1, 0, :2] = 5
        semantics = SemanticMap(draw("112"), LABELS, logits)
        result = fused(semantics, stuff=NextBest(probability_floor=floor), stuff_area_thresh_of={GRASS: 2})
        assert_map(result, drawn)

    def test_improbable_stuff_gains_nothing(self):
        # No pixel of the sea is probable enough, so that it is not there to go to.
        logits = channels("...", "7..", ".7.", ".66")
        logits[0, 0, 2] = 6
        semantics = SemanticMap(draw("123"), LABELS, logits)
        result = fused(semantics, stuff=NextBest(probability_floor=0.6), stuff_area_thresh_of={GRASS: 2})
        assert_map(result, "11.")
        assert reasons(result) == {("stuff", GRASS): "stuff_area", ("stuff", SEA): "probability"}


class TestLabels:
    def test_a_category_of_several_labels_has_the_largest_of_their_logits(self):
        meaning = {0: None, 1: SKY, 2: GRASS, 3: SEA, 4: SKY}
        # Label 4 occurs nowhere, but means sky too.
        logits = channels("....", "99..", "..9.", "...9", "..8.")
        logits[3, 0, 2] = 7
        result = fused(SemanticMap(draw("1123"), meaning, logits), stuff=NextBest(), stuff_area_thresh_of={GRASS: 2})
        assert_map(result, "1112")
        assert [segment["area"] for segment in result.segments_info] == [3, 1]

    def test_labels_without_a_channel_gain_nothing(self):
        meaning = {**LABELS, 5: SEA}
        logits = channels("...", "9..", ".9.", "...")
        semantics = SemanticMap(draw("125"), {0: None, 1: SKY, 2: GRASS, 5: SEA}, logits[:3])
        result = fused(semantics, stuff=NextBest(), stuff_area_thresh_of={GRASS: 2})
        assert_map(result, "112")
        only = SemanticMap(draw("225"), {0: None, 1: SKY, 2: GRASS, 5: SEA}, logits[:3])
        assert_map(fused(only, stuff=NextBest(), stuff_area_thresh_of={GRASS: 3}), "..1")
        assert set(meaning) > set(semantics.label_to_category)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
    def test_of_any_integer_type(self, dtype):
        # The channel that wins does not fit into 8 bits.
        meaning = {0: None, 1: GRASS, 2: SKY, 299: SKY}
        logits = torch.zeros(300, 1, 3)
        logits[2, 0, 0] = logits[1, 0, 1:] = 9
        logits[299, 0, 1:] = 8
        semantics = SemanticMap(torch.tensor([[2, 1, 1]], dtype=dtype), meaning, logits)
        assert_map(fused(semantics, stuff=NextBest(), stuff_area_thresh_of={GRASS: 3}), "111")

    def test_heads_with_labels_of_things(self):
        logits = channels("....", "9..8", ".9..", "..9.", ".2.9")
        semantics = SemanticMap(draw("1234"), THING_LABELS, logits)
        result = fused(semantics, stuff=NextBest(), stuff_area_thresh_of={GRASS: 2})
        # Thing labels stay void, and dog is no next best.
        assert_map(result, ".1.1")

    def test_no_stuff_at_all(self):
        assert_map(fused(SemanticMap(draw(".."), LABELS, np.zeros((4, 1, 2))), stuff=NextBest()), "..")


def test_it_needs_logits_even_if_nothing_moves():
    assert needs_of(NextBest()) == needs_of(NextBest("before", 0.25)) == {Need.LOGITS}
    with pytest.raises(InputError, match="next_best needs semantic logits, but there are only labels; give logits, or"):
        fused(SemanticMap(draw("11"), LABELS), stuff=NextBest())
    with pytest.raises(
        InputError, match="next_best needs semantic logits that are finite, but some are NaN or infinite"
    ):
        fused(SemanticMap(draw("11"), LABELS, np.full((4, 1, 2), np.nan)), stuff=NextBest())


@pytest.mark.parametrize("counted", ["after", "before"])
@pytest.mark.parametrize("floor", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(4))
class TestLaws:
    @pytest.fixture
    def run(self, seed, floor, counted):
        scene = make_scene(seed, image_size=(48, 65), instances=20, things=5, stuff=12)
        semantics = random_semantics(seed, scene.semantic_labels, dict(enumerate(scene.label_to_category)))

        def run(stuff):
            pipeline = Pipeline(instances_score_thresh=0.2, stuff_area_thresh=450, stuff=stuff)
            return fuse(scene.instances(), semantics, scene.categories, pipeline)

        return scene, semantics, run(DroppedToVoid(counted, floor)), run(NextBest(counted, floor))

    def test_it_only_adds_pixels_to_segments_that_stay_anyway(self, run):
        _, _, plain, moved = run
        assert moved.dropped == plain.dropped
        there = plain.panoptic_seg > 0
        assert np.array_equal(moved.panoptic_seg[there], plain.panoptic_seg[there])
        without_area = [[{**s, "area": None} for s in result.segments_info] for result in (plain, moved)]
        assert without_area[0] == without_area[1]

    def test_where_stuff_stays_a_probable_pixel_of_stuff_is_not_void(self, run, floor):
        scene, semantics, plain, moved = run
        own = semantics.label_probabilities(torch.ones(48, 65, dtype=torch.bool), "a test").view(48, 65).numpy()
        expected = (scene.semantic_labels == 0) | (own < floor)
        things = sum(segment["isthing"] for segment in plain.segments_info)
        ids = moved.panoptic_seg
        assert len(plain.segments_info) > things
        np.testing.assert_array_equal(ids == 0, expected & ~((ids > 0) & (ids <= things)))
        assert ((plain.panoptic_seg == 0) & ~expected).any()

    def test_moved_pixels_are_where_a_plain_argmax_says(self, run):
        scene, semantics, plain, moved = run
        stays = [s["category_id"] for s in plain.segments_info if not s["isthing"]]
        labels = [label for label, one in enumerate(scene.label_to_category) if one in stays]
        best = np.array(labels)[semantics.logits.numpy()[labels].argmax(axis=0)]
        id_of = {s["category_id"]: s["id"] for s in moved.segments_info if not s["isthing"]}
        where = (plain.panoptic_seg == 0) & (moved.panoptic_seg > 0)
        expected = [id_of[scene.label_to_category[label]] for label in best[where].tolist()]
        assert moved.panoptic_seg[where].tolist() == expected and len(expected)
