"""The greedy rule, drawn. What it shares with the other rules (scores, stuff, void) is in test_fuse.py."""

import warnings

import numpy as np
import pytest
import torch

from panoptic_heuristic import native
from panoptic_heuristic.fusion import Greedy, HeadOutputs, InstanceSet, Order, Pipeline, SemanticMap, fuse
from panoptic_heuristic.fusion.instances import Crop
from panoptic_heuristic.fusion.rules import claim_greedy
from panoptic_heuristic.fusion.rules.claim_greedy import place_on_cpu, place_on_device
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, CATEGORIES, assert_map, draw, fused, instances_in, mask, reasons, row
from tests.kernels import needs_kernels

LEFT = mask(
    """
    ####..
    ####..
    ....#.
    ......
    """
)
RIGHT = mask(
    """
    ...###
    ...###
    ......
    ......
    """
)
BOTTOM = mask(
    """
    ......
    ......
    ######
    ######
    """
)


def test_the_better_instance_keeps_contested_pixels():
    # A third of RIGHT and a twelfth of BOTTOM are taken, both not more than half.
    result = fused([LEFT, RIGHT, BOTTOM], [0.9, 0.8, 0.7])
    assert_map(
        result,
        """
        111122
        111122
        333313
        333333
        """,
    )
    assert result.dropped == ()


def test_at_overlap_0_one_claimed_pixel_is_too_much():
    masks = [mask("##.... ......"), mask(".##### ......"), mask("..#### ######")]
    result = fused(masks, [0.9, 0.8, 0.7], claim=Greedy(0))
    assert_map(result, "112222 222222")
    assert instances_in(result) == [0, 2]
    assert reasons(result) == {1: "overlap"}


def test_at_overlap_1_nothing_is_dropped_but_what_has_no_pixel_left():
    # The second lies within the first and gets no segment: Detectron2 would emit one without a pixel.
    masks = [mask("####.. ####.."), mask(".##... .##..."), mask(".####. ......")]
    result = fused(masks, [0.9, 0.8, 0.7], claim=Greedy(1))
    assert_map(result, "11112. 1111..")
    assert instances_in(result) == [0, 2]
    assert reasons(result) == {1: "covered"}


def test_a_covered_instance_exceeds_any_overlap_below_1():
    masks = [mask("####.. ####.."), mask(".##... .##...")]
    assert reasons(fused(masks, [0.9, 0.8], claim=Greedy(0.999))) == {1: "overlap"}


def test_claims_count_where_the_mask_is_and_not_in_its_box():
    # The first lies within the box of the second, but only one pixel of it in the second's mask.
    masks = [mask("...... .####. .####. ......"), mask("###### #....# #...## ######")]
    result = fused(masks, [0.9, 0.8], claim=Greedy(0.1))
    assert_map(result, "222222 211112 211112 222222")


def test_an_instance_may_lose_its_middle():
    masks = [row((3, 5), width=8), row((1, 7), width=8)]
    assert_map(fused(masks, [0.9, 0.8]), ".221122.")


def test_every_reason_at_once():
    masks = [
        row((0, 4), width=8),
        row((1, 5), width=8),
        row((1, 3), width=8),
        row(width=8),
        row((5, 8), width=8),
    ]
    result = fused(masks * 2, [0.9, 0.8, 0.7, 0.95, 0.6, 0.4, np.nan, 0.3, 0.2, np.inf])
    assert_map(result, "1111.222")
    expected = {1: "overlap", 2: "overlap", 3: "empty", 5: "score", 6: "not_finite", 7: "score", 8: "score"}
    assert reasons(result) == {**expected, 9: "not_finite"}


def test_equal_scores_keep_the_order_of_the_input():
    # Disjoint, so that the ids alone say in which order they came.
    masks = [row((2 * k, 2 * k + 1), width=60) for k in range(28)]
    scores = [0.6, 0.8, 0.7, 0.8] * 7
    order = [k for score in (0.8, 0.7, 0.6) for k in range(28) if scores[k] == score]
    assert instances_in(fused(masks, scores)) == order


def test_of_equal_scores_the_earlier_has_the_contested_pixel():
    assert_map(fused([row((0, 3), width=5), row((2, 5), width=5)], [0.8, 0.8]), "11122")
    assert_map(fused([row((2, 5), width=5), row((0, 3), width=5)], [0.8, 0.8]), "22111")


def test_the_claim_alone_says_areas_in_rank_order_and_what_was_dropped():
    instances = InstanceSet.from_bitmaps([LEFT, RIGHT, BOTTOM], [0.9, 0.8, 0.7], [CAT, CAT, CAT])
    claim = Greedy(0.3).claim(HeadOutputs(instances, None, CATEGORIES), Order((2, 0, 1), (3.0, 2.0, 1.0), {}))
    assert list(claim.areas.items()) == [(2, 12), (0, 8)]
    assert claim.dropped == {1: "overlap"}
    assert claim.panoptic_seg.dtype == torch.int32
    np.testing.assert_array_equal(claim.panoptic_seg, draw("2222.. 2222.. 111111 111111"))


@needs_kernels
class TestKernel:
    """The kernel must give what NumPy gives."""

    def assert_equal(self, instances, ranked, thresholds):
        found, met = place_on_cpu(instances, ranked, thresholds)
        with native.switched_off():
            expected, expected_met = place_on_cpu(instances, ranked, thresholds)
        assert torch.equal(found, expected) and found.dtype == expected.dtype
        assert met == expected_met and all(type(count) is int for pair in met for count in pair)

    def test_none_empty_ones_and_one_pixel(self):
        instances = InstanceSet.from_bitmaps([row(width=1), row((0, 1), width=1)], [0.9, 0.8], [CAT, CAT])
        for ranked in ((), (0,), (1,), (0, 1), (1, 1)):
            self.assert_equal(instances, ranked, [0.5] * len(ranked))

    def test_masks_in_any_order_of_memory(self):
        masks = torch.from_numpy(np.random.default_rng(0).random((4, 9, 7)) < 0.5)
        crops = [Crop(2, 1, mask.t()) for mask in masks] + [Crop(0, 0, masks[0, ::2, ::3])]
        instances = InstanceSet(
            lambda indices: [crops[index] for index in indices],
            [0.9] * 5, [CAT] * 5, (9, 12), count=5, device=masks.device, is_numpy=False,
        )  # fmt: skip
        self.assert_equal(instances, range(5), [1.0] * 5)

    @pytest.mark.parametrize("x0, y0", [(-1, 0), (0, -1), (3, 0), (0, 2)])
    def test_a_mask_that_leaves_the_image_is_not_painted(self, x0, y0):
        crop = Crop(x0, y0, torch.ones(2, 2, dtype=torch.bool))
        instances = InstanceSet(
            lambda indices: [crop], [0.9], [CAT], (3, 4), count=1, device=crop.mask.device, is_numpy=False
        )  # fmt: skip
        with pytest.raises(ValueError, match="broadcast"):
            place_on_cpu(instances, (0,), [1.0])


@pytest.mark.usefixtures("kernels")
class TestOnADevice:
    """The GPU's way to place instances runs on the CPU too, and must give what the CPU's own ways give."""

    def assert_equal(self, instances, ranked, thresholds):
        expected, met = place_on_cpu(instances, ranked, thresholds)
        found, found_met = place_on_device(instances, ranked, thresholds)
        assert torch.equal(found, expected) and found.dtype == expected.dtype
        assert found_met == met

    @pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
    def test_it_places_scenes_alike(self, threshold):
        for seed in range(8):
            scene = make_scene(seed, image_size=(60, 81), instances=60, empty=5)
            ranked = tuple(np.argsort(-scene.scores).tolist())
            self.assert_equal(scene.instances(), ranked, [threshold] * len(ranked))

    @pytest.mark.parametrize("claimed, area", [(1, 10), (3, 10), (7, 10), (1, 3), (2, 3), (5, 7), (49, 50), (7, 7)])
    def test_it_compares_fractions_in_float64(self, claimed, area):
        masks = [row((0, 60), width=150), row((60 - claimed, 60 - claimed + area), width=150)]
        instances = InstanceSet.from_bitmaps(masks, [0.9, 0.8], [CAT, CAT])
        for threshold in (claimed / area, np.nextafter(claimed / area, 0)):
            self.assert_equal(instances, (0, 1), [0.0, threshold])

    def test_none_and_empty_ones(self):
        instances = InstanceSet.from_bitmaps([row(width=6), row((0, 3), width=6)], [0.9, 0.8], [CAT, CAT])
        self.assert_equal(instances, (), [])
        self.assert_equal(instances, (0, 1), [1.0, 1.0])

    def test_fusing_gives_the_same_result(self, monkeypatch):
        scene = make_scene(3, image_size=(60, 81), instances=60, empty=5)
        pipeline = Pipeline(Greedy(0.4, {0: 0.1}), instances_score_thresh=0.1, stuff_area_thresh=50)
        one = fuse(scene.instances(), scene.semantics(), scene.categories, pipeline)
        monkeypatch.setattr(claim_greedy, "place_on_cpu", place_on_device)
        other = fuse(scene.instances(), scene.semantics(), scene.categories, pipeline)
        assert np.array_equal(one.panoptic_seg, other.panoptic_seg)
        assert (one.segments_info, one.dropped) == (other.segments_info, other.dropped)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
    def test_a_gpu_is_not_asked_for_every_instance(self):
        scene = make_scene(0, image_size=(120, 160), instances=60)
        rois, boxes = (torch.from_numpy(array).cuda() for array in (scene.probabilities, scene.boxes))
        instances = InstanceSet.from_rois(rois, boxes, scene.scores, scene.category_ids, scene.image_size)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as waits:
                warnings.simplefilter("always")
                place_on_device(instances, tuple(range(60)), [0.5] * 60)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert len(waits) < 5

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch finds no CUDA device")
    @pytest.mark.parametrize("threshold", [0.05, 0.5])
    def test_a_gpu_gives_the_map_of_the_cpu(self, threshold):
        for seed in range(4):
            scene = make_scene(seed, image_size=(120, 160), instances=100, empty=5)
            pipeline = Pipeline(instances_score_thresh=threshold, stuff_area_thresh=100)
            expected = fuse(scene.instances(), scene.semantics(), scene.categories, pipeline)
            masks, labels = (torch.from_numpy(array).cuda() for array in (scene.masks, scene.semantic_labels))
            instances = InstanceSet.from_bitmaps(masks, scene.scores, scene.category_ids)
            semantics = SemanticMap(labels, scene.label_to_category)
            found = fuse(instances, semantics, scene.categories, pipeline)
            assert found.panoptic_seg.is_cuda and torch.equal(found.panoptic_seg.cpu(), expected.panoptic_seg)
            assert (found.segments_info, found.dropped) == (expected.segments_info, expected.dropped)
