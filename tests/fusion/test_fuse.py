"""The laws that all rules share, drawn: score threshold, stuff, void, the order of ids, and what is refused."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats.categories import Categories
from panoptic_heuristic.fusion import (
    SCORE_WEIGHTS,
    ByScore,
    Calibrated,
    Greedy,
    InstanceSet,
    JointList,
    Pipeline,
    Reclaim,
    SemanticMap,
    fuse,
)
from panoptic_heuristic.fusion.instances import one_by_one
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

A_CAT = mask(
    """
    ........
    ..##....
    ..###...
    ........
    """
)
A_DOG = mask(
    """
    ........
    ......##
    ....####
    ........
    """
)
SCENE = draw(
    """
    11111111
    11001100
    22000000
    22222200
    """
)


class TestWholePicture:
    def test_things_by_rank_then_stuff_by_label_then_void(self):
        # The dog is better and has the pixel both claim; nobody has the 0 at the lower right: void.
        result = fused([A_CAT, A_DOG], [0.8, 0.9], SCENE, category_ids=[CAT, DOG])
        assert_map(
            result,
            """
            33333333
            33223311
            44221111
            444444..
            """,
        )
        assert result.segments_info == [
            {"id": 1, "isthing": True, "category_id": DOG, "area": 6, "score": 0.9, "instance_id": 1},
            {"id": 2, "isthing": True, "category_id": CAT, "area": 4, "score": 0.8, "instance_id": 0},
            {"id": 3, "isthing": False, "category_id": SKY, "area": 12},
            {"id": 4, "isthing": False, "category_id": GRASS, "area": 8},
        ]
        assert result.dropped == ()

    def test_two_results_of_the_same_values_share_nothing(self):
        first, second = (fused([A_CAT, A_DOG], [0.8, 0.9], SCENE) for _ in range(2))
        first.segments_info[0]["id"] = 99
        first.panoptic_seg.fill(0)
        assert second.segments_info[0]["id"] == 1
        assert second.panoptic_seg.any()


class TestScores:
    @pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.7, 1.0])
    def test_a_score_at_the_threshold_is_kept_and_one_below_is_not(self, threshold):
        scores = [np.nextafter(threshold, -1), threshold, np.nextafter(threshold, 2)]
        result = fused([row((2 * k, 2 * k + 2), width=6) for k in range(3)], scores, score=threshold)
        assert_map(result, "..2211")
        assert reasons(result) == {0: "score"}

    @pytest.mark.parametrize(
        "score, threshold, kept",
        [
            (0.7, 0.7, False),  # float32(0.7) is 0.699999988
            (0.3, 0.3, True),  # float32(0.3) is 0.300000012
            (0.5, 0.5, True),
            (0.7, float(np.float32(0.7)), True),
            (0.3, float(np.float32(0.3)), True),
            (0.3, np.nextafter(float(np.float32(0.3)), 1), False),  # float32 cannot tell the two apart
        ],
    )
    def test_float32_scores_are_compared_in_float64(self, score, threshold, kept):
        for scores in (np.array([score], np.float32), torch.tensor([score])):
            result = fused([row((0, 2), width=4)], scores, score=threshold)
            assert reasons(result) == ({} if kept else {0: "score"})

    @pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8])
    def test_a_category_may_have_a_threshold_of_its_own(self, threshold):
        scores = [np.nextafter(threshold, 0), threshold, np.nextafter(threshold, 1), 0.49, 0.5]
        result = fused(
            [row((k, k + 1), width=5) for k in range(5)], scores,
            category_ids=[DOG, DOG, DOG, CAT, CAT], instances_score_thresh_of={DOG: threshold},
        )  # fmt: skip
        assert reasons(result) == {0: "score", 3: "score"}

    def test_scores_that_differ_in_float64_only_are_ranked(self):
        scores = np.array([0.7, np.nextafter(0.7, 1)])
        assert instances_in(fused([row((0, 2), width=4), row((1, 3), width=4)], scores)) == [1, 0]

    def test_scores_that_are_not_finite_are_dropped_with_that_reason(self):
        masks = [row((k, k + 1), width=4) for k in range(4)]
        result = fused(masks, [np.nan, np.inf, -np.inf, 0.9], score=-1)
        assert_map(result, "...1")
        assert reasons(result) == {0: "not_finite", 1: "not_finite", 2: "not_finite"}

    def test_dropped_instances_carry_category_score_and_place(self):
        result = fused([A_CAT, A_DOG], [0.25, 0.5], category_ids=[CAT, DOG])
        (dropped,) = result.dropped
        assert (dropped.isthing, dropped.category_id, dropped.reason) == (True, CAT, "score")
        assert (dropped.score, dropped.instance_id) == (0.25, 0)

    @pytest.mark.parametrize("order", [ByScore(), Calibrated()], ids=str)
    def test_masks_below_the_threshold_are_not_even_made(self, order):
        bitmaps = InstanceSet.from_bitmaps([row((0, 2), width=4), row((2, 4), width=4)], [0.9, 0.4], [CAT, CAT])
        made = []

        def make_crop(index):
            made.append(index)
            return bitmaps.crop(index)

        make, cats, device = one_by_one(make_crop), [CAT, CAT], bitmaps.device
        lazy = InstanceSet(make, [0.9, 0.4], cats, (1, 4), count=2, device=device, is_numpy=True)
        assert reasons(fuse(lazy, None, CATEGORIES, Pipeline(order=order))) == {1: "score"}
        assert made == [0]

    def test_negative_scores_are_ranked_too(self):
        # Scores may be logits.
        assert instances_in(fused([row((0, 2), width=4), row((2, 4), width=4)], [-3, -2], score=-5)) == [1, 0]


@pytest.mark.parametrize("limit, kept", [(2, True), (3, True), (3.5, False)], ids=["below", "at", "above"])
def test_an_instance_needs_as_many_pixels_in_the_map_as_the_limit_of_things(limit, kept):
    # The second has 3 of its 5 pixels, and leaves them to stuff.
    masks = [row((0, 4), width=8), row((2, 7), width=8)]
    result = fused(masks, [0.9, 0.8], draw("11111111"), thing_area_thresh=limit)
    assert_map(result, "11112223" if kept else "11112222")
    assert reasons(result) == ({} if kept else {1: "thing_area"})


class TestStuff:
    @pytest.mark.parametrize("limit, kept", [(4, True), (5, True), (5.5, False), (6, False)])
    def test_a_free_area_at_the_limit_is_kept_and_one_below_is_not(self, limit, kept):
        # Seven pixels of sky, of which a cat has two.
        result = fused([row((0, 4), width=9)], [0.9], draw("001111111"), stuff_area=limit)
        assert_map(result, "111122222" if kept else "1111.....")
        assert reasons(result) == ({} if kept else {("stuff", SKY): "stuff_area"})

    @pytest.mark.parametrize("fraction, kept", [(0.4, True), (0.5, True), (np.nextafter(0.5, 1), False), (1, False)])
    def test_a_fraction_of_the_image_is_a_limit_too(self, fraction, kept):
        # Five of ten pixels are free sky.
        result = fused([row((0, 4), width=10)], [0.9], draw("0011111110"), stuff_area_fraction=fraction)
        assert_map(result, "111122222." if kept else "1111......")
        assert reasons(result) == ({} if kept else {("stuff", SKY): "stuff_area"})

    def test_the_fraction_is_compared_in_float64(self):
        # 0.07 * 100 is 7.000000000000001 there, and 7 in float32.
        labels = draw("1" * 7 + "0" * 93)
        assert stuff_in(fused([], [], labels, stuff_area_fraction=0.07)) == []
        assert stuff_in(fused([], [], labels, stuff_area_fraction=0.0699999999999)) == [SKY]

    @pytest.mark.parametrize("pixels, fraction, kept", [(5, 0.5, True), (6, 0.5, False), (5, 0.6, False)])
    def test_both_limits_must_be_met(self, pixels, fraction, kept):
        result = fused([], [], draw("1111100000"), stuff_area=pixels, stuff_area_fraction=fraction)
        assert stuff_in(result) == ([SKY] if kept else [])

    @pytest.mark.parametrize("limit, kept", [(3, True), (4, True), (4.5, False)])
    def test_a_category_may_have_a_limit_of_its_own(self, limit, kept):
        # In place of the general one, be it higher or lower; grass keeps that.
        for general in (0, 100):
            result = fused([], [], draw("1111222222"), stuff_area=general, stuff_area_thresh_of={SKY: limit})
            assert stuff_in(result) == ([SKY] if kept else []) + ([GRASS] if general == 0 else [])

    @pytest.mark.parametrize("fraction, kept", [(0.3, True), (0.4, True), (0.41, False)])
    def test_a_category_may_have_a_fraction_of_its_own(self, fraction, kept):
        for general in (0, 1):
            result = fused(
                [], [], draw("1111222222"), stuff_area_fraction=general, stuff_area_fraction_of={SKY: fraction}
            )  # fmt: skip
            assert stuff_in(result) == ([SKY] if kept else []) + ([GRASS] if general == 0 else [])

    def test_a_limit_of_its_own_leaves_the_fraction_in_force(self):
        result = fused([], [], draw("1111222222"), stuff_area_fraction=0.5, stuff_area_thresh_of={SKY: 0})
        assert stuff_in(result) == [GRASS]

    def test_stuff_without_a_free_pixel_is_never_a_segment(self):
        # At limit 0 Detectron2 would emit one without a pixel.
        for limit in (0, 1, 100):
            result = fused([row((0, 4), width=4)], [0.9], draw("1111"), stuff_area=limit)
            assert_map(result, "1111")
            assert reasons(result) == {("stuff", SKY): "covered"}
            (dropped,) = result.dropped
            assert (dropped.isthing, dropped.score, dropped.instance_id) == (False, None, None)

    def test_a_dropped_stuff_category_leaves_void_and_no_gap_in_the_ids(self):
        result = fused([], [], draw("1122 0222"), stuff_area=3)
        assert_map(result, "..11 .111")
        assert stuff_in(result) == [GRASS]

    def test_each_category_has_its_own_free_area(self):
        # Together they have enough, each alone has not.
        result = fused([], [], draw("1122"), stuff_area=3)
        assert_map(result, "....")
        assert reasons(result) == {("stuff", SKY): "stuff_area", ("stuff", GRASS): "stuff_area"}

    def test_stuff_of_a_dropped_instance_comes_back(self):
        result = fused([row((0, 2), width=4), row((2, 4), width=4)], [0.9, 0.4], draw("1111"), stuff_area=2)
        assert_map(result, "1122")

    def test_two_labels_of_one_category_are_one_segment(self):
        # Three pixels each; the limit is on the sum.
        labels, meaning = draw("111222 333333"), {1: SKY, 2: GRASS, 3: SKY}
        result = fused([row((0, 3), width=6).repeat(2, axis=0)], [0.9], labels, label_to_category=meaning, stuff_area=3)
        assert_map(result, "111333 111222")
        assert stuff_in(result) == [SKY, GRASS]
        both = fused([], [], draw("1133 2222"), label_to_category=meaning, stuff_area=4)
        assert_map(both, "1111 2222")
        assert both.segments_info[0]["area"] == 4

    def test_ids_follow_the_labels_and_not_the_categories(self):
        assert stuff_in(fused([], [], draw("12"))) == [SKY, GRASS]
        assert stuff_in(fused([], [], draw("12"), label_to_category={1: GRASS, 2: SKY})) == [GRASS, SKY]

    def test_labels_of_things_are_no_stuff(self):
        # A head with one channel per thing category as well; label 0 is stuff here.
        labels, meaning = draw("0011 2233"), [GRASS, CAT, DOG, SKY]
        result = fused([], [], labels, label_to_category=meaning)
        assert_map(result, "11.. ..22")
        assert stuff_in(result) == [GRASS, SKY]
        assert result.dropped == ()

    def test_a_category_with_id_0_may_be_stuff(self):
        categories = Categories.from_coco([{"id": 0, "name": "sky", "isthing": 0}])
        instances = InstanceSet.from_bitmaps(np.zeros((0, 1, 3), bool), [], [])
        result = fuse(instances, SemanticMap(draw("101"), [None, 0]), categories, Pipeline(stuff_area_thresh=0))
        assert_map(result, "1.1")
        assert result.segments_info == [{"id": 1, "isthing": False, "category_id": 0, "area": 2}]


class TestEmptyInputs:
    def test_no_semantics_leaves_void_around_the_instances(self):
        result = fused([A_CAT], [0.9])
        np.testing.assert_array_equal(result.panoptic_seg, A_CAT.astype(int))
        assert result.dropped == ()

    def test_no_stuff_label_leaves_void(self):
        assert_map(fused([row((0, 1), width=2)], [0.9], draw("00")), "1.")

    def test_nothing_at_all_is_void(self):
        result = fused([], [], size=(2, 3))
        assert_map(result, "... ...")
        assert (result.segments_info, result.dropped) == ([], ())

    def test_only_empty_masks_leave_stuff(self):
        result = fused([row(width=3)] * 2, [0.9, 0.8], draw("112"))
        assert_map(result, "112")
        assert reasons(result) == {0: "empty", 1: "empty"}


def on_top(pairs) -> Reclaim:
    return Reclaim(on_top="precedence", precedence=pairs)


class TestErrors:
    @staticmethod
    def instances(category_ids=(CAT,)) -> InstanceSet:
        count = len(category_ids)
        return InstanceSet.from_bitmaps([row((0, 2), width=4)] * count, [0.9] * count, category_ids)

    def test_an_unknown_category_is_named(self):
        with pytest.raises(InputError, match="instance 1 has category 99, which is not among the categories"):
            fuse(self.instances([CAT, 99]), None, CATEGORIES)

    def test_an_instance_of_stuff_is_refused(self):
        with pytest.raises(InputError, match="instance 1 has category 3, which is stuff"):
            fuse(self.instances([DOG, SKY]), None, CATEGORIES)

    def test_a_label_of_an_unknown_category_is_named(self):
        with pytest.raises(InputError, match="label 1 means category 99, which is not among the categories"):
            fuse(self.instances(), SemanticMap(draw("1111"), {1: 99}), CATEGORIES)

    @pytest.mark.parametrize(
        "values, message",
        [
            ({"instances_score_thresh_of": {99: 0.5}}, "instances_score_thresh_of names category 99, which is not"),
            (
                {"instances_score_thresh_of": {SKY: 0.5}},
                "names category 3, which is stuff; it is a parameter of things",
            ),
            ({"stuff_area_thresh_of": {DOG: 5}}, "names category 0, which is a thing; it is a parameter of stuff"),
            ({"stuff_area_fraction_of": {CAT: 0.5}}, "stuff_area_fraction_of names category 7, which is a thing"),
            ({"claim": Greedy(0.5, {GRASS: 0.5})}, "overlap_threshold_of names category 12, which is stuff"),
            ({"claim": JointList(overlap_threshold_of={SKY: 0.5})}, "overlap_threshold_of names category 3, which is"),
            ({"claim": on_top([(DOG, 99)])}, "precedence names category 99, which is not among the categories"),
            ({"claim": on_top([(SKY, DOG)])}, "precedence names category 3, which is stuff; it is a parameter of th"),
            (
                {"order": Calibrated({98: SCORE_WEIGHTS})},
                "weights names category 98, which is not among the categories",
            ),
            ({"order": Calibrated(cut={SKY: 0.5})}, "cut names category 3, which is stuff"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
    )
    def test_values_of_unknown_categories_or_of_the_wrong_kind_are_refused(self, values, message):
        with pytest.raises(InputError, match=message):
            fuse(self.instances(), None, CATEGORIES, Pipeline(**values))

    @pytest.mark.parametrize("pipeline", ["rap", {"claim": "greedy"}, None])
    def test_what_is_no_pipeline_is_refused(self, pipeline):
        kind = type(pipeline).__name__
        with pytest.raises(InputError, match=rf"pipeline must be a Pipeline, such as Pipeline\.preset.*; got {kind}$"):
            fuse(self.instances(), None, CATEGORIES, pipeline)

    def test_sizes_must_agree(self):
        with pytest.raises(InputError, match=r"on \(1, 4\) pixels, the semantic labels on \(1, 3\)"):
            fuse(self.instances(), SemanticMap(draw("111"), LABELS), CATEGORIES)

    def test_devices_must_agree(self):
        # "meta" stands for a second device, which not every machine has.
        elsewhere = InstanceSet(
            self.instances().crops, [0.9], [CAT], (1, 4), count=1, device=torch.device("meta"), is_numpy=False
        )  # fmt: skip
        with pytest.raises(InputError, match="instances are on meta, the semantic labels on cpu"):
            fuse(elsewhere, SemanticMap(draw("1111"), LABELS), CATEGORIES)
