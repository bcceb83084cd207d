"""Borders of stuff that follow the image by a guided filter: drawn, and against a plain version."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import (
    DroppedCandidate,
    FusionResult,
    GuidedFilter,
    InstanceSet,
    Pipeline,
    SemanticMap,
    fuse,
)
from panoptic_heuristic.fusion.border import ids_of_stuff
from panoptic_heuristic.fusion.rules import border_guided_filter
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.border_drawings import fused_scene, heads_of, paint, result_of
from tests.fusion.drawings import CATEGORIES, GRASS, LABELS, SKY, assert_map, draw


def refined(before: str, image: str, stuff=(SKY, GRASS), window_radius=2, **parameters) -> FusionResult:
    """Of a map whose last two segments are sky and grass, in that order, if no other stuff is given."""
    rule = GuidedFilter(window_radius=window_radius, **parameters)
    return rule.refine(heads_of(paint(image)), result_of(draw(before), stuff))


class TestBorders:
    @pytest.mark.parametrize(
        "radius, off, left",
        [(1, 1, 1), (2, 1, 0), (2, 2, 2), (3, 1, 0), (3, 2, 1), (8, 3, 0), (8, 4, 2), (8, 7, 6), (8, 8, 8), (12, 4, 0)],
        ids=str,
    )
    def test_one_near_an_edge_goes_to_it_and_one_less_near_comes_nearer(self, radius, off, left):
        # Up to three eighths of the radius, or a pixel, it goes all the way.
        def of(first: str, count: int, second: str) -> str:
            return (first * count + second * (60 - count) + " ") * 40

        for side in (1, -1):
            after = refined(of("1", 30 + side * off, "2"), of("r", 30, "g"), window_radius=radius)
            assert_map(after, of("1", 30 + side * left, "2"))

    def test_a_jagged_one_becomes_that_of_the_image(self):
        before = """
            11111222222222222222
            11111112222222222222
            11112222222222222222
            11111111222222222222
            11111222222222222222
            11111112222222222222
            """
        assert_map(refined(before, "rrrrrrgggggggggggggg " * 6), "11111122222222222222 " * 6)

    def test_the_edge_may_lie_along_rows(self):
        before, image = "11111 " * 5 + "22222 " * 4, "rrrrr " * 4 + "ggggg " * 5
        assert_map(refined(before, image), "11111 " * 4 + "22222 " * 5)

    def test_each_of_three_goes_by_its_edge(self):
        before, image = "111111122222233333333 " * 5, "rrrrrrggggggggyyyyyyy " * 5
        assert_map(refined(before, image, stuff=(SKY, GRASS, SKY)), "111111222222223333333 " * 5)

    @pytest.mark.parametrize("epsilon, border", [(1e-6, 5), (1e-3, 5), (1.0, 6)], ids=str)
    def test_a_large_epsilon_only_smooths(self, epsilon, border):
        after = refined("1111112222 " * 6, "rrrrrggggg " * 6, epsilon=epsilon)
        assert_map(after, ("1" * border + "2" * (10 - border) + " ") * 6)

    @pytest.mark.parametrize("radius", [1, 3, 8])
    def test_a_constant_image_leaves_a_straight_border(self, radius):
        before = "111111111222222222 " * 9
        assert_map(refined(before, ("b" * 18 + " ") * 9, window_radius=radius), before)

    def test_a_constant_image_rounds_what_is_thinner_than_a_window(self):
        # The mean of the means of windows: a lone pixel is outweighed.
        before = "1111111 " * 3 + "1112111 " + "1111111 " * 3 + "2222222 " * 3
        after = "1111111 " * 7 + "2222222 " * 3
        assert_map(refined(before, "bbbbbbb " * 10, window_radius=1), after)

    def test_it_stays_at_a_tie(self):
        # Two of each in the only window.
        for before in ("12 21", "21 12"):
            assert_map(refined(before, "bb bb", window_radius=1), before)

    def test_of_several_others_that_tie_it_goes_to_the_first(self):
        # Seen from the middle, both sides are alike, and both are more.
        for stuff, before in (((SKY, GRASS, SKY), "1112333 " * 3), ((SKY, GRASS, SKY), "3332111 " * 3)):
            after = refined(before, "bbbbbbb " * 3, stuff=stuff, window_radius=3)
            assert (after.panoptic_seg[:, 3] == 1).all()


class TestWhatStays:
    def test_a_thing_between_two_kinds_of_stuff(self):
        # By the image its pixels are grass.
        before, image = "2222113333 " * 6, "rrrrgggggg " * 6
        assert_map(refined(before, image), before)

    def test_a_thing_on_the_border_that_moves(self):
        before = """
            2222223333
            2222223333
            2222113333
            2222113333
            2222223333
            2222223333
            """
        image = "rrrrrggggg " * 2 + "rrrrbbgggg " * 2 + "rrrrrggggg " * 2
        assert_map(refined(before, image), before.replace("2222223333", "2222233333"))

    def test_void_and_the_border_of_stuff_with_it(self):
        before, image = "111..22222 " * 6, "rrrrrrgggg " * 6
        assert_map(refined(before, image, window_radius=1), before)

    @pytest.mark.parametrize("before", ["2222 2222", "2.12 2112", "1111 1111", ".... ....", "1", "2", "."])
    def test_all_where_there_are_not_two_kinds(self, before):
        stuff = [SKY] if "2" in before else []
        before = before if "1" in before else before.replace("2", "1")
        image = " ".join("rgby"[: len(line)] for line in before.split())
        assert_map(refined(before, image, stuff=stuff), before)

    def test_stuff_that_is_farther_than_a_window(self):
        before, image = "2211133 " * 4, "rrggggg " * 4
        assert_map(refined(before, image, window_radius=2), before)


def test_stuff_that_loses_its_last_pixel_is_dropped_and_ids_have_no_gap():
    before = "111333 " * 2 + "121333 " + "111333 " * 2
    after = refined(before, "rrrggg " * 5, stuff=(SKY, GRASS, SKY))
    assert_map(after, "111222 " * 5)
    assert after.dropped == (DroppedCandidate(False, GRASS, "border"),)
    assert [segment["area"] for segment in after.segments_info] == [15, 15]


@pytest.mark.parametrize("radius", [2, 3, 1000])
class TestThinImages:
    def test_of_one_row_or_column(self, radius):
        assert_map(refined("1111112222222", "rrrrrrrgggggg", window_radius=radius), "1111111222222")
        column = refined(" ".join("1111112222222"), " ".join("rrrrrrrgggggg"), window_radius=radius)
        assert_map(column, " ".join("1111111222222"))

    def test_of_two_pixels(self, radius):
        assert_map(refined("12", "rb", window_radius=radius), "12")


class TestImage:
    def test_fuse_hands_it_on_and_limits_of_stuff_come_before(self):
        instances = InstanceSet.from_bitmaps(np.zeros((0, 6, 10), bool), [], [])
        semantics, image = SemanticMap(draw("1111112222 " * 6), LABELS), paint("rrrrrggggg " * 6)
        pipeline = Pipeline(stuff_area_thresh=36, border=GuidedFilter(2))
        # Sky has 36 pixels before; grass has 24, and is dropped although it would win six.
        assert_map(fuse(instances, semantics, CATEGORIES, pipeline, image), "111111.... " * 6)
        pipeline = Pipeline(stuff_area_thresh=24, border=GuidedFilter(2))
        assert_map(fuse(instances, semantics, CATEGORIES, pipeline, image), "1111122222 " * 6)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
    def test_it_may_be_on_a_gpu(self):
        before, image = result_of(draw("1111112222 " * 6), (SKY, GRASS)), torch.from_numpy(paint("rrrrrggggg " * 6))
        on_gpu = FusionResult(before.panoptic_seg.cuda(), before.segments_info, ())
        after = GuidedFilter(2).refine(heads_of(image.cuda()), on_gpu)
        assert after.panoptic_seg.is_cuda
        assert_map(FusionResult(after.panoptic_seg.cpu(), after.segments_info, ()), "1111122222 " * 6)


def plainly(rule: GuidedFilter, image: np.ndarray, result: FusionResult) -> tuple:
    """The rule over the whole image, window by window, in floats: the map, and by how much its pixels are decided."""
    before, stuff, r = result.panoptic_seg.numpy(), ids_of_stuff(result), rule.window_radius
    ids, guide = [one for one in np.unique(stuff) if one], grey_of(image) / 255

    def around(y: int, x: int) -> tuple:
        return slice(max(y - r, 0), y + r + 1), slice(max(x - r, 0), x + r + 1)

    slopes, offsets = np.zeros((2, len(ids), *before.shape))
    for y, x in np.ndindex(before.shape):
        window = around(y, x)
        for place, one in enumerate(ids):
            inside = stuff[window] == one
            covariance = (guide[window] * inside).mean() - guide[window].mean() * inside.mean()
            slopes[place, y, x] = covariance / (guide[window].var() + rule.epsilon)
            offsets[place, y, x] = inside.mean() - slopes[place, y, x] * guide[window].mean()
    after, lead = before.copy(), np.full(before.shape, np.inf)
    for y, x in np.argwhere(stuff > 0):
        window = around(y, x)
        value = {
            one: slopes[place][window].mean() * guide[y, x] + offsets[place][window].mean()
            for place, one in enumerate(ids)
            if (stuff[window] == one).any()
        }
        if len(value) > 1:
            after[y, x] = max(value, key=value.get)
            second, first = sorted(value.values())[-2:]
            lead[y, x] = first - second
    return after, lead


def grey_of(image: np.ndarray) -> np.ndarray:
    """(H, W) float64: the image's only channel; the rule's own weights of three are no part of the filter."""
    assert (image == image[..., :1]).all()
    return image[..., 0].astype(np.float64)


class TestPlainVersion:
    @pytest.mark.parametrize("rule", [GuidedFilter(), GuidedFilter(1, 1e-6), GuidedFilter(3, 0.05)], ids=str)
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("largest_side", [5, 96])
    def test_it_is_as_one(self, monkeypatch, seed, rule, largest_side):
        monkeypatch.setattr(border_guided_filter, "_LARGEST_SIDE", largest_side)
        scene = make_scene(seed, image_size=(31, 42), instances=12, things=3, stuff=6)
        heads, before = fused_scene(scene, seed)
        grey = np.repeat(heads.image.numpy()[..., :1], 3, axis=2)
        after = rule.refine(heads_of(grey), before)
        plain, lead = plainly(rule, grey, before)
        expected = before.with_map(torch.from_numpy(plain), "border")
        assert (plain != before.panoptic_seg.numpy()).sum() >= 20
        # Slopes are rounded to steps, and floats of the plain version are not exact.
        decided = lead > 1e-6
        assert (~decided).sum() < 3
        assert np.array_equal(after.panoptic_seg[decided], expected.panoptic_seg[decided])

    @pytest.mark.parametrize("radius", [1, 8, 40])
    def test_the_parts_change_no_pixel(self, monkeypatch, radius):
        heads, before = fused_scene(make_scene(5, image_size=(160, 200), instances=30, things=5, stuff=12), 5)
        maps = set()
        for largest_side in (4, 33, 96, 1000):
            monkeypatch.setattr(border_guided_filter, "_LARGEST_SIDE", largest_side)
            after = GuidedFilter(radius).refine(heads, before)
            maps.add(after.panoptic_seg.numpy().tobytes())
        assert len(maps) == 1
