"""Images added one after the other: drawings, and laws on random pairs."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
import torch

from panoptic_heuristic.errors import InputError
from panoptic_heuristic.formats import Categories
from panoptic_heuristic.quality import (
    CategoryCounts,
    Coverage,
    ImageMeasures,
    MeasureSettings,
    PanopticQuality,
    add_counts,
    count_image,
    measure_image,
    summarize,
)
from tests.quality.drawings import CAT, CATEGORIES, DOG, GRASS, SKY, counts, random_pair, read

PQ_ALONE = MeasureSettings(iou_thresholds=(), sizes=False, dagger=False)


def pairs(gt, pred):
    """Ground truth and prediction of two drawings."""
    return read(gt, first_id=300), read(pred, first_id=1)


def random_images(number=12):
    """(gt, pred) by image id."""
    images = {}
    for seed in range(number):
        gt_ids, gt_segments, pred_ids, pred_segments = random_pair(seed)
        images[seed * 7] = (gt_ids, gt_segments), (pred_ids, pred_segments)
    return images


IMAGES = random_images()


def updated(images, **arguments):
    quality = PanopticQuality(CATEGORIES, **arguments)
    for image_id, (gt, pred) in images.items():
        quality.update(gt, pred, image_id)
    return quality


def shards_of(images, number):
    items = list(images.items())
    return [dict(items[place::number]) for place in range(number)]


def state(quality):
    return quality.counts, len(quality), pickle.dumps(quality)


class TestDrawings:
    def test_pq_is_of_the_sums_of_two_images(self):
        # Cats: one found with IoU 3/4, one missed. Sky: IoU 4/5 in the first and all of it in the second.
        first = pairs("cccc ssss", "cccs ssss")
        second = pairs("aa.. ssss", ".... ssss")
        found = PanopticQuality(CATEGORIES).update(*first).update(*second).compute()
        cat, sky = 0.75 / 1.5, (0.8 + 1) / 2
        assert (found.things.pq, found.things.sq, found.things.rq) == pytest.approx((cat, 0.75, 2 / 3))
        assert (found.stuff.pq, found.stuff.sq, found.stuff.rq) == pytest.approx((sky, sky, 1))
        assert found.all.pq == pytest.approx((cat + sky) / 2)
        assert {key: value.pq for key, value in found.by_category.items()} == pytest.approx({CAT: cat, SKY: sky})

    @pytest.mark.parametrize(
        "gt, pred, expected",
        [
            # A half is no match; more is.
            ("cc..", "cccc", {CAT: counts(1, 1, 0, 0)}),
            ("ccss", "ccc.", {CAT: counts(2 / 3, 1, 0, 0), SKY: CategoryCounts(fn=1)}),
            ("ccssssss", "ccccssss", {CAT: CategoryCounts(fp=1, fn=1), SKY: counts(4 / 6, 1, 0, 0)}),
            # More than half on void, or on a crowd of its category, is no false positive; half is.
            ("...s", "cccs", {SKY: counts(1, 1, 0, 0)}),
            ("..ss", "ccdd", {DOG: CategoryCounts(fp=1), SKY: CategoryCounts(fn=1)}),
            ("CCCs", "cccs", {SKY: counts(1, 1, 0, 0)}),
            ("CCCs", "ddds", {DOG: CategoryCounts(fp=1), SKY: counts(1, 1, 0, 0)}),
            # Pixels that are not listed are neither void nor a segment.
            ("???s", "cccs", {CAT: CategoryCounts(fp=1), SKY: counts(1, 1, 0, 0)}),
            # Nothing there, nothing predicted, nothing at all.
            ("....", "ccss", {}),
            ("ccss", "....", {CAT: CategoryCounts(fn=1), SKY: CategoryCounts(fn=1)}),
            ("....", "....", {}),
        ],
    )
    def test_the_rules_of_one_image(self, gt, pred, expected):
        quality = PanopticQuality(CATEGORIES, PQ_ALONE).update(*pairs(gt, pred))
        assert quality.counts == {"pq": expected}
        assert quality.compute() == summarize(expected, CATEGORIES)

    def test_all_crowds_count_if_asked_for(self):
        gt, pred = pairs("CCCzz", "ccccc")
        last, every = (
            PanopticQuality(CATEGORIES, MeasureSettings(all_crowds=all_crowds)).update(gt, pred).counts["pq"]
            for all_crowds in (False, True)
        )
        assert (last, every) == ({CAT: CategoryCounts(fp=1)}, {})

    @pytest.mark.parametrize("ids", [(1, 2), (2**24 - 1, 2**24 - 2), (7000, 3), (2**31 - 1, 1)])
    def test_ids_are_names(self, ids):
        first, second = ids
        gt = np.array([[first, first, second, 0]]), [{"id": i, "category_id": CAT} for i in ids]
        pred = np.array([[second, second, first, 0]]), [{"id": i, "category_id": CAT} for i in ids]
        assert PanopticQuality(CATEGORIES).update(gt, pred).counts["pq"] == {CAT: counts(2, 2, 0, 0)}

    def test_no_image(self):
        quality = PanopticQuality(CATEGORIES)
        found = quality.compute()
        assert (len(quality), found.all, found.things, found.stuff, found.by_category) == (0, None, None, None, {})
        assert quality.result().coverage == Coverage(0, 0)

    def test_an_image_without_pixels(self):
        nothing = np.zeros((0, 4), dtype=int), []
        assert PanopticQuality(CATEGORIES).update(nothing, nothing).compute().all is None

    def test_another_measure(self):
        # The cat's IoU is 3/4, which does not exceed 0.75; 4/5 does.
        quality = PanopticQuality(CATEGORIES).update(*pairs("cccc ssss", "cccs ssss"))
        assert quality.compute("pq_iou_0.75").things.pq == 0
        assert quality.compute("pq_iou_0.75").stuff.pq == pytest.approx(0.8)
        with pytest.raises(InputError, match="the settings do not ask for 'boundary_pq'; they ask for pq, pq_iou_0.75"):
            quality.compute("boundary_pq")


class TestLaws:
    def test_counts_are_the_sums_over_images(self):
        quality = updated(IMAGES)
        measures = [measure_image(*gt, *pred, CATEGORIES) for gt, pred in IMAGES.values()]
        assert tuple(quality.counts) == MeasureSettings().names
        for name, total in quality.counts.items():
            assert total == add_counts(image.counts[name] for image in measures)
        assert quality.counts["pq"] == add_counts(count_image(*gt, *pred, CATEGORIES) for gt, pred in IMAGES.values())
        assert len(quality) == 12

    def test_the_order_of_the_images_does_not_matter(self):
        assert updated(IMAGES).result() == updated(dict(reversed(IMAGES.items()))).result()

    @pytest.mark.parametrize("shards", [1, 2, 5, 12])
    def test_neither_do_shards(self, shards):
        merged = PanopticQuality(CATEGORIES)
        for part in shards_of(IMAGES, shards):
            merged.merge(updated(part))
        assert merged.result() == updated(IMAGES).result()
        assert merged.compute() == updated(IMAGES).compute()

    def test_neither_does_measuring_elsewhere(self):
        quality = PanopticQuality(CATEGORIES)
        for image_id, (gt, pred) in IMAGES.items():
            quality.add(pickle.loads(pickle.dumps(measure_image(*gt, *pred, CATEGORIES))), image_id)
        assert quality.result() == updated(IMAGES).result()

    def test_it_survives_another_process(self):
        first, second = (updated(part) for part in shards_of(IMAGES, 2))
        merged = pickle.loads(pickle.dumps(first)).merge(pickle.loads(pickle.dumps(second)))
        assert merged.result() == updated(IMAGES).result()

    def test_texts_are_ids_too(self):
        texts = {("a" if image_id % 2 else "é/") + str(image_id): maps for image_id, maps in IMAGES.items()}
        first, second = shards_of(texts, 2)
        quality = updated(first).merge(updated(second))
        assert quality.counts == updated(IMAGES).counts and set(quality.result().images) == set(texts)
        with pytest.raises(InputError, match="^image a7 was counted twice$"):
            quality.update(*IMAGES[7], "a7")

    def test_a_number_and_its_text_are_two_ids(self):
        quality = updated({7: IMAGES[7], "7": IMAGES[7]})
        assert set(quality.result().images) == {7, "7"}
        with pytest.raises(InputError, match="cannot be merged: image 7 is in both"):
            quality.merge(updated({"7": IMAGES[7], "a": IMAGES[7]}))

    def test_images_without_ids_count_the_same(self):
        without = PanopticQuality(CATEGORIES)
        for gt, pred in IMAGES.values():
            without.update(gt, pred)
        assert (without.counts, len(without)) == (updated(IMAGES).counts, 12)
        assert without.merge(updated(IMAGES)).compute().all.pq == pytest.approx(updated(IMAGES).compute().all.pq)
        assert len(without) == 24

    def test_reset_forgets_all(self):
        quality = updated(IMAGES)
        quality.update(*IMAGES[0])
        quality.reset()
        assert state(quality) == state(PanopticQuality(CATEGORIES))
        assert quality.update(*IMAGES[7], 7).result() == updated({7: IMAGES[7]}).result()

    def test_nothing_that_is_handed_over_changes(self):
        images = pickle.loads(pickle.dumps(IMAGES))
        first, second = (updated(part) for part in shards_of(images, 2))
        before = state(second)
        first.merge(second)
        assert state(second) == before
        assert pickle.dumps(images) == pickle.dumps(IMAGES)

    def test_what_it_handed_out_does_not_change(self):
        quality = updated({0: IMAGES[0]})
        result, held = quality.result(), quality.counts
        before = pickle.dumps((result, held))
        quality.update(*IMAGES[7], 7)
        assert pickle.dumps((result, held)) == before

    @pytest.mark.parametrize(
        "convert",
        [torch.from_numpy, lambda ids: torch.from_numpy(ids).int(), np.ndarray.tolist, np.asfortranarray],
        ids=["tensor", "int tensor", "lists", "columns"],
    )
    def test_maps_may_be_whatever_numpy_reads(self, convert):
        quality = PanopticQuality(CATEGORIES)
        for gt, pred in IMAGES.values():
            quality.update((convert(gt[0]), gt[1]), (convert(pred[0]), tuple(pred[1])))
        assert quality.counts == updated(IMAGES).counts


class TestResult:
    def test_of_each_image_what_was_asked_for_is_kept(self):
        assert {tuple(image.counts) for image in updated(IMAGES).result().images.values()} == {("pq",)}
        kept = updated(IMAGES, keep=("pq_dagger", "pq")).result().images
        measures = measure_image(*IMAGES[7][0], *IMAGES[7][1], CATEGORIES)
        counts_of_image = {name: measures.counts[name] for name in ("pq_dagger", "pq")}
        assert kept[7] == ImageMeasures(counts_of_image, measures.pixels, measures.void_pixels)
        with pytest.raises(InputError, match="the settings do not ask for 'pq_dagger'; they ask for pq$"):
            PanopticQuality(CATEGORIES, PQ_ALONE, keep=("pq_dagger",))

    def test_its_params_say_what_was_measured(self):
        assert updated(IMAGES).result(params={"missing": "skip"}).params == {
            "measures": MeasureSettings().to_params(),
            "missing": "skip",
        }

    def test_it_covers_its_images_unless_told_otherwise(self):
        assert updated(IMAGES).result().coverage == Coverage(12, 12)
        assert updated(IMAGES).result(coverage=Coverage(15, 12, 3)).coverage == Coverage(15, 12, 3)

    def test_every_image_needs_an_id(self):
        quality = updated(IMAGES).update(*IMAGES[0])
        with pytest.raises(InputError, match="1 of 13 images came without an image_id, which a result names"):
            quality.result()


class TestWrongInput:
    GT, PRED = pairs("cc ss", "cc ss")

    def check(self, problem, gt=GT, pred=PRED, image_id=None):
        """The error, and that nothing was counted."""
        quality = updated({0: IMAGES[0]})
        before = state(quality)
        with pytest.raises(InputError, match=problem):
            quality.update(gt, pred, image_id)
        assert state(quality) == before

    def test_an_image_twice(self):
        self.check("^image 0 was counted twice$", image_id=0)
        self.check("^image 0 was counted twice$", image_id=np.int64(0))
        with pytest.raises(InputError, match="cannot be merged: image 7 is in both"):
            updated(IMAGES).merge(updated({7: IMAGES[7]}))

    @pytest.mark.parametrize("image_id", [b"7", 7.0, True, np.True_, Fraction(7)])
    def test_ids_of_images_that_are_no_integers_and_no_text(self, image_id):
        self.check("image_id must be an integer, a text or None, got", image_id=image_id)

    @pytest.mark.parametrize("wrong", [None, GT[0], GT[:1], (*GT, 1), {"ids": 1, "segments": 2}])
    def test_no_pair(self, wrong):
        self.check(r"^the ground truth must be a pair \(ids, segments_info\), got ", gt=wrong)
        self.check(r"^image 5: the prediction must be a pair \(ids, segments_info\), got ", pred=wrong, image_id=5)

    @pytest.mark.parametrize(
        "ids, problem",
        [
            (GT[0][:1], r"the prediction is \(1, 2\) pixels, the ground truth \(2, 2\)"),
            (GT[0][None], r"the ids of the prediction must be \(H, W\), got an array of shape \(1, 2, 2\)"),
            (GT[0].ravel(), r"must be \(H, W\), got an array of shape \(4,\)"),
            (GT[0].astype(float), "must be integers, got an array of float64"),
            (torch.ones(2, 2), "must be integers, got an array of float32"),
            (torch.ones(2, 2, requires_grad=True), "prediction cannot be made an array of NumPy: .*grad"),
            (torch.ones(2, 2, device="meta"), "cannot be made an array of NumPy"),
            ([[1, 1], [1]], "cannot be made an array of NumPy"),
            (GT[0] > 0, "must be integers, got an array of bool"),
            (None, "must be integers, got an array of object"),
        ],
    )
    def test_maps_that_are_none(self, ids, problem):
        self.check(problem, pred=(ids, self.PRED[1]))

    @pytest.mark.parametrize(
        "segments, problem",
        [
            (None, "the predicted segments must be a list of dicts, got None"),
            ([1, 2], r"must be a list of dicts, got \[1, 2\]"),
            ("ids", "must be a list of dicts, got 'ids'"),
            ([{"id": 1}], r"a predicted segment has no 'category_id': {'id': 1}"),
            ([{"category_id": CAT}], "a predicted segment has no 'id'"),
            ([{"id": 1, "category_id": CAT}], "the predicted map holds segment 252, which its segments do not list"),
        ],
    )
    def test_segments_that_are_none(self, segments, problem):
        self.check(problem, pred=(self.PRED[0], segments))
        self.check(f"^image 5: .*{problem}", pred=(self.PRED[0], segments), image_id=5)

    def test_measures_of_other_settings(self):
        with pytest.raises(InputError, match="image 5 has the measures pq; the settings ask for pq, pq_iou_0.75"):
            updated(IMAGES).add(ImageMeasures({"pq": {}}, 1, 0), 5)
        with pytest.raises(InputError, match="an image has the measures pq; the settings ask for"):
            updated(IMAGES).add(ImageMeasures({"pq": {}}, 1, 0))

    @pytest.mark.parametrize(
        "other, what",
        [
            (PanopticQuality(CATEGORIES, PQ_ALONE), "settings"),
            (PanopticQuality(CATEGORIES, MeasureSettings(all_crowds=True)), "settings"),
            (PanopticQuality(CATEGORIES, keep=()), "keep"),
            (PanopticQuality(Categories([CATEGORIES[CAT], CATEGORIES[GRASS]])), "categories"),
        ],
    )
    def test_shards_that_count_differently(self, other, what):
        with pytest.raises(InputError, match=f"these two cannot be merged: their {what} differ"):
            updated(IMAGES).merge(other)
