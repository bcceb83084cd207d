"""Borders that move to where colours change, drawn."""

import sys

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    DenseCrf,
    DroppedCandidate,
    FusionResult,
    HeadOutputs,
    InstanceSet,
    Need,
    Pipeline,
    SemanticMap,
    fuse,
)
from panoptic_heuristic.fusion.head_outputs import needs_of
from tests.fusion.drawings import CAT, CATEGORIES, GRASS, LABELS, SKY, assert_map, draw, reasons, row
from tests.fusion.runs import needs_pydensecrf

COLOURS = {"r": (220, 40, 40), "g": (40, 200, 60), "b": (40, 60, 220), "y": (230, 220, 40)}


def paint(picture: str) -> np.ndarray:
    """(H, W, 3) uint8: a colour per character."""
    return np.array([[COLOURS[pixel] for pixel in line] for line in picture.split()], dtype=np.uint8)


def heads_of(image, size=None) -> HeadOutputs:
    return HeadOutputs(
        InstanceSet.from_bitmaps(np.zeros((0, *(size or image.shape[:2])), bool), [], []), None, CATEGORIES, image
    )


def result_of(panoptic_seg: np.ndarray, stuff=()) -> FusionResult:
    """Segments are cats but for the last ones, which are of the stuff given; instances count backwards from 20."""
    count = panoptic_seg.max()
    segments_info = []
    for i in range(1, count + 1):
        segment = {"id": i, "isthing": i <= count - len(stuff), "area": int((panoptic_seg == i).sum())}
        if segment["isthing"]:
            segment.update(category_id=CAT, score=i / 16, instance_id=20 - i)
        else:
            segment.update(category_id=stuff[i - count - 1])
        segments_info.append(segment)
    return FusionResult(torch.from_numpy(panoptic_seg.astype(np.int32)), segments_info, ())


def refined(before: str, image: str, stuff=(), **parameters) -> FusionResult:
    return DenseCrf(**parameters).refine(heads_of(paint(image)), result_of(draw(before), stuff))


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
        after = DenseCrf().refine(heads_of(paint("rrrr rrrr rrrr")), before)
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
    def test_it_is_needed_and_pipelines_know(self):
        assert needs_of(DenseCrf()) == {Need.IMAGE}
        with pytest.raises(InputError, match="border=dense_crf needs the image, but there are none here"):
            Pipeline(border=DenseCrf()).check_needs({Need.IMAGE: "there are none here"})
        with pytest.raises(InputError, match="dense_crf needs the image at output resolution, but there is none; give"):
            DenseCrf().refine(heads_of(None, size=(1, 4)), result_of(draw("1122")))

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
        pipeline = Pipeline(stuff_area_thresh=0, border=DenseCrf())
        assert_map(fuse(instances, semantics, CATEGORIES, pipeline, image), "111111112222")
        with pytest.raises(InputError, match="needs the image"):
            fuse(instances, semantics, CATEGORIES, pipeline)

    @needs_pydensecrf
    def test_how_it_lies_in_memory_does_not_matter(self):
        before, image = result_of(draw("1111112222 " * 4)), paint("rrrrgggggg " * 4)
        channels_first = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).permute(1, 2, 0)
        for one in (image, channels_first, np.asfortranarray(image)):
            assert_map(DenseCrf().refine(heads_of(one), before), "1111222222 " * 4)


def test_without_pydensecrf_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(InputError, match=r"dense_crf needs pydensecrf; pip install panoptic_heuristic\[crf\]"):
        refined("12", "rg")


@pytest.mark.parametrize(
    "rule, margin", [(DenseCrf(), 40), (DenseCrf(3, 0.9, 9.1, 3, 8), 10), (DenseCrf(20, 0.9, 3, 3, 8), 20)], ids=str
)
def test_the_margin_is_that_of_the_widest_kernel_and_has_all_choices(rule, margin):
    assert rule.margin == margin
