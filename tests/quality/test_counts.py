"""Panoptic quality counted on drawings of a few pixels (see :mod:`tests.quality.drawings`)."""

import itertools

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, add_counts, count_image, repeated_crowds
from tests.quality.drawings import CAT, CATEGORIES, DOG, GRASS, SKY, beside, iou, random_pair, read


def counted(gt, prediction, more_gt=(), **arguments):
    """Counts of a pair of drawings."""
    gt_ids, gt_segments = read(gt, first_id=300)
    prediction = read(prediction, first_id=1)
    return count_image(gt_ids, [*gt_segments, *more_gt], *prediction, CATEGORIES, **arguments)


class TestMatch:
    def test_equal_maps_match_everywhere(self):
        drawing = """
            ssss
            sccs
            daag
            dggg
            """
        assert counted(drawing, drawing) == {
            SKY: CategoryCounts(iou((1, 1)), 1),
            CAT: CategoryCounts(iou((1, 1), (1, 1)), 2),
            DOG: CategoryCounts(iou((1, 1)), 1),
            GRASS: CategoryCounts(iou((1, 1)), 1),
        }

    def test_a_match_a_miss_and_a_false_positive(self):
        gt = """
            ssss
            sccs
            sccs
            ggdd
            """
        prediction = """
            ssss
            sccc
            sscc
            aagg
            """
        assert counted(gt, prediction) == {
            # 6 pixels shared of 8 and 7.
            SKY: CategoryCounts(iou((6, 9)), 1),
            # 3 shared of 4 and 5: one half, and that is not enough. The second one is elsewhere.
            CAT: CategoryCounts(fp=2, fn=1),
            GRASS: CategoryCounts(fp=1, fn=1),
            DOG: CategoryCounts(fn=1),
        }

    @pytest.mark.parametrize(
        "prediction, expected",
        [
            ("cc......", CategoryCounts(fp=1, fn=1)),  # 2 / 5: below
            ("ccc.....", CategoryCounts(iou((3, 5)), 1)),  # 3 / 5: above
            ("cccccccc", CategoryCounts(iou((5, 8)), 1)),
        ],
    )
    def test_more_than_half_is_needed(self, prediction, expected):
        assert counted("cccccsss", prediction)[CAT] == expected

    @pytest.mark.parametrize("size, matches", [(3, False), (4, False), (5, True)], ids=["below", "at", "above"])
    def test_a_half_is_not_enough(self, size, matches):
        # size of 8 pixels; at 4 the IoU is one half exactly.
        counts = counted("cccccccc ssssssss", "c" * size + "s" * (8 - size) + " ssssssss")
        assert counts[CAT] == (CategoryCounts(iou((size, 8)), 1) if matches else CategoryCounts(fp=1, fn=1))

    def test_the_same_place_in_another_category_is_no_match(self):
        assert counted("ccss ccss", "ddgg ddgg") == {
            CAT: CategoryCounts(fn=1),
            SKY: CategoryCounts(fn=1),
            DOG: CategoryCounts(fp=1),
            GRASS: CategoryCounts(fp=1),
        }

    def test_of_two_halves_neither_matches(self):
        assert counted("cccc cccc", "aaaa bbbb")[CAT] == CategoryCounts(fp=2, fn=1)

    def test_ious_are_rounded_to_the_nearest_unit(self):
        counts = counted("ccc", "cc.")
        # 2/3 in units of 2**-40 is 733007751850.67.
        assert counts[CAT].iou_sum == 733007751851
        assert type(counts[CAT].iou_sum) is int


class TestVoid:
    def test_the_predictions_pixels_on_void_do_not_count_in_the_union(self):
        # 3 of 3 pixels of the cat; the other 5 of the prediction are on void.
        assert counted("ccc.....", "cccccccc")[CAT] == CategoryCounts(iou((3, 3)), 1)

    def test_the_ground_truths_pixels_on_predicted_void_do(self):
        assert counted("cccccccc", "ccccc...")[CAT] == CategoryCounts(iou((5, 8)), 1)

    @pytest.mark.parametrize("on_void, fp", [(3, 1), (4, 1), (5, 0)], ids=["below", "at", "above"])
    def test_more_than_half_on_void_is_no_false_positive(self, on_void, fp):
        counts = counted("." * on_void + "s" * (8 - on_void), "cccccccc")
        assert counts.get(CAT, CategoryCounts()) == CategoryCounts(fp=fp)
        assert counts[SKY] == CategoryCounts(fn=1)

    def test_an_id_that_the_json_does_not_list_is_neither_void_nor_a_segment(self):
        # On void the cat would match with 3 of 3, and the dog would not be counted.
        assert counted("ccc?????", "cccccccc")[CAT] == CategoryCounts(fp=1, fn=1)
        assert counted("????????", "dddddddd") == {DOG: CategoryCounts(fp=1)}
        assert counted("ccc??...", "cccccccc")[CAT] == CategoryCounts(iou((3, 5)), 1)


class TestCrowd:
    def test_it_is_neither_matched_nor_missed(self):
        assert counted("CCCC", "ssss") == {SKY: CategoryCounts(fp=1)}
        assert counted("CCCC", "cccc") == {}

    @pytest.mark.parametrize("on_crowd, fp", [(3, 1), (4, 1), (5, 0)], ids=["below", "at", "above"])
    def test_more_than_half_on_the_crowd_of_its_category_is_no_false_positive(self, on_crowd, fp):
        counts = counted("C" * on_crowd + "s" * (8 - on_crowd), "cccccccc")
        assert counts.get(CAT, CategoryCounts()) == CategoryCounts(fp=fp)

    def test_void_and_crowd_add_up(self):
        assert CAT not in counted("CC..sss", "ccccccc")
        assert counted("CC.ssss", "ccccccc")[CAT] == CategoryCounts(fp=1)

    def test_the_crowd_of_another_category_does_not_help(self):
        assert counted("DDDDDDDD", "cccccccc") == {CAT: CategoryCounts(fp=1)}

    def test_its_pixels_stay_in_the_union(self):
        # Unlike void: 3 of 8.
        assert counted("cccCCCCC", "cccccccc")[CAT] == CategoryCounts(fn=1)
        assert counted("cccccCCC", "cccccccc")[CAT] == CategoryCounts(iou((5, 8)), 1)

    def test_of_two_crowds_of_a_category_the_last_counts(self):
        # As in panopticapi: three of five pixels are on the last one, or on the first.
        assert CAT not in counted("CCzzz", "ccccc")
        assert counted("CCCzz", "ccccc") == {CAT: CategoryCounts(fp=1)}

    def test_all_crowds_of_a_category_count_if_asked(self):
        # Three of five and four of seven, but no more than half of either crowd alone in the second.
        assert counted("CCCzz", "ccccc", all_crowds=True) == {}
        gt = "CCzzsss"
        assert counted(gt, "ccccccc")[CAT] == CategoryCounts(fp=1)
        assert CAT not in counted(gt, "ccccccc", all_crowds=True)
        assert counted("CDDDsss", "ccccccc", all_crowds=True)[CAT] == CategoryCounts(fp=1)

    def test_the_last_one_is_the_last_listed(self):
        # Not the one of the greater id, nor the lower one in the picture.
        ids, segments = read("CCCzz", first_id=300)
        prediction = read("ccccc", first_id=1)
        assert count_image(ids, segments, *prediction, CATEGORIES) == {CAT: CategoryCounts(fp=1)}
        assert count_image(ids, segments[::-1], *prediction, CATEGORIES) == {}

    def test_the_categories_of_several_crowds_are_told(self):
        assert repeated_crowds(read("Czc Dds", first_id=1)[1]) == (CAT,)
        assert repeated_crowds(read("Ccd Dds", first_id=1)[1]) == ()
        assert repeated_crowds([{"id": 1, "category_id": CAT}, {"id": 2, "category_id": CAT}]) == ()


class TestEmpty:
    def test_both_maps_are_void(self):
        assert counted(".... ....", ".... ....") == {}

    def test_nothing_predicted(self):
        assert counted("ccss daa.", ".... ....") == {
            CAT: CategoryCounts(fn=2),
            SKY: CategoryCounts(fn=1),
            DOG: CategoryCounts(fn=1),
        }

    def test_predictions_on_void_alone(self):
        assert counted(".... ....", "ccss daa.") == {}

    def test_a_listed_segment_without_a_pixel_is_missed(self):
        more = [{"id": 9999, "category_id": DOG, "iscrowd": 0}]
        assert counted("ssss", "ssss", more)[DOG] == CategoryCounts(fn=1)


class TestInputs:
    TRUTH = np.array([[5, 5], [0, 5]])
    SEGMENTS = [{"id": 5, "category_id": CAT, "iscrowd": 0}]

    def test_they_are_not_changed(self):
        maps = self.TRUTH.copy(), self.TRUTH.copy()
        segments = [dict(segment) for segment in self.SEGMENTS], [{"id": 5, "category_id": CAT}]
        count_image(maps[0], segments[0], maps[1], segments[1], CATEGORIES)
        assert all((each == self.TRUTH).all() for each in maps)
        assert segments == (self.SEGMENTS, [{"id": 5, "category_id": CAT}])

    @pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.int64, np.uint64])
    def test_any_integers_give_the_same(self, dtype):
        ids = self.TRUTH.astype(dtype)
        assert count_image(ids, self.SEGMENTS, ids, self.SEGMENTS, CATEGORIES) == {CAT: CategoryCounts(IOU_UNIT, 1)}

    def test_an_image_without_pixels(self):
        empty = np.zeros((0, 4), int)
        assert count_image(empty, self.SEGMENTS, empty, [], CATEGORIES) == {CAT: CategoryCounts(fn=1)}

    def test_views_count_like_copies(self):
        gt, prediction = (read(drawing, 1) for drawing in ("cs cs cs", "cs sc cc"))
        views = [np.repeat(np.repeat(ids, 2, axis=0), 3, axis=1)[::2, ::3] for ids, _ in (gt, prediction)]
        expected = count_image(*gt, *prediction, CATEGORIES)
        assert count_image(views[0], gt[1], views[1], prediction[1], CATEGORIES) == expected

    def test_large_ids_do_not_run_into_each_other(self):
        top = 2**24 - 1
        gt, prediction = np.array([[top, top - 1]]), np.array([[1, top]])
        counts = count_image(
            gt,
            [{"id": top, "category_id": CAT, "iscrowd": 0}, {"id": top - 1, "category_id": SKY, "iscrowd": 0}],
            prediction,
            [{"id": 1, "category_id": CAT}, {"id": top, "category_id": SKY}],
            CATEGORIES,
        )
        assert counts == {CAT: CategoryCounts(IOU_UNIT, 1), SKY: CategoryCounts(IOU_UNIT, 1)}

    def test_a_wrong_area_in_the_json_does_not_matter(self):
        wrong = [{**self.SEGMENTS[0], "area": 1}]
        assert count_image(self.TRUTH, wrong, self.TRUTH, self.SEGMENTS, CATEGORIES)[CAT].iou_sum == IOU_UNIT

    def test_maps_of_different_sizes(self):
        with pytest.raises(InputError, match=r"the prediction is \(2, 3\) pixels, the ground truth \(2, 2\)"):
            count_image(self.TRUTH, self.SEGMENTS, np.zeros((2, 3), int), [], CATEGORIES)

    def test_a_predicted_id_that_is_not_listed(self):
        with pytest.raises(InputError, match="the predicted map holds segment 5, which its segments do not list"):
            count_image(self.TRUTH, self.SEGMENTS, self.TRUTH, [], CATEGORIES)

    @pytest.mark.parametrize("unlisted", [-3, -1, 2**24, 2**31 - 1])
    def test_any_id_that_is_not_listed_is_told_as_it_is(self, unlisted):
        prediction = np.array([[5, unlisted], [0, 5]])
        for dtype in (np.int32, np.int64):
            with pytest.raises(InputError, match=f"holds segment {unlisted}, which"):
                count_image(self.TRUTH, self.SEGMENTS, prediction.astype(dtype), self.SEGMENTS, CATEGORIES)

    @pytest.mark.parametrize("ids", [TRUTH.astype(float), TRUTH > 0])
    def test_maps_that_are_not_of_integers(self, ids):
        with pytest.raises(InputError, match="the ids of the prediction must be integers, got an array of"):
            count_image(self.TRUTH, self.SEGMENTS, ids, self.SEGMENTS, CATEGORIES)
        with pytest.raises(InputError, match="the ids of the ground truth must be integers"):
            count_image(ids, self.SEGMENTS, self.TRUTH, self.SEGMENTS, CATEGORIES)

    @pytest.mark.parametrize(
        "change, problem",
        [
            ({"id": 0}, "segment has id 0, which stands for void"),
            ({"id": 5.0}, "segment has id 5.0; expected an integer"),
            ({"id": True}, "segment has id True; expected an integer"),
            ({"category_id": "7"}, "segment has category_id '7'; expected an integer"),
            ({"category_id": 7.5}, "segment has category_id 7.5; expected an integer"),
            ({"category_id": -2}, "segment 5 has category -2; expected >= 0"),
        ],
    )
    def test_segments_that_are_none(self, change, problem):
        wrong = [{**self.SEGMENTS[0], **change}]
        with pytest.raises(InputError, match=f"ground-truth {problem}"):
            count_image(self.TRUTH, wrong, self.TRUTH, self.SEGMENTS, CATEGORIES)
        with pytest.raises(InputError, match=f"predicted {problem}"):
            count_image(self.TRUTH, self.SEGMENTS, self.TRUTH, wrong, CATEGORIES)

    def test_a_predicted_segment_without_a_pixel(self):
        with pytest.raises(InputError, match="predicted segment 6 has no pixel in the map"):
            more = [*self.SEGMENTS, {"id": 6, "category_id": CAT}]
            count_image(self.TRUTH, self.SEGMENTS, self.TRUTH, more, CATEGORIES)

    def test_a_predicted_category_that_is_unknown(self):
        with pytest.raises(InputError, match="predicted segment 5 has category 8, which is not among the categories"):
            count_image(self.TRUTH, self.SEGMENTS, self.TRUTH, [{"id": 5, "category_id": 8}], CATEGORIES)


class TestAdding:
    PARTS = (
        {CAT: CategoryCounts(IOU_UNIT // 3, 1, 0, 2), SKY: CategoryCounts(IOU_UNIT // 7, 1)},
        {CAT: CategoryCounts(IOU_UNIT // 5 * 4, 1, 5, 0)},
        {},
        {GRASS: CategoryCounts(fn=1), SKY: CategoryCounts(fp=4)},
    )

    def test_numbers_add_by_category(self):
        assert add_counts(self.PARTS) == {
            CAT: CategoryCounts(IOU_UNIT // 3 + IOU_UNIT // 5 * 4, 2, 5, 2),
            SKY: CategoryCounts(IOU_UNIT // 7, 1, 4, 0),
            GRASS: CategoryCounts(fn=1),
        }

    def test_neither_order_nor_shards_matter(self):
        whole = add_counts(self.PARTS)
        for order in itertools.permutations(self.PARTS):
            assert add_counts(order) == whole
            assert add_counts([add_counts(order[:2]), add_counts(order[2:])]) == whole

    def test_nothing(self):
        assert add_counts([]) == {}

    def test_the_parts_are_not_changed(self):
        parts = [dict(part) for part in self.PARTS]
        add_counts(parts)
        assert tuple(parts) == self.PARTS

    @pytest.mark.parametrize("all_crowds", [False, True])
    def test_two_images_count_like_one_of_both(self, all_crowds):
        """Side by side, nothing of an image touches a segment of the other."""
        counted = 0
        for seed in range(40):
            pairs = random_pair(seed, shape=(12, 15)), random_pair(seed + 1000, shape=(12, 9))
            crowds = [repeated_crowds(pair[1]) for pair in pairs]
            both = beside(*pairs)
            # The last crowd of a category is one for the whole picture.
            if all_crowds or not repeated_crowds(both[1]):
                counted += any(crowds)
                parts = [count_image(*pair, CATEGORIES, all_crowds=all_crowds) for pair in pairs]
                assert count_image(*both, CATEGORIES, all_crowds=all_crowds) == add_counts(parts), seed
        assert counted > 3 or not all_crowds
