"""The measures beside PQ: thresholds, sizes, void, and what settings ask for."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.quality import (
    CategoryCounts,
    ImageMeasures,
    MeasureSettings,
    add_counts,
    count_image,
    measure_image,
)
from tests.quality.drawings import CAT, CATEGORIES, DOG, GRASS, SKY, beside, iou, random_pair, read

NOTHING_MORE = MeasureSettings(iou_thresholds=(), sizes=False, dagger=False)


def measured(gt, prediction, **settings):
    return measure_image(
        *read(gt, first_id=300),
        *read(prediction, first_id=1),
        CATEGORIES,
        dataclasses.replace(NOTHING_MORE, **settings),
    )


class TestThreshold:
    # Of eight pixels of the cat some are found; the rest of the prediction is sky, as in the gt.
    @pytest.mark.parametrize(
        "size, threshold, matches",
        [
            (5, 0.625, False),
            (6, 0.625, True),
            (5, 0.75, False),
            (6, 0.75, False),
            (7, 0.75, True),
            (7, 0.875, False),
            (8, 0.875, True),
            (8, 0.99, True),
        ],
    )
    def test_the_iou_must_exceed_it(self, size, threshold, matches):
        found = measured("cccccccc ssssssss", "c" * size + "s" * (8 - size) + " ssssssss", iou_thresholds=(threshold,))
        expected = CategoryCounts(iou((size, 8)), 1) if matches else CategoryCounts(fp=1, fn=1)
        assert found.counts[f"pq_iou_{threshold}"][CAT] == expected
        assert found.counts["pq"][CAT] == CategoryCounts(iou((size, 8)), 1)

    @pytest.mark.parametrize("tenths", [6, 7, 8, 9])
    def test_a_decimal_is_meant_as_it_is_written(self, tenths):
        # The floats nearest to 0.6, 0.7, 0.8 and 0.9 lie on either side.
        drawing = "c" * tenths + "." * (10 - tenths)
        found = measured("c" * 10, drawing, iou_thresholds=(tenths / 10,))
        assert found.counts[f"pq_iou_{tenths / 10}"] == {CAT: CategoryCounts(fp=1, fn=1)}

    def test_what_void_excuses_is_no_false_positive(self):
        # 3 of 5 pixels without void, of 11 in all; at 0.5 it matches.
        found = measured("ccccc......", "ccc..cccccc", iou_thresholds=(0.75,)).counts
        assert found["pq"] == {CAT: CategoryCounts(iou((3, 5)), 1)}
        assert found["pq_iou_0.75"] == {CAT: CategoryCounts(fn=1)}

    def test_one_half_is_pq(self):
        for seed in range(60):
            pair = random_pair(seed)
            counts = measure_image(*pair, CATEGORIES, MeasureSettings(iou_thresholds=(0.5,))).counts
            assert counts["pq_iou_0.5"] == counts["pq"] == count_image(*pair, CATEGORIES)

    def test_a_higher_one_turns_matches_into_misses(self):
        lost = 0
        for seed in range(120):
            counts = measure_image(*random_pair(seed), CATEGORIES, MeasureSettings(iou_thresholds=(0.6, 0.9))).counts
            names = ("pq", "pq_iou_0.6", "pq_iou_0.9")
            for category_id in {key for name in names for key in counts[name]}:
                low, middle, high = (counts[name].get(category_id, CategoryCounts()) for name in names)
                assert low.tp >= middle.tp >= high.tp and low.fp <= middle.fp <= high.fp
                assert low.tp + low.fn == middle.tp + middle.fn == high.tp + high.fn
                lost += low.tp - high.tp
        assert lost > 20


def first_pixels(area):
    """That many ones in an image of 100 x 200 pixels, in reading order."""
    return (np.arange(20_000) < area).astype(int).reshape(100, 200)


class TestSize:
    SEGMENT = [{"id": 1, "category_id": CAT, "iscrowd": 0}]

    def sized(self, gt_area, predicted_area):
        """(size name, what it counts) of one segment on either side; 0 pixels is no segment."""
        gt = np.where(first_pixels(gt_area) == 1, 1, 2)
        segments = [*self.SEGMENT[: bool(gt_area)], {"id": 2, "category_id": SKY, "iscrowd": 0}]
        found = measure_image(
            gt,
            segments,
            first_pixels(predicted_area),
            self.SEGMENT[: bool(predicted_area)],
            CATEGORIES,
            dataclasses.replace(NOTHING_MORE, sizes=True),
        ).counts
        return [(name[3:], value[CAT]) for name, value in found.items() if name != "pq" and CAT in value]

    SIZES = [(1, "small"), (1023, "small"), (1024, "medium"), (9215, "medium"), (9216, "large"), (20000, "large")]

    @pytest.mark.parametrize("area, size", SIZES)
    def test_of_a_miss_and_a_match_it_is_the_truths(self, area, size):
        assert self.sized(area, 0) == [(size, CategoryCounts(fn=1))]
        assert self.sized(area, area) == [(size, CategoryCounts(iou((1, 1)), 1))]

    @pytest.mark.parametrize("area, size", SIZES)
    def test_of_a_false_positive_it_is_the_predictions(self, area, size):
        assert self.sized(0, area) == [(size, CategoryCounts(fp=1))]

    @pytest.mark.parametrize("gt, predicted, size", [(1100, 1000, "medium"), (1000, 1100, "small")])
    def test_a_match_across_a_bound(self, gt, predicted, size):
        assert self.sized(gt, predicted) == [(size, CategoryCounts(iou((1000, 1100)), 1))]

    def test_a_miss_and_a_false_positive_of_different_size(self):
        assert self.sized(5000, 500) == [("small", CategoryCounts(fp=1)), ("medium", CategoryCounts(fn=1))]

    def test_a_false_positive_has_the_pixels_on_void_too(self):
        # 600 of 1100 pixels are on the sky, so that void does not excuse it.
        sky = [{"id": 2, "category_id": SKY, "iscrowd": 0}]
        found = measure_image(2 * first_pixels(600), sky, first_pixels(1100), self.SEGMENT, CATEGORIES).counts
        assert found["pq_medium"][CAT] == CategoryCounts(fp=1)

    def test_the_three_are_a_partition(self):
        met = Counter()
        for seed in range(40):
            gt_ids, gt_segments, pred_ids, pred_segments = random_pair(seed)
            # Enlarged, so that all sizes occur.
            large = (np.repeat(np.repeat(ids, 16, axis=0), 16, axis=1) for ids in (gt_ids, pred_ids))
            counts = measure_image(next(large), gt_segments, next(large), pred_segments, CATEGORIES).counts
            sizes = [counts[f"pq_{size}"] for size in ("small", "medium", "large")]
            assert add_counts(sizes) == counts["pq"]
            met.update(place for place, value in enumerate(sizes) if value)
        assert min(met[place] for place in range(3)) > 10


class TestVoid:
    def test_it_is_what_the_prediction_leaves_void(self):
        found = measured("cc.. ssss", "c... .ss.")
        assert (found.pixels, found.void_pixels) == (8, 5)

    def test_none_and_all(self):
        assert measured("....", "cccc").void_pixels == 0
        assert measured("cccc", "....") == ImageMeasures({"pq": {CAT: CategoryCounts(fn=1)}}, 4, 4)


class TestSettings:
    def test_nothing_else_is_computed(self):
        assert list(measured("ccss", "ccss").counts) == ["pq"] == list(NOTHING_MORE.names)

    @pytest.mark.parametrize(
        "settings, more",
        [
            ({"iou_thresholds": (0.9, 0.75)}, ["pq_iou_0.9", "pq_iou_0.75"]),
            ({"sizes": True}, ["pq_small", "pq_medium", "pq_large"]),
            ({"boundary": True}, ["boundary_pq"]),
            ({"dagger": True}, ["pq_dagger"]),
        ],
    )
    def test_names_are_the_measures(self, settings, more):
        names = ["pq", *more]
        assert list(measured("ccss", "ccss", **settings).counts) == names
        assert list(dataclasses.replace(NOTHING_MORE, **settings).names) == names

    def test_the_default_leaves_out_the_slow_one(self):
        assert MeasureSettings().names == ("pq", "pq_iou_0.75", "pq_small", "pq_medium", "pq_large", "pq_dagger")
        pair = random_pair(0)
        assert measure_image(*pair, CATEGORIES) == measure_image(*pair, CATEGORIES, MeasureSettings())

    def test_all_crowds_reaches_every_measure(self):
        settings = dataclasses.replace(MeasureSettings(), boundary=True)
        gt, prediction = "CCzzsss", "ccccccc"
        one = measured(gt, prediction, **dataclasses.asdict(settings)).counts
        every = measured(gt, prediction, **{**dataclasses.asdict(settings), "all_crowds": True}).counts
        for name in settings.names:
            assert CAT not in every[name]
            assert (CAT in one[name]) == (name not in ("pq_medium", "pq_large"))

    def test_params_are_json_and_make_the_settings_again(self):
        settings = MeasureSettings(iou_thresholds=(0.6,), boundary=True, boundary_dilation=0.01)
        params = settings.to_params()
        assert params["iou_thresholds"] == [0.6]
        assert MeasureSettings(**params) == settings
        assert settings != MeasureSettings()

    @pytest.mark.parametrize(
        "settings, problem",
        [
            ({"iou_thresholds": (0.49,)}, r"iou_thresholds must be in \[0.5, 1\), .* got 0.49"),
            ({"iou_thresholds": (0.75, 1)}, r"\[0.5, 1\), .* got 1$"),
            ({"iou_thresholds": (float("nan"),)}, "got nan"),
            ({"iou_thresholds": ("0.7",)}, "got '0.7'"),
            ({"iou_thresholds": (True,)}, "got True"),
            ({"iou_thresholds": 0.75}, "must be a list of numbers, got 0.75"),
            ({"iou_thresholds": "0.75"}, "must be a list of numbers, got '0.75'"),
            ({"iou_thresholds": (0.75, 0.75)}, r"must differ from each other, got \[0.75, 0.75\]"),
            ({"boundary_dilation": 0}, r"boundary_dilation must be in \(0, inf\), got 0"),
            ({"boundary_dilation": -0.1}, "got -0.1"),
            ({"boundary_dilation": float("inf")}, "got inf"),
            ({"boundary_dilation": "1"}, "got '1'"),
            ({"sizes": 1}, "sizes must be True or False, got 1"),
            ({"all_crowds": None}, "all_crowds must be True or False, got None"),
        ],
    )
    def test_values_out_of_range(self, settings, problem):
        with pytest.raises(InputError, match=problem):
            MeasureSettings(**settings)

    @pytest.mark.parametrize("threshold", [0.5, 0.999])
    def test_values_at_the_ends(self, threshold):
        assert MeasureSettings(iou_thresholds=[threshold]).iou_thresholds == (threshold,)


def test_two_images_measure_like_one_of_both():
    settings = MeasureSettings(iou_thresholds=(0.6, 0.75), dagger=False, all_crowds=True)
    for seed in range(40):
        pairs = random_pair(seed, shape=(12, 15)), random_pair(seed + 1000, shape=(12, 9))
        parts = [measure_image(*pair, CATEGORIES, settings) for pair in pairs]
        both = measure_image(*beside(*pairs), CATEGORIES, settings)
        assert both.pixels == sum(part.pixels for part in parts)
        assert both.void_pixels == sum(part.void_pixels for part in parts)
        for name in settings.names:
            assert both.counts[name] == add_counts(part.counts[name] for part in parts), (seed, name)


def test_equal_maps_are_perfect_in_every_measure():
    drawing = "sscc sscc ggdd ggdd"
    counts = measured(drawing, drawing, **dataclasses.asdict(MeasureSettings(boundary=True))).counts
    perfect = {category_id: CategoryCounts(iou((1, 1)), 1) for category_id in (SKY, CAT, GRASS, DOG)}
    assert {name: value for name, value in counts.items() if value} == dict.fromkeys(
        ("pq", "pq_iou_0.75", "pq_small", "boundary_pq", "pq_dagger"), perfect
    )


def test_empty_inputs_in_every_measure():
    for shape in ((3, 4), (0, 4)):
        void = np.zeros(shape, int)
        found = measure_image(void, [], void, [], CATEGORIES, MeasureSettings(boundary=True))
        assert found.counts == dict.fromkeys(MeasureSettings(boundary=True).names, {})
        assert (found.pixels, found.void_pixels) == (void.size, void.size)
