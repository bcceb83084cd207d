"""Borders that move to where colours change, drawn."""

import sys

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    DenseCrf,
    DroppedCandidate,
    FusionResult,
    InstanceSet,
    Pipeline,
    SemanticMap,
    fuse,
)
from tests.fusion.border_drawings import heads_of, paint, result_of
from tests.fusion.drawings import CAT, CATEGORIES, GRASS, LABELS, SKY, assert_map, draw, reasons, row
from tests.fusion.runs import needs_pydensecrf


def refined(before: str, image: str, stuff=(), move_things=True, **parameters) -> FusionResult:
    rule = DenseCrf(move_things=move_things, **parameters)
    return rule.refine(heads_of(paint(image)), result_of(draw(before), stuff))


def refined_stuff(before: str, image: str, **parameters) -> FusionResult:
    """As it is by default, of a map whose last two segments are sky and grass, in that order."""
    return refined(before, image, stuff=[SKY, GRASS], move_things=False, **parameters)


@needs_pydensecrf
class TestBorders:
    def test_a_jagged_border_becomes_that_of_the_image(self):
        before = """
            11111222222222222222
            11111112222222222222
            11112222222222222222
            11111111222222222222
            11111222222222222222
            11111112222222222222
            """
        assert_map(refined(before, "rrrrrrgggggggggggggg " * 6, radius=2), "11111122222222222222 " * 6)

    @pytest.mark.parametrize("radius, border", [(0, 6), (1, 5), (2, 4), (3, 4)], ids=str)
    def test_it_moves_as_far_as_the_radius_and_no_farther_than_the_image_says(self, radius, border):
        # It is 2 pixels off.
        after = refined("1111112222 " * 4, "rrrrgggggg " * 4, radius=radius)
        assert_map(after, ("1" * border + "2" * (10 - border) + " ") * 4)

    def test_corners_count_as_near(self):
        # The corner pixel of 1 touches nothing but 4 at its corner, and has its colour.
        before = """
            1111222
            1111222
            1111222
            1111444
            3334444
            3334444
            """
        image = """
            rrrrggg
            rrrrggg
            rrrrggg
            rrrryyy
            bbbyyyy
            bbbyyyy
            """
        assert_map(refined(before, image, radius=1), before)
        assert_map(refined(before, image.replace("rrrryyy", "rrryyyy"), radius=1), before.replace("1111444", "1114444"))

    def test_each_goes_to_the_one_with_its_colour(self):
        before = "111111222222 " * 4 + "333333444444 " * 4
        image = "rrrrrggggggg " * 3 + "bbbbbggggggg " + "bbbbbbbyyyyy " * 4
        after = "111112222222 " * 3 + "333332222222 " + "333333344444 " * 4
        assert_map(refined(before, image, radius=1), after)

    @pytest.mark.parametrize("near", [True, False])
    def test_only_segments_within_the_radius_are_a_choice(self, near):
        # Two pixels of 2 have the colour of 3; from the nearer of them it is 2 pixels away, or 8.
        image = "rrrrrgggggbbgbbbbb" if near else "rrrrrbbgggggggbbbb"
        before = "111112222222233333" if near else "111112222222223333"
        after = "111112222233233333" if near else "111112222222223333"
        assert_map(refined(f"{before} " * 4, f"{image} " * 4, radius=3), f"{after} " * 4)

    @pytest.mark.parametrize("radius", [1, 2, 5])
    def test_one_colour_moves_nothing_between_equals(self, radius):
        before = "111111111111222222222222 " * 4
        assert_map(refined(before, ("r" * 24 + " ") * 4, radius=radius), before)

    @pytest.mark.parametrize("certainty, moves", [(0.6, True), (0.9, True), (0.9999999, False)], ids=str)
    def test_a_map_that_is_certain_enough_stays(self, certainty, moves):
        after = refined("1111112222 " * 4, "rrrrgggggg " * 4, certainty=certainty)
        assert_map(after, ("1111222222 " if moves else "1111112222 ") * 4)

    @pytest.mark.parametrize("parameters", [{"certainty": 0.5}, {"certainty": 0.9}], ids=str)
    def test_without_weights_nothing_changes_and_nothing_at_a_tie(self, parameters):
        # At one half both segments are equally probable for every pixel.
        weightless = {"gaussian_compat": 0, "bilateral_compat": 0}
        assert_map(refined("1122 2211", "rgrg grgr", **weightless, **parameters), "1122 2211")

    @pytest.mark.parametrize("name", ["gaussian_compat", "bilateral_compat"])
    def test_no_weight_is_too_large(self, name):
        after = refined("1111111222222222333 " * 4, "rrrrrrrggggggggrrrr " * 4, radius=1, **{name: 1000})
        # Red pixels of 2 that are farther from 1 than the radius are none of 1, whatever it weighs.
        assert not (after.panoptic_seg[:, 9:] == 1).any()

    @pytest.mark.parametrize("weight, smooth", [(3, False), (10, True)])
    @pytest.mark.parametrize("image", ["rrrrrrrr", "rgbyrgby"])
    def test_places_alone_smooth_whatever_the_colours(self, image, weight, smooth):
        before = "11111111 " * 4 + "11112111 " + "22222222 " * 4
        weights = {"gaussian_compat": weight, "bilateral_compat": 0}
        after = refined(before, f"{image} " * 9, radius=1, certainty=0.7, **weights)
        assert_map(after, "11111111 " * 5 + "22222222 " * 4 if smooth else before)


@needs_pydensecrf
class TestVoid:
    def test_it_keeps_pixels_of_a_colour_of_its_own(self):
        assert_map(refined("1111..1111 " * 4, "rrrrbbrrrr " * 4), "1111..1111 " * 4)

    def test_it_loses_pixels_to_a_segment_of_their_colour(self):
        assert_map(refined("11111....... " * 4, "rrrrrrrbbbbb " * 4), "1111111..... " * 4)

    def test_it_wins_pixels_of_its_colour(self):
        assert_map(refined("1111111..... " * 4, "rrrrrbbbbbbb " * 4), "11111....... " * 4)


@needs_pydensecrf
class TestThingsAndVoidStay:
    def test_by_default(self):
        assert DenseCrf() == DenseCrf(move_things=False) != DenseCrf(move_things=True)

    def test_a_border_of_stuff_moves(self):
        assert_map(refined_stuff("1111112222 " * 4, "rrrrgggggg " * 4), "1111222222 " * 4)

    @pytest.mark.parametrize("moves", [True, False])
    def test_a_thing_in_the_colour_of_stuff_keeps_its_pixels(self, moves):
        before, image = "1111222333 " * 4, "rrgggggbbb " * 4
        after = refined(before, image, stuff=[SKY, GRASS], move_things=moves, radius=2)
        assert_map(after, "1122222333 " * 4 if moves else before)

    def test_a_small_thing_that_would_lose_all_is_still_there(self):
        before, image = "222233 221233 222233", "rrrrgg " * 3
        assert_map(refined_stuff(before, image), before)
        assert reasons(refined(before, image, stuff=[SKY, GRASS])) == {18 + 1: "border"}

    def test_a_thing_wins_nothing(self):
        before = "111222 " * 3
        assert_map(refined(before, "rrrrrg " * 3, stuff=[SKY], move_things=False), before)

    def test_void_neither_wins_nor_loses(self):
        before = "11..22 " * 4
        assert_map(refined_stuff(before, "rrrggg " * 4), before)
        assert_map(refined_stuff(before, "rbbbbg " * 4), before)

    def test_stuff_goes_round_a_thing(self):
        # The thing lies on the border; stuff moves by the image above and below it.
        before = """
            22222333
            22222333
            22211133
            22211133
            22222333
            22222333
            """
        image = "rrrrgggg rrrrgggg " + "rrrbbbgg " * 2 + "rrrrgggg rrrrgggg"
        after = before.replace("22222333", "22223333")
        assert_map(refined_stuff(before, image), after)

    def test_stuff_on_the_other_side_of_a_thing_is_a_choice_within_the_radius(self):
        before, image = "2221333 " * 4, "rrgbggg " * 4
        assert_map(refined_stuff(before, image, radius=2), "2231333 " * 4)
        assert_map(refined_stuff(before, image, radius=1), before)


@needs_pydensecrf
class TestLastPixel:
    def test_a_thing_that_loses_it_is_dropped_and_ids_have_no_gap(self):
        result = refined("113333 123333 113333", "rrgggg rrgggg rrgggg", stuff=[SKY], radius=1)
        assert_map(result, "112222 112222 112222")
        assert result.dropped == (DroppedCandidate(True, CAT, "border", 2 / 16, 18),)
        assert [segment.get("instance_id") for segment in result.segments_info] == [19, None]

    def test_so_is_stuff(self):
        result = refined("111333 121333 111333", "rrrggg rrrggg rrrggg", stuff=[SKY, GRASS], radius=1)
        assert_map(result, "111222 111222 111222")
        assert reasons(result) == {("stuff", SKY): "border"}
        assert [segment["category_id"] for segment in result.segments_info] == [CAT, GRASS]

    def test_so_is_a_thing_that_labels_made(self):
        before = result_of(draw("1111 1211 1111"))
        before.segments_info[1] = {"id": 2, "isthing": True, "category_id": CAT, "area": 1, "instance_id": None}
        after = DenseCrf(move_things=True).refine(heads_of(paint("rrrr rrrr rrrr")), before)
        assert after.dropped == (DroppedCandidate(True, CAT, "border"),)

    def test_a_single_pixel_of_its_own_colour_stays(self):
        assert_map(refined("1111 1211 1111", "rrrr rbrr rrrr"), "1111 1211 1111")


@needs_pydensecrf
class TestNothingToDo:
    @pytest.mark.parametrize("before", ["111 111", "... ...", "1", "."])
    def test_where_no_two_segments_meet(self, before):
        image = " ".join("rgb"[: len(line)] for line in before.split())
        assert_map(refined(before, image, radius=3), before)

    def test_at_radius_0(self):
        assert_map(refined("1212.3 " * 3, "rrrggg " * 3, radius=0), "1212.3 " * 3)


@needs_pydensecrf
@pytest.mark.parametrize("radius", [1, 3, 1000])
class TestThinImages:
    def test_of_one_row(self, radius):
        assert_map(refined("1111112222222", "rrrrrrrgggggg", radius=radius), "1111111222222")

    def test_of_one_column(self, radius):
        assert_map(
            refined(" ".join("1111112222222"), " ".join("rrrrrrrgggggg"), radius=radius), " ".join("1111111222222")
        )

    def test_of_two_pixels(self, radius):
        assert_map(refined("12", "rb", radius=radius), "12")
        assert_map(refined("1.", "rb", radius=radius), "1.")


class TestImage:
    @pytest.mark.parametrize(
        "image",
        [np.zeros((4, 1, 3), np.uint8), np.zeros((1, 4), np.uint8), np.zeros((1, 4, 3), np.float32)],
        ids=["turned", "grey", "float"],
    )
    def test_of_another_size_or_type_it_is_refused(self, image):
        with pytest.raises(InputError, match=r"the image must be \(1, 4, 3\) uint8, as large as the output"):
            heads_of(image, size=(1, 4))

    @needs_pydensecrf
    def test_fuse_hands_it_on(self):
        instances = InstanceSet.from_bitmaps([row((0, 6), width=12)], [0.9], [CAT])
        semantics, image = SemanticMap(draw("1" * 12), LABELS), paint("rrrrrrrrgggg")
        pipeline = Pipeline(stuff_area_thresh=0, border=DenseCrf(move_things=True))
        assert_map(fuse(instances, semantics, CATEGORIES, pipeline, image), "111111112222")
        with pytest.raises(InputError, match="needs the image"):
            fuse(instances, semantics, CATEGORIES, pipeline)


def test_without_pydensecrf_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(InputError, match=r"dense_crf needs pydensecrf; pip install panoptic_heuristic\[crf\]"):
        refined("12", "rg")


@pytest.mark.parametrize(
    "rule, margin", [(DenseCrf(), 40), (DenseCrf(3, 0.9, 9.1, 3, 8), 10), (DenseCrf(20, 0.9, 3, 3, 8), 20)], ids=str
)
def test_the_margin_is_that_of_the_widest_kernel_and_has_all_choices(rule, margin):
    assert rule.margin == margin
