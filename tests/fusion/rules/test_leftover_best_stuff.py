"""Leftover pixels join their best stuff, drawn, and what the best stuff of a pixel is."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.ablation.cache.predictions import SemanticRuns
from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import BestStuff, DroppedToVoid, Need, NextBest, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.head_outputs import needs_of
from panoptic_heuristic.fusion.rules.leftover_best_stuff import NO_STUFF, best_stuff
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, GRASS, SKY, assert_map, draw, mask, reasons, stuff_in
from tests.fusion.logit_drawings import LABELS, THING_LABELS, channels, fused, random_semantics


def logits_of(*probabilities):
    """(C, 1, W) logits with these probabilities, a list per channel."""
    return torch.tensor(probabilities, dtype=torch.float64).log()[:, None]


def test_things_count_in_the_probability_and_never_win():
    # Channel 0 is things: it is the label of the first two pixels.
    logits = logits_of([0.7, 0.8, 0.1], [0.2, 0.1, 0.3], [0.1, 0.1, 0.6])
    labels, above = best_stuff(logits, [1, 2], 0.15)
    # Of the equal ones the first.
    assert labels.tolist() == [[1, 1, 2]]
    assert above.tolist() == [[True, False, True]]


@pytest.mark.parametrize("floor, above", [(0.5 - 1e-9, True), (0.5, True), (0.5 + 1e-9, False)])
def test_the_floor_itself_is_above_it(floor, above):
    # In float32 too: the floor is compared in float64, so that a billionth counts.
    assert best_stuff(torch.zeros(2, 1, 1), [1], floor)[1].tolist() == [[above]]


def test_it_is_the_label_where_the_label_is_stuff():
    logits = torch.randint(-3, 3, (6, 20, 30), generator=torch.Generator().manual_seed(0)).float()
    labels, stuff = logits.argmax(dim=0), [1, 2, 5]
    best, _ = best_stuff(logits, stuff, 0.25)
    is_stuff = torch.isin(labels, torch.tensor(stuff))
    assert is_stuff.any() and not is_stuff.all()
    assert torch.equal(best[is_stuff], labels[is_stuff])
    assert torch.isin(best, torch.tensor(stuff)).all()


def test_probabilities_are_those_of_the_softmax():
    logits = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(1))
    labels, above = best_stuff(logits, [0, 3], 0.25)
    probabilities = logits.double().softmax(dim=0).gather(0, labels[None])[0]
    clear = (probabilities - 0.25).abs() > 1e-12
    assert (above == (probabilities >= 0.25))[clear].all()
    assert 0 < above.double().mean() < 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_floating_point(dtype):
    labels, above = best_stuff(torch.tensor([[[3, 0]], [[0, 1]], [[1, 2]]], dtype=dtype), [1, 2], 0.5)
    assert labels.tolist() == [[2, 2]] and above.tolist() == [[False, True]]


def test_without_stuff_or_floor_nothing_is_above_it():
    labels, above = best_stuff(torch.zeros(2, 3, 4), [], 0.0)
    assert (labels == NO_STUFF).all() and not above.any() and labels.shape == above.shape == (3, 4)
    labels, above = best_stuff(torch.zeros(2, 3, 4), [1], None)
    assert (labels == 1).all() and not above.any()


def test_minus_infinity_is_a_logit():
    logits = torch.tensor([[[0.0]], [[-np.inf]], [[-np.inf]]])
    labels, above = best_stuff(logits, [1, 2], 0.0)
    assert labels.tolist() == [[1]] and above.tolist() == [[True]]


@pytest.mark.parametrize("channel_count", [2, 7, 54])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_an_answer_does_not_depend_on_the_pixels_around(channel_count, dtype):
    # What is kept of a whole image must be what fusing asks for some of its pixels, to the last bit:
    # the floor is a probability that occurs.
    generator = torch.Generator().manual_seed(channel_count)
    logits = torch.randn(channel_count, 37, 41, generator=generator).to(dtype)
    stuff = list(range(1, channel_count))
    labels, _ = best_stuff(logits, stuff, None)
    softmax = logits.double().exp() / logits.double().exp().sum(dim=0)
    for pixel in range(0, 37 * 41, 61):
        floor = softmax.flatten(1)[labels.flatten()[pixel], pixel].item()
        _, above = best_stuff(logits, stuff, floor)
        where = torch.rand(37, 41, generator=generator) < 0.4
        for part in (where, where.roll(1), torch.arange(37 * 41).view(37, 41) == pixel):
            some, some_above = best_stuff(logits[:, part], stuff, floor)
            assert torch.equal(some, labels[part]) and torch.equal(some_above, above[part])


class TestLeftover:
    MASKS = [
        mask(
            """
            .....
            .##..
            .....
            """
        )
    ]
    SCENE = draw(
        """
        11222
        1..22
        1...2
        """
    )
    # Of the four leftover pixels the first looks like sky, the next like grass, the last like the sea.
    LOGITS = channels(
        """
        .....
        .33..
        .333.
        """,
        """
        44...
        4222.
        43...
        """,
        """
        ..444
        ...44
        ..3.4
        """,
        """
        .....
        .....
        ...3.
        """,
    )

    def test_they_join_the_stuff_that_is_there(self):
        result = fused(SemanticMap(self.SCENE, LABELS, self.LOGITS), self.MASKS, [0.9], leftover=BestStuff())
        # No sea is in the map, so the pixel that looks like it stays void.
        assert_map(
            result,
            """
            22333
            21133
            223.3
            """,
        )
        assert stuff_in(result) == [SKY, GRASS]
        assert reasons(result) == {}

    def test_not_what_was_dropped(self):
        result = fused(
            SemanticMap(self.SCENE, LABELS, self.LOGITS), self.MASKS, [0.9], leftover=BestStuff(),
            stuff_area_thresh_of={SKY: 5},
        )  # fmt: skip
        # Where sky was there is void, too, though grass is the next best.
        assert_map(
            result,
            """
            ..222
            .1122
            ..2.2
            """,
        )

    def test_not_where_an_instance_is(self):
        result = fused(SemanticMap(self.SCENE, LABELS, self.LOGITS), self.MASKS, [0.9], leftover=BestStuff(0.0))
        assert (result.panoptic_seg == 1).sum() == 2

    def test_where_an_instance_was_dropped(self):
        # Its two pixels are sky with a probability of 0.2507.
        result = fused(SemanticMap(self.SCENE, LABELS, self.LOGITS), self.MASKS, [0.1], leftover=BestStuff(0.251))
        assert_map(
            result,
            """
            11222
            1..22
            112.2
            """,
        )
        lower = fused(SemanticMap(self.SCENE, LABELS, self.LOGITS), self.MASKS, [0.1], leftover=BestStuff())
        assert_map(
            lower,
            """
            11222
            11122
            112.2
            """,
        )


@pytest.mark.parametrize("floor, drawn", [(0.25 - 1e-12, "11"), (0.25, "11"), (0.25 + 1e-12, "1.")], ids=str)
def test_the_floor_itself_is_enough(floor, drawn):
    logits = np.zeros((4, 1, 2), dtype=np.float32)
    logits[1, 0, 0] = 5
    assert_map(fused(SemanticMap(draw("1."), LABELS, logits), leftover=BestStuff(floor)), drawn)


def test_the_default_is_that_of_jsis_net():
    assert BestStuff() == BestStuff(0.25)


def test_void_of_stuff_stays_void():
    # Sky is too small, and grass would be there.
    semantics = SemanticMap(draw("122"), LABELS, channels("...", "9..", "899", "..."))
    assert_map(fused(semantics, leftover=BestStuff(0.0), stuff_area_thresh=2), ".11")
    improbable = SemanticMap(draw("22"), LABELS, channels("..", "..", "92", "22"))
    assert_map(fused(improbable, stuff=DroppedToVoid(probability_floor=0.9), leftover=BestStuff(0.0)), "1.")


def test_it_comes_after_the_limit_of_stuff():
    # A leftover pixel does not make two of one.
    semantics = SemanticMap(draw("1."), LABELS, channels(".9", "98", "..", ".."))
    assert_map(fused(semantics, leftover=BestStuff(0.0), stuff_area_thresh=2), "..")


class TestLabels:
    def test_of_single_things_are_left_over_too(self):
        logits = channels("......", ".9....", "9.8..9", "..9...", "...9.8")
        result = fused(SemanticMap(draw("213422"), THING_LABELS, logits), leftover=BestStuff(0.1))
        assert_map(result, "1.1211")

    def test_of_one_category_are_one_segment(self):
        meaning = {0: None, 1: SKY, 2: SKY}
        logits = channels(".9", "9.", ".8")
        assert_map(fused(SemanticMap(draw("1."), meaning, logits), leftover=BestStuff()), "11")

    def test_labels_beyond_the_channels_are_no_best_stuff(self):
        semantics = SemanticMap(draw("15."), {0: None, 1: SKY, 5: GRASS}, channels("..9", "9.8"))
        assert_map(fused(semantics, leftover=BestStuff()), "121")

    def test_no_label_means_stuff(self):
        semantics = SemanticMap(draw(".1"), [None, CAT], channels("9.", ".9"))
        assert_map(fused(semantics, leftover=BestStuff(0.0)), "..")

    def test_nothing_is_left_over(self):
        assert_map(fused(SemanticMap(draw("12"), LABELS, np.zeros((4, 1, 2))), leftover=BestStuff()), "12")

    def test_no_stuff_is_in_the_map(self):
        assert_map(fused(SemanticMap(draw(".."), LABELS, np.zeros((4, 1, 2))), leftover=BestStuff(0.0)), "..")


class TestKept:
    """The best stuff that a prediction cache keeps in place of logits."""

    def semantics(self, floor=0.25):
        best, above = draw("1231"), np.array([[True, True, True, False]])
        best[0, 2] = NO_STUFF
        return SemanticMap(draw("1..."), LABELS, best_stuff=(best, above), best_stuff_floor=floor)

    def test_it_is_used(self):
        # Of the leftover pixels one has stuff that is not in the map, one none, and one is improbable.
        assert_map(fused(self.semantics(), leftover=BestStuff()), "1...")
        best = np.array([[1, 1, 1, 1]], dtype=np.uint16)
        semantics = SemanticMap(draw("1..."), LABELS, None, (best, np.array([[True, True, False, True]])), 0.25)
        assert_map(fused(semantics, leftover=BestStuff()), "11.1")

    def test_logits_are_used_before_it(self):
        kept = self.semantics()
        logits = channels(".999", "9888", "....", "....")
        both = SemanticMap(kept.labels, LABELS, logits, kept.best_stuff, 0.25)
        assert_map(fused(both, leftover=BestStuff(0.1)), "1111")

    @pytest.mark.parametrize("floor", [0.2, None, np.nextafter(0.25, 1)])
    def test_the_floor_must_be_the_same(self, floor):
        message = f"the floor of best_stuff is 0.25, but the predictions were kept with the floor {floor}; use that one"
        with pytest.raises(InputError, match=message):
            fused(self.semantics(floor), leftover=BestStuff())

    def test_its_size_is_checked(self):
        wrong, right = np.zeros((1, 3), dtype=int), np.zeros((1, 4), dtype=int)
        for pair in ((wrong, right), (right, wrong)):
            with pytest.raises(InputError, match=r"the best stuff is \(1, 3\), but the labels \(1, 4\)"):
                SemanticMap(draw("1..."), LABELS, best_stuff=pair)


def test_it_says_what_it_needs():
    assert needs_of(BestStuff()) == {Need.BEST_STUFF}
    for semantics in (SemanticMap(draw("1."), LABELS), SemanticMap(draw("11"), LABELS)):
        with pytest.raises(
            InputError, match="best_stuff needs semantic logits, but there are only labels; give logits"
        ):
            fused(semantics, leftover=BestStuff())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_one_error(value):
    logits = np.zeros((4, 1, 2))
    logits[3, 0, 0] = value
    with pytest.raises(InputError, match="best_stuff needs semantic logits that are finite, but some are NaN or inf"):
        fused(SemanticMap(draw("1."), LABELS, logits), leftover=BestStuff())


@pytest.mark.parametrize("stuff", [DroppedToVoid(), NextBest()], ids=str)
@pytest.mark.parametrize("seed", range(4))
class TestLaws:
    @pytest.fixture
    def run(self, seed, stuff):
        scene = make_scene(seed, image_size=(48, 65), instances=20, things=5, stuff=12)
        semantics = random_semantics(seed, scene.semantic_labels, dict(enumerate(scene.label_to_category)), 0.5)

        def run(semantics=semantics, **leftover):
            pipeline = Pipeline(instances_score_thresh=0.9, stuff_area_thresh=300, stuff=stuff, **leftover)
            return fuse(scene.instances(), semantics, scene.categories, pipeline)

        return scene, semantics, run

    def test_it_only_adds_leftover_pixels_to_stuff(self, run):
        scene, _, run = run
        without, filled = run(), run(leftover=BestStuff(0.1))
        there = without.panoptic_seg > 0
        assert np.array_equal(filled.panoptic_seg[there], without.panoptic_seg[there])
        assert filled.dropped == without.dropped
        things = sum(segment["isthing"] for segment in without.segments_info)
        gained = (filled.panoptic_seg > 0) & ~there
        assert gained.any() and (filled.panoptic_seg[gained] > things).all()
        assert (scene.semantic_labels[gained] == 0).all()
        counts = np.bincount(filled.panoptic_seg.ravel(), minlength=len(filled.segments_info) + 1).tolist()
        assert [segment["area"] for segment in filled.segments_info] == counts[1:]
        without_area = [[{**s, "area": None} for s in result.segments_info] for result in (without, filled)]
        assert without_area[0] == without_area[1]

    def test_void_grows_with_the_floor(self, run):
        void = np.zeros((48, 65), dtype=bool)
        for floor in (0.0, 0.08, 0.1, 0.12, 0.2, 1.0):
            at_floor = run[2](leftover=BestStuff(floor)).panoptic_seg == 0
            assert not (void & ~at_floor).any()
            void = at_floor
        np.testing.assert_array_equal(void, run[2]().panoptic_seg == 0)

    @pytest.mark.parametrize("floor", [0.0, 0.1, 0.12])
    def test_as_in_a_plain_version(self, run, floor):
        scene, semantics, run = run
        without, filled = run(), run(leftover=BestStuff(floor))
        softmax = np.exp(semantics.logits.double().numpy())
        softmax /= softmax.sum(axis=0)
        best = 1 + softmax[1:].argmax(axis=0)
        id_of = {s["category_id"]: s["id"] for s in without.segments_info if not s["isthing"]}
        expected = without.panoptic_seg.copy()
        for y, x in zip(*np.nonzero((expected == 0) & (scene.semantic_labels == 0)), strict=True):
            if softmax[best[y, x], y, x] >= floor:
                expected[y, x] = id_of.get(scene.label_to_category[best[y, x]], 0)
        np.testing.assert_array_equal(filled.panoptic_seg, expected)

    def test_from_what_a_cache_keeps_it_is_the_same(self, run):
        scene, semantics, _ = run
        stuff = list(range(1, 13))
        best, above = (one.numpy() for one in best_stuff(semantics.logits, stuff, 0.1))
        runs = SemanticRuns.of_maps(scene.semantic_labels, best, above)
        maps = [runs.to_map(values, (48, 65)) for values in (runs.best_stuff, runs.above_floor.astype(np.uint8))]
        kept = SemanticMap(
            scene.semantic_labels, scene.label_to_category, None, (maps[0].astype(int), maps[1] > 0), 0.1
        )
        pipeline = Pipeline(instances_score_thresh=0.9, stuff_area_thresh=300, leftover=BestStuff(0.1))
        results = [fuse(scene.instances(), one, scene.categories, pipeline) for one in (semantics, kept)]
        assert results[0].panoptic_seg.tobytes() == results[1].panoptic_seg.tobytes()
        assert results[0].segments_info == results[1].segments_info
