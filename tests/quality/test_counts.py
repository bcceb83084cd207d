"""Panoptic quality counted on drawings of a few pixels.

Ground truth and prediction are drawn with one character per segment; "." is void. In the ground
truth "?" is an id that its segments do not list.
"""

import itertools

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories, Category
from panoptic_heuristic.quality import IOU_UNIT, CategoryCounts, add_counts, count_image

SKY, CAT, DOG, GRASS = 0, 7, 3, 200
CATEGORIES = Categories(
    [
        Category(CAT, "cat", True, (1, 1, 1)),
        Category(SKY, "sky", False, (2, 2, 2)),
        Category(GRASS, "grass", False, (3, 3, 3)),
        Category(DOG, "dog", True, (4, 4, 4)),
    ]
)
# Letters by category; capitals of c and d are crowds in the ground truth, and z is a second crowd of cats.
CATEGORY_OF = {"s": SKY, "g": GRASS, **dict.fromkeys("cabCz", CAT), **dict.fromkeys("dD", DOG)}
CROWDS = "CDz"


def read(drawing, first_id):
    """The map of a drawing, and its segments; each letter is an id of its own, in order of appearance."""
    rows = drawing.split()
    letters = list(dict.fromkeys(letter for row in rows for letter in row if letter != "."))
    id_of = {".": 0, **{letter: first_id + 251 * place for place, letter in enumerate(letters)}}
    segments = [
        {"id": id_of[letter], "category_id": CATEGORY_OF[letter], "iscrowd": int(letter in CROWDS)}
        for letter in letters
        if letter != "?"
    ]
    return np.array([[id_of[letter] for letter in row] for row in rows]), segments


def counted(truth, prediction, more_truth=()):
    """Counts of a pair of drawings as (IoU as a pair of pixel numbers or 0, tp, fp, fn)."""
    gt_ids, gt_segments = read(truth, first_id=300)
    return count_image(gt_ids, [*gt_segments, *more_truth], *read(prediction, first_id=1), CATEGORIES)


def iou(*fractions):
    """The sum of intersection / union, in the counts' units."""
    return sum(round(a * IOU_UNIT / b) for a, b in fractions)


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
        truth = """
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
        assert counted(truth, prediction) == {
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

    def test_large_ids_do_not_run_into_each_other(self):
        top = 2**24 - 1
        truth, prediction = np.array([[top, top - 1]]), np.array([[1, top]])
        counts = count_image(
            truth,
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
