"""q, g and the covered fraction, drawn, and against whole bitmaps on seeded scenes."""

import math

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.fusion import (
    InstanceSet,
    SemanticMap,
    covered_by_better,
    mask_areas,
    mask_quality,
    semantic_agreement,
)
from panoptic_heuristic.fusion.instances import one_by_one
from panoptic_heuristic.fusion.paste import paste
from panoptic_heuristic.testing.scenes import make_scene
from tests.fusion.drawings import CAT, CATEGORIES, DOG, GRASS, LABELS, SKY, draw, mask, row

SCENES = [
    make_scene(seed, image_size=(48, 65), instances=count, empty=count // 10, things=5, stuff=12)
    for seed, count in enumerate([0, 1, 7, 40, 100])
] + [make_scene(9, image_size=(48, 65), instances=40, empty=3, tied_scores=True, things=5)]

A_CAT = mask(
    """
    ........
    ..###...
    ..#.#...
    ........
    """
)
# 0 is the label of all things.
SCENE = draw(
    """
    00001111
    11001111
    11001122
    00112222
    """
)


def cats(masks, scores=None, **values) -> InstanceSet:
    count = len(masks)
    return InstanceSet.from_bitmaps(masks, [0.9] * count if scores is None else scores, [CAT] * count, **values)


def agreement(*args, **values):
    return semantic_agreement(*args, CATEGORIES, **values).tolist()


class TestSemanticAgreement:
    def test_it_is_the_iou_inside_the_masks_box(self):
        # In the box of 2 x 3 pixels are 5 of the mask and 4 of the things label, 3 of both.
        assert agreement(cats([A_CAT]), SemanticMap(SCENE, LABELS)) == [3 / 6]

    @pytest.mark.parametrize(
        "box, expected",
        [
            ([2, 1, 5, 3], 3 / 6),
            ([2.9, 1.9, 4.1, 2.1], 3 / 6),  # rounded outwards to the same
            ([2, 0, 5, 3], 3 / 8),  # one row more, with two pixels of things
            ([1.99, 1, 5, 3], 3 / 6),  # one column more, without any
            ([2, 1, 5, 2], 2 / 3),  # a part of the mask only
            ([-9, -9, 99, 99], 3 / 12),  # clipped to the image
            ([6, 1, 8, 2], 0),  # neither has a pixel there
            ([3, 2, 4, 3], 0),  # only things there, beside the mask
            ([4, 1, 5, 3], 0),  # only mask there
            ([5, 1, 2, 3], 0),  # inverted
            ([9, 0, 12, 4], 0),  # outside the image
            ([-1e30, -1e30, -1e29, 4], 0),
        ],
    )
    def test_it_is_counted_in_the_heads_box_rounded_outwards(self, box, expected):
        assert agreement(cats([A_CAT], boxes=[box]), SemanticMap(SCENE, LABELS)) == [expected]

    def test_rois_bring_their_box(self):
        rois = InstanceSet.from_rois(np.ones((1, 28, 28), np.float32), [[1.5, 0, 4.5, 2]], [0.9], [CAT], (4, 8))
        # Outwards that is columns 1 to 4; whether the mask has the outer ones is not the point.
        pixels = np.zeros((4, 8), bool)
        crop = rois.crop(0)
        pixels[crop.window] = crop.mask.numpy()
        things = (SCENE == 0)[:2, 1:5]
        inside = pixels[:2, 1:5]
        assert agreement(rois, SemanticMap(SCENE, LABELS)) == [(inside & things).sum() / (inside | things).sum()]

    def test_a_head_with_a_label_per_thing_is_asked_for_that_one(self):
        # 5 is another label of the same category, 3 that of dogs.
        labels = draw("3344 3551")
        semantics = SemanticMap(labels, {0: None, 1: SKY, 3: DOG, 4: CAT, 5: CAT})
        instances = InstanceSet.from_bitmaps([mask("..## ..##")] * 2, [0.9, 0.8], [CAT, DOG])
        assert agreement(instances, semantics) == [3 / 4, 0]

    def test_a_label_of_its_own_counts_even_where_it_does_not_occur(self):
        # Else the other labels would speak for the category in some images.
        semantics = SemanticMap(draw("0000"), {0: None, 4: CAT})
        instances = InstanceSet.from_bitmaps([row((0, 2), width=4)] * 2, [0.9, 0.8], [CAT, DOG])
        assert agreement(instances, semantics) == [0, 1]

    def test_several_labels_may_mean_none(self):
        semantics = SemanticMap(draw("0919"), {0: None, 9: None, 1: SKY})
        assert agreement(cats([row((0, 4), width=4)]), semantics) == [3 / 4]

    def test_stuff_everywhere_agrees_with_no_thing(self):
        assert agreement(cats([A_CAT]), SemanticMap(SCENE, {0: GRASS, 1: SKY, 2: SKY})) == [0]

    def test_an_empty_mask_agrees_with_nothing(self):
        empty = row(width=4)
        semantics = SemanticMap(draw("0011"), LABELS)
        assert agreement(cats([empty]), semantics) == [0]
        assert agreement(cats([empty], boxes=[[0, 0, 4, 1]]), semantics) == [0]
        assert agreement(cats([empty], boxes=[[2, 0, 4, 1]]), semantics) == [0]

    def test_without_semantics_nothing_agrees(self):
        assert agreement(cats([A_CAT, A_CAT]), None) == [0, 0]

    def test_without_instances_there_is_nothing(self):
        none = InstanceSet.from_bitmaps(np.zeros((0, 4, 8), bool), [], [])
        for semantics in (None, SemanticMap(SCENE, LABELS)):
            values = semantic_agreement(none, semantics, CATEGORIES)
            assert (values.shape, values.dtype) == ((0,), np.float64)

    def test_inputs_must_belong_together(self):
        with pytest.raises(InputError, match=r"on \(4, 8\) pixels, the semantic labels on \(1, 4\)"):
            agreement(cats([A_CAT]), SemanticMap(draw("0011"), LABELS))
        with pytest.raises(InputError, match="instance 0 has category 3, which is stuff"):
            agreement(InstanceSet.from_bitmaps([A_CAT], [0.9], [SKY]), None)

    @pytest.mark.parametrize("with_boxes", [False, True])
    @pytest.mark.parametrize("scene", SCENES)
    def test_it_is_what_whole_bitmaps_say(self, scene, with_boxes):
        boxes = scene.boxes if with_boxes else None
        instances = InstanceSet.from_bitmaps(scene.masks, scene.scores, scene.category_ids, boxes=boxes)
        values = semantic_agreement(instances, scene.semantics(), scene.categories)
        height, width = scene.image_size
        rows, columns = np.mgrid[:height, :width]
        for index, pixels in enumerate(scene.masks):
            inside = pixels.any(axis=1)[:, None] & pixels.any(axis=0)
            if with_boxes:
                x0, y0, x1, y1 = scene.boxes[index].astype(np.float64)
                inside = (columns + 1 > x0) & (columns < x1) & (rows + 1 > y0) & (rows < y1)
            elif pixels.any():
                y, x = np.nonzero(pixels)
                inside = (columns >= x.min()) & (columns <= x.max()) & (rows >= y.min()) & (rows <= y.max())
            things = (scene.semantic_labels == 0) & inside
            both, either = (pixels & things).sum(), ((pixels & inside) | things).sum()
            assert values[index] == (both / either if either else 0.0)

    @pytest.mark.parametrize("scene", SCENES)
    def test_how_masks_are_given_does_not_matter(self, scene):
        arguments = (scene.scores, scene.category_ids, scene.image_size)
        rois = InstanceSet.from_rois(scene.probabilities, scene.boxes, *arguments)
        bitmaps = InstanceSet.from_bitmaps(scene.masks, *arguments, boxes=scene.boxes)
        values = semantic_agreement(rois, scene.semantics(), scene.categories)
        np.testing.assert_array_equal(values, semantic_agreement(bitmaps, scene.semantics(), scene.categories))
        if len(values) > 30:
            assert 0 < values.mean() < 1


class TestCoveredByBetter:
    def test_the_union_of_the_better_ones_counts_once(self):
        masks = [row((0, 4), width=8), row((2, 6), width=8), row((1, 7), width=8), row((6, 8), width=8)]
        # The best covers nothing of itself; the third has 5 of its 6 pixels under the first two.
        assert covered_by_better(cats(masks, [0.9, 0.8, 0.7, 0.6])).tolist() == [0, 2 / 4, 5 / 6, 1 / 2]

    def test_whether_the_better_one_would_be_dropped_does_not_matter(self):
        masks = [row((0, 4), width=8), row((0, 5), width=8), row((4, 8), width=8)]
        assert covered_by_better(cats(masks, [0.9, 0.8, 0.7])).tolist() == [0, 4 / 5, 1 / 4]

    def test_of_equal_scores_the_earlier_is_better(self):
        masks = [row((0, 3), width=8), row((0, 6), width=8)]
        assert covered_by_better(cats(masks, [0.8, 0.8])).tolist() == [0, 3 / 6]
        assert covered_by_better(cats(masks[::-1], [0.8, 0.8])).tolist() == [0, 1]

    @pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
    def test_a_score_that_is_not_finite_covers_nothing_and_is_not_covered(self, score):
        masks = [row((0, 4), width=8)] * 3
        assert covered_by_better(cats(masks, [score, 0.8, 0.7])).tolist() == [0, 0, 1]

    def test_an_empty_mask_is_not_covered(self):
        assert covered_by_better(cats([row((0, 4), width=8), row(width=8)], [0.9, 0.8])).tolist() == [0, 0]

    def test_without_instances_there_is_nothing(self):
        values = covered_by_better(InstanceSet.from_bitmaps(np.zeros((0, 4, 8), bool), [], []))
        assert (values.shape, values.dtype) == ((0,), np.float64)

    def test_some_may_be_asked_for_and_worse_masks_are_not_made(self):
        bitmaps = cats([row((0, 4), width=8), row((0, 2), width=8), row((1, 5), width=8)], [0.7, 0.9, 0.8])
        made = []

        def make_crop(index):
            made.append(index)
            return bitmaps.crop(index)

        make, scores, device = one_by_one(make_crop), [0.7, 0.9, 0.8], bitmaps.device
        lazy = InstanceSet(make, scores, [CAT] * 3, (1, 8), count=3, device=device, is_numpy=True)
        assert covered_by_better(lazy, [2, 1]).tolist() == [1 / 4, 0]
        assert made == [1, 2]
        assert covered_by_better(lazy, []).tolist() == []

    @pytest.mark.parametrize("scene", SCENES)
    def test_it_is_what_whole_bitmaps_say(self, scene):
        order = np.argsort(-scene.scores.astype(np.float64), kind="stable")
        values = covered_by_better(scene.instances())
        for place, index in enumerate(order):
            union = scene.masks[order[:place]].any(axis=0)
            area = scene.masks[index].sum()
            assert values[index] == ((scene.masks[index] & union).sum() / area if area else 0.0)


class TestMaskQuality:
    def test_it_is_the_mean_over_the_mask(self):
        # A box as large as the RoI mask: interpolation gives its values.
        probabilities = np.array([[[0.25, 0.5], [0.75, 1.0]]], np.float32)
        rois = InstanceSet.from_rois(probabilities, [[0, 0, 2, 2]], [0.9], [CAT], (4, 4))
        assert mask_quality(rois).tolist() == [0.75]

    def test_it_is_0_for_an_empty_mask(self):
        probabilities = np.full((2, 28, 28), 0.49, np.float32)
        boxes = [[0, 0, 3, 3], [5, 5, 5, 9]]
        assert mask_quality(InstanceSet.from_rois(probabilities, boxes, [0.9, 0.8], [CAT] * 2, (4, 4))).tolist() == [
            0,
            0,
        ]

    def test_without_instances_there_is_nothing(self):
        none = InstanceSet.from_rois(np.zeros((0, 28, 28), np.float32), np.zeros((0, 4)), [], [], (4, 4))
        assert (mask_quality(none).shape, mask_quality(none).dtype) == ((0,), np.float64)

    @pytest.mark.parametrize("scene", SCENES)
    def test_it_lies_between_threshold_and_1_for_masks_with_pixels(self, scene):
        rois = InstanceSet.from_rois(
            scene.probabilities, scene.boxes, scene.scores, scene.category_ids, scene.image_size
        )  # fmt: skip
        values = mask_quality(rois)
        has_pixels = mask_areas(rois) > 0
        np.testing.assert_array_equal(has_pixels, scene.masks.any(axis=(1, 2)))
        assert ((values >= 0.5) == has_pixels).all() and (values <= 1).all()
        assert not values[~has_pixels].any()
        for index in np.flatnonzero(has_pixels)[:5].tolist():
            _, _, pasted = paste(rois.probabilities[index], rois.boxes[index], *scene.image_size)
            inside = [value for value in pasted.flatten().tolist() if value >= 0.5]
            assert values[index] == pytest.approx(math.fsum(inside) / len(inside), rel=1e-14)

    def test_some_may_be_asked_for(self):
        probabilities = np.stack([np.full((2, 2), p, np.float32) for p in (0.5, 0.75, 1.0)])
        rois = InstanceSet.from_rois(probabilities, [[-9, -9, 13, 13]] * 3, [0.9] * 3, [CAT] * 3, (4, 4))
        assert mask_quality(rois, [2, 0]).tolist() == [1.0, 0.5]

    def test_binary_masks_have_none(self):
        with pytest.raises(
            InputError, match="mask_quality needs RoI mask probabilities, .*; build them with .*from_rois"
        ):
            mask_quality(cats([A_CAT]))


class TestValuesThatAreCarried:
    def test_they_are_returned_as_they_are(self):
        instances = cats([A_CAT, A_CAT], mask_quality=[0.1, 0.2], semantic_agreement=[0.3, 0.4])
        assert mask_quality(instances).tolist() == [0.1, 0.2]
        assert agreement(instances, SemanticMap(SCENE, LABELS)) == agreement(instances, None) == [0.3, 0.4]
        assert mask_quality(instances, [1]).tolist() == [0.2]
        assert agreement(instances, None, indices=[1, 0]) == [0.4, 0.3]

    def test_an_unknown_one_is_an_error_only_if_it_is_asked_for(self):
        unknown = [0.1, math.nan]
        instances = cats([A_CAT, A_CAT], mask_quality=unknown, semantic_agreement=unknown)
        assert mask_quality(instances, [0]).tolist() == agreement(instances, None, indices=[0]) == [0.1]
        with pytest.raises(InputError, match=r"mask_quality of instance 1 is not known \(NaN\)"):
            mask_quality(instances)
        with pytest.raises(InputError, match=r"semantic_agreement of instance 1 is not known \(NaN\)"):
            agreement(instances, None)


@pytest.mark.parametrize("indices", [None, [], [2], [1, 0, 2]])
def test_areas(indices):
    instances = cats([row((0, 4), width=8), row(width=8), row((1, 2), (5, 8), width=8)])
    areas = mask_areas(instances, indices)
    assert areas.tolist() == [[4, 0, 4][k] for k in (range(3) if indices is None else indices)]
    assert areas.dtype == np.int64
